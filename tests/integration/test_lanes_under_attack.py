"""Lanes when things go wrong, against the pocket Amplitude over real sockets: floods, slow calls, parking, draining."""

import asyncio
import itertools
from collections import Counter
from dataclasses import replace

import pytest

from consumer.domain.deadline import AT_RISK_BELOW_MS, FIRST_ESTIMATE_MS
from consumer.domain.errors import Reason
from consumer.domain.retry import Schedule
from consumer.domain.subject import Secret
from consumer.lanes import LanePolicy
from consumer.ports import NoMeter
from consumer.sandbox.amplitude.faults import Fault, Kind
from tests.fakes.commands import NOW
from tests.fakes.service import FAST, QUICK, P, Service

SLOTS = replace(FAST, least_interval_s=0.1)
"""Slots long enough to be counted."""
LONG = {fault: Schedule(60, 60, 60) for fault in QUICK}
NO_POLL = 10**15


class Counted(NoMeter):
    """A `Meter` that keeps what it was told."""

    def __init__(self):
        self.calls, self.sizes, self.again = [], [], 0

    def called(self, project, verb, answer, took_s):
        assert project == "shop"
        assert took_s >= 0
        self.calls.append((verb, str(answer)))

    def batched(self, project, ids):
        self.sizes.append(ids)

    def resubmitted(self, project, ids):
        self.again += ids


def wrong(access):
    return replace(access, keys=replace(access.keys, secret_key=Secret("wrong")))


def verbs(service):
    return [verb for verb, _ in service.seen.stamps_s]


# in flight


@pytest.mark.parametrize("most", [4, 1])
async def test_a_slow_call_costs_no_slot(most):
    """Calls overlap, up to the policy's number, and their sends stay apart. Negative control: one at a time."""
    async with Service(policy=replace(SLOTS, most_in_flight=most, poll_every_ms=NO_POLL)) as service:
        await service.reach(service.tell("first"), "scheduled")
        await service.until(lambda: service.seen.requests["GET"])
        service.pocket.misbehave(Fault(Kind.LATENCY, method="POST", seconds=6, count=None))
        for n in range(600):
            service.tell(f"u-{n}")
        await service.until(lambda: service.seen.in_flight == most)
        await asyncio.sleep(0.5)
        assert most == service.seen.max_in_flight
        assert service.seen.min_spacing_s > 0.09


async def test_with_several_calls_in_flight_nobody_is_sent_twice():
    """What one batch has taken no other batch takes, whatever comes back first."""
    async with Service(policy=replace(SLOTS, least_interval_s=0.03)) as service:
        await service.reach(service.tell("first"), "scheduled")
        for seconds in (0.5, 0.05, 0.3, 0.1):
            service.pocket.misbehave(Fault(Kind.LATENCY, method="POST", seconds=seconds))
        records = [service.tell(*(f"u-{n}-{i}" for i in range(30))) for n in range(20)]
        for record in records:
            await service.reach(record, "scheduled")
        assert {1} == set(service.seen.times_sent().values())
        assert [100] * 6 == sorted(len(post) for post in service.seen.posts)[1:]


async def test_the_write_ahead_is_durable_before_the_call_leaves():
    """A broker that does not answer stops the POST. Negative control: it leaves as soon as the broker answers."""
    async with Service() as service:
        record = service.tell("u-1001")
        service.stuck = []
        await service.until(lambda: service.stuck)
        await asyncio.sleep(0.3)
        assert not service.seen.requests
        stuck, service.stuck = service.stuck, None
        for proposal in stuck:
            service.propose(proposal)
        await service.reach(record, "scheduled")


