"""A Confluent-compatible schema registry: an asyncio client, and the synchronous face the codec needs.

The one rule: nothing a registry does or fails to do may turn a good record into a dead letter. Only its own statement
that an id does not exist makes one; an outage, a proxy's 404, refused credentials or a garbled reply are `Deferred`.
"""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp

import schemas
from consumer.adapters.avro.source import DirectorySource, ParsedSchema, admit
from consumer.domain.errors import Deferred, Fatal, Poison, Reason
from consumer.domain.subject import Secret

T = TypeVar("T")

NEGATIVE_S = 30.0
"""How long "there is no such id" is believed. A registry's followers may lag behind a new registration."""
BACK_OFF_S = 1.0
"""After a failed call no other is made for this long: an outage must cost the Kafka thread little of its poll loop."""
REMEMBERED_UNKNOWN = 1024
"""Bound of the negative cache: ids come from the topic, and anybody can make up two billion of them."""

_NOT_FOUND = {40401, 40402, 40403}  # subject, version, schema; a proxy's or wrong base path's 404 carries none of them


class NotFound(Exception):
    """The registry itself says that there is no such subject, version or schema."""


class Incompatible(Exception):
    """The registry refused a new version (HTTP 409) or calls the schema invalid (HTTP 422)."""


class RegistryClient:
    """One call per method, no retries, no cache. Every method raises `Deferred(REGISTRY_UNAVAILABLE)` when there is no
    usable answer. Construct and use it on one event loop; the caller closes the session."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, user: str = "", password: Secret | None = None
    ) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._headers = _basic(user, password) if user and password else {}

    async def by_id(self, schema_id: int) -> Any:
        """GET /schemas/ids/{id}: the schema as decoded JSON. `NotFound`; `Poison` if it is not plain Avro."""
        reply = await self._call("GET", f"/schemas/ids/{schema_id}")
        if reply.get("schemaType", "AVRO") != "AVRO" or reply.get("references"):
            raise Poison(Reason.UNKNOWN_SCHEMA, "the schema is not Avro, or refers to others")
        return _decoded(reply.get("schema"))

    async def id_of(self, subject: str, schema: schemas.Schema) -> int:
        """POST /subjects/{subject}: the id under which this very schema is registered. `NotFound` if it is not."""
        return _identity(await self._call("POST", f"/subjects/{quote(subject, safe='')}", schema))

    async def register(self, subject: str, schema: schemas.Schema) -> int:
        """POST /subjects/{subject}/versions: the id, new or old. `Incompatible` if the registry's rule forbids it."""
        return _identity(await self._call("POST", f"/subjects/{quote(subject, safe='')}/versions", schema))

    async def is_compatible(self, subject: str, schema: schemas.Schema) -> bool:
        """Would `register` be allowed? True for a subject without versions."""
        path = f"/compatibility/subjects/{quote(subject, safe='')}/versions/latest"
        try:
            return (await self._call("POST", path, schema)).get("is_compatible") is True
        except NotFound:
            return True
        except Incompatible:
            return False

    async def _call(self, method: str, path: str, schema: schemas.Schema | None = None) -> dict[str, Any]:
        body = None if schema is None else {"schema": json.dumps(schema, separators=(",", ":"))}
        try:
            async with self._session.request(method, self._url + path, json=body, headers=self._headers) as reply:
                status, answer = reply.status, _object(await reply.read())
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise _unavailable("no connection") from None
        if status == 404 and answer.get("error_code") in _NOT_FOUND:
            raise NotFound
        if status in {409, 422}:
            raise Incompatible
        if status != 200:
            raise _unavailable(f"HTTP {status}")
        return answer


def _basic(user: str, password: Secret) -> dict[str, str]:
    # By hand: aiohttp deprecates BasicAuth in the same version that first has its successor.
    return {"Authorization": "Basic " + b64encode(f"{user}:{password.reveal()}".encode()).decode()}


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _decoded(schema: Any) -> Any:
    if not isinstance(schema, str):
        raise _unavailable("the reply holds no schema")
    try:
        return json.loads(schema)
    except ValueError:
        return schema  # a bare "string" schema; not a record, so not admitted either


