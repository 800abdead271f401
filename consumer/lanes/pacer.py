"""A lane's clockwork: when the next call may leave, and whether it still may at the very last moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from consumer.domain.errors import CallFailed, Fault, LeaseLost, Reason
from consumer.domain.pace import INTERVAL_S, Circuit, Pace
from consumer.domain.retry import SCHEDULES, Schedule
from consumer.lanes.bell import Bell
from consumer.ports import Clock


class Departure:
    """One call at the gate. `left_at` is its send stamp; `passed` is set when it has left, or never will."""

    def __init__(self, stamp: Callable[[], float]) -> None:
        self.left_at: float | None = None
        self.passed = asyncio.Event()
        self._stamp = stamp

    def gate(self) -> None:
        """The send itself: stamps it, or raises `LeaseLost` when the lane may not be ours any more."""
        self.left_at = self._stamp()
        self.passed.set()


class Pacer:
    """Applies the pure pace, circuit and schedules to real time. `holds_lease` is asked right before each send.

    Only a lane whose last answer was good has several calls in flight: a new one, or one that failed, tries with one.
    """

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
        self._failures, self._trusted, self._slowed_at = 0, False, float("-inf")
        self.in_flight = 0
        self.reason: Reason | None = None
        """Why the lane waits, if it does."""

    @property
    def interval_s(self) -> float:
        """The present distance between two calls."""
        return self._pace.interval_s

    @property
    def circuit_open(self) -> bool:
        """Whether failures in a row keep all calls back."""
        return self._circuit.is_open(self._clock.monotonic())

    @property
    def on_trial(self) -> bool:
        """Whether the call in flight must be answered before another one may leave."""
        return not self._trusted and self.in_flight > 0

    def wait_s(self) -> float:
        """Seconds until the pace and the circuit let the next call leave; 0 if they do."""
        return max(0.0, max(self._pace.next_at, self._circuit.open_until) - self._clock.monotonic())

    async def slot(self, patience_s: float, bell: Bell) -> Departure | None:
        """Wait for the next slot, and return the call's departure.

        None when it would take longer than `patience_s` after all, because another call failed or the lease is gone:
        then the call must not be kept waiting as if it had been sent.
        """
        while True:
            wait_s = self.wait_s()
            if self.on_trial or wait_s > patience_s or not self._holds_lease():
                return None
            if wait_s == 0:
                return Departure(self._leave)
            await bell.rest(wait_s)

    def _leave(self) -> float:
        if not self._holds_lease():
            raise LeaseLost
        now = self._clock.monotonic()
        self._pace = self._pace.sent(now)
        self.in_flight += 1
        return now

    def home(self, departure: Departure) -> None:
        """The call is over, whatever came of it."""
        departure.passed.set()
        self.in_flight -= departure.left_at is not None

    def succeeded(self) -> None:
        """A usable answer."""
        self._pace, self._circuit = self._pace.answered(), self._circuit.succeeded()
        self._failures, self._trusted, self.reason = 0, True, None

    def failed(self, departure: Departure, failed: CallFailed) -> None:
        """A failed call: wait as its fault's schedule says. Throttling also slows the pace, once for all the calls
        that had left before. Five failures in a row open the circuit; refused keys only wait, for a person."""
        now = self._clock.monotonic()
        self._failures += 1
        self._trusted, self.reason = False, failed.reason
        wait_s = self._schedules[failed.fault].wait_s(self._failures, self._random(), failed.retry_after_s)
        if failed.fault is Fault.THROTTLED and (departure.left_at or now) > self._slowed_at:
            self._slowed_at = now
            self._pace = self._pace.throttled(now, wait_s)
        else:
            self._pace = self._pace.postponed(now, wait_s)
        if failed.fault is not Fault.CREDENTIALS:
            self._circuit = self._circuit.failed(now)

    def postponed(self, wait_s: float) -> None:
        """Nothing may leave for so long, and nobody is to blame."""
        self._pace = self._pace.postponed(self._clock.monotonic(), wait_s)
