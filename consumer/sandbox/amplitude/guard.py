"""What every request to a project's API passes before it is served: keys, counters, limits, scripted faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from consumer.ports import Region
from consumer.sandbox.amplitude import wire
from consumer.sandbox.amplitude.counters import AppCounters
from consumer.sandbox.amplitude.faults import Fault, Kind, Stage
from consumer.sandbox.amplitude.keys import Holder, Level
from consumer.sandbox.amplitude.world import World

HELD_OPEN_S = 30.0
"""How long a half-closed connection waits for the client to give up."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One admitted request of one project."""

    request: web.Request
    world: World
    holder: Holder
    app: str
    counters: AppCounters

    def fault(self, stage: Stage) -> Fault | None:
        """The scripted fault of this stage, used up by asking."""
        return self.world.faults.take(stage, self.request.method, self.app)

    def drop(self) -> web.Response:
        """Close the connection without an answer; the response that is returned goes nowhere."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response()

    async def deliver(self, payload: object, fault: Fault | None, content_type: str) -> web.StreamResponse:
        """Answer 200, or fail in the way that the fault of the reply stage says."""
        kind = fault.kind if fault else None
        if kind is Kind.APPLIED_DROP:
            return self.drop()
        if fault and kind is Kind.APPLIED_STATUS:
            return wire.error(fault.status, "Injected after applying", fault.retry_after)
        if kind in {Kind.TRUNCATED, Kind.HALF_CLOSED}:
            return await self._half(orjson.dumps(payload), stay=kind is Kind.HALF_CLOSED)
        return wire.reply(reshape(payload, kind), content_type)

    async def _half(self, body: bytes, *, stay: bool) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(self.request)
        await response.write(body[: len(body) // 2])
        transport = self.request.transport
        if transport is not None and stay and transport.can_write_eof():
            transport.write_eof()
            for _ in range(int(HELD_OPEN_S / 0.02)):
                if self.request.transport is None:
                    break
                await asyncio.sleep(0.02)
        if self.request.transport is not None:
            self.request.transport.close()
        return response


Serve = Callable[[Turn], Awaitable[web.StreamResponse]]


async def guarded(request: web.Request, world: World, region: Region, serve: Serve) -> web.StreamResponse:
    """Serve a request to a project-level API."""
    holder = world.keys.holder(request.headers.get("Authorization"), region, Level.PROJECT)
    if holder is None or holder.app is None:
        world.counters.refused += 1
        return wire.refusal(world.knobs.refuse_status)
    counters = world.counters.app(holder.app)
    counters.arrived(request.method, world.clock.monotonic())
    try:
        response = await _limited(Turn(request, world, holder, holder.app, counters), serve)
    finally:
        counters.left()
    if request.transport is not None and not request.transport.is_closing():
        counters.statuses[response.status] += 1
    return response


async def _limited(turn: Turn, serve: Serve) -> web.StreamResponse:
    world = turn.world
    if not world.limiter.enter(turn.app, world.clock.monotonic()):
        return wire.error(429, "Too Many Requests: Exceeded rate limit", world.knobs.retry_after)
    try:
        return await _arrived(turn, serve)
    finally:
        world.limiter.leave(turn.app)


async def _arrived(turn: Turn, serve: Serve) -> web.StreamResponse:
    await turn.request.read()  # a connection closed over unread bytes looks like a refused one to the client
    fault = turn.fault(Stage.ARRIVAL)
    kind = fault.kind if fault else None
    if fault and kind is Kind.STATUS:
        refused = fault.status in {401, 403}
        return wire.refusal(fault.status) if refused else wire.error(fault.status, "Injected", fault.retry_after)
    if fault and kind is Kind.LATENCY:
        await asyncio.sleep(fault.seconds)
    elif kind is Kind.DROP:
        return turn.drop()
    elif kind is Kind.HTML:
        return wire.login_page()
    return await serve(turn)


def reshape(payload: Any, kind: Kind | None) -> Any:
    """The same answer in another of the shapes that were documented or seen. A bare message is a string."""
    if isinstance(payload, str):
        return {"message": payload} if kind is Kind.MESSAGE_OBJECT else payload
    if not isinstance(payload, list) or not payload:
        return payload
    if kind is Kind.AS_OBJECT:
        return payload[0]
    if kind is Kind.NO_USER_ID:
        entries = [entry for job in payload for entry in job["amplitude_ids"]]
        for entry in entries:
            entry.pop("user_id", None)
    if kind is Kind.INVALID_ON_TOP:
        invalid = [one for job in payload for one in job.pop("invalid_ids", [])]
        return [*payload, {"invalid_ids": invalid}]
    return payload
