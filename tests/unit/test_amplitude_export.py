"""The Export API's client against the stand-in, on real sockets."""

import asyncio
import gzip
import io
import os
import zipfile

import pytest

from consumer.adapters.amplitude.export import ExportClient, ExportTimeouts
from consumer.domain.errors import CallFailed, Fault, Reason
from consumer.domain.hours import Hour, Span, hour_of
from consumer.domain.subject import Millis
from consumer.ports import Absence, Archive
from consumer.sandbox.amplitude import faults
from consumer.sandbox.amplitude.faults import Kind
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.shelf import MadeUp
from consumer.sandbox.clock import ManualClock

APP = "829000"
NOW = Millis(1_781_600_400_000)
NEWEST = Hour(hour_of(NOW) - 1)


@pytest.fixture
async def pocket():
    async with PocketAmplitude(ManualClock(NOW), Knobs(export_parts=2)) as server:
        server.world.shelf.make_up(APP, MadeUp(40))
        yield server


@pytest.fixture
async def client():
    async with ExportClient(ExportTimeouts(2, 5)) as opened:
        yield opened


async def whole(client, access, first=NEWEST, last=NEWEST):
    async with client.archive(access, first, last) as found:
        if not isinstance(found, Archive):
            return found
        return b"".join([chunk async for chunk in found.chunks])


def misbehave(pocket, kind, **more):
    pocket.misbehave(faults.Fault(kind, method="EXPORT", **more))


async def test_the_archive_is_as_recorded_and_holds_the_hours_inclusive(pocket, client):
    data = await whole(client, pocket.access(APP), Hour(NEWEST - 1), NEWEST)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        lines = [line for info in infos for line in gzip.decompress(archive.read(info)).splitlines()]
    assert [info.filename for info in infos] == [
        f"829000/829000_2026-06-16_{hour}#{part}.json.gz" for hour in (7, 8) for part in (0, 1)
    ]
    assert {(info.compress_type, info.flag_bits, info.external_attr) for info in infos} == {(0, 8, 0o600 << 16)}
    assert data[14:26] == bytes(12), "CRC and sizes stand behind the member"
    assert len(lines) == len(set(lines)) == 80
    [first, second] = pocket.seen(APP).exports[0], pocket.seen(APP).max_open_exports
    assert (first.first, first.last, second) == (NEWEST - 1, NEWEST, 1)


async def test_what_is_not_there_is_empty(pocket, client):
    access = pocket.access("829001")
    assert await whole(client, access) is Absence.EMPTY
    assert await whole(client, pocket.access(APP), Hour(NEWEST + 1), Hour(NEWEST + 1)) is Absence.EMPTY


async def test_too_large_and_too_slow_windows(client):
    async with PocketAmplitude(ManualClock(NOW), Knobs(most_export_bytes=5_000, most_export_hours=3)) as pocket:
        pocket.world.shelf.make_up(APP, MadeUp(40))
        access = pocket.access(APP)
        assert await whole(client, access) is Absence.TOO_LARGE
        assert await whole(client, access, Hour(NEWEST - 5), NEWEST) is Absence.TOO_LARGE
        assert pocket.seen(APP).statuses == {400: 1, 504: 1}


@pytest.mark.parametrize(
    ("kind", "more", "fault", "reason"),
    [
        (Kind.HTML, {}, Fault.LOST, Reason.NOT_AN_ARCHIVE),
        (Kind.DROP, {}, Fault.LOST, Reason.UNAVAILABLE),
        (Kind.TRUNCATED, {}, Fault.LOST, Reason.UNAVAILABLE),
        (Kind.STATUS, {"status": 404}, Fault.LOST, Reason.NOT_AN_ARCHIVE),
        (Kind.STATUS, {"status": 400}, Fault.REJECTED, Reason.REJECTED_BY_AMPLITUDE),
        (Kind.STATUS, {"status": 401}, Fault.CREDENTIALS, Reason.CREDENTIALS_REFUSED),
        (Kind.STATUS, {"status": 429, "retry_after": "7"}, Fault.THROTTLED, Reason.THROTTLED),
        (Kind.STATUS, {"status": 500}, Fault.LOST, Reason.UNAVAILABLE),
    ],
)
async def test_failures_are_told_apart_and_carry_nothing_else(pocket, client, kind, more, fault, reason):
    misbehave(pocket, kind, **more)
    with pytest.raises(CallFailed) as failed:
        await whole(client, pocket.access(APP))
    assert (failed.value.fault, failed.value.reason) == (fault, reason)
    assert failed.value.retry_after_s == (7.0 if "retry_after" in more else None)
    assert (failed.value.__cause__, failed.value.__context__) == (None, None)
    assert isinstance(await whole(client, pocket.access(APP)), bytes), "the next one is fine"


async def test_nobody_listens(client):
    async with PocketAmplitude(ManualClock(NOW)) as pocket:
        access = pocket.access(APP)
    with pytest.raises(CallFailed) as failed:
        await whole(client, access)
    assert failed.value.fault is Fault.UNREACHABLE


@pytest.mark.parametrize(("kind", "same"), [(Kind.CUT, False), (Kind.CORRUPT, True)])
async def test_a_spoiled_archive_arrives_as_it_is(pocket, client, kind, same):
    good = await whole(client, pocket.access(APP))
    misbehave(pocket, kind)
    bad = await whole(client, pocket.access(APP))
    assert bad != good
    assert (len(bad) == len(good)) is same


async def test_a_second_export_at_a_time_is_throttled_until_the_first_is_closed(pocket, client):
    access = pocket.access(APP)
    pocket.world.shelf.put(APP, NEWEST, [b"x" * 200 + b"\n"] * 10)
    async with client.archive(access, NEWEST, NEWEST):
        pass  # left without reading: the connection is closed
    for _ in range(100):
        if not pocket.seen(APP).open_exports:
            break
        await asyncio.sleep(0.02)
    pocket.world.knobs = Knobs(export_bytes_per_s=1_000, export_parts=2)
    async with client.archive(access, NEWEST, NEWEST):
        with pytest.raises(CallFailed) as failed:
            await whole(client, access)
        assert failed.value.fault is Fault.THROTTLED


async def test_a_reader_that_waits_makes_the_server_wait(pocket, client):
    """Neither side piles the archive up."""
    for hour in range(NEWEST - 400, NEWEST + 1):
        pocket.world.shelf.put(APP, Hour(hour), [os.urandom(100_000).replace(b"\n", b" ") + b"\n"])
    async with client.archive(pocket.access(APP), Hour(NEWEST - 400), NEWEST) as found:
        await anext(found.chunks)
        [seen], before = pocket.seen(APP).exports, -1
        while seen.sent_bytes != before:
            before = seen.sent_bytes
            await asyncio.sleep(0.3)
        assert seen.sent_bytes < 20_000_000
        rest = sum([len(chunk) async for chunk in found.chunks])
    assert rest > 40_000_000


def test_the_truth_is_that_of_the_hours(pocket):
    truth = pocket.world.shelf.truth(APP, Span(Hour(NEWEST - 2), NEWEST))
    assert truth.events == 120
    assert {place.data_type for place in truth.planted} >= {"EMAIL", "IBAN"}
