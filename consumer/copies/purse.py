"""Who pays for calls: one purse for each org's DSAR API and for each project's activity, and one for the store.

It says when the next call may leave, and sets aside what it costs. Failures in a row keep all calls
of the purse back, as a lane's do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from consumer.domain.budget import Budget
from consumer.domain.errors import CallFailed, Deferred, Fault, LeaseLost, Reason
from consumer.domain.pace import Circuit
from consumer.domain.retry import Schedule


class Fare:
    """What one call costs, set aside. `left_at` is its send stamp, once it has left."""

    def __init__(self, purse: Purse, cost: float) -> None:
        self._purse, self._cost = purse, cost
        self.left_at: float | None = None

    def gate(self) -> None:
        """Passed by the call right before it is sent. Raises `LeaseLost`."""
        self.left_at = self._purse.depart()

    def home(self) -> None:
        """The call is over: one that never left is not paid for."""
        if self.left_at is None:
            self._purse.refund(self._cost)


class Purse:
    """`budget` is None where nothing is paid. `holds_lease` is asked right before each send."""

    def __init__(
        self,
        budget: Budget | None,
        monotonic: Callable[[], float],
        holds_lease: Callable[[], bool],
        *,
        random: Callable[[], float],
        schedules: Mapping[Fault, Schedule],
        circuit: Circuit,
    ) -> None:
        self._budget, self._monotonic, self._holds_lease = budget, monotonic, holds_lease
        self._random, self._schedules = random, schedules
        self._circuit, self._failures, self._closed_until = circuit, 0, float("-inf")
        self._failed_at = float("-inf")
        self.reason: Reason | None = None
        """Why calls are kept back, if they are."""

    @property
    def circuit_open(self) -> bool:
        """Whether failures in a row keep all calls back."""
        return self._circuit.is_open(self._monotonic())

    @property
    def tokens(self) -> float:
        """What may be spent now; negative after a debt."""
        now = self._monotonic()
        return self._budget.spent(0, now).tokens if self._budget else 0.0

    @property
    def rate(self) -> float:
        """Units a second in the long run."""
        return self._budget.rate if self._budget else 0.0

    def wait_s(self, cost: float) -> float:
        """Seconds until a call of that cost may leave; 0 if it may."""
        now = self._monotonic()
        kept_back = max(0.0, max(self._circuit.open_until, self._closed_until) - now)
        return max(kept_back, self._budget.wait_s(cost, now) if self._budget else 0.0)

    def fare(self, cost: float) -> Fare:
        """Set so much aside for a call that is about to leave. `Fare.home` must follow."""
        if self._budget is not None:
            self._budget = self._budget.spent(cost, self._monotonic())
        return Fare(self, cost)

    async def turn(self, cost: float) -> Fare:
        """Wait until so much may be spent, and set it aside."""
        while (wait_s := self.wait_s(cost)) > 0:  # noqa: ASYNC110 (until it may be spent, unless somebody else does)
            await asyncio.sleep(wait_s)
        return self.fare(cost)

    def depart(self) -> float:
        """A call leaves: its send stamp. Raises `LeaseLost`."""
        if not self._holds_lease():
            raise LeaseLost
        return self._monotonic()

    def refund(self, cost: float) -> None:
        """A call did not leave."""
        if self._budget is not None:
            self._budget = self._budget.refunded(cost)

    def succeeded(self) -> None:
        """A usable answer."""
        self._circuit, self._failures, self.reason = self._circuit.succeeded(), 0, None

    def failed(self, failed: Deferred, began: float) -> None:
        """No usable answer to a call that began then: wait as its fault's schedule says. A 429 also means that the
        budget is spent.

        Calls that were under way when one of them failed have failed with it: counting each would take one short
        outage for many in a row.
        """
        now = self._monotonic()
        fault = failed.fault if isinstance(failed, CallFailed) else Fault.LOST
        if fault is Fault.REJECTED or began <= self._failed_at:
            return
        self._failed_at, self.reason = now, failed.reason
        self._failures += 1
        if fault is Fault.THROTTLED and self._budget is not None:
            self._budget = self._budget.drained(now)
        wait_s = self._schedules[fault].wait_s(self._failures, self._random(), failed.retry_after_s)
        self._closed_until = max(self._closed_until, now + wait_s)
        if fault is not Fault.CREDENTIALS:
            self._circuit = self._circuit.failed(now)
