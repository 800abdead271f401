"""User Search and User Activity with a project's keys: prefix matches, 360 calls an hour, and the recorded traps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from consumer.ports import Region
from consumer.sandbox.amplitude import wire
from consumer.sandbox.amplitude.faults import Kind, Stage
from consumer.sandbox.amplitude.keys import Level
from consumer.sandbox.amplitude.world import World

SEARCH, ACTIVITY = "/api/2/usersearch", "/api/2/useractivity"
METHOD = "ACTIVITY"
"""What faults call both calls."""
UNSET = "1.7976931348623157E308"

Answer = Callable[[web.Request, World, str], web.Response]


def routes(world: World, region: Region) -> list[web.RouteDef]:
    """Both calls, for one region's host."""
    return [
        web.get(SEARCH, _guarded(world, region, _search)),
        web.get(ACTIVITY, _guarded(world, region, _activity)),
    ]


def _guarded(world: World, region: Region, answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def guarded(request: web.Request) -> web.Response:
        holder = world.keys.holder(request.headers.get("Authorization"), region, Level.PROJECT)
        if holder is None or holder.app is None:
            world.counters.refused += 1
            return wire.refusal(world.knobs.refuse_status)
        seen = world.counters.app(holder.app)
        seen.requests[METHOD] += 1
        if not world.lookups(holder.app).spend(1, world.clock.monotonic()):
            seen.statuses[429] += 1
            return wire.error(429, "Too Many Requests: Exceeded rate limit", world.knobs.retry_after)
        fault = world.faults.take(Stage.ARRIVAL, METHOD, holder.app)
        if fault and fault.kind is Kind.STATUS:
            return wire.error(fault.status, "Injected", fault.retry_after)
        response = answer(request, world, holder.app)
        seen.statuses[response.status] += 1
        return response

    return guarded


def _search(request: web.Request, world: World, app: str) -> web.Response:
    """Recorded: whoever's user id begins with what was asked for is a match."""
    wanted = request.query.get("user", "")
    exact = world.people_in(app, wanted, None)
    by_prefix = world.people.with_prefix(app, wanted) if wanted else {}
    matches = [_match(one, user) for one, user in {**exact, **by_prefix}.items()]
    kind = "match_user_or_device_id" if exact else "match_user_prefix" if matches else "nomatch"
    return wire.reply({"type": kind, "matches": matches})


def _match(amplitude_id: int, user_id: str | None) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "amplitude_id": amplitude_id,
        "last_seen": None,
        "last_device_id": f"device-{amplitude_id}",
    }


def _activity(request: web.Request, world: World, app: str) -> web.Response:
    text = request.query.get("user", "")
    if not text.isdecimal():
        return wire.error(400, "Argument user must be an int")
    offset, limit = int(request.query.get("offset", "0")), int(request.query.get("limit", "1000"))
    known = world.people_in(app, None, int(text))
    user = known.get(int(text))
    events = list(world.history.of(app, int(text), user)) if int(text) in known else []
    if request.query.get("direction", "latest") == "latest":
        events.reverse()
    page = [event | {"$schema": 13, "raw_event_type": event["event_type"]} for event in events[offset : offset + limit]]
    return wire.reply({"userData": _user(user, int(text), len(events)), "events": page})


def _user(user_id: str | None, amplitude_id: int, events: int) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "canonical_amplitude_id": amplitude_id,
        "merged_amplitude_ids": [],
        "num_events": events,
        "purchases": "0",
        "revenue": "0.0",
        "city": "",
        "device_ids": [f"device-{amplitude_id}"] if events else [],
        "last_location": {"lat": UNSET, "lng": UNSET},
        "properties": {},
    }
