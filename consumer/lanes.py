"""All lanes of this member: opened and closed with their partitions, fed with what the ledger has made durable.

The Kafka thread calls `opened`, `changed`, `project_changed` and `closed`; everything else happens in the event loop.
A send is stopped by the lease, asked right before it leaves, and not by the message that a partition is gone: that
message may come too late.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from consumer.domain.entry import RequestEntry
from consumer.domain.errors import CallFailed, LeaseLost, Reason
from consumer.domain.project import ProjectState
from consumer.domain.subject import ProjectId
from consumer.lane import Lane, LanePolicy
from consumer.pacer import Pacer
from consumer.ports import Access, Clock, Privacy
from consumer.turn import Partition, Proposal, Turn

IDLE_S = 0.1


class Ledger(Protocol):
    """The Kafka thread as the lanes see it. Every method may be called from the event loop and never blocks."""

    proven_at: float

    def propose(self, proposal: Proposal) -> None:
        """Have something decided and committed."""
        ...

    def owns(self, partition: Partition, epoch: int) -> bool:
        """Whether the assignment still stands."""
        ...


class Lanes:
    """Construct it in the event loop. `access` gives a project's keys as they are now, or None without any.

    `lease_s`: how long a transaction that the broker accepted proves ownership; half the session timeout.
    """

    def __init__(
        self,
        *,
        ledger: Callable[[], Ledger],
        access: Callable[[ProjectId], Access | Reason | None],
        privacy: Privacy,
        clock: Clock,
        policy: LanePolicy,
        lease_s: float,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._ledger, self._access, self._privacy, self._clock = ledger, access, privacy, clock
        self._policy, self._lease_s = policy, lease_s
        self._epochs: dict[Partition, int] = {}
        self._settling: set[Partition] = set()
        self._lanes: dict[tuple[Partition, ProjectId], tuple[Lane, asyncio.Task[None]]] = {}
        self.failed: asyncio.Future[None] = self._loop.create_future()
        """Never done, unless a lane met a bug: then it holds the exception, and the process must stop."""

    def opened(self, partition: Partition, epoch: int, states: list[ProjectState], watched: list[ProjectId]) -> None:
        """A partition is ours."""
        self._loop.call_soon_threadsafe(self._opened, partition, epoch, states, watched)

    def settling(self, partition: Partition) -> None:
        """A partition is about to be given up: nothing new is sent for it."""
        self._settling.add(partition)

    def busy(self, partition: Partition) -> bool:
        """Whether a call of the partition is still under way. Calls are abandoned, and reconciled by the next owner."""
        del partition
        return False

    def closed(self, partition: Partition) -> None:
        """A partition is no longer ours."""
        self._loop.call_soon_threadsafe(self._closed, partition)

    def changed(self, partition: Partition, entries: list[RequestEntry]) -> None:
        """These requests are durable in this form."""
        self._loop.call_soon_threadsafe(self._changed, partition, entries)

    def project_changed(self, partition: Partition, states: list[ProjectState]) -> None:
        """These projects are durable in this form."""
        self._loop.call_soon_threadsafe(self._project_changed, partition, states)

    def _opened(self, partition: Partition, epoch: int, states: list[ProjectState], watched: list[ProjectId]) -> None:
        self._epochs[partition] = epoch
        self._settling.discard(partition)
        self._project_changed(partition, states)
        for project in watched:
            self._lane(partition, project).watching = True

    def _closed(self, partition: Partition) -> None:
        self._epochs.pop(partition, None)
        for key in [key for key in self._lanes if key[0] == partition]:
            _, task = self._lanes.pop(key)
            task.cancel()

    def _changed(self, partition: Partition, entries: list[RequestEntry]) -> None:
        if partition in self._epochs:
            for entry in entries:
                self._lane(partition, entry.project).changed(entry)

    def _project_changed(self, partition: Partition, states: list[ProjectState]) -> None:
        if partition in self._epochs:
            for state in states:
                self._lane(partition, state.project).state = state

    def _lane(self, partition: Partition, project: ProjectId) -> Lane:
        if (partition, project) not in self._lanes:
            epoch = self._epochs[partition]
            pacer = Pacer(
                self._clock,
                lambda: self._holds_lease(partition, epoch),
                random.random,
                self._policy.least_interval_s,
                self._policy.schedules,
            )
            lane = Lane(
                partition=partition,
                state=ProjectState(project),
                access=lambda: _usable(self._access(project)),
                write=lambda decide: self._write(partition, epoch, decide),
                privacy=self._privacy,
                pacer=pacer,
                clock=self._clock,
                policy=self._policy,
            )
            task = self._loop.create_task(_run(lane, pacer))
            task.add_done_callback(self._ended)
            self._lanes[partition, project] = lane, task
        return self._lanes[partition, project][0]

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and not self.failed.done():
            self.failed.set_exception(error)

    def _holds_lease(self, partition: Partition, epoch: int) -> bool:
        """Ours, and proven so lately that no other member can have taken over meanwhile, frozen process or not."""
        ledger = self._ledger()
        return (
            partition not in self._settling
            and ledger.owns(partition, epoch)
            and self._clock.monotonic() - ledger.proven_at < self._lease_s
        )

    def _write(self, partition: Partition, epoch: int, decide: Callable[[Turn], None]) -> asyncio.Future[bool]:
        future: asyncio.Future[bool] = self._loop.create_future()

        def done(committed: bool) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(_resolve, future, committed)

        self._ledger().propose(Proposal(partition, epoch, decide, done))
        return future

    async def close(self) -> None:
        """End every lane; calls in flight are abandoned and reconciled by whoever owns the partition next."""
        tasks = [task for _, task in self._lanes.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _run(lane: Lane, pacer: Pacer) -> None:
    while True:
        try:
            if not await lane.step():
                await asyncio.sleep(IDLE_S)
        except CallFailed as failed:
            pacer.failed(failed)
        except LeaseLost:
            await asyncio.sleep(IDLE_S)


def _usable(found: Access | Reason | None) -> Access | None:
    return found if isinstance(found, Access) else None


def _resolve(future: asyncio.Future[bool], committed: bool) -> None:
    if not future.done():
        future.set_result(committed)
