"""How fast one lane may call: spacing that adapts to throttling, and a circuit that opens on repeated failure.

Both are frozen values; time is an argument, in seconds on a clock that never jumps. Facts: one request per second
on the deletions endpoint (Amplitude, "User Privacy API"), assumed to be shared by POST, GET and DELETE.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

INTERVAL_S = 1.0
FLOOR_PER_S = 0.05
RECOVERY = 1.05
"""A good answer shortens a lengthened interval by this factor: from the floor back to full speed in about 62 calls."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`interval_s` between two sends, never below `least_s`; `next_at` is the earliest instant of the next one."""

    next_at: float
    interval_s: float = INTERVAL_S
    least_s: float = INTERVAL_S

    @classmethod
    def of_moved_lane(cls, now: float, least_s: float = INTERVAL_S) -> Pace:
        """A lane new to this member waits one full interval: its last owner may have sent a moment ago."""
        return cls(next_at=now + least_s, interval_s=least_s, least_s=least_s)

    def sent(self, now: float) -> Pace:
        """A request left at `now`; the next one waits an interval from the send itself, not from the plan."""
        return replace(self, next_at=now + self.interval_s)

    def answered(self) -> Pace:
        """A good answer: recover slowly."""
        return replace(self, interval_s=max(self.least_s, self.interval_s / RECOVERY))

    def throttled(self, now: float, wait_s: float) -> Pace:
        """A 429: halve the rate, down to one call in twenty seconds, and stay away for `wait_s`."""
        interval_s = min(1 / FLOOR_PER_S, self.interval_s * 2)
        return replace(self, interval_s=interval_s, next_at=max(self.next_at, now + wait_s))

    def postponed(self, now: float, wait_s: float) -> Pace:
        """Nothing may leave for `wait_s`."""
        return replace(self, next_at=max(self.next_at, now + wait_s))


@dataclass(frozen=True, slots=True)
class Circuit:
    """Opens after `trip_after` failures in a row: 30 s, doubling to 15 min; one trial call closes or re-opens it."""

    failures: int = 0
    open_until: float = 0.0
    trip_after: int = 5
    first_s: float = 30.0
    longest_s: float = 900.0

    def failed(self, now: float) -> Circuit:
        """One more failure in a row."""
        failures = self.failures + 1
        over = failures - self.trip_after
        if over < 0:
            return replace(self, failures=failures)
        closed_for_s = min(self.longest_s, self.first_s * 2.0 ** min(over, 16))
        return replace(self, failures=failures, open_until=now + closed_for_s)

    def succeeded(self) -> Circuit:
        """Any answer that is not a failure closes it."""
        return replace(self, failures=0, open_until=0.0)

    def is_open(self, now: float) -> bool:
        """Whether calls must wait."""
        return now < self.open_until
