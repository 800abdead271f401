"""Amplitude's DSAR API (`/api/2/dsar/requests`) with an org's keys: ask for a copy, look after it, stream its files.

Source of the facts: Amplitude, "DSAR API". A file is an answer that redirects to another host; the keys stay behind,
because a pre-signed link refuses a second credential, and because they are nobody else's business.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from consumer.adapters.amplitude import answers, hosts
from consumer.adapters.amplitude.client import AmplitudeClient, Request
from consumer.adapters.amplitude.reply import Unreadable
from consumer.adapters.amplitude.streaming import read_bounded, received
from consumer.copy_ports import DsarAsk, DsarJob, DsarStatus, Gone, LinkFailed
from consumer.domain.command import IdentityKind
from consumer.domain.errors import CallFailed, Reason
from consumer.ports import Access, Archive, Gate

PATH = "/api/2/dsar/requests"
CALL_S = 60.0
CONNECT_S = 10.0
SILENCE_S = 120.0
MOST_HOPS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OUTPUT = re.compile(r"/outputs/(\d{1,9})/?(?:\?.*)?\Z")
_TOO_MANY = re.compile(r"100[ ,.]?000|100k|too many events", re.IGNORECASE)
"""How a job may say that the person has too many events; its texts are not documented, only the limit is."""


class DsarClient:
    """Implements `Dsar`. Use as an async context manager; `client` is opened and closed by its owner."""

    def __init__(self, client: AmplitudeClient) -> None:
        self._client = client
        self._links: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        jar, connector = aiohttp.DummyCookieJar(), aiohttp.TCPConnector(limit=0)
        self._links = aiohttp.ClientSession(connector=connector, cookie_jar=jar, auto_decompress=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._links is not None:
            await self._links.close()
            self._links = None

    async def request(self, access: Access, ask: DsarAsk, gate: Gate) -> int:
        """See `Dsar`. 202 is documented; 200 and 201 are taken as well."""
        who = ask.who.reveal()
        by_id = {"amplitudeId": int(who)} if ask.kind is IdentityKind.AMPLITUDE_ID else {"userId": who}
        body = by_id | {"startDate": ask.start, "endDate": ask.end}
        request = Request("POST", hosts.base_url(access) + PATH, body=body, total_s=CALL_S, template=PATH)
        return await self._client.call(access, request, gate, _read_number)

    async def job(self, access: Access, job: int, gate: Gate) -> DsarJob:
        """See `Dsar`."""
        url = f"{hosts.base_url(access)}{PATH}/{int(job)}"
        request = Request("GET", url, total_s=CALL_S, template=f"{PATH}/{{request_id}}")
        return await self._client.call(access, request, gate, _read_job)

    @asynccontextmanager
    async def output(self, access: Access, job: int, output: int, gate: Gate) -> AsyncIterator[Archive]:
        """See `Dsar`. The file is read from where the answer points."""
        url = f"{hosts.base_url(access)}{PATH}/{int(job)}/outputs/{int(output)}"
        request = Request("GET", url, total_s=CALL_S, template=f"{PATH}/{{request_id}}/outputs/{{output_id}}")
        link = await self._client.call(access, request, gate, _read_link)
        response = await self._follow(URL(url), link)
        try:
            yield Archive(_linked(response))
        finally:
            response.close()  # not released: what is left of a file is not worth reading

    async def _follow(self, origin: URL, link: str) -> aiohttp.ClientResponse:
        """The answer behind the link: redirects are followed a few times, never from https to anything else."""
        url = _joined(origin, link)
        for _ in range(MOST_HOPS):
            response = await self._fetch(url)
            if response.status == 200:
                return response
            target = response.headers.get("Location", "")
            response.close()
            if response.status not in _REDIRECTS:
                raise LinkFailed
            url = _joined(url, target)
        raise LinkFailed

    async def _fetch(self, url: URL) -> aiohttp.ClientResponse:
        if self._links is None:
            raise RuntimeError("the client is not open")
        waits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
        try:
            return await self._links.get(url, allow_redirects=False, timeout=waits)
        except (aiohttp.ClientError, OSError, ValueError):
            pass  # raised below and not here: a link is a credential, and aiohttp's texts quote it
        raise LinkFailed


def _joined(base: URL, link: str) -> URL:
    try:
        url = base.join(URL(link, encoded=True))
    except ValueError:
        url = URL()
    if not link or url.scheme not in {"https", base.scheme}:
        raise LinkFailed
    return url


async def _linked(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in received(response):
            yield piece
    except CallFailed:
        raise LinkFailed from None


async def _read_number(response: aiohttp.ClientResponse) -> int:
    if response.status not in {200, 201, 202}:
        raise answers.failure(response.status, response.headers) or Unreadable
    number = (await _object(response)).get("requestId")
    if isinstance(number, bool) or not isinstance(number, int):
        raise Unreadable
    return number


async def _read_job(response: aiohttp.ClientResponse) -> DsarJob:
    _check(response)
    told = await _object(response)
    try:
        status = DsarStatus(str(told.get("status")).lower())
    except ValueError:
        raise Unreadable from None
    if status is DsarStatus.FAILED:
        reason = Reason.TOO_MANY_EVENTS if _TOO_MANY.search(str(told.get("failReason"))) else Reason.COPY_FAILED
        return DsarJob(status, reason=reason)
    expires = told.get("expires")
    return DsarJob(status, _outputs(told.get("urls")), str(expires)[:10] if expires else None)  # type: ignore[arg-type]


def _outputs(urls: Any) -> tuple[int, ...]:
    """The numbers of a job's files. Hosts of the links are left alone: older documentation names the browser's."""
    found = [_OUTPUT.search(url) if isinstance(url, str) else None for url in urls or ()]
    if not all(found):
        raise Unreadable
    return tuple(sorted({int(match[1]) for match in found if match}))


async def _read_link(response: aiohttp.ClientResponse) -> str:
    if response.status not in _REDIRECTS:
        _check(response)
        raise Unreadable  # 200 is no redirect, and no other answer is documented
    return response.headers.get("Location", "")


def _check(response: aiohttp.ClientResponse) -> None:
    if response.status in {404, 410}:
        raise Gone
    if failure := answers.failure(response.status, response.headers):
        raise failure


async def _object(response: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        told = json.loads(await read_bounded(response))
    except (ValueError, RecursionError):
        raise Unreadable from None
    if not isinstance(told, dict):
        raise Unreadable
    return told
