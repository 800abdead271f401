"""Rules 5, 7 and 8 on the stand-in: lost answers, the cancel matrix, and what disappears from Amplitude's list."""

import asyncio
from dataclasses import replace

import pytest

from consumer.domain.errors import Reason
from consumer.sandbox.amplitude.faults import Fault, Kind
from tests.fakes.service import FAST, Service

NEVER_POLLED = replace(FAST, poll_every_ms=10**15)
SLOW_LIST = Fault(Kind.LATENCY, method="GET", seconds=0.3)
POLLED_DAILY = replace(FAST, poll_every_ms=86_400_000)


def scheduled_under(service, user):
    """The days and markers under which a person stands in Amplitude's book."""
    world = service.pocket.world
    jobs = world.book.jobs("829000", world.today(), "0001-01-01", "9999-12-31")
    return [(job.day, entry.requester) for job in jobs for entry in job.entries if entry.user_id == user]


async def test_a_call_that_is_applied_long_after_its_connection_was_lost_is_tracked_as_well():
    """Rule 5, applied late: the list does not show the marker, so the call is made again; both find the same job."""
    async with Service() as service:
        service.pocket.misbehave(Fault(Kind.LATE, method="POST", seconds=0.3))
        record = service.tell("u-1001")
        await service.reach(record, "scheduled")
        await service.until(lambda: service.seen.times_applied()["u-1001"] == 2)
        assert service.seen.times_sent()["u-1001"] == 2
        assert len(scheduled_under(service, "u-1001")) == 1
        service.cancel(record)
        await service.reach(record, "cancelled")
        assert not scheduled_under(service, "u-1001")


@pytest.mark.parametrize(
    ("marker", "seen"),
    [
        (Fault(Kind.MARKER_MISSING, method="POST"), False),
        (Fault(Kind.MARKER_TRUNCATED, method="POST", characters=len("dsr/") + 7), False),
        (Fault(Kind.MARKER_TRUNCATED, method="POST", characters=len("dsr/") + 8), True),
    ],
    ids=["missing", "truncated too much to prove anything", "truncated and still telling"],
)
async def test_a_lost_answer_whose_marker_was_damaged_ends_scheduled(marker, seen):
    """Rule 5, marker missing or truncated: absent is sent again; present is sent once more to learn the ids."""
    async with Service() as service:
        service.pocket.misbehave(marker, Fault(Kind.APPLIED_DROP, method="POST"))
        record = service.tell("u-1001")
        await service.reach(record, "scheduled")
        (identity,) = service.about(record)[-1].entry.identities
        assert identity.marker_seen is seen
        assert identity.jobs[0].amplitude_id is not None
        assert service.seen.times_sent()["u-1001"] == 2


async def test_a_person_who_is_unknown_after_the_marker_was_seen_is_scheduled_by_evidence():
    """Rule 5: the marker proves that the batch was applied, so `not_found` would be a lie."""
    async with Service() as service:
        service.pocket.misbehave(
            Fault(Kind.APPLIED_DROP, method="POST"), Fault(Kind.LATENCY, method="GET", seconds=0.3)
        )
        record = service.tell("u-1001", "u-1002")
        await service.until(lambda: service.seen.times_applied()["u-1001"])
        service.pocket.world.people.seed("829000", "u-1001", ())
        await service.reach(record, "scheduled")
        one, two = service.about(record)[-1].entry.identities
        assert (one.stage, one.reason) == ("scheduled", Reason.BATCH_EVIDENCE)
        assert (two.stage, two.reason) == ("scheduled", None)


async def test_a_second_job_is_tracked_beside_the_first():
    """Rule 5: the lost call's job froze before the call was repeated; done is said when both are done."""
    async with Service(policy=POLLED_DAILY) as service:
        service.pocket.misbehave(Fault(Kind.APPLIED_DROP, method="POST"))
        service.pocket.misbehave(Fault(Kind.STATUS, method="GET", status=503, count=2))
        record = service.tell("u-1001")
        await service.until(lambda: service.seen.times_applied()["u-1001"])
        service.clock.advance(days=10)
        await service.reach(record, "scheduled")
        days = {day for day, _ in scheduled_under(service, "u-1001")}
        assert len(days) == 2
        for _ in range(40):
            service.clock.advance(days=1)
            await asyncio.sleep(0.05)
        await service.reach(record, "done")
        (identity,) = service.about(record)[-1].entry.identities
        assert {job.day for job in identity.jobs} == days


async def test_a_cancel_sees_a_frozen_job_that_only_the_marker_of_a_lost_call_told_of():
    """Rules 5 and 7: the repetition of a lost call found a new job, and the first one can no longer be left."""
    async with Service(policy=NEVER_POLLED) as service:
        service.pocket.misbehave(Fault(Kind.APPLIED_DROP, method="POST"))
        service.pocket.misbehave(Fault(Kind.STATUS, method="GET", status=503, count=2))
        record = service.tell("u-1001")
        await service.until(lambda: service.seen.times_applied()["u-1001"])
        service.clock.advance(days=10)
        await service.reach(record, "scheduled")
        service.cancel(record)
        await service.reach(record, "too_late", "cancelled")
        assert len(scheduled_under(service, "u-1001")) == 1, "it stands in the frozen job only"
        assert service.stages(record)[-1] == "too_late"


