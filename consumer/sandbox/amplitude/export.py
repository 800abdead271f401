"""Export API: `/api/2/export`. The archive is written as it is sent, in the layout that was recorded from Amplitude."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from aiohttp import web

from consumer.domain.deadline import at
from consumer.domain.hours import Hour, Span, hour_of
from consumer.ports import Region
from consumer.sandbox.amplitude import wire
from consumer.sandbox.amplitude.counters import ExportSeen
from consumer.sandbox.amplitude.faults import Fault, Kind, Stage
from consumer.sandbox.amplitude.keys import Level
from consumer.sandbox.amplitude.shelf import Part
from consumer.sandbox.amplitude.world import World

PATH = "/api/2/export"
METHOD = "EXPORT"
"""What faults call this method: a GET is also the list of deletions."""
NOTHING = "Raw data files were not found."


def routes(world: World, region: Region) -> list[web.RouteDef]:
    """The one call, for one region's host."""

    async def export(request: web.Request) -> web.StreamResponse:
        return await _guarded(request, world, region)

    return [web.get(PATH, export, allow_head=False)]


async def _guarded(request: web.Request, world: World, region: Region) -> web.StreamResponse:
    holder = world.keys.holder(request.headers.get("Authorization"), region, Level.PROJECT)
    if holder is None or holder.app is None:
        world.counters.refused += 1
        return wire.refusal(world.knobs.refuse_status)
    counters = world.counters.app(holder.app)
    counters.requests[METHOD] += 1
    span = _span(request)
    if span is None:
        return wire.error(400, "start and end must be hours like 20260616T09, start first")
    if counters.open_exports >= world.knobs.most_exports:
        counters.statuses[429] += 1
        return wire.error(429, "Too Many Requests: Exceeded concurrent limit", world.knobs.retry_after)
    seen = ExportSeen(span.first, span.last, world.clock.monotonic())
    counters.exports.append(seen)
    counters.export_opened()
    try:
        response = await _answer(request, world, holder.app, span, seen)
    except ConnectionError:
        counters.broken_exports += 1
        return _dropped(request)
    else:
        counters.statuses[response.status] += 1
        return response
    finally:
        seen.ended_s = world.clock.monotonic()
        counters.open_exports -= 1


def _span(request: web.Request) -> Span | None:
    try:
        first, last = (hour_of_text(request.query[name]) for name in ("start", "end"))
    except (KeyError, ValueError):
        return None
    return Span(first, last) if first <= last else None


def hour_of_text(text: str) -> Hour:
    """`20260616T09` as an hour. `ValueError` for anything else."""
    moment = datetime.strptime(text, "%Y%m%dT%H").replace(tzinfo=UTC)
    return Hour(int(moment.timestamp()) // 3600)


async def _answer(request: web.Request, world: World, app: str, span: Span, seen: ExportSeen) -> web.StreamResponse:
    fault = world.faults.take(Stage.ARRIVAL, METHOD, app)
    if fault and fault.kind is not Kind.LATENCY:
        return _refused(request, fault)
    if fault:
        await asyncio.sleep(fault.seconds)
    if span.hours > world.knobs.most_export_hours:
        return wire.error(504, "Gateway Timeout")
    parts = _parts(world, app, span)
    if sum(len(part.content) for part in parts) > world.knobs.most_export_bytes:
        return wire.error(400, "Exported data exceeds the 4GB size limit")
    if not parts:
        return wire.error(404, NOTHING)
    return await _stream(request, world, parts, seen, world.faults.take(Stage.REPLY, METHOD, app))


def _refused(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.kind is Kind.HTML:
        return wire.login_page()
    if fault.kind is Kind.DROP:
        return _dropped(request)
    refused = fault.status in {401, 403}
    return wire.refusal(fault.status) if refused else wire.error(fault.status, "Injected", fault.retry_after)


def _parts(world: World, app: str, span: Span) -> list[Part]:
    """What can be exported of the hours: nothing of those that have not ended."""
    newest = min(span.last, hour_of(world.clock.now()) - 1)
    return [part for hour in range(span.first, newest + 1) for part in world.shelf.hour(app, Hour(hour))]


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _stream(
    request: web.Request, world: World, parts: list[Part], seen: ExportSeen, fault: Fault | None
) -> web.StreamResponse:
    kind, whole = fault.kind if fault else None, sum(len(part.content) for part in parts)
    response = web.StreamResponse(headers={"Content-Type": "application/zip"})
    await response.prepare(request)
    for piece in zipped(parts, at(world.clock.now())):
        data, broken = _spoiled(piece, seen.sent_bytes, whole // 2, kind)
        await response.write(data)
        seen.sent_bytes += len(data)
        if broken and kind is Kind.TRUNCATED:
            return _dropped(request)
        if broken and kind is Kind.CUT:
            break
        if world.knobs.export_bytes_per_s:
            await asyncio.sleep(len(data) / world.knobs.export_bytes_per_s)
    await response.write_eof()
    return response


def _spoiled(piece: bytes, sent: int, middle: int, kind: Kind | None) -> tuple[bytes, bool]:
    """What is sent of a piece, and whether it is the one in the middle of the archive, where a fault strikes."""
    here = sent <= middle < sent + len(piece)
    if not here or kind not in {Kind.TRUNCATED, Kind.CUT, Kind.CORRUPT}:
        return piece, False
    at_byte = middle - sent
    if kind is Kind.CORRUPT:
        return piece[:at_byte] + bytes([piece[at_byte] ^ 0x55]) + piece[at_byte + 1 :], True
    return piece[:at_byte], True


class _Sink(io.RawIOBase):
    """Takes what `zipfile` writes, and cannot seek: so sizes and CRC stand behind each member, as in Amplitude's."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        data, self.pieces = b"".join(self.pieces), []
        return data


def zipped(parts: Iterable[Part], moment: datetime) -> Iterator[bytes]:
    """The archive of these members, a piece for each and one for the directory."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for part in parts:
            info = zipfile.ZipInfo(part.name, moment.timetuple()[:6])
            info.external_attr = 0o600 << 16
            archive.writestr(info, part.content)
            yield sink.taken()
    yield sink.taken()
