"""Amplitude's User Privacy API v1 (`/api/2/deletions/users`) and the check of a key pair, over one aiohttp session.

One call is one request: no retry, no pacing, no redirect. Nothing that aiohttp raises gets out, because its exceptions
quote URLs, and a deletion's URL names a person: a failure becomes a bare `CallFailed`, with nothing chained to it.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp

from consumer.adapters.amplitude import answers, hosts
from consumer.adapters.amplitude.reply import Reply, ReplyReader, Unreadable
from consumer.adapters.amplitude.session import Departure, GatedConnector, departing, open_session
from consumer.adapters.amplitude.verify import verdict_of, verdict_of_body
from consumer.domain.deadline import day_of
from consumer.domain.errors import CallFailed, Fault, Reason
from consumer.domain.jobs import Job, Revocation, ScheduleCall, ScheduleReply
from consumer.domain.subject import AmplitudeId, Day
from consumer.ports import Access, Clock, CredentialVerdict, Gate
from consumer.trace_ports import NoTracer, Span, Tracer

PATH = "/api/2/deletions/users"
MOST_IDS = 100
"""Per POST, user ids and Amplitude IDs together (Amplitude, "User Privacy API")."""
CHUNK_BYTES = 1 << 16
LIMIT_BYTES = 1 << 29
"""512 MiB, about five million pending ids: far above any project, far below a machine's memory for text alone."""