async def test_after_a_failure_one_call_tries_and_the_others_wait():
    """Refused keys are not tried four at a time, however late the refusals come."""
    async with Service(policy=replace(SLOTS, least_interval_s=0.03, poll_every_ms=NO_POLL)) as service:
        await service.reach(service.tell("first"), "scheduled")
        await service.until(lambda: service.seen.requests["GET"])
        service.pocket.misbehave(Fault(Kind.STATUS, status=503, count=1), Fault(Kind.LATENCY, seconds=0.3, count=4))
        before = len(service.seen.stamps_s)
        for n in range(400):
            service.tell(f"u-{n}")
        await service.until(lambda: len(service.seen.stamps_s) == before + 2)
        await asyncio.sleep(0.2)
        assert len(service.seen.stamps_s) == before + 2
        assert service.seen.in_flight == 1


async def test_a_new_lane_tries_its_keys_with_one_call():
    """The first answer decides whether more may leave."""
    async with Service(policy=replace(SLOTS, least_interval_s=0.03, schedules=LONG)) as service:
        service.pocket.misbehave(Fault(Kind.LATENCY, seconds=0.4))
        for n in range(400):
            service.tell(f"u-{n}")
        await service.until(lambda: service.seen.in_flight)
        await asyncio.sleep(0.25)
        assert len(service.seen.stamps_s) == 1


async def test_a_throttled_lane_halves_its_pace_and_recovers_slowly():
    """One 429 doubles the distance of the sends that follow; good answers bring it back."""
    quick = {fault: Schedule(0.01, 0.01, 0.0) for fault in QUICK}
    async with Service(policy=replace(SLOTS, schedules=quick)) as service:
        service.pocket.misbehave(Fault(Kind.STATUS, method="POST", status=429))
        record = service.tell("u-1001")
        await service.reach(record, "scheduled")
        (report,) = service.lanes.report()
        assert 0.1 < report.interval_s < 0.2
        assert service.stages(record) == ["accepted", "dispatching", "scheduled"]


# who gets the slots


async def test_a_flood_of_cancels_and_a_flood_of_requests_share_the_slots():
    """Neither starves the other: half and half as long as both last."""
    async with Service(policy=replace(SLOTS, least_interval_s=0.03, poll_every_ms=NO_POLL)) as service:
        records = [service.tell(f"c-{n}") for n in range(40)]
        for record in records:
            await service.reach(record, "scheduled")
        await service.until(lambda: service.seen.requests["GET"])
        before = len(service.seen.stamps_s)
        for record in records:
            service.cancel(record)
        late = [service.tell(*(f"{n}-{i}" for i in range(100))) for n in range(30)]
        for record in records:
            await service.reach(record, "cancelled")
        for record in late:
            await service.reach(record, "scheduled")
        kinds = Counter(verbs(service)[before : before + 40])
        assert abs(kinds["DELETE"] - kinds["POST"]) <= 2
        assert service.seen.requests["DELETE"] == 40


async def test_refused_revocations_are_looked_up_together_in_one_list_and_starve_nobody():
    """A frozen job with many cancels: one list at a time answers all that were refused before it left."""
    async with Service(policy=replace(SLOTS, least_interval_s=0.03, poll_every_ms=NO_POLL)) as service:
        records = [service.tell(f"c-{n}") for n in range(12)]
        for record in records:
            await service.reach(record, "scheduled")
        await service.until(lambda: service.seen.requests["GET"])
        service.clock.advance(days=10)
        service.pocket.misbehave(Fault(Kind.LATENCY, method="GET", seconds=0.2, count=None))
        before = len(service.seen.stamps_s)
        for record in records:
            service.cancel(record)
        late = service.tell("u-1001")
        for record in records:
            await service.reach(record, "too_late")
        await service.reach(late, "scheduled")
        kinds = Counter(verbs(service)[before:])
        assert kinds["DELETE"] == 12
        assert kinds["GET"] < 12
        assert "POST" in verbs(service)[before : before + 4]
        assert {Reason.FROZEN} == {service.about(r)[-1].entry.identities[0].reason for r in records}


