"""Lanes against the pocket Amplitude, over real sockets."""

import asyncio
from dataclasses import replace

import pytest

from consumer.domain.errors import Reason
from consumer.domain.subject import Secret
from consumer.lanes import LanePolicy
from consumer.sandbox.amplitude.faults import Fault, Kind
from tests.fakes.service import FAST, QUICK, Service


async def test_a_request_goes_all_the_way_to_done_and_is_forgotten():
    """Accepted, dispatched, scheduled, submitted, erased, done: by what Amplitude shows, day by day."""
    async with Service() as service:
        record = service.tell("u-1001", "several-1", "ghost-1")
        await service.reach(record, "scheduled")
        for _ in range(24):
            service.clock.advance(days=1)
            await asyncio.sleep(0.08)
        await service.reach(record, "done")
        expected = ["accepted", "dispatching", "scheduled", "submitted", "erased", "done"]
        assert expected == service.stages(record)
        last = service.about(record)[-1].entry
        assert [i.stage for i in last.identities] == ["done", "done", "not_found"]
        assert len(last.identities[1].jobs) > 1
        (kept,) = [service.shard.get(last.key)]
        assert {None} == {i.value for i in kept.identities}
        assert service.seen.times_sent()["u-1001"] == 1


async def test_a_hundred_people_are_one_call():
    """Batching is worth a hundred times."""
    async with Service(policy=replace(FAST, linger_s=0.3)) as service:
        records = [service.tell(f"u-{n}") for n in range(150)]
        for record in records:
            await service.reach(record, "scheduled")
        assert sorted([len(post) for post in service.seen.posts]) == [50, 100]


async def test_two_calls_are_never_closer_than_a_second():
    """POST, GET and DELETE share the slot. The stand-in's limiter is on."""
    async with Service(policy=LanePolicy(linger_s=0, requester="dsr", schedules=QUICK), gate_s=0.95) as service:
        records = [service.tell(f"u-{n}") for n in range(101)]
        for record in records:
            await service.reach(record, "scheduled")
        service.tell(command="cancel", subject_request_id=records[0]["subject_request_id"], subject_identities=[])
        await service.reach(records[0], "cancelled")
        assert service.seen.min_spacing_s > 0.98
        assert service.seen.throttled == 0
        assert {"POST", "GET", "DELETE"} >= set(service.seen.requests) >= {"POST", "DELETE"}


@pytest.mark.parametrize("kind", [Kind.APPLIED_DROP, Kind.APPLIED_STATUS, Kind.TRUNCATED])
async def test_a_lost_answer_of_a_call_that_was_applied_is_reconciled_by_its_marker(kind):
    """Found in the list, sent once more to learn the Amplitude ID, and never said to be not found."""
    async with Service() as service:
        service.pocket.misbehave(Fault(kind, method="POST", status=502))
        record = service.tell("u-1001")
        await service.reach(record, "scheduled")
        assert service.seen.times_sent()["u-1001"] == 2
        assert service.seen.requests["GET"] >= 1
        (identity,) = service.about(record)[-1].entry.identities
        assert identity.jobs[0].amplitude_id is not None
        assert identity.marker_seen


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.DROP, method="POST"),
        Fault(Kind.STATUS, method="POST", status=500, count=3),
        Fault(Kind.STATUS, method="POST", status=429, count=2),
        Fault(Kind.HTML, method="POST"),
        Fault(Kind.STATUS, method="GET", status=503, count=3),
        Fault(Kind.APPLIED_DROP, method="POST", count=2),
        Fault(Kind.NO_USER_ID, method="POST"),
        Fault(Kind.MARKER_MISSING, method="POST"),
    ],
    ids=lambda fault: fault.kind.value,
)
async def test_whatever_goes_wrong_the_request_is_scheduled_in_the_end(fault):
    """Retries, reconciliation and lenient reading, one fault at a time."""
    async with Service() as service:
        service.pocket.misbehave(fault)
        record = service.tell("u-1001", "u-1002")
        await service.reach(record, "scheduled")
        assert {"u-1001", "u-1002"} == set(service.seen.times_applied())


async def test_a_rejected_batch_is_split_and_the_neighbours_are_scheduled():
    """A 400 costs nobody else."""
    async with Service() as service:
        service.pocket.misbehave(Fault(Kind.STATUS, method="POST", status=400, count=2))
        record = service.tell(*(f"u-{n}" for n in range(8)))
        await service.reach(record, "scheduled")
        assert {1} == set(service.seen.times_applied().values())


