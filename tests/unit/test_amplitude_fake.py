"""The in-memory fake beyond the port's contract: plans, twists and the record of calls."""

from __future__ import annotations

import asyncio

import pytest

from consumer.domain.errors import CallFailed, Fault
from consumer.domain.jobs import ScheduleCall
from consumer.domain.subject import Day, Millis, Subject
from consumer.sandbox.clock import ManualClock
from tests.fakes.amplitude import FakePrivacy, Plan, access

CALL = ScheduleCall((Subject("u-1"),), (), "dsr/0123456789")


def no_gate() -> None:
    """Let every call leave."""


@pytest.fixture
def fake() -> FakePrivacy:
    return FakePrivacy(ManualClock(Millis(1_781_611_200_000)))


async def test_plans_are_used_up_by_the_first_call_that_fits(fake: FakePrivacy) -> None:
    """A plan for another method or project waits for its call."""
    fake.plans += [Plan(Fault.THROTTLED, method="GET", retry_after_s=7), Plan(Fault.REJECTED, project="another")]
    await fake.schedule(access(), CALL, no_gate)
    with pytest.raises(CallFailed) as failed:
        await fake.jobs(access(), Day("2026-06-16"), Day("2026-07-16"), no_gate)
    assert (failed.value.fault, failed.value.status, failed.value.retry_after_s) == (Fault.THROTTLED, 429, 7)
    assert [plan.project for plan in fake.plans] == ["another"]


async def test_the_server_may_mangle_the_marker_and_omit_user_ids(fake: FakePrivacy) -> None:
    """The twists of a reply, without HTTP."""
    fake.plans.append(Plan(stored_requester=lambda text: text[:6], omit_user_ids=True))
    (job,) = (await fake.schedule(access(), CALL, no_gate)).jobs
    assert [(member.requester, member.user_id) for member in job.members] == [("dsr/01", None)]


async def test_an_answer_can_be_held_while_the_call_is_in_flight(fake: FakePrivacy) -> None:
    """The call has left and is applied; the caller still waits."""
    held = asyncio.Event()
    fake.plans.append(Plan(until=held))
    task = asyncio.create_task(fake.schedule(access(), CALL, no_gate))
    await asyncio.sleep(0.01)
    assert not task.done()
    assert [(call.left, call.applied) for call in fake.calls] == [(True, True)]
    held.set()
    assert len((await task).jobs) == 1


async def test_every_call_is_recorded_with_whether_it_left(fake: FakePrivacy) -> None:
    """An unreachable host sees nothing; a lost answer was sent."""
    fake.fail(Fault.UNREACHABLE)
    fake.fail(Fault.LOST, applied=True)
    for _ in range(2):
        with pytest.raises(CallFailed):
            await fake.schedule(access(), CALL, no_gate)
    assert [(call.left, call.applied) for call in fake.calls] == [(False, False), (True, True)]
    assert fake.times_sent() == {"u-1": 1}