async def test_lists_are_read_one_at_a_time():
    """However many answers are lost meanwhile."""
    async with Service(policy=replace(SLOTS, least_interval_s=0.03)) as service:
        await service.reach(service.tell("first"), "scheduled")
        lists = []
        read = service.client.jobs

        async def jobs(*arguments):
            lists.append(1)
            assert sum(lists) == 1
            try:
                return await read(*arguments)
            finally:
                lists.append(-1)

        service.client.jobs = jobs
        service.pocket.misbehave(
            Fault(Kind.LATENCY, method="GET", seconds=0.3, count=None),
            Fault(Kind.APPLIED_DROP, method="POST", count=3),
        )
        records = [service.tell(f"u-{n}") for n in range(250)]
        for record in records:
            await service.reach(record, "scheduled")
        assert sum(lists) == 0
        assert len(lists) >= 2


async def test_two_cancelled_requests_for_one_person_leave_nobody_scheduled():
    """The first to be looked at leaves the place to the second; the second must not see the first there any more."""
    async with Service() as service:
        one, two = service.tell("u-1001"), service.tell("u-1001")
        await service.reach(one, "scheduled")
        await service.reach(two, "scheduled")
        service.cancel(one)
        service.cancel(two)
        await service.reach(one, "cancelled")
        await service.reach(two, "cancelled")
        assert service.seen.requests["DELETE"] == 1


async def test_one_bad_id_costs_none_of_its_hundred_neighbours():
    """Amplitude rejects every batch that names it; halves of halves find it."""
    async with Service(policy=replace(FAST, linger_s=0.2)) as service:
        schedule = service.client.schedule

        async def reject(access, call, gate):
            if any(user.reveal() == "bad" for user in call.user_ids):
                service.pocket.misbehave(Fault(Kind.STATUS, method="POST", status=400))
            return await schedule(access, call, gate)

        service.client.schedule = reject
        bad, good = service.tell("bad"), [service.tell(f"u-{n}") for n in range(99)]
        await service.reach(bad, "failed")
        for record in good:
            await service.reach(record, "scheduled")
        assert service.about(bad)[-1].reason is Reason.REJECTED_BY_AMPLITUDE
        assert {1} == set(service.seen.times_applied().values())


# lingering


@pytest.mark.parametrize(("slack_ms", "waits"), [(AT_RISK_BELOW_MS - 1, False), (AT_RISK_BELOW_MS, True)])
async def test_a_deadline_at_risk_does_not_wait_for_company(slack_ms, waits):
    """Its batch goes at once, and whoever is there goes with it. Negative control: a millisecond more of slack."""
    async with Service(policy=replace(FAST, linger_s=60)) as service:
        other = service.tell("u-1001")
        await asyncio.sleep(0.2)
        assert not service.seen.posts
        urgent = service.tell("u-1002", deadline=NOW + FIRST_ESTIMATE_MS + slack_ms)
        if waits:
            await asyncio.sleep(0.3)
            assert not service.seen.posts
        else:
            await service.reach(urgent, "scheduled")
            await service.reach(other, "scheduled")
            assert [2] == [len(post) for post in service.seen.posts]


async def test_a_hold_ends_by_the_calendar_while_the_lane_sleeps():
    """A calendar that jumps is noticed although nothing else happens."""
    async with Service(hold_ms=3_600_000) as service:
        record = service.tell("u-1001")
        await asyncio.sleep(0.2)
        assert not service.seen.posts
        service.clock.advance(hours=1)
        await service.reach(record, "scheduled")


# waiting is said


@pytest.mark.parametrize("reason", [Reason.CREDENTIALS_MISSING, Reason.PROJECT_REMOVED])
async def test_without_keys_the_lane_parks_and_everybody_is_told_once(reason):
    """Who is there, and who comes later; after the keys are back and gone again it is said again."""
    async with Service() as service:
        good, service.access = service.access, reason
        records = [service.tell("u-1"), service.tell("u-2")]
        await service.until(lambda: service.waits(records[1]))
        records.append(service.tell("u-3"))
        await service.until(lambda: service.waits(records[2]))
        assert service.shard.project("shop").parked is reason
        await asyncio.sleep(0.3)
        assert [[reason]] * 3 == [service.waits(r) for r in records]
        assert ["accepted"] == service.stages(records[0])
        service.access = good
        for record in records:
            await service.reach(record, "scheduled")
        await service.until(lambda: service.shard.project("shop").parked is None)
        service.access = reason
        later = service.tell("u-4")
        await service.until(lambda: service.waits(later))
        assert [[reason]] * 3 == [service.waits(r) for r in records]


