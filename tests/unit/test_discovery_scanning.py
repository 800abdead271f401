"""One window from the Export API through the scanner to its result: real sockets, a real scanner host."""

import asyncio

import pytest

from consumer.adapters.amplitude.export import ExportClient, ExportTimeouts
from consumer.discovery.draft import Task
from consumer.discovery.scanning import MOST_FAILURES, Later, Scanning
from consumer.domain.discovery.discovery import State
from consumer.domain.errors import Fault, Reason
from consumer.domain.hours import Hour, Span, hour_of
from consumer.domain.retry import Schedule
from consumer.domain.subject import Millis, ProjectId
from consumer.sandbox.amplitude import faults
from consumer.sandbox.amplitude.faults import Kind
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.shelf import MadeUp
from consumer.sandbox.clock import ManualClock
from scanner.evidence import Field
from scanner.hosted import HostSettings, ScannerHost

APP = "829000"
NOW = Millis(1_781_600_400_000)
NEWEST = Hour(hour_of(NOW) - 1)
QUICK = {fault: Schedule(1.0, 1.0, 0.5) for fault in Fault}


class Counted:
    """Implements `ScanMeter` by remembering."""

    def __init__(self):
        self.bytes, self.failures, self.lost = [0, 0], [], []

    def moved(self, project, input_bytes, text_bytes):
        self.bytes[0] += input_bytes
        self.bytes[1] += text_bytes

    def failed(self, project, reason):
        self.failures.append(reason)

    def finished(self, result, lost):
        self.lost.append(lost)


@pytest.fixture
async def scene():
    """A pocket Amplitude, and what scans its windows."""
    host = await ScannerHost.start(HostSettings((), "auto", 1, b"a key for the tests"))
    async with (
        PocketAmplitude(ManualClock(NOW), Knobs(export_parts=2)) as pocket,
        ExportClient(ExportTimeouts(2, 5)) as export,
    ):
        pocket.world.shelf.make_up(APP, MadeUp(60))
        access = {"shop": pocket.access(APP), "gone": Reason.PROJECT_REMOVED, "keyless": Reason.CREDENTIALS_MISSING}
        meter = Counted()
        scanning = Scanning(export, access.get, host, ManualClock(NOW), meter, schedules=QUICK)
        try:
            yield pocket, scanning, meter, host
        finally:
            await host.close()


def task(first=NEWEST, last=NEWEST, project="shop", **more):
    given = Task("t", "d", ProjectId(project), 0, Span(Hour(first), Hour(last)), 1.0, None, None, NOW)
    return given._replace(**more)


def misbehave(pocket, kind, **more):
    pocket.misbehave(faults.Fault(kind, method="EXPORT", **more))


async def test_a_window_is_scanned_and_every_byte_accounted_for(scene):
    pocket, scanning, meter, host = scene
    result = await scanning.scan(task(NEWEST - 2))
    truth = pocket.world.shelf.truth(APP, Span(Hour(NEWEST - 2), NEWEST))
    assert (result.answer.state, result.rules, result.fingerprints) == (State.SCANNED, host.rules, host.key)
    assert result.tally.seen == {Field(*place): n for place, n in truth.seen.items()}
    assert result.answer.account["lines"] == truth.events
    assert result.answer.account["text_scanned"] == truth.text_bytes == meter.bytes[1]
    assert result.answer.account["input_bytes"] == pocket.seen(APP).exports[0].sent_bytes
    assert len(result.answer.archive) == 64
    assert meter.lost == [0]


async def test_a_sample_is_scanned_in_part(scene):
    _, scanning, meter, _ = scene
    account = (await scanning.scan(task(NEWEST - 2, sample=0.5))).answer.account
    assert account["lines"] + account["lines_skipped.sampled"] == 180
    assert 60 < account["lines"] < 120
    assert meter.lost == [0]


