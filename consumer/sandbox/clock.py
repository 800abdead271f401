"""Calendars for rehearsals. The server and the service must be given the same one, so that their days agree.

Only the calendar is altered. `monotonic()` is the real clock: limits and pacing are physics in every rehearsal.
"""

from __future__ import annotations

import time

from consumer.domain.deadline import DAY_MS
from consumer.domain.subject import Millis


class ScaledClock:
    """Implements `Clock`: from `start`, the calendar runs `speed` times as fast as real time.

    30 days in 30 seconds is a speed of 86,400. Two processes agree if they get the same `start` and `speed` and the
    same `origin_s`, the Unix time at which the calendar stood at `start`.
    """

    def __init__(self, start: Millis, speed: float = 1.0, *, origin_s: float | None = None) -> None:
        if speed <= 0:
            raise ValueError("a calendar runs forward")
        passed_s = 0.0 if origin_s is None else max(0.0, time.time() - origin_s)
        self._start = start + passed_s * speed * 1000
        self._speed = speed
        self._since = time.monotonic()

    def now(self) -> Millis:
        """Calendar time; never goes back, whatever happens to the machine's own calendar."""
        return Millis(int(self._start + (time.monotonic() - self._since) * self._speed * 1000))

    def monotonic(self) -> float:
        """Real seconds."""
        return time.monotonic()


class ManualClock:
    """Implements `Clock`: the calendar stands still until it is moved. Not for use from several threads at once."""

    def __init__(self, start: Millis) -> None:
        self._now = start

    def now(self) -> Millis:
        """Calendar time as last set."""
        return self._now

    def monotonic(self) -> float:
        """Real seconds."""
        return time.monotonic()

    def advance(self, *, days: float = 0, hours: float = 0, ms: int = 0) -> None:
        """Move the calendar forward; it cannot be moved back."""
        step_ms = int(days * DAY_MS + hours * 3_600_000) + ms
        if step_ms < 0:
            raise ValueError("a calendar runs forward")
        self._now = Millis(self._now + step_ms)
