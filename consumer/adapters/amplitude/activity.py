"""Amplitude's User Search and User Activity (`/api/2/usersearch`, `/api/2/useractivity`) with a project's keys.

Source of the facts: Amplitude, "Dashboard REST API", and live recordings: search matches prefixes, activity wants an
Amplitude ID and answers for an unknown one with no events.
"""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson

from consumer.adapters.amplitude import answers, hosts
from consumer.adapters.amplitude.client import AmplitudeClient, Request
from consumer.adapters.amplitude.reply import Unreadable
from consumer.adapters.amplitude.streaming import read_bounded
from consumer.copy_ports import ActivityPage
from consumer.domain.subject import AmplitudeId, Subject
from consumer.ports import Access, Gate

SEARCH = "/api/2/usersearch"
ACTIVITY = "/api/2/useractivity"
PAGE = 1_000
CALL_S = 120.0
LIMIT_BYTES = 64 << 20
"""A page holds a thousand events, or a few more so that no session is cut."""


class ActivityClient:
    """Implements `Activity`."""

    def __init__(self, client: AmplitudeClient) -> None:
        self._client = client

    async def search(self, access: Access, user_id: Subject, gate: Gate) -> tuple[AmplitudeId, ...]:
        """See `Activity`. A prefix match is another person: only the very same user id counts."""
        wanted = user_id.reveal()

        async def read(response: aiohttp.ClientResponse) -> tuple[AmplitudeId, ...]:
            matches = (await _read(response)).get("matches")
            if not isinstance(matches, list):
                raise Unreadable
            exact = [one for one in matches if isinstance(one, dict) and one.get("user_id") == wanted]
            return tuple(sorted({AmplitudeId(int(one["amplitude_id"])) for one in exact if _is_id(one)}))

        request = Request("GET", hosts.base_url(access) + SEARCH, {"user": wanted}, total_s=CALL_S, template=SEARCH)
        return await self._client.call(access, request, gate, read)

    async def page(self, access: Access, amplitude_id: AmplitudeId, offset: int, gate: Gate) -> ActivityPage:
        """See `Activity`."""

        async def read(response: aiohttp.ClientResponse) -> ActivityPage:
            told = await _read(response)
            events, user = told.get("events"), told.get("userData")
            if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
                raise Unreadable
            return ActivityPage(events, user if isinstance(user, dict) else {}, more=len(events) >= PAGE)

        params = {"user": str(int(amplitude_id)), "offset": str(offset), "limit": str(PAGE), "direction": "earliest"}
        request = Request("GET", hosts.base_url(access) + ACTIVITY, params, total_s=CALL_S, template=ACTIVITY)
        return await self._client.call(access, request, gate, read)


def _is_id(match: dict[str, Any]) -> bool:
    return str(match.get("amplitude_id")).isdecimal()


async def _read(response: aiohttp.ClientResponse) -> dict[str, Any]:
    if failure := answers.failure(response.status, response.headers):
        raise failure
    try:
        told = orjson.loads(await read_bounded(response, LIMIT_BYTES))
    except ValueError:
        raise Unreadable from None
    if not isinstance(told, dict):
        raise Unreadable
    return told