async def test_refused_credentials_park_the_lane_say_so_and_go_on_when_they_work_again():
    """No restart is needed; the people concerned are told once."""
    async with Service() as service:
        good = service.access
        service.access = replace(good, keys=replace(good.keys, secret_key=Secret("wrong")))
        record = service.tell("u-1001")
        await service.until(lambda: any(o.notice for o in service.about(record)))
        await asyncio.sleep(0.3)
        waiting = [o for o in service.about(record) if o.notice == "waiting"]
        assert [o.reason for o in waiting] == [Reason.CREDENTIALS_REFUSED]
        assert service.shard.project("shop").parked is Reason.CREDENTIALS_REFUSED
        service.access = good
        await service.reach(record, "scheduled")
        await service.until(lambda: service.shard.project("shop").parked is None)


async def test_a_cancel_in_time_revokes_every_amplitude_id():
    """Cancelled is said after the last DELETE."""
    async with Service() as service:
        record = service.tell("several-1")
        await service.reach(record, "scheduled")
        service.tell(command="cancel", subject_request_id=record["subject_request_id"], subject_identities=[])
        await service.reach(record, "cancelled")
        assert service.stages(record) == ["accepted", "dispatching", "scheduled", "cancelling", "cancelled"]
        assert service.seen.requests["DELETE"] == len(service.about(record)[-1].entry.identities[0].jobs)


async def test_a_cancel_of_a_frozen_job_is_too_late_and_says_since_when():
    """The list had not been read since it froze, so Amplitude's refusal is what tells."""
    async with Service(policy=replace(FAST, poll_every_ms=10**15)) as service:
        record = service.tell("u-1001")
        await service.reach(record, "scheduled")
        await service.until(lambda: service.seen.requests["GET"])
        service.clock.advance(days=10)
        service.tell(command="cancel", subject_request_id=record["subject_request_id"], subject_identities=[])
        await service.reach(record, "too_late")
        last = service.about(record)[-1]
        assert last.entry.frozen_since == "2026-06-25"
        assert last.entry.identities[0].reason is Reason.FROZEN


async def test_what_another_request_needs_is_not_revoked():
    """One person asked twice and took one of them back."""
    async with Service() as service:
        one, two = service.tell("u-1001"), service.tell("u-1001")
        await service.reach(one, "scheduled")
        await service.reach(two, "scheduled")
        service.tell(command="cancel", subject_request_id=one["subject_request_id"], subject_identities=[])
        await service.reach(one, "cancelled")
        assert service.about(one)[-1].reason is Reason.SHARED_WITH_OTHER_REQUEST
        assert not service.seen.requests["DELETE"]


async def test_a_paused_project_sends_nothing_until_it_is_resumed():
    """Other work of the lane, such as polling, goes on."""
    async with Service() as service:
        service.tell(command="pause", subject_request_id=None, subject_identities=[])
        record = service.tell("u-1001")
        await asyncio.sleep(0.4)
        assert not service.seen.posts
        service.tell(command="resume", subject_request_id=None, subject_identities=[])
        await service.reach(record, "scheduled")


async def test_above_the_cap_nothing_is_sent_until_it_is_approved():
    """The first ones go, the burst waits for a person."""
    async with Service(daily_cap=2) as service:
        records = [service.tell(f"u-{n}") for n in range(4)]
        await service.reach(records[1], "scheduled")
        await asyncio.sleep(0.3)
        assert {"u-0", "u-1"} == set(service.seen.times_sent())
        service.tell(command="approve", subject_request_id=None, subject_identities=[])
        await service.reach(records[3], "scheduled")


async def test_without_a_fresh_lease_nothing_leaves():
    """A frozen process must not send beside the new owner. Negative control: with the lease it does."""
    service = Service()
    service.lease_s = 0.5
    async with service:
        record = service.tell("u-1001")
        await asyncio.sleep(0.5)
        assert not service.seen.requests
        assert service.stages(record) == ["accepted", "dispatching"]
    async with Service() as control:
        await control.reach(control.tell("u-1001"), "scheduled")


async def test_a_lost_partition_sends_nothing_more():
    """Membership is not ownership."""
    async with Service() as service:
        service.owned = False
        service.tell("u-1001")
        await asyncio.sleep(0.4)
        assert not service.seen.requests


async def test_a_member_that_takes_over_reconciles_what_was_in_flight():
    """The write-ahead tells the next owner that a call may have happened; the marker tells that it did."""
    async with Service() as service:
        service.pocket.misbehave(Fault(Kind.LATENCY, method="POST", seconds=0.5))
        record = service.tell("u-1001")
        await service.until(lambda: service.seen.requests["POST"])
        service.desk.closed(0)
        await asyncio.sleep(0.7)
        service.desk.opened(0, 2, service.shard)
        await service.reach(record, "scheduled")
        assert service.about(record)[-1].entry.identities[0].marker_seen