async def test_nothing_uploaded_is_empty_and_too_much_is_split(scene):
    pocket, scanning, _, _ = scene
    assert (await scanning.scan(task(NEWEST + 1, NEWEST + 1))).answer.state is State.EMPTY
    pocket.world.knobs = Knobs(most_export_bytes=100)
    large = await scanning.scan(task(NEWEST - 1))
    assert (large.answer.state, large.answer.reason) == (State.SPLIT, Reason.WINDOW_TOO_LARGE)
    hour = await scanning.scan(task())
    assert (hour.answer.state, hour.answer.reason) == (State.REFUSED, Reason.WINDOW_TOO_LARGE)


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        (Kind.CUT, {}, Reason.ARCHIVE_DAMAGED),
        (Kind.CORRUPT, {}, Reason.ARCHIVE_DAMAGED),
        (Kind.HTML, {}, Reason.NOT_AN_ARCHIVE),
        (Kind.STATUS, {"status": 404}, Reason.NOT_AN_ARCHIVE),
    ],
)
async def test_what_is_spoiled_is_asked_for_again_then_halved_then_refused(scene, kind, more, reason):
    pocket, scanning, meter, _ = scene
    misbehave(pocket, kind, count=2 * MOST_FAILURES, **more)
    for state, window in ((State.SPLIT, task(NEWEST - 1)), (State.REFUSED, task(task_id="u"))):
        for _ in range(MOST_FAILURES - 1):
            assert await scanning.scan(window) == Later(pytest.approx(0.75, abs=0.26), reason)
        told = await scanning.scan(window)
        assert (told.answer.state, told.answer.reason) == (state, reason)
    assert (await scanning.scan(task())).answer.state is State.SCANNED
    assert meter.failures == [reason] * 2 * (MOST_FAILURES - 1)


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        (Kind.TRUNCATED, {}, Reason.UNAVAILABLE),
        (Kind.DROP, {}, Reason.UNAVAILABLE),
        (Kind.STATUS, {"status": 500}, Reason.UNAVAILABLE),
        (Kind.STATUS, {"status": 429}, Reason.THROTTLED),
        (Kind.STATUS, {"status": 403}, Reason.CREDENTIALS_REFUSED),
    ],
)
async def test_what_passes_is_waited_for_however_often(scene, kind, more, reason):
    pocket, scanning, _, _ = scene
    misbehave(pocket, kind, count=MOST_FAILURES + 2, **more)
    for _ in range(MOST_FAILURES + 2):
        assert (await scanning.scan(task())).reason is reason
    assert (await scanning.scan(task())).answer.state is State.SCANNED


async def test_what_amplitude_rejects_is_refused_at_once(scene):
    pocket, scanning, _, _ = scene
    misbehave(pocket, Kind.STATUS, status=400)
    assert (await scanning.scan(task())).answer.reason is Reason.REJECTED_BY_AMPLITUDE


async def test_projects_and_rules_that_are_not_here(scene):
    pocket, scanning, _, host = scene
    assert (await scanning.scan(task(project="gone"))).answer.reason is Reason.PROJECT_REMOVED
    assert (await scanning.scan(task(project="keyless"))).reason is Reason.CREDENTIALS_MISSING
    assert (await scanning.scan(task(rules="other"))).answer.reason is Reason.RULES_DIFFER
    assert not pocket.seen(APP).exports
    assert (await scanning.scan(task(rules=host.rules))).answer.state is State.SCANNED


async def test_a_scan_that_is_cancelled_closes_its_connection_at_once(scene):
    pocket, scanning, meter, _ = scene
    pocket.world.knobs = Knobs(export_bytes_per_s=2_000)
    running = asyncio.create_task(scanning.scan(task(NEWEST - 5)))
    for _ in range(500):
        if pocket.seen(APP).exports and pocket.seen(APP).exports[0].sent_bytes:
            break
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for _ in range(500):
        if not pocket.seen(APP).open_exports:
            break
        await asyncio.sleep(0.02)
    assert (pocket.seen(APP).open_exports, pocket.seen(APP).broken_exports) == (0, 1)
    pocket.world.knobs = Knobs()
    assert (await scanning.scan(task())).answer.account["lines"] == 60
    assert meter.lost == [0]
