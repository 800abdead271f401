"""What the codec asks of a schema source, put to each implementation; and what only a registry can do wrong."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web

import schemas
from consumer.adapters.avro import registry as registry_module
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.registry import BACK_OFF_S, NEGATIVE_S, Incompatible, RegistryClient, RegistrySource
from consumer.adapters.avro.source import DirectorySource, SchemaSource, admit
from consumer.domain.errors import Deferred, Fatal, Poison, Reason
from consumer.domain.subject import Secret
from tests.fakes.commands import fields
from tests.kafka.registry import Registry, serving


class Served:
    """A registry with its client on a loop in another thread, as in the service; the test plays the Kafka thread."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.loop = asyncio.new_event_loop()
        self.now = 1000.0
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def __enter__(self):
        self._thread.start()
        self.client = self.run(self._open())
        return self

    async def _open(self):
        url = await self._stack.enter_async_context(serving(self.registry))
        session = await self._stack.enter_async_context(aiohttp.ClientSession())
        return RegistryClient(session, url, "user", Secret("word"))

    def source(self, **more) -> RegistrySource:
        return RegistrySource(self.client, self.loop, monotonic=lambda: self.now, **more)

    def __exit__(self, *_):
        self.run(self._stack.aclose())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()


@pytest.fixture
def served():
    with Served() as served:
        yield served


@pytest.fixture(params=["directory", "registry"])
def source(request, served) -> SchemaSource:
    """Each implementation, knowing our three subjects."""
    if request.param == "directory":
        return DirectorySource()
    for subject in schemas.subjects():
        served.registry.add(subject, json.dumps(schemas.load(subject)))
    return served.source()


def answering(status, text):
    """A registry's fault: this instead of its answer."""

    async def answer(_):
        return web.Response(status=status, text=text, content_type="application/json")

    return answer


async def hang(_):
    """Never answers."""
    await asyncio.sleep(30)


def test_a_subjects_id_leads_to_its_schema(source):
    """`id_of` and `by_id` agree for each of our subjects."""
    for subject in schemas.subjects():
        schema = schemas.load(subject)
        assert source.by_id(source.id_of(subject)).name == f"{schema['namespace']}.{schema['name']}"


def test_an_unknown_id_is_poison(source):
    """The one answer that may dead-letter a record."""
    with pytest.raises(Poison) as caught:
        source.by_id(123)
    assert caught.value.reason is Reason.UNKNOWN_SCHEMA


def test_fingerprints_lead_to_the_shipped_schemas(source):
    """Single-object encoding is understood with or without a registry."""
    for subject in schemas.subjects():
        crc = admit(0, schemas.load(subject)).fingerprint
        assert source.by_fingerprint(crc).fingerprint == crc
    with pytest.raises(Poison):
        source.by_fingerprint(b"12345678")


def test_a_codec_writes_and_reads_with_it(source):
    """Round trip over the source's own ids."""
    codec, record = Codec(source), fields("ada")
    assert codec.decode_command(codec.encode(schemas.COMMANDS, record)) == record


def test_an_id_is_asked_for_once(served):
    """Known ids are kept for ever, through an outage too."""
    number = served.registry.add("x", json.dumps(schemas.load(schemas.COMMANDS)))
    source = served.source()
    first = source.by_id(number)
    served.registry.fault = answering(500, "{}")
    served.now += 1e9
    assert source.by_id(number) is first
    assert len(served.registry.seen) == 1


def test_an_unknown_id_is_asked_for_again_after_the_negative_time(served):
    """A follower of the registry may lag; and in between nobody asks."""
    source = served.source()
    for _ in range(3):
        with pytest.raises(Poison):
            source.by_id(1)
    assert len(served.registry.seen) == 1
    served.registry.add("x", json.dumps(schemas.load(schemas.COMMANDS)))
    served.now += NEGATIVE_S
    assert source.by_id(1).name == "dsr.DsrCommand"


def test_made_up_ids_do_not_grow_the_memory(served, monkeypatch):
    """The negative cache is bounded."""
    monkeypatch.setattr(registry_module, "REMEMBERED_UNKNOWN", 5)
    source = served.source()
    for number in range(1, 20):
        with pytest.raises(Poison):
            source.by_id(number)
    assert len(source._unknown) == 5


