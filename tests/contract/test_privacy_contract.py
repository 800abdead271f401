"""The contract of the `Privacy` port, run against the HTTP client with the pocket Amplitude and against the fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from consumer.adapters.amplitude import AmplitudeClient
from consumer.domain.deadline import day_of, plus_days
from consumer.domain.errors import CallFailed, LeaseLost, Reason
from consumer.domain.errors import Fault as CallFault
from consumer.domain.jobs import Job, JobStatus, Revocation, ScheduleCall, ScheduleReply
from consumer.domain.subject import AmplitudeId, Day, Millis, Subject
from consumer.ports import Access, Credentials, CredentialVerdict, Privacy
from consumer.sandbox.amplitude import Fault, Kind, Knobs, PocketAmplitude
from consumer.sandbox.clock import ManualClock
from tests.fakes.amplitude import FakePrivacy
from tests.fakes.amplitude import access as made_up_access

START = Millis(1_781_611_200_000)  # 2026-06-16T12:00Z
MARKER = "dsr/0123456789abcdef"


def no_gate() -> None:
    """Let every call leave."""


@dataclass
class Stage:
    """One implementer with its world: a calendar, a project and ways to make the next call fail."""

    privacy: Privacy
    credentials: Credentials
    access: Access
    clock: ManualClock
    fail: Callable[[CallFault, bool], None]
    refuse_keys: Callable[[], None]

    @property
    def today(self) -> Day:
        return day_of(self.clock.now())

    async def schedule(self, *users: str, ids: tuple[int, ...] = (), requester: str = MARKER) -> ScheduleReply:
        call = ScheduleCall(tuple(map(Subject, users)), tuple(map(AmplitudeId, ids)), requester)
        return await self.privacy.schedule(self.access, call, no_gate)

    async def listed(self) -> list[Job]:
        start, end = plus_days(self.today, -60), plus_days(self.today, 60)
        return await self.privacy.jobs(self.access, start, end, no_gate)


SCRIPTS = {
    (CallFault.CREDENTIALS, False): Fault(Kind.STATUS, status=403),
    (CallFault.THROTTLED, False): Fault(Kind.STATUS, status=429),
    (CallFault.REJECTED, False): Fault(Kind.STATUS, status=400, method="POST"),
    (CallFault.LOST, False): Fault(Kind.DROP),
    (CallFault.LOST, True): Fault(Kind.APPLIED_DROP),
}


@pytest.fixture(params=["http", "memory"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    clock = ManualClock(START)
    if request.param == "memory":
        fake = FakePrivacy(clock)
        access = made_up_access()
        yield Stage(
            fake,
            fake,
            access,
            clock,
            lambda fault, applied: fake.fail(fault, applied=applied),
            lambda: fake.refused.add(access.project),
        )
        return
    async with PocketAmplitude(clock, Knobs(gate_s=0)) as pocket, AmplitudeClient(clock) as client:
        yield Stage(
            client,
            client,
            pocket.access("829000"),
            clock,
            lambda fault, applied: pocket.misbehave(SCRIPTS[fault, applied]),
            lambda: pocket.misbehave(Fault(Kind.STATUS, status=403, count=None)),
        )


async def test_a_known_user_is_scheduled_with_the_user_id_and_the_marker(stage: Stage) -> None:
    """The reply to a POST attributes every Amplitude ID to the user id it came from."""
    reply = await stage.schedule("u-1")
    (job,) = reply.jobs
    (member,) = job.members
    assert (plus_days(stage.today, 12), JobStatus.STAGING, None) == (job.day, job.status, job.scrubbed_on)
    assert (Subject("u-1"), MARKER) == (member.user_id, member.requester)
    assert frozenset() == reply.invalid


async def test_one_user_may_have_several_amplitude_ids(stage: Stage) -> None:
    """All ids of a user are scheduled, each attributed to that user."""
    (job,) = (await stage.schedule("several-1")).jobs
    assert [Subject("several-1")] * 2 == [member.user_id for member in job.members]
    assert 2 == len({member.amplitude_id for member in job.members})


async def test_an_unknown_id_is_named_and_costs_its_neighbours_nothing(stage: Stage) -> None:
    """Unknown ids are skipped, never fatal, and come back as text whatever type they were sent in."""
    reply = await stage.schedule("u-1", "ghost-1", ids=(7,))
    assert {"ghost-1", "7"} == reply.invalid
    assert [Subject("u-1")] == [member.user_id for member in reply.jobs[0].members]


async def test_nobody_known_means_no_job(stage: Stage) -> None:
    """A 200 with a bare message is a reply without jobs, not an error."""
    assert ScheduleReply() == await stage.schedule("ghost-1", "ghost-2")
    assert [] == await stage.listed()


async def test_an_amplitude_id_can_be_scheduled_directly(stage: Stage) -> None:
    """Amplitude IDs are scheduled as themselves."""
    (job,) = (await stage.schedule(ids=(1_610_000_000_001,))).jobs
    assert [1_610_000_000_001] == [member.amplitude_id for member in job.members]


async def test_the_list_shows_ids_and_markers_but_no_user_ids(stage: Stage) -> None:
    """Only the POST's reply maps ids to users; the list proves by the marker."""
    scheduled = (await stage.schedule("u-1", "u-2")).jobs[0]
    (listed,) = await stage.listed()
    assert {m.amplitude_id for m in scheduled.members} == {m.amplitude_id for m in listed.members}
    assert {(MARKER, None)} == {(m.requester, m.user_id) for m in listed.members}