async def test_keys_that_are_back_are_noticed_although_nothing_is_left_to_do():
    """The project is not shown as parked for ever."""
    async with Service() as service:
        good, service.access = service.access, Reason.CREDENTIALS_MISSING
        record = service.tell("u-1001")
        await service.until(lambda: service.waits(record))
        service.cancel(record)
        await service.reach(record, "cancelled")
        service.access = good
        await service.until(lambda: service.shard.project("shop").parked is None)
        assert not service.seen.requests


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
async def test_a_refusal_of_any_call_is_told_to_every_request_that_waits(verb):
    """Not only to those of a batch."""
    async with Service(policy=replace(FAST, poll_every_ms=60_000, linger_s=0.3)) as service:
        first = service.tell("u-1001")
        await service.reach(first, "scheduled")
        await service.until(lambda: service.seen.requests["GET"])
        good, service.access = service.access, wrong(service.access)
        waiting = service.tell("u-2")
        if verb == "GET":
            service.clock.advance(hours=1)
        else:
            service.cancel(first)
        await service.until(lambda: service.waits(waiting))
        assert ["accepted"] == service.stages(waiting)[:1]
        await asyncio.sleep(0.2)
        assert [Reason.CREDENTIALS_REFUSED] == service.waits(waiting)
        service.access = good
        await service.reach(waiting, "scheduled")
        await service.until(lambda: service.shard.project("shop").parked is None)


@pytest.mark.parametrize(("status", "reason"), [(503, Reason.UNAVAILABLE), (429, Reason.THROTTLED)])
async def test_an_open_circuit_is_told_once(status, reason):
    """Five failures in a row; a request that comes later is told too. Four of them are nobody's business."""
    quick = {fault: Schedule(0.01, 0.01, 0.0) for fault in QUICK}
    policy = replace(FAST, schedules=quick, least_interval_s=0.002)
    async with Service(policy=policy) as service:
        service.pocket.misbehave(Fault(Kind.STATUS, status=status, count=4))
        spared = service.tell("u-1")
        await service.reach(spared, "scheduled")
        service.pocket.misbehave(Fault(Kind.STATUS, status=status, count=5))
        told = service.tell("u-2")
        await service.until(lambda: service.waits(told))
        assert service.lanes.report()[0].circuit_open
        assert service.lanes.report()[0].reason is reason
        later = service.tell("u-3")
        await service.until(lambda: service.waits(later))
        await asyncio.sleep(0.1)
        assert [[], [reason], [reason]] == [service.waits(r) for r in (spared, told, later)]
        assert service.shard.project("shop").parked is reason


async def test_a_parking_that_moves_with_the_lane_is_not_told_again():
    """The next owner reads that it was said; who was accepted meanwhile is told by it."""
    async with Service() as service:
        service.access = Reason.CREDENTIALS_MISSING
        told = service.tell("u-1")
        await service.until(lambda: service.waits(told))
        service.desk.closed(P)
        service.desk.opened(P, 2, service.shard)
        later = service.tell("u-2")
        await service.until(lambda: service.waits(later))
        await asyncio.sleep(0.2)
        assert [[Reason.CREDENTIALS_MISSING]] * 2 == [service.waits(told), service.waits(later)]


# counting


