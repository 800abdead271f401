"""Calendars for rehearsals."""

from __future__ import annotations

import time

import pytest

from consumer.domain.subject import Millis
from consumer.sandbox.clock import DAY_MS, ManualClock, ScaledClock

START = Millis(1_781_611_200_000)


def test_a_scaled_calendar_runs_so_many_times_as_fast() -> None:
    """30 days in 30 seconds: 0.05 s are 0.05 days, and real time stays real."""
    before_s = time.monotonic()
    clock = ScaledClock(START, 86_400)
    after_s = clock.monotonic()
    time.sleep(0.05)
    least, days, most = clock.monotonic() - after_s, (clock.now() - START) / DAY_MS, time.monotonic() - before_s
    assert 0.05 <= least <= days + 0.001 <= most + 0.002


def test_two_processes_agree_on_the_calendar_by_its_origin() -> None:
    """A clock that is made later, with the same origin, shows the same day."""
    origin_s = time.time() - 10
    first = ScaledClock(START, 86_400, origin_s=origin_s)
    time.sleep(0.05)
    second = ScaledClock(START, 86_400, origin_s=origin_s)
    assert abs(first.now() - second.now()) < DAY_MS / 20
    assert abs((first.now() - START) / DAY_MS - 10) < 0.5


def test_a_manual_calendar_moves_only_forward_and_by_hand() -> None:
    """Days, hours and milliseconds add up."""
    clock = ManualClock(START)
    clock.advance(days=1, hours=2, ms=3)
    assert clock.now() == START + DAY_MS + 2 * 3_600_000 + 3
    with pytest.raises(ValueError, match="forward"):
        clock.advance(days=-1)
    with pytest.raises(ValueError, match="forward"):
        ScaledClock(START, 0)