async def test_the_window_of_the_list_includes_both_ends(stage: Stage) -> None:
    """Start and end are days of jobs, both inclusive."""
    day = (await stage.schedule("u-1")).jobs[0].day
    before, after = plus_days(day, -1), plus_days(day, 1)
    assert 1 == len(await stage.privacy.jobs(stage.access, day, day, no_gate))
    assert 1 == len(await stage.privacy.jobs(stage.access, before, day, no_gate))
    assert 1 == len(await stage.privacy.jobs(stage.access, day, after, no_gate))
    assert [] == await stage.privacy.jobs(stage.access, after, after, no_gate)
    assert [] == await stage.privacy.jobs(stage.access, before, before, no_gate)


async def test_a_range_over_six_months_is_rejected(stage: Stage) -> None:
    """The longest range is six months."""
    with pytest.raises(CallFailed) as failed:
        await stage.privacy.jobs(stage.access, stage.today, plus_days(stage.today, 200), no_gate)
    assert CallFault.REJECTED is failed.value.fault


async def test_requests_join_the_open_job_and_a_frozen_one_is_followed_by_another(stage: Stage) -> None:
    """The first request fixes the job's day; three days before it the job freezes."""
    first = (await stage.schedule("u-1")).jobs[0].day
    stage.clock.advance(days=8)
    assert first == (await stage.schedule("u-2")).jobs[0].day
    stage.clock.advance(days=1)
    assert first < (await stage.schedule("u-3")).jobs[0].day
    assert 2 == len(await stage.listed())


async def test_a_job_goes_from_staging_to_submitted_to_scrubbed_to_done(stage: Stage) -> None:
    """Frozen three days before its day, unreachable the day after it, done five days later."""
    day = (await stage.schedule("u-1")).jobs[0].day
    seen = []
    for _ in range(20):
        (job,) = await stage.listed()
        seen.append((stage.today, job.status, job.scrubbed_on))
        stage.clock.advance(days=1)
    scrubbed = plus_days(day, 1)
    assert all((status is JobStatus.STAGING) == (today < plus_days(day, -3)) for today, status, _ in seen)
    assert all((status is JobStatus.DONE) == (today >= plus_days(day, 6)) for today, status, _ in seen)
    assert all(scrub == (scrubbed if today >= scrubbed else None) for today, _, scrub in seen)


async def test_a_person_is_gone_once_the_job_has_run(stage: Stage) -> None:
    """After the scrub the ids are invalid: nothing is held any more."""
    amplitude_id = (await stage.schedule("u-1")).jobs[0].members[0].amplitude_id
    stage.clock.advance(days=13)
    assert ScheduleReply() == await stage.schedule("u-1")
    assert ScheduleReply() == await stage.schedule(ids=(amplitude_id,))


async def test_scheduling_twice_keeps_the_first_entry(stage: Stage) -> None:
    """A repetition joins the same job, whose entry keeps its first requester."""
    await stage.schedule("u-1")
    (job,) = (await stage.schedule("u-1", requester="dsr/another")).jobs
    assert [MARKER] == [member.requester for member in job.members]
    assert 1 == len((await stage.listed())[0].members)


