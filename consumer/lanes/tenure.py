"""One partition under one assignment: whether its lanes may still send, and how their decisions become durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar

from consumer.ports import Clock
from consumer.turn import Partition, Proposal, Turn

Decided = TypeVar("Decided")


class Ledger(Protocol):
    """The Kafka thread as the lanes see it. Every method may be called from the event loop and never blocks."""

    proven_at: float

    def propose(self, proposal: Proposal) -> None:
        """Have something decided and committed."""
        ...

    def owns(self, partition: Partition, epoch: int) -> bool:
        """Whether the assignment still stands."""
        ...


class Tenure:
    """`over` is set from any thread and never taken back: no call leaves any more, answers still come home.

    `under_way` counts what is on its way for this partition: calls from their preparation until their answer is
    durable, and proposals. Changed in the event loop only; any thread may read it.
    """

    def __init__(
        self, partition: Partition, epoch: int, ledger: Callable[[], Ledger], clock: Clock, lease_s: float
    ) -> None:
        self.partition, self.over, self.under_way = partition, False, 0
        self._epoch, self._ledger, self._clock, self._lease_s = epoch, ledger, clock, lease_s

    def holds_lease(self) -> bool:
        """Ours, and proven so lately that no other member can have taken over meanwhile, frozen process or not."""
        ledger = self._ledger()
        proven = self._clock.monotonic() - ledger.proven_at < self._lease_s
        return not self.over and proven and ledger.owns(self.partition, self._epoch)

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """Something is under way."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    async def decide(self, decide: Callable[[Turn], Decided]) -> Decided | None:
        """Commit a decision and return what it came to; None when the partition is no longer ours.

        An aborted transaction is decided again, so only the last decision counts.
        """
        last: list[Decided] = []
        with self.occupied():
            if await self._write(lambda turn: last.append(decide(turn))):
                return last[-1]
        self.over = True
        return None

    def _write(self, decide: Callable[[Turn], None]) -> asyncio.Future[bool]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()

        def done(committed: bool) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_resolve, future, committed)

        self._ledger().propose(Proposal(self.partition, self._epoch, decide, done))
        return future


def _resolve(future: asyncio.Future[bool], committed: bool) -> None:
    if not future.done():
        future.set_result(committed)
