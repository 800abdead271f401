"""User Privacy API v1: `/api/2/deletions/users`. What is undocumented and had to be chosen is said where it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from consumer.ports import Region
from consumer.sandbox.amplitude import calendar, wire
from consumer.sandbox.amplitude.book import Scheduling
from consumer.sandbox.amplitude.counters import PostSeen
from consumer.sandbox.amplitude.faults import Fault, Kind, Stage
from consumer.sandbox.amplitude.guard import Serve, Turn, guarded
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.world import World

PATH = "/api/2/deletions/users"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BadRequest(Exception):
    """To be answered 400 with this text. The text of the real API is not documented."""


@dataclass(frozen=True, slots=True)
class Order:
    """The body of a POST, understood."""

    user_ids: tuple[str, ...] = field(repr=False)
    amplitude_ids: tuple[int, ...] = field(repr=False)
    requester: str | None
    ignore_invalid: bool
    whole_org: bool
    mapped: bool

    def __len__(self) -> int:
        return len(self.user_ids) + len(self.amplitude_ids)


def routes(world: World, region: Region) -> list[web.RouteDef]:
    """The three calls, for one region's host."""

    def guard(serve: Serve) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            return await guarded(request, world, region, serve)

        return handler

    return [
        web.post(PATH, guard(_schedule)),
        web.get(PATH, guard(_list), allow_head=False),
        web.delete(PATH + "/{amplitude_id}/{day}", guard(_revoke)),
    ]


async def _schedule(turn: Turn) -> web.StreamResponse:
    try:
        order = parse(await turn.request.read(), turn.world.knobs)
        _refuse_unknown(turn, order)
    except BadRequest as refusal:
        return wire.error(400, str(refusal))
    seen = PostSeen(turn.world.clock.monotonic(), order.requester, order.user_ids, order.amplitude_ids)
    turn.counters.posts.append(seen)
    fault = turn.fault(Stage.APPLICATION)
    requester = _stored(order.requester, fault)
    if fault and fault.kind is Kind.LATE:
        turn.world.apply_later(lambda: _apply(turn, order, requester, seen), fault.seconds)
        return turn.drop()
    payload = _answer(turn, order, _apply(turn, order, requester, seen))
    return await turn.deliver(payload, turn.fault(Stage.REPLY), wire.JSON)


def _refuse_unknown(turn: Turn, order: Order) -> None:
    """With ignore-invalid off one unknown id fails the whole batch. Org-wide deletion forces it on."""
    if order.ignore_invalid or order.whole_org:
        return
    world = turn.world
    if world.book.resolve(turn.app, world.today(), order.user_ids, order.amplitude_ids)[1]:
        raise BadRequest("Invalid amplitude/user ids")


def _stored(requester: str | None, fault: Fault | None) -> str | None:
    if fault and fault.kind is Kind.MARKER_MISSING:
        return None
    if fault and fault.kind is Kind.MARKER_TRUNCATED:
        return (requester or "")[: fault.characters]
    return requester


def _apply(turn: Turn, order: Order, requester: str | None, seen: PostSeen) -> dict[str, Scheduling]:
    """One scheduling per project: only the key's own, unless the whole org was asked for."""
    world = turn.world
    apps = world.keys.apps_of(turn.holder) if order.whole_org else [turn.app]
    seen.applied = True
    turn.counters.emails += 1
    today = world.today()
    return {app: world.book.schedule(app, today, order.user_ids, order.amplitude_ids, requester) for app in apps}


def _answer(turn: Turn, order: Order, schedulings: dict[str, Scheduling]) -> object:
    jobs = []
    for app, scheduling in schedulings.items():
        job = scheduling.job
        if job is None:
            continue
        if turn.world.knobs.reply_whole_job:
            job = next(turn.world.book.jobs(app, turn.world.today(), job.day, job.day))
        jobs.append(wire.job_json(job, with_user=order.mapped, invalid=scheduling.invalid))
    return jobs or wire.nothing_scheduled(turn.app)


async def _list(turn: Turn) -> web.StreamResponse:
    query = turn.request.query
    start, end = calendar.parse_day(query.get("start_day")), calendar.parse_day(query.get("end_day"))
    if start is None or end is None or not 0 <= calendar.range_days(start, end) <= calendar.LONGEST_RANGE_DAYS:
        return wire.error(400, "Invalid range of days")
    found = turn.world.book.jobs(turn.app, turn.world.today(), start, end)
    return await turn.deliver([wire.job_json(job) for job in found], turn.fault(Stage.REPLY), wire.AS_HTML)


async def _revoke(turn: Turn) -> web.StreamResponse:
    amplitude_id, day = turn.request.match_info["amplitude_id"], calendar.parse_day(turn.request.match_info["day"])
    if day is None or not (amplitude_id.isascii() and amplitude_id.isdigit()):
        return wire.error(400, "Invalid amplitude id or day")
    world = turn.world
    fault = turn.fault(Stage.APPLICATION)
    if fault and fault.kind is Kind.LATE:
        world.apply_later(lambda: world.book.revoke(turn.app, world.today(), int(amplitude_id), day), fault.seconds)
        return turn.drop()
    entry = world.book.revoke(turn.app, world.today(), int(amplitude_id), day)
    if entry is None:
        return wire.error(400, "No such id in an open job")
    turn.counters.emails += 1
    return await turn.deliver(wire.entry_json(entry), turn.fault(Stage.REPLY), wire.AS_HTML)


def parse(body: bytes, knobs: Knobs) -> Order:
    """A POST's body. Only the singular `ignore_invalid_id` counts; the plural is silently ignored (our choice)."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict):
        raise BadRequest("Invalid JSON")
    strict = knobs.strict_bool_strings
    requester = data.get("requester")
    order = Order(
        user_ids=tuple(str(one) for one in _array(data, "user_ids", (str, int))),
        amplitude_ids=tuple(_array(data, "amplitude_ids", (int,))),
        requester=None if requester is None else str(requester),
        ignore_invalid=_boolean(data.get("ignore_invalid_id"), strict=strict),
        whole_org=_boolean(data.get("delete_from_org"), strict=strict),
        mapped=_boolean(data.get("include_mapped_user_ids"), strict=strict),
    )
    if not 0 < len(order) <= knobs.most_ids:
        raise BadRequest(f"Between 1 and {knobs.most_ids} ids")
    return order


def _array(data: dict[str, Any], name: str, kinds: tuple[type, ...]) -> list[Any]:
    values = data.get(name, [])
    if not isinstance(values, list) or not all(isinstance(one, kinds) and not isinstance(one, bool) for one in values):
        raise BadRequest(f"Invalid {name}")
    return values


def _boolean(value: object, *, strict: bool) -> bool:
    if isinstance(value, bool) and strict:
        raise BadRequest("Booleans are strings")
    if value is None:
        return False
    text = str(value).lower()
    if text not in {"true", "false"}:
        raise BadRequest("Invalid boolean")
    return text == "true"
