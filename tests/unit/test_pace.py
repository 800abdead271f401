"""Pace, circuit and retry schedule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.domain.errors import Fault
from consumer.domain.pace import FLOOR_PER_S, INTERVAL_S, Circuit, Pace
from consumer.domain.retry import SCHEDULES

actions = st.lists(st.sampled_from(["send", "good", "throttled", "postponed"]), max_size=200)


@given(actions, st.floats(min_value=0, max_value=600))
def test_two_sends_are_never_closer_than_the_interval(steps, wait_s):
    """Whatever happens between them."""
    now, pace, stamps = 100.0, Pace.of_moved_lane(100.0), []
    for step in steps:
        if step == "send":
            now = max(now, pace.next_at)
            pace = pace.sent(now)
            stamps.append(now)
        elif step == "good":
            pace = pace.answered()
        elif step == "throttled":
            pace = pace.throttled(now, wait_s)
        else:
            pace = pace.postponed(now, wait_s)
        assert INTERVAL_S <= pace.interval_s <= 1 / FLOOR_PER_S
    assert all(b - a >= INTERVAL_S for a, b in zip([100.0, *stamps], stamps, strict=False))


def test_a_moved_lane_waits_a_full_interval_before_its_first_call():
    """Its last owner may have sent a moment ago. Negative control: a lane that did not move need not."""
    assert Pace.of_moved_lane(50.0).next_at == 50.0 + INTERVAL_S
    assert Pace(next_at=50.0).next_at == 50.0


def test_throttling_halves_the_rate_down_to_the_floor_and_good_answers_bring_it_back():
    """Halve, then recover slowly."""
    pace = Pace(next_at=0.0)
    assert pace.throttled(0, 0).interval_s == 2 * INTERVAL_S
    for _ in range(20):
        pace = pace.throttled(0, 0)
    assert pace.interval_s == 1 / FLOOR_PER_S
    for _ in range(62):
        pace = pace.answered()
    assert pace.interval_s == INTERVAL_S


def test_the_circuit_opens_at_the_fifth_failure_and_doubles_to_a_quarter_of_an_hour():
    """30 s, 60 s, ... 900 s; any success closes it."""
    circuit, waits = Circuit(), []
    for _ in range(12):
        circuit = circuit.failed(1000.0)
        waits.append(circuit.open_until - 1000.0 if circuit.is_open(1000.0) else 0)
    assert waits[:7] == [0, 0, 0, 0, 30, 60, 120]
    assert waits[-1] == 900
    assert not circuit.succeeded().is_open(1000.0)
    assert circuit.succeeded().failed(0).open_until == 0


@pytest.mark.parametrize("fault", list(SCHEDULES))
@given(
    attempt=st.integers(1, 10_000),
    random=st.floats(0, 1, exclude_max=True),
    hint_s=st.none() | st.floats(0, 4000),
)
def test_every_wait_lies_between_its_floor_and_its_cap_unless_the_server_asked_for_more(fault, attempt, random, hint_s):
    """Full jitter, bounded, and a hint is honoured."""
    schedule = SCHEDULES[fault]
    wait_s = schedule.wait_s(attempt, random, hint_s)
    assert max(schedule.floor_s, hint_s or 0) <= wait_s <= max(schedule.cap_s, hint_s or 0)


def test_a_rejected_call_has_no_schedule():
    """Saying the same thing again would be refused again."""
    assert set(Fault) - set(SCHEDULES) == {Fault.REJECTED}