async def test_calls_batches_and_repetitions_are_counted_where_they_happen():
    """One call each that left; a repetition only after a lost answer."""
    meter = Counted()
    async with Service(meter=meter) as service:
        service.pocket.misbehave(Fault(Kind.APPLIED_DROP, method="POST"))
        record = service.tell("u-1001", "u-1002")
        await service.reach(record, "scheduled")
        service.cancel(record)
        await service.reach(record, "cancelled")
        calls = [call for call in meter.calls if call[0] != "GET"]
        assert [("POST", "lost"), ("POST", "ok"), ("DELETE", "ok"), ("DELETE", "ok")] == calls
        assert ("GET", "ok") in meter.calls
        assert [2, 2] == meter.sizes
        assert meter.again == 2
        assert len(meter.calls) == sum(service.seen.requests.values())


async def test_a_report_says_what_a_lane_is_doing_without_naming_anybody():
    """Numbers and reasons."""
    async with Service() as service:
        service.tell(command="pause", subject_request_id=None, subject_identities=[])
        service.tell("u-1001")
        await service.until(lambda: service.lanes.report() and service.lanes.report()[0].waiting)
        (report,) = service.lanes.report()
        assert (1, NOW, 0, Reason.PAUSED) == (report.waiting, report.oldest, report.in_flight, report.reason)
        assert "u-1001" not in repr(report)


# giving a partition away


async def test_a_partition_that_settles_brings_its_answer_home_and_sends_nothing_new():
    """The POST in flight ends scheduled, not lost; what was not sent stays undispatched."""
    async with Service(policy=replace(FAST, poll_every_ms=NO_POLL)) as service:
        await service.reach(service.tell("first"), "scheduled")
        await service.until(lambda: service.seen.requests["GET"])
        service.pocket.misbehave(Fault(Kind.LATENCY, method="POST", seconds=0.5))
        flying = service.tell("u-1001")
        await service.until(lambda: service.seen.in_flight)
        before = len(service.seen.stamps_s)
        service.lanes.settling(P)
        late = service.tell("u-1002")
        await asyncio.sleep(0.2)
        assert service.lanes.busy(P)
        await service.reach(flying, "scheduled")
        await service.until(lambda: not service.lanes.busy(P))
        assert len(service.seen.stamps_s) == before
        assert ["accepted"] == service.stages(late)
        service.desk.closed(P)
        service.desk.opened(P, 2, service.shard)
        await service.reach(late, "scheduled")
        assert {1} == set(service.seen.times_sent().values())


async def test_a_batch_that_waits_for_its_slot_when_the_partition_settles_is_taken_back():
    """It is written ahead and certainly not sent, so the next owner need not look for it. The slot is not awaited."""
    async with Service(policy=replace(FAST, least_interval_s=4)) as service:
        record = service.tell("u-1001")
        await service.reach(record, "dispatching")
        assert service.lanes.busy(P)
        service.lanes.settling(P)
        await service.until(lambda: not service.lanes.busy(P), seconds=1)
        (identity,) = service.shard.get(service.about(record)[0].entry.key).identities
        assert identity.batch is None
        assert not service.seen.requests


async def test_busy_includes_a_proposal_that_is_not_committed():
    """The thread that commits must go on until the answer is durable."""
    async with Service(policy=replace(FAST, poll_every_ms=NO_POLL)) as service:
        service.pocket.misbehave(Fault(Kind.LATENCY, method="POST", seconds=0.2))
        record = service.tell("u-1001")
        await service.until(lambda: service.seen.in_flight)
        service.lanes.settling(P)
        service.stuck = []
        await service.until(lambda: service.stuck)
        await asyncio.sleep(0.1)
        assert service.lanes.busy(P)
        stuck, service.stuck = service.stuck, None
        for proposal in stuck:
            service.propose(proposal)
        await service.reach(record, "scheduled")
        await service.until(lambda: not service.lanes.busy(P))


async def test_a_partition_that_is_not_ours_is_never_busy():
    """Asking is harmless, before it was opened and after it was closed."""
    async with Service() as service:
        service.lanes.settling(7)
        assert not service.lanes.busy(7)
        service.desk.closed(P)
        assert not service.lanes.busy(P)