async def test_what_was_never_sent_is_cancelled_without_a_call():
    """Rule 7, undispatched: cancelled at intake."""
    async with Service(policy=replace(FAST, linger_s=60)) as service:
        record = service.tell("u-1001")
        service.cancel(record)
        await service.reach(record, "cancelled")
        assert service.stages(record) == ["accepted", "cancelled"]
        assert not service.seen.requests


async def test_a_cancel_of_a_call_in_flight_awaits_its_answer_and_revokes():
    """Rule 7, in flight: cancelled only after the DELETE."""
    async with Service() as service:
        service.pocket.misbehave(Fault(Kind.LATENCY, method="POST", seconds=0.4))
        record = service.tell("u-1001")
        await service.until(lambda: service.seen.requests["POST"])
        service.cancel(record)
        await asyncio.sleep(0.1)
        assert service.stages(record) == ["accepted", "dispatching"]
        await service.reach(record, "cancelled")
        assert service.seen.requests["DELETE"] == 1
        assert not scheduled_under(service, "u-1001")


async def test_a_cancel_after_a_lost_answer_finds_out_first_and_revokes():
    """Rule 7, lost answer: the marker shows that it was applied, a repetition tells the ids, then they are revoked."""
    async with Service() as service:
        service.pocket.misbehave(
            Fault(Kind.APPLIED_DROP, method="POST"), Fault(Kind.LATENCY, method="GET", seconds=0.3)
        )
        record = service.tell("several-1")
        await service.until(lambda: service.seen.requests["GET"])
        service.cancel(record)
        await service.reach(record, "cancelled")
        assert not scheduled_under(service, "several-1")


async def test_a_cancel_after_a_lost_answer_that_was_not_applied_makes_no_call_more():
    """Rule 7, lost answer: the marker is absent, so there is nothing to revoke and nothing is sent again."""
    async with Service() as service:
        service.pocket.misbehave(Fault(Kind.DROP, method="POST"), SLOW_LIST)
        record = service.tell("u-1001")
        await service.until(lambda: service.seen.requests["GET"])
        service.cancel(record)
        await service.reach(record, "cancelled")
        assert not service.seen.times_applied()
        assert service.seen.requests["POST"] == 1


async def test_what_is_half_frozen_is_too_late_with_a_result_for_each_identity():
    """Rule 7, partly frozen: a batch was split, and between its halves the first one's job froze."""
    async with Service(policy=replace(NEVER_POLLED, least_interval_s=0.3)) as service:
        service.pocket.misbehave(Fault(Kind.STATUS, method="POST", status=400))
        record = service.tell("u-1001", "u-1002")
        await service.until(service.seen.times_applied)
        service.clock.advance(days=10)
        await service.reach(record, "scheduled")
        assert len({day for user in ("u-1001", "u-1002") for day, _ in scheduled_under(service, user)}) == 2
        service.cancel(record)
        await service.reach(record, "too_late")
        last = service.about(record)[-1]
        assert ["too_late", "cancelled"] == [i.stage for i in last.entry.identities]
        assert last.entry.frozen_since is not None
        assert not scheduled_under(service, "u-1002")


async def test_a_cancel_of_an_unknown_request_is_refused():
    """Rule 7, unknown: nothing was ever asked under that id."""
    async with Service() as service:
        record = service.tell(command="cancel", subject_identities=[])
        (reply,) = [o for o in service.outcomes if o.asked and o.asked.request_id == record["subject_request_id"]]
        assert (reply.stage, reply.reason) == ("refused", Reason.UNKNOWN_REQUEST)


@pytest.mark.parametrize(
    ("others", "reason"), [(["u-1002"], Reason.REVOKED_ELSEWHERE), ([], Reason.JOB_DISAPPEARED)], ids=["id", "job"]
)
async def test_what_disappears_from_amplitude_fails_after_two_lists(others, reason):
    """Rule 8: nothing stays open for ever. Somebody revoked the person by hand, with or without the rest of the job."""
    async with Service(policy=POLLED_DAILY) as service:
        record = service.tell("u-1001")
        for other in others:
            await service.reach(service.tell(other), "scheduled")
        await service.reach(record, "scheduled")
        ((day, _),) = scheduled_under(service, "u-1001")
        world = service.pocket.world
        world.book.revoke("829000", world.today(), world.people.amplitude_ids("829000", "u-1001")[0], day)
        lists = service.seen.requests["GET"]
        service.clock.advance(days=1)
        await service.until(lambda: service.seen.requests["GET"] == lists + 1)
        await asyncio.sleep(0.1)
        assert service.stages(record)[-1] == "scheduled", "one list may have been read while Amplitude moves a job"
        service.clock.advance(days=1)
        await service.reach(record, "failed")
        assert service.about(record)[-1].reason is reason


async def test_a_cancel_between_a_lost_call_and_its_repetition_does_not_overlook_the_first_job():
    """Rules 5 and 7: the lost call's job froze before the call was repeated, so the person will be erased by it."""
    async with Service(policy=NEVER_POLLED) as service:
        service.pocket.misbehave(Fault(Kind.APPLIED_DROP, method="POST"))
        service.pocket.misbehave(Fault(Kind.STATUS, method="GET", status=503, count=2))
        record = service.tell("u-1001")
        await service.until(lambda: service.seen.times_applied()["u-1001"])
        service.clock.advance(days=10)
        service.cancel(record)
        await service.reach(record, "too_late", "cancelled")
        assert len(scheduled_under(service, "u-1001")) == 1
        assert service.stages(record)[-1] == "too_late"
