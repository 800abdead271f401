"""`/fake/*`: seed, misbehave, advance the calendar and read the counters, from another process. No keys needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from consumer.domain.subject import Day
from consumer.ports import Region
from consumer.sandbox.amplitude import wire
from consumer.sandbox.amplitude.faults import Fault
from consumer.sandbox.amplitude.keys import Holder, Level
from consumer.sandbox.amplitude.shelf import MadeUp
from consumer.sandbox.amplitude.world import World
from consumer.sandbox.clock import ManualClock

Answer = Callable[[World, Any], object]


def routes(world: World) -> list[web.RouteDef]:
    """Every control call. A body that cannot be used is a 400."""
    return [
        web.post("/fake/projects", _control(world, _add_project)),
        web.post("/fake/orgs", _control(world, _add_org)),
        web.post("/fake/people", _control(world, _seed)),
        web.post("/fake/faults", _control(world, _add_faults)),
        web.delete("/fake/faults", _control(world, _clear_faults)),
        web.get("/fake/clock", _control(world, _clock)),
        web.post("/fake/clock", _control(world, _advance)),
        web.get("/fake/counters", _control(world, lambda world, _: world.counters.as_json())),
        web.get("/fake/jobs", _control(world, _jobs)),
        web.post("/fake/events", _control(world, _make_up)),
        web.post("/fake/reset", _control(world, _reset)),
    ]


def _control(world: World, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def control(request: web.Request) -> web.StreamResponse:
        try:
            data = await request.json() if request.method == "POST" and request.can_read_body else dict(request.query)
            return wire.reply(answer(world, data))
        except (ValueError, TypeError, KeyError, AttributeError):
            return wire.error(400, "Unusable control request")

    return control


def _add_project(world: World, data: dict[str, Any]) -> object:
    """`{app, org?, region?, api_key?, secret_key?}`; without keys they are made by rule."""
    holder = Holder(Region(data.get("region", "us")), Level.PROJECT, str(data.get("org", "36001")), str(data["app"]))
    pair = (str(data["api_key"]), str(data["secret_key"])) if "api_key" in data else None
    api_key, secret_key = world.keys.add(holder, pair)
    return {"api_key": api_key, "secret_key": secret_key}


def _add_org(world: World, data: dict[str, Any]) -> object:
    """`{org, region?}`: let an org's own keys in, which are made by rule."""
    api_key, secret_key = world.keys.add(Holder(Region(data.get("region", "us")), Level.ORG, str(data["org"]), None))
    return {"api_key": api_key, "secret_key": secret_key}


def _seed(world: World, data: Any) -> object:
    """`[{app, user_id, amplitude_ids}]` or one of them; an empty array of ids makes a ghost."""
    people = data if isinstance(data, list) else [data]
    for one in people:
        ids = tuple(int(amplitude_id) for amplitude_id in one["amplitude_ids"])
        world.people.seed(str(one["app"]), str(one["user_id"]), ids)
    return {"seeded": len(people)}


def _add_faults(world: World, data: Any) -> object:
    """`[{kind, method?, app?, count?, for_s?, status?, seconds?, characters?, retry_after?}]` or one of them."""
    rules = [Fault.from_json(one) for one in (data if isinstance(data, list) else [data])]
    world.faults.add(*rules)
    return {"rules": len(world.faults)}


def _clear_faults(world: World, _: object) -> object:
    world.faults.clear()
    return {"rules": 0}


def _clock(world: World, _: object) -> object:
    return {"now_ms": world.clock.now(), "day": world.today()}


def _advance(world: World, data: dict[str, Any]) -> object:
    """`{days?, hours?, ms?}`, only for a calendar that stands still by itself."""
    if not isinstance(world.clock, ManualClock):
        raise TypeError("this calendar runs by itself")
    world.clock.advance(days=data.get("days", 0), hours=data.get("hours", 0), ms=data.get("ms", 0))
    return _clock(world, data)


def _jobs(world: World, data: dict[str, Any]) -> object:
    """`?app=`: all jobs of a project with the user ids, past the limiter."""
    found = world.book.jobs(str(data["app"]), world.today(), *_EVER)
    return [wire.job_json(job, with_user=True) for job in found]


def _make_up(world: World, data: dict[str, Any]) -> object:
    """`{app, events, seed?, empty_every?}`: fill every hour of a project with made-up events."""
    rule = MadeUp(int(data["events"]), int(data.get("seed", 0)), int(data.get("empty_every", 0)))
    world.shelf.make_up(str(data["app"]), rule)
    return {}


def _reset(world: World, _: object) -> object:
    world.forget()
    return {}


_EVER = (Day("0001-01-01"), Day("9999-12-31"))
