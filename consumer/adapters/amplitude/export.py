"""Amplitude's Export API (`/api/2/export`) as a stream: one call, one archive, no retry, nothing stored.

Nothing that aiohttp raises gets out: a failure becomes a bare `CallFailed`. Source of the facts: Amplitude, "Export
API"; that a 200 may carry no zip was seen by other integrators.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from consumer.adapters.amplitude import answers, hosts
from consumer.adapters.amplitude.session import Departure, GatedConnector, departing
from consumer.adapters.amplitude.streaming import received
from consumer.domain.errors import CallFailed, Fault, Reason
from consumer.domain.hours import Hour, parameter
from consumer.ports import Absence, Access, Archive

PATH = "/api/2/export"
PIECE_BYTES = 1 << 18
ERROR_BYTES = 1 << 14

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
"""A member, or the end of an archive without one."""
_NOT_FOUND = b"Raw data files were not found"
_TOO_LARGE = re.compile(rb"\b(size|large|limit|exceed\w*|4 ?gb)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExportTimeouts:
    """Seconds. Amplitude prepares an archive before its first byte; afterwards bytes come without long pauses."""

    connect_s: float = 10.0
    silence_s: float = 300.0


class ExportClient:
    """Implements `Export`. Use as an async context manager."""

    def __init__(self, timeouts: ExportTimeouts | None = None) -> None:
        self._timeouts = timeouts or ExportTimeouts()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = GatedConnector(limit=0, force_close=True)
        jar = aiohttp.DummyCookieJar()
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=jar, read_bufsize=PIECE_BYTES)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def archive(self, access: Access, first: Hour, last: Hour) -> AsyncIterator[Archive | Absence]:
        """See `Export`."""
        response = await self._send(access, first, last)
        try:
            yield await _answer(response)
        finally:
            response.close()  # not released: what is left of an archive is not worth reading

    async def _send(self, access: Access, first: Hour, last: Hour) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("the client is not open")
        pair = f"{access.keys.api_key.reveal()}:{access.keys.secret_key.reveal()}".encode()
        departure = Departure(lambda: None)
        try:
            with departing(departure):
                return await self._session.get(
                    hosts.base_url(access) + PATH,
                    params={"start": parameter(first), "end": parameter(last)},
                    headers={
                        "Authorization": "Basic " + b64encode(pair).decode(),
                        "Accept-Encoding": "identity",
                        "User-Agent": "amplitude-dsr",
                    },
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        total=None, sock_connect=self._timeouts.connect_s, sock_read=self._timeouts.silence_s
                    ),
                )
        except (aiohttp.ClientError, OSError):
            pass  # raised below and not here, so that its text is nowhere in our failure
        raise CallFailed(Fault.LOST if departure.left else Fault.UNREACHABLE, Reason.UNAVAILABLE)


async def _answer(response: aiohttp.ClientResponse) -> Archive | Absence:
    if response.status == 200:
        pieces = received(response)
        head = await _head(pieces)
        if not head.startswith(_ZIP):
            raise CallFailed(Fault.LOST, Reason.NOT_AN_ARCHIVE, 200)
        return Archive(_whole(head, pieces))
    if response.status == 504:
        return Absence.TOO_LARGE
    body = await _error_body(response)
    if response.status == 404:
        if _NOT_FOUND in body:
            return Absence.EMPTY
        raise CallFailed(Fault.LOST, Reason.NOT_AN_ARCHIVE, 404)
    if response.status == 400 and _TOO_LARGE.search(body):
        return Absence.TOO_LARGE
    raise answers.failure(response.status, response.headers) or CallFailed(Fault.LOST, Reason.UNAVAILABLE)


async def _head(pieces: AsyncIterator[bytes]) -> bytes:
    head = b""
    async for piece in pieces:
        head += piece
        if len(head) >= len(_ZIP[0]):
            break
    return head


async def _whole(head: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for piece in pieces:
        yield piece


async def _error_body(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for piece in received(response):
        body += piece
        if len(body) > ERROR_BYTES:
            break
    return body