T = TypeVar("T")
Read = Callable[[aiohttp.ClientResponse], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect_s` covers name lookup, TCP and TLS; the others a whole call with its body."""

    connect_s: float = 10.0
    call_s: float = 60.0
    list_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request without its keys. Its repr shows no URL and no body. `template`: its path, no values."""

    method: str
    url: str = field(repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    total_s: float = 60.0
    template: str = ""


class AmplitudeClient:
    """Implements `Privacy` and `Credentials`. Use as an async context manager, or hand in a session and close that.

    `clock` tells which day `verify` asks for. `other_region_url` replaces the other region's host in `verify`, for
    tests. A session that was handed in must come from `open_session`: another one would never call the gate.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        session: aiohttp.ClientSession | None = None,
        timeouts: Timeouts | None = None,
        other_region_url: str | None = None,
        limit_bytes: int = LIMIT_BYTES,
        tracer: Tracer | None = None,
    ) -> None:
        if session is not None and not isinstance(session.connector, GatedConnector):
            raise TypeError("the session must come from open_session()")
        self._clock = clock
        self._session = session
        self._owns_session = session is None
        self._timeouts = timeouts or Timeouts()
        self._other_region_url = other_region_url
        self._limit_bytes = limit_bytes
        self._tracer = tracer or NoTracer()

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the session if it is our own."""
        if self._owns_session and self._session is not None:
            await self._session.close()
            self._session = None

    async def schedule(self, access: Access, call: ScheduleCall, gate: Gate) -> ScheduleReply:
        """POST. Booleans travel as capitalised strings: that is the form that was seen to work."""
        if not 0 < len(call) <= MOST_IDS:
            raise ValueError(f"a call carries 1 to {MOST_IDS} ids")
        body: dict[str, Any] = {
            "requester": call.requester,
            "ignore_invalid_id": "True",
            "delete_from_org": "False",
            "include_mapped_user_ids": "True",
        }
        if call.user_ids:
            body["user_ids"] = [subject.reveal() for subject in call.user_ids]
        if call.amplitude_ids:
            body["amplitude_ids"] = [int(amplitude_id) for amplitude_id in call.amplitude_ids]
        request = Request(
            "POST", hosts.base_url(access) + PATH, body=body, total_s=self._timeouts.call_s, template=PATH
        )
        reply = await self.call(access, request, gate, self.read_reply)
        return ScheduleReply(reply.jobs, reply.invalid)

    async def jobs(self, access: Access, start: Day, end: Day, gate: Gate) -> list[Job]:
        """GET. A body that is not a list says nothing about which jobs exist, so it is a lost answer."""
        reply = await self.call(access, self._list_request(hosts.base_url(access), start, end), gate, self.read_list)
        return list(reply.jobs)

    async def revoke(self, access: Access, amplitude_id: AmplitudeId, day: Day, gate: Gate) -> Revocation:
        """DELETE. A 200 counts only if it names the Amplitude ID that was taken out."""
        path = f"{PATH}/{int(amplitude_id)}/{date.fromisoformat(day).isoformat()}"
        url, template = hosts.base_url(access) + path, f"{PATH}/{{amplitude_id}}/{{day}}"
        request = Request("DELETE", url, total_s=self._timeouts.call_s, template=template)

        async def read_removed(response: aiohttp.ClientResponse) -> Revocation:
            if response.status in {400, 404}:
                return Revocation.REFUSED
            _check(response)
            if not _names(await self._read_whole(response), amplitude_id):
                raise Unreadable
            return Revocation.REVOKED

        return await self.call(access, request, gate, read_removed)

    async def verify(self, access: Access) -> CredentialVerdict:
        """See `Credentials`. Both calls are GETs; a refused pair is never tried elsewhere for anything that writes."""
        verdict = await self._probe(access, hosts.base_url(access))
        other = self._other_region_url or hosts.other_base_url(access)
        if verdict is not CredentialVerdict.REFUSED or other is None:
            return verdict
        there = await self._probe(access, other.rstrip("/"))
        return CredentialVerdict.WRONG_REGION if there is CredentialVerdict.VALID else verdict

    async def call(self, access: Access, request: Request, gate: Gate, read: Read[T]) -> T:
        """Send one request and read its answer. Raises `CallFailed`, and what the gate raises; nothing else.

        `read` gets every status; it raises `CallFailed` or `Unreadable` for those it cannot use.
        """
        with self._tracer.calling(request.method, _host(request.url), request.template) as span:
            return await self._traced(access, request, gate, read, span)

    async def _traced(self, access: Access, request: Request, gate: Gate, read: Read[T], span: Span) -> T:
        departure = Departure(gate)
        status = 0
        try:
            with departing(departure):
                response = await self._send(access, request)
            async with response:
                status = response.status
                span.answered(status)
                return await read(response)
        except (aiohttp.ClientError, OSError, Unreadable):
            pass  # raised below and not here, so that not even the context of our failure names a person
        raise CallFailed(Fault.LOST if departure.left else Fault.UNREACHABLE, Reason.UNAVAILABLE, status)

    async def read_reply(self, response: aiohttp.ClientResponse) -> Reply:
        """The body of a 200 as jobs, read as a stream; other statuses are raised."""
        _check(response)
        reader = ReplyReader(self._limit_bytes)
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            reader.feed(chunk)
            await asyncio.sleep(0)  # buffered chunks come without a pause: let other lanes have their turn
        return reader.finish()

    async def read_list(self, response: aiohttp.ClientResponse) -> Reply:
        """As `read_reply`, but a bare message is `Unreadable`: it does not say which jobs exist."""
        reply = await self.read_reply(response)
        if not reply.is_list:
            raise Unreadable
        return reply

    async def _read_whole(self, response: aiohttp.ClientResponse) -> bytes:
        body = b""
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            body += chunk
            if len(body) > CHUNK_BYTES:
                raise Unreadable
        return body

    async def _probe(self, access: Access, base: str) -> CredentialVerdict:
        today = day_of(self._clock.now())
        request = self._list_request(base, today, today)
        try:
            return await self.call(access, request, lambda: None, lambda r: verdict_of_body(r, self.read_list))
        except CallFailed as failure:
            return verdict_of(failure)

    def _list_request(self, base: str, start: Day, end: Day) -> Request:
        params = {"start_day": start, "end_day": end}
        return Request("GET", base + PATH, params, total_s=self._timeouts.list_s, template=PATH)

    def _send(self, access: Access, request: Request) -> Awaitable[aiohttp.ClientResponse]:
        keys = access.keys
        pair = f"{keys.api_key.reveal()}:{keys.secret_key.reveal()}".encode()
        headers = {
            "Accept": "application/json",
            "Authorization": "Basic " + b64encode(pair).decode(),
            "User-Agent": "amplitude-dsr",
        }
        data = None
        if request.body is not None:
            data = json.dumps(request.body).encode()
            headers["Content-Type"] = "application/json"
        return self._open().request(
            request.method,
            request.url,
            params=request.params,
            data=data,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=request.total_s, connect=self._timeouts.connect_s),
        )

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session()
        return self._session


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # the base URL of the settings is none; the call itself will say so
        return None


def _check(response: aiohttp.ClientResponse) -> None:
    failure = answers.failure(response.status, response.headers)
    if failure is not None:
        raise failure


def _names(body: bytes, amplitude_id: AmplitudeId) -> bool:
    """Whether a reply to a DELETE names this Amplitude ID as the removed one."""
    try:
        entry = json.loads(body)
    except (ValueError, RecursionError):
        return False
    entries = entry if isinstance(entry, list) else [entry]
    return any(isinstance(each, dict) and str(each.get("amplitude_id")) == str(amplitude_id) for each in entries)