@pytest.mark.parametrize(
    "fault",
    [
        answering(500, '{"error_code": 50001}'),
        answering(502, "<html>"),
        answering(404, "<html>not here</html>"),
        answering(404, '{"error_code": 404, "message": "HTTP 404 Not Found"}'),
        answering(401, '{"error_code": 40101}'),
        answering(403, "{}"),
        answering(429, "{}"),
        answering(200, "not json"),
        answering(200, "[]"),
        answering(200, "{}"),
    ],
)
def test_a_registry_that_gives_no_answer_defers(served, fault):
    """Outages, proxies, refused credentials and garble never make a dead letter."""
    number = served.registry.add("x", json.dumps(schemas.load(schemas.COMMANDS)))
    served.registry.fault = fault
    source = served.source()
    with pytest.raises(Deferred) as caught:
        source.by_id(number)
    assert caught.value.reason is Reason.REGISTRY_UNAVAILABLE
    served.registry.fault = None
    served.now += BACK_OFF_S
    assert source.by_id(number).id == number


def test_a_registry_that_hangs_costs_a_bounded_time(served):
    """One time-out, then nobody asks during the back-off."""
    served.registry.fault = hang
    source = served.source(timeout_s=0.3)
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(Deferred):
            source.by_id(1)
    assert time.monotonic() - began < 1
    assert len(served.registry.seen) == 1


def test_a_registry_that_is_not_there_defers(served):
    """Nobody listens on the port."""

    async def elsewhere():
        return RegistryClient(served.client._session, "http://127.0.0.1:1")

    with pytest.raises(Deferred):
        RegistrySource(served.run(elsewhere()), served.loop).by_id(1)


@pytest.mark.parametrize("subject", [schemas.OUTCOMES, schemas.LEDGER])
def test_a_registered_schema_of_another_record_is_poison_for_commands(served, subject):
    """The id exists, and is not a command."""
    number = served.registry.add(subject, json.dumps(schemas.load(subject)))
    with pytest.raises(Poison) as caught:
        Codec(served.source()).decode_command(b"\0" + number.to_bytes(4, "big") + b"body")
    assert caught.value.reason is Reason.UNKNOWN_SCHEMA


@pytest.mark.parametrize("reply", [{"schema": "syntax", "schemaType": "PROTOBUF"}, {"schema": '"string"'}])
def test_what_is_not_an_avro_record_is_poison(served, reply):
    """Other formats and bare types."""
    served.registry.fault = answering(200, json.dumps(reply))
    with pytest.raises(Poison) as caught:
        served.source().by_id(1)
    assert caught.value.reason is Reason.UNKNOWN_SCHEMA


def test_a_schema_that_is_not_registered_is_fatal_for_a_writer(served):
    """Unless it may register it itself; then under the registry's name for the topic."""
    names = {schemas.OUTCOMES: "other/topic-value"}
    with pytest.raises(Fatal) as caught:
        served.source(names=names).id_of(schemas.OUTCOMES)
    assert caught.value.reason is Reason.INVALID_SETTINGS
    number = served.source(names=names, register=True).id_of(schemas.OUTCOMES)
    assert served.source(names=names).id_of(schemas.OUTCOMES) == number
    assert list(served.registry.subjects) == ["other/topic-value"]


def test_an_incompatible_schema_is_refused_before_and_at_registration(served):
    """The check asks; registering is refused."""
    other = {"type": "record", "name": "DsrOutcome", "namespace": "dsr", "fields": [{"name": "a", "type": "int"}]}
    assert served.run(served.client.is_compatible("s", other)) is True
    served.registry.add("s", json.dumps(schemas.load(schemas.OUTCOMES)))
    assert served.run(served.client.is_compatible("s", other)) is False
    assert served.run(served.client.is_compatible("s", schemas.load(schemas.OUTCOMES))) is True
    with pytest.raises(Incompatible):
        served.run(served.client.register("s", other))
    with pytest.raises(Fatal) as caught:
        served.source(names={schemas.COMMANDS: "s"}, register=True).id_of(schemas.COMMANDS)
    assert caught.value.reason is Reason.INVALID_SETTINGS


def test_credentials_are_sent_as_basic_authentication(served):
    """And only if both parts are given."""
    seen = []

    async def look(request):
        seen.append(request.headers.get("Authorization"))
        return web.json_response({"id": 1})

    served.registry.fault = look
    served.source().id_of(schemas.COMMANDS)
    assert seen == ["Basic dXNlcjp3b3Jk"]


async def test_the_event_loops_own_thread_may_not_ask():
    """It would wait for itself for ever."""
    async with aiohttp.ClientSession() as session:
        source = RegistrySource(RegistryClient(session, "http://127.0.0.1:1"), asyncio.get_running_loop())
        with pytest.raises(RuntimeError, match="wait for itself"):
            source.by_id(1)
