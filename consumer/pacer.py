"""A lane's clockwork: when the next call may leave, and whether it still may at the very last moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from consumer.domain.errors import CallFailed, Fault, LeaseLost, Reason
from consumer.domain.pace import INTERVAL_S, Circuit, Pace
from consumer.domain.retry import SCHEDULES, Schedule
from consumer.ports import Clock

MARGIN_S = 0.002
"""Waited beyond the interval: timers may fire a little early, and a limit is a limit."""


class Pacer:
    """Applies the pure pace, circuit and schedules to real time. `holds_lease` is asked right before each send."""

    def __init__(
        self,
        clock: Clock,
        holds_lease: Callable[[], bool],
        random: Callable[[], float],
        least_interval_s: float = INTERVAL_S,
        schedules: Mapping[Fault, Schedule] = SCHEDULES,
    ) -> None:
        self._clock, self._holds_lease, self._random, self._schedules = clock, holds_lease, random, schedules
        self._pace = Pace.of_moved_lane(clock.monotonic(), least_interval_s)
        self._circuit = Circuit()
        self._failures = 0
        self.reason: Reason | None = None
        """Why the lane waits, if it does."""

    async def slot(self) -> None:
        """Wait until the next call may leave."""
        wait_s = max(self._pace.next_at, self._circuit.open_until) - self._clock.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s + MARGIN_S)

    def gate(self) -> None:
        """The send itself: stamps it, or raises `LeaseLost` when the lane may not be ours any more."""
        if not self._holds_lease():
            raise LeaseLost
        self._pace = self._pace.sent(self._clock.monotonic())

    def succeeded(self) -> None:
        """A usable answer."""
        self._pace, self._circuit, self._failures, self.reason = (
            self._pace.answered(),
            self._circuit.succeeded(),
            0,
            None,
        )

    def failed(self, failed: CallFailed) -> None:
        """A failed call: wait as its fault's schedule says; throttling also slows the pace, the rest may open the
        circuit. A rejected call waits for nothing: it is split or given up, not repeated."""
        if failed.fault is Fault.REJECTED:
            return
        now = self._clock.monotonic()
        self._failures += 1
        self.reason = failed.reason
        wait_s = self._schedules[failed.fault].wait_s(self._failures, self._random(), failed.retry_after_s)
        if failed.fault is Fault.THROTTLED:
            self._pace = self._pace.throttled(now, wait_s)
        else:
            self._pace = self._pace.postponed(now, wait_s)
            self._circuit = self._circuit.failed(now)