def _identity(reply: dict[str, Any]) -> int:
    value = reply.get("id")
    if not isinstance(value, int):
        raise _unavailable("the reply holds no id")
    return value


def _unavailable(detail: str) -> Deferred:
    return Deferred(Reason.REGISTRY_UNAVAILABLE, detail, retry_after_s=BACK_OFF_S)


class RegistrySource:
    """`SchemaSource` over a registry, for the Kafka thread. Each question blocks at most `timeout_s`; answers are kept
    for ever, "no such id" for `NEGATIVE_S`. Never call it from the event loop's own thread: that is a `RuntimeError`.

    `names` maps our subjects to the registry's (`<topic>-value`) where topics have other names. Writers look their id
    up; only with `register` do they make one.
    """

    def __init__(
        self,
        client: RegistryClient,
        loop: asyncio.AbstractEventLoop,
        names: Mapping[str, str] | None = None,
        *,
        register: bool = False,
        timeout_s: float = 3.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._loop, self._timeout_s, self._monotonic = client, loop, timeout_s, monotonic
        self._names = dict(names or {})
        self._register = register
        self._shipped = DirectorySource()
        self._known: dict[int, ParsedSchema] = {}
        self._unknown: dict[int, tuple[float, Poison]] = {}
        self._silent_until = float("-inf")

    def by_id(self, schema_id: int) -> ParsedSchema:
        """See `SchemaSource`. A schema that exists and is not admitted is asked for again after `NEGATIVE_S`."""
        if schema := self._known.get(schema_id):
            return schema
        until, poison = self._unknown.get(schema_id, (0.0, None))
        if poison is not None and self._monotonic() < until:
            raise Poison(poison.reason, poison.detail)
        try:
            schema = admit(schema_id, self._ask(lambda: self._client.by_id(schema_id)))
        except NotFound:
            raise self._forget(schema_id, Poison(Reason.UNKNOWN_SCHEMA, "the registry has no such id")) from None
        except Poison as poison:
            raise self._forget(schema_id, poison) from None
        self._unknown.pop(schema_id, None)
        self._known[schema_id] = schema
        return schema

    def by_fingerprint(self, crc: bytes) -> ParsedSchema:
        """Registries cannot be asked by fingerprint: the shipped schemas answer, then those learned by id."""
        for schema in self._known.values():
            if schema.fingerprint == crc:
                return schema
        return self._shipped.by_fingerprint(crc)

    def id_of(self, subject: str) -> int:
        """See `SchemaSource`. `Fatal(INVALID_SETTINGS)` when the schema is not registered, or may not be."""
        name, schema = self._names.get(subject, subject), schemas.load(subject)
        call = self._client.register if self._register else self._client.id_of
        try:
            return self._ask(lambda: call(name, schema))
        except NotFound:
            raise Fatal(Reason.INVALID_SETTINGS, f"the newest schema of {name} is not registered") from None
        except Incompatible:
            raise Fatal(Reason.INVALID_SETTINGS, f"the registry refuses the newest schema of {name}") from None

    def _forget(self, schema_id: int, poison: Poison) -> Poison:
        if len(self._unknown) >= REMEMBERED_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[schema_id] = (self._monotonic() + NEGATIVE_S, poison)
        return poison

    def _ask(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if _running_loop() is self._loop:
            raise RuntimeError("the registry's event loop cannot wait for itself")
        if self._monotonic() < self._silent_until:
            raise _unavailable("waiting after a failed call")
        future = asyncio.run_coroutine_threadsafe(call(), self._loop)
        try:
            return future.result(self._timeout_s)
        except TimeoutError:
            future.cancel()
            self._silent_until = self._monotonic() + BACK_OFF_S
            raise _unavailable("no answer in time") from None
        except Deferred:
            self._silent_until = self._monotonic() + BACK_OFF_S
            raise


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
