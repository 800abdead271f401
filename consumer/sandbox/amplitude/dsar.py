"""DSAR API: `/api/2/dsar/requests` with org keys, and the links to another port that its outputs redirect to.

Undocumented and ours: a copy of nobody is done without outputs; 400 for a body without a person or with bad days; 404
for what is unknown and 410 for what has expired; a link is good for `link_s` real seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import orjson
from aiohttp import web
from isal import igzip

from consumer.domain.deadline import plus_days
from consumer.domain.subject import Day
from consumer.ports import Region
from consumer.sandbox.amplitude import calendar, wire
from consumer.sandbox.amplitude.copybook import CopyJob, Output
from consumer.sandbox.amplitude.faults import Kind, Stage
from consumer.sandbox.amplitude.guard import reshape
from consumer.sandbox.amplitude.keys import Holder, Level
from consumer.sandbox.amplitude.world import World

PATH = "/api/2/dsar/requests"
POST, GET, OUTPUT, LINK = "DSAR", "DSAR_GET", "DSAR_OUTPUT", "LINK"
"""What faults call these calls; their `app` is the org."""
COST = {POST: 8, GET: 1, OUTPUT: 1}

Serve = Callable[[web.Request, World, Holder], Awaitable[web.StreamResponse]]


def routes(world: World, region: Region, base_url: Callable[[], str]) -> list[web.RouteDef]:
    """The three calls, for one region's host."""
    return [
        web.post(PATH, _guarded(world, region, POST, _create)),
        web.get(PATH + "/{job}", _guarded(world, region, GET, _status(base_url))),
        web.get(PATH + "/{job}/outputs/{output}", _guarded(world, region, OUTPUT, _output)),
    ]


