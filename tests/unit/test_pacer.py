"""A lane's clockwork, on a clock that is moved by hand."""

import pytest

from consumer.domain.errors import CallFailed, Fault, LeaseLost, Reason
from consumer.domain.retry import Schedule
from consumer.lanes.bell import Bell
from consumer.lanes.pacer import Pacer

WAITS = {fault: Schedule(2.0, 2.0, 2.0) for fault in Fault}


class Clock:
    """Implements `Clock`; the pacing clock is moved by hand."""

    def __init__(self):
        self.at_s = 100.0

    def now(self):
        return 0

    def monotonic(self):
        return self.at_s


class Lane:
    """A pacer, and the calls that it lets go."""

    def __init__(self):
        self.clock, self.ours = Clock(), True
        self.pacer = Pacer(self.clock, lambda: self.ours, lambda: 0.5, schedules=WAITS)
        self.clock.at_s += 1

    async def leave(self):
        departure = await self.pacer.slot(1.0, Bell())
        departure.gate()
        return departure

    def answer(self, departure):
        self.pacer.home(departure)
        self.pacer.succeeded()

    def fail(self, departure, fault):
        self.pacer.home(departure)
        self.pacer.failed(departure, CallFailed(fault, Reason.UNAVAILABLE))


async def test_a_lane_that_is_trusted_lets_calls_overlap_and_a_new_one_does_not():
    """The first answer makes the difference."""
    lane = Lane()
    first = await lane.leave()
    assert lane.pacer.on_trial
    assert await lane.pacer.slot(1.0, Bell()) is None
    lane.answer(first)
    for _ in range(3):
        lane.clock.at_s += 1
        await lane.leave()
    assert (False, 3) == (lane.pacer.on_trial, lane.pacer.in_flight)


async def test_calls_that_left_before_a_throttle_do_not_slow_the_lane_again():
    """Three 429 for three calls in flight are one message. Negative control: one for a later call is another."""
    lane = Lane()
    lane.answer(await lane.leave())
    flying = []
    for _ in range(3):
        lane.clock.at_s += 1
        flying.append(await lane.leave())
    for departure in flying:
        lane.clock.at_s += 0.1
        lane.fail(departure, Fault.THROTTLED)
    assert lane.pacer.interval_s == 2.0
    lane.clock.at_s += 10
    lane.fail(await lane.leave(), Fault.THROTTLED)
    assert lane.pacer.interval_s == 4.0


async def test_a_call_whose_slot_moves_away_is_not_kept_waiting():
    """It would stand there as sent although nothing was."""
    lane = Lane()
    lane.answer(await lane.leave())
    lane.clock.at_s += 1
    slow, quick = await lane.leave(), None
    lane.clock.at_s += 1
    quick = await lane.leave()
    lane.fail(quick, Fault.LOST)
    assert lane.pacer.wait_s() == 2.0
    assert await lane.pacer.slot(1.0, Bell()) is None
    lane.answer(slow)
    lane.clock.at_s += 2
    assert await lane.pacer.slot(1.0, Bell()) is not None


@pytest.mark.parametrize(("fault", "opens"), [(Fault.THROTTLED, True), (Fault.LOST, True), (Fault.CREDENTIALS, False)])
async def test_five_failures_in_a_row_open_the_circuit_unless_the_keys_are_to_blame(fault, opens):
    """Refused keys have a schedule of their own, and work at once when somebody has changed them."""
    lane = Lane()
    for _ in range(5):
        assert not lane.pacer.circuit_open
        lane.clock.at_s += 100
        lane.fail(await lane.leave(), fault)
    assert opens is lane.pacer.circuit_open
    lane.clock.at_s += 100
    lane.answer(await lane.leave())
    assert not lane.pacer.circuit_open


async def test_the_lease_is_asked_at_the_gate_and_in_the_slot():
    """Between the two a connection may have to be made."""
    lane = Lane()
    departure = await lane.pacer.slot(1.0, Bell())
    lane.ours = False
    with pytest.raises(LeaseLost):
        departure.gate()
    assert (None, 0) == (departure.left_at, lane.pacer.in_flight)
    assert await lane.pacer.slot(1.0, Bell()) is None