async def test_a_lane_that_has_just_moved_waits_a_full_interval():
    """Its last owner may have sent a moment ago."""
    async with Service(policy=replace(FAST, least_interval_s=0.4)) as service:
        record = service.tell("u-1001")
        await service.reach(record, "scheduled")
        service.tell("u-1002")
        service.desk.closed(P)
        service.desk.opened(P, 2, service.shard)
        moved_at = service.clock.monotonic()
        await service.until(lambda: service.clock.monotonic() > moved_at + 0.35)
        assert not [at for _, at in service.seen.stamps_s if at > moved_at]
        await service.until(lambda: [at for _, at in service.seen.stamps_s if at > moved_at])


async def test_a_lease_that_is_lost_in_the_slot_stops_the_call_and_takes_it_back():
    """The call was prepared in time and must not leave late. Negative control: with the lease back it does."""
    async with Service(policy=replace(FAST, least_interval_s=0.2)) as service:
        record = service.tell("u-1001")
        await service.reach(record, "dispatching")
        service.lease_s = 0.5
        for lane, _ in service.lanes._lanes.values():
            lane.ground.tenure._lease_s = 0.5
        await asyncio.sleep(0.6)
        assert not service.seen.requests
        service.lease_s = 1e9
        await service.reach(record, "scheduled")
        assert [1] == list(service.seen.times_sent().values())


def watch(lanes):
    """Count, by project, how often a lane looks for a call to make."""
    looked = Counter()
    for (_, project), (lane, _) in lanes._lanes.items():
        lane._turns[:] = [lambda kind=kind, name=project: looked.update([name]) or kind() for kind in lane._turns]
    return looked


async def test_idle_lanes_do_nothing():
    """A thousand of them are woken by nothing but what concerns them."""
    async with Service(policy=LanePolicy(linger_s=0, schedules=QUICK)) as service:
        lanes = service.lanes
        for n in range(1_000):
            lanes._lane(lanes._tenures[P], service.shard.project("shop")._replace(project=f"p-{n}"))
        await asyncio.sleep(1.3)  # every lane's first interval is over
        looked = watch(lanes)
        await asyncio.sleep(0.5)
        assert not looked
        lanes._lanes[P, "p-7"][0].ground.bell.ring()
        await asyncio.sleep(0.05)
        assert {"p-7"} == set(looked)


@pytest.mark.parametrize("why", ["paused", "parked", "lingering", "held"])
async def test_a_lane_that_has_to_wait_sleeps(why):
    """Whatever it waits for, it does not go round in circles: a few looks, not one each time the event loop turns."""
    policy = replace(FAST, linger_s=60 if why == "lingering" else 0.2, least_interval_s=0.002)
    async with Service(policy=policy, hold_ms=3_600_000 if why == "held" else 0) as service:
        if why == "parked":
            service.access = Reason.CREDENTIALS_MISSING
        record = service.tell("u-1001")
        await asyncio.sleep(0.1)
        if why == "paused":
            service.tell(command="pause", subject_request_id=None, subject_identities=[])
        await asyncio.sleep(0.2)
        looked = watch(service.lanes)
        await asyncio.sleep(0.5)
        assert 3 * 0.5 / policy.access_check_s + 3 >= looked["shop"]
        assert not service.seen.posts
        assert service.stages(record) in (["accepted"], ["held"])


def test_the_sends_of_a_lane_are_never_closer_than_its_interval():
    """By the stamps of the gate itself, whatever the event loop was busy with."""

    async def stamps():
        meter = Counted()
        left = []
        async with Service(policy=replace(FAST, least_interval_s=0.05), meter=meter) as service:
            lane = service.lanes._lane(service.lanes._tenures[P], service.shard.project("shop"))
            leave = lane._pacer._leave
            lane._pacer._leave = lambda: left.append(leave()) or left[-1]
            records = [service.tell(f"u-{n}") for n in range(500)]
            for record in records:
                await service.reach(record, "scheduled")
        return left

    left = asyncio.run(stamps())
    assert len(left) >= 5
    assert all(b - a >= 0.05 for a, b in itertools.pairwise(left))