def _guarded(
    world: World, region: Region, method: str, serve: Serve
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def guarded(request: web.Request) -> web.StreamResponse:
        holder = world.keys.holder(request.headers.get("Authorization"), region, Level.ORG)
        if holder is None:
            world.counters.refused += 1
            return wire.refusal(world.knobs.refuse_status)
        seen = world.counters.org(holder.org)
        seen.requests[method] += 1
        if not world.allowance(holder.org).spend(COST[method], world.clock.monotonic()):
            seen.statuses[429] += 1
            return wire.error(429, "Too Many Requests: Exceeded rate limit", world.knobs.retry_after)
        await request.read()
        fault = world.faults.take(Stage.ARRIVAL, method, holder.org)
        if fault and fault.kind is Kind.LATENCY:
            await asyncio.sleep(fault.seconds)
        elif fault and fault.kind is Kind.DROP:
            return _dropped(request)
        elif fault:
            refused = fault.status in {401, 403}
            return wire.refusal(fault.status) if refused else wire.error(fault.status, "Injected", fault.retry_after)
        response = await serve(request, world, holder)
        if (late := world.faults.take(Stage.REPLY, method, holder.org)) and late.kind is Kind.APPLIED_DROP:
            return _dropped(request)
        seen.statuses[response.status] += 1
        return response

    return guarded


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _create(request: web.Request, world: World, holder: Holder) -> web.StreamResponse:
    try:
        body = orjson.loads(await request.read())
        user, amplitude_id = body.get("userId"), body.get("amplitudeId")
        days = [calendar.parse_day(body.get(name)) for name in ("startDate", "endDate")]
    except (ValueError, AttributeError):
        return wire.error(400, "Unusable body")
    valid = (isinstance(user, str) and user) if amplitude_id is None else isinstance(amplitude_id, int) and user is None
    if not valid or None in days or str(days[0]) > str(days[1]):
        return wire.error(400, "userId or amplitudeId, startDate and endDate are needed")
    failing = world.faults.take(Stage.APPLICATION, POST, holder.org)
    job = world.copybook.add(
        CopyJob(
            holder.org,
            user,
            amplitude_id,
            Day(str(days[0])),
            Day(str(days[1])),
            world.clock.monotonic(),
            fails=failing is not None and failing.kind is Kind.JOB_FAILS,
        )
    )
    world.counters.org(holder.org).asked[str(user or amplitude_id)] += 1
    return wire.reply({"requestId": job}, status=202)


def _status(base_url: Callable[[], str]) -> Serve:
    async def status(request: web.Request, world: World, holder: Holder) -> web.StreamResponse:
        found = _found(request, world, holder)
        if isinstance(found, web.Response):
            return found
        number, job = found
        stage, fail_reason, outputs = world.copybook.stage_of(job, world, holder)
        host = "https://analytics.amplitude.com" if world.knobs.foreign_urls else base_url()
        told: dict[str, Any] = {
            "requestId": number,
            "userId": job.user_id,
            "amplitudeId": job.amplitude_id,
            "startDate": job.start,
            "endDate": job.end,
            "status": stage,
            "failReason": fail_reason,
            "urls": [f"{host}{PATH}/{number}/outputs/{n}" for n in range(len(outputs))] if stage == "done" else [],
            "expires": plus_days(job.done_on, 2) if job.done_on else None,
        }
        return wire.reply(reshape(told, None))

    return status


def _found(request: web.Request, world: World, holder: Holder) -> tuple[int, CopyJob] | web.Response:
    text = request.match_info["job"]
    number = int(text) if text.isdecimal() else 0
    job = world.copybook.jobs.get(number)
    if job is None or job.org != holder.org:
        return wire.error(404, "Unknown request")
    if _expired(job, world):
        return wire.error(410, "Expired")
    return number, job


def _expired(job: CopyJob, world: World) -> bool:
    """Two days after the copy was done its files, and every link to them, are gone."""
    return job.done_on is not None and world.today() > plus_days(job.done_on, 2)


async def _output(request: web.Request, world: World, holder: Holder) -> web.StreamResponse:
    found = _found(request, world, holder)
    if isinstance(found, web.Response):
        return found
    _, job = found
    stage, _, outputs = world.copybook.stage_of(job, world, holder)
    text = request.match_info["output"]
    if stage != "done" or not text.isdecimal() or int(text) >= len(outputs):
        return wire.error(404, "Unknown output")
    token = token_hex(16)
    world.links[token] = Link(job, outputs[int(text)], world.clock.monotonic())
    return web.Response(status=302, headers={"Location": f"{world.links_url}/copies/{token}?signature=made-up"})


@dataclass(frozen=True, slots=True)
class Link:
    """One pre-signed link."""

    job: CopyJob
    output: Output
    made_s: float


def link_routes(world: World) -> list[web.RouteDef]:
    """The other host, which wants no credentials."""

    async def serve(request: web.Request) -> web.StreamResponse:
        link: Link | None = world.links.get(request.match_info["token"])
        if link is None:
            return web.Response(status=404)
        seen = world.counters.org(link.job.org)
        seen.downloads += 1
        if "Authorization" in request.headers:
            seen.credentials_leaked += 1
            return web.Response(status=400, text="InvalidArgument: only one auth mechanism allowed")
        if world.clock.monotonic() - link.made_s > world.knobs.link_s or _expired(link.job, world):
            return web.Response(status=403, text="Request has expired")
        return await _body(request, world, link)

    return [web.get("/copies/{token}", serve)]


async def _body(request: web.Request, world: World, link: Link) -> web.StreamResponse:
    fault = world.faults.take(Stage.ARRIVAL, LINK, link.job.org)
    if fault and fault.kind is Kind.STATUS:
        return web.Response(status=fault.status)
    if fault and fault.kind is Kind.LATENCY:
        await asyncio.sleep(fault.seconds)
    if (fault and fault.kind is Kind.DROP) or request.transport is None:
        return _dropped(request)
    spoilt = world.faults.take(Stage.REPLY, LINK, link.job.org)
    kind = spoilt.kind if spoilt else None
    lines = b"".join(orjson.dumps(event) + b"\n" for event in world.copybook.events_of(link.job, link.output, world))
    data = igzip.compress(lines, 1)
    if kind is Kind.CORRUPT:
        data = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0x55]) + data[len(data) // 2 + 1 :]
    if kind is Kind.CUT:
        data = data[: len(data) // 2]
    response = web.StreamResponse(headers={"Content-Length": str(len(data)), "Content-Type": "binary/octet-stream"})
    await response.prepare(request)
    if kind is Kind.TRUNCATED:
        await response.write(data[: len(data) // 2])
        return _dropped(request)
    await response.write(data)
    await response.write_eof()
    return response