async def test_a_staging_id_can_be_revoked_once(stage: Stage) -> None:
    """A revoked id leaves the list; revoking it again is refused."""
    job = (await stage.schedule("u-1", "u-2")).jobs[0]
    one, other = (member.amplitude_id for member in job.members)
    assert Revocation.REVOKED is await stage.privacy.revoke(stage.access, one, job.day, no_gate)
    assert [other] == [member.amplitude_id for member in (await stage.listed())[0].members]
    assert Revocation.REFUSED is await stage.privacy.revoke(stage.access, one, job.day, no_gate)


async def test_a_frozen_job_refuses_revocation(stage: Stage) -> None:
    """From three days before its day on, a job gives nothing up."""
    job = (await stage.schedule("u-1")).jobs[0]
    stage.clock.advance(days=9)
    refused = await stage.privacy.revoke(stage.access, job.members[0].amplitude_id, job.day, no_gate)
    assert Revocation.REFUSED is refused
    assert 1 == len((await stage.listed())[0].members)


async def test_the_gate_is_called_once_for_every_call(stage: Stage) -> None:
    """Each method leaves through the gate exactly once."""
    passed: list[str] = []
    call = ScheduleCall((Subject("u-1"),), (), MARKER)
    job = (await stage.privacy.schedule(stage.access, call, lambda: passed.append("POST"))).jobs[0]
    await stage.privacy.jobs(stage.access, job.day, job.day, lambda: passed.append("GET"))
    amplitude_id = job.members[0].amplitude_id
    await stage.privacy.revoke(stage.access, amplitude_id, job.day, lambda: passed.append("DELETE"))
    assert ["POST", "GET", "DELETE"] == passed


async def test_a_closed_gate_stops_the_call_and_its_exception_passes(stage: Stage) -> None:
    """`LeaseLost` reaches the caller as the same object, and nothing was applied."""
    lost = LeaseLost()

    def closed() -> None:
        raise lost

    with pytest.raises(LeaseLost) as raised:
        await stage.privacy.schedule(stage.access, ScheduleCall((Subject("u-1"),), (), MARKER), closed)
    assert lost is raised.value
    assert [] == await stage.listed()


@pytest.mark.parametrize("applied", [True, False])
async def test_a_lost_answer_says_nothing_and_the_list_tells(stage: Stage, applied: bool) -> None:
    """After a lost answer only the list knows whether the POST was applied."""
    stage.fail(CallFault.LOST, applied)
    with pytest.raises(CallFailed) as failed:
        await stage.schedule("u-1")
    assert (CallFault.LOST, Reason.UNAVAILABLE) == (failed.value.fault, failed.value.reason)
    assert applied == any(m.requester == MARKER for job in await stage.listed() for m in job.members)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (CallFault.CREDENTIALS, Reason.CREDENTIALS_REFUSED),
        (CallFault.THROTTLED, Reason.THROTTLED),
        (CallFault.REJECTED, Reason.REJECTED_BY_AMPLITUDE),
    ],
)
async def test_a_refused_call_has_its_fault_and_applied_nothing(stage: Stage, fault: CallFault, reason: Reason) -> None:
    """Faults that are certain not to have been applied are not."""
    stage.fail(fault, False)
    with pytest.raises(CallFailed) as failed:
        await stage.schedule("u-1")
    assert (fault, reason) == (failed.value.fault, failed.value.reason)
    assert [] == await stage.listed()


async def test_more_than_a_hundred_ids_or_none_is_a_bug_of_the_caller(stage: Stage) -> None:
    """A call carries 1 to 100 ids, of both kinds together."""
    with pytest.raises(ValueError, match="1 to 100"):
        await stage.schedule(*(f"u-{n}" for n in range(60)), ids=tuple(range(41)))
    with pytest.raises(ValueError, match="1 to 100"):
        await stage.schedule()
    assert 100 == len((await stage.schedule(*(f"u-{n}" for n in range(100)))).jobs[0].members)


async def test_keys_are_verified_without_changing_anything(stage: Stage) -> None:
    """A pair is valid or refused, and no job comes of asking."""
    assert CredentialVerdict.VALID is await stage.credentials.verify(stage.access)
    assert [] == await stage.listed()
    stage.refuse_keys()
    assert CredentialVerdict.REFUSED is await stage.credentials.verify(stage.access)
