"""All copies of this member: an org's desk opens with the first copy of the org, and closes with its partition.

The twin of `Lanes`: the Kafka thread calls `opened`, `changed`, `settling`, `busy` and `closed`; everything else
happens in the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from consumer.copies.desk import OrgDesk
from consumer.copies.ground import Ground, World
from consumer.domain.entry import RequestEntry
from consumer.domain.subject import OrgId
from consumer.lanes.tenure import Ledger, Tenure
from consumer.ports import CopyReport
from consumer.turn import Partition


class Copies:
    """Construct it in the event loop.

    `lease_s`: how long a transaction that the broker accepted proves ownership; half the session timeout.
    """

    def __init__(self, *, ledger: Callable[[], Ledger], world: World, lease_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._ledger, self._world, self._lease_s = ledger, world, lease_s
        self._tenures: dict[Partition, Tenure] = {}
        self._desks: dict[tuple[Partition, OrgId], tuple[OrgDesk, asyncio.Task[None]]] = {}
        self._calendar = self._loop.create_task(self._mind_the_calendar())
        self.failed: asyncio.Future[None] = self._loop.create_future()
        """Never done, unless a desk met a bug: then it holds the exception, and the process must stop."""

    def opened(self, partition: Partition, epoch: int) -> None:
        """A partition is ours. From any thread."""
        self._tenures[partition] = Tenure(partition, epoch, self._ledger, self._world.clock, self._lease_s)

    def settling(self, partition: Partition) -> None:
        """From now on no call leaves for the partition. From any thread, also for one that is not ours."""
        if tenure := self._tenures.get(partition):
            tenure.over = True
            self._loop.call_soon_threadsafe(self._ring, partition)

    def busy(self, partition: Partition) -> bool:
        """Whether a question, or what was decided, is still under way. From any thread."""
        tenure = self._tenures.get(partition)
        return tenure is not None and tenure.under_way > 0

    def closed(self, partition: Partition) -> None:
        """A partition is no longer ours: what is under way is abandoned. From any thread."""
        if tenure := self._tenures.pop(partition, None):
            tenure.over = True
        self._loop.call_soon_threadsafe(self._closed, partition)

    def changed(self, partition: Partition, entries: list[RequestEntry]) -> None:
        """These copies are durable in this form. From any thread."""
        if tenure := self._tenures.get(partition):
            self._loop.call_soon_threadsafe(self._changed, tenure, entries)

    def report(self) -> list[CopyReport]:
        """What every desk is doing. In the event loop only."""
        return [desk.report() for desk, _ in self._desks.values()]

    def _changed(self, tenure: Tenure, entries: list[RequestEntry]) -> None:
        for entry in entries:
            self._desk(tenure, entry.org).changed(entry)

    def _desk(self, tenure: Tenure, org: OrgId) -> OrgDesk:
        key = (tenure.partition, org)
        if key not in self._desks:
            desk = OrgDesk(Ground(tenure, org, self._world), self._ended)
            task = self._loop.create_task(desk.run())
            task.add_done_callback(self._ended)
            self._desks[key] = desk, task
        return self._desks[key][0]

    def _ring(self, partition: Partition) -> None:
        for (place, _), (desk, _) in self._desks.items():
            if place == partition:
                desk.ring()

    def _closed(self, partition: Partition) -> None:
        for key in [key for key in self._desks if key[0] == partition]:
            desk, task = self._desks.pop(key)
            task.cancel()
            desk.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and not self.failed.done():
            self.failed.set_exception(error)

    async def _mind_the_calendar(self) -> None:
        """A calendar that runs fast or jumps cannot be slept towards."""
        while True:
            await asyncio.sleep(self._world.policy.calendar_check_s)
            for desk, _ in self._desks.values():
                desk.ring()

    async def close(self) -> None:
        """End every desk; what is under way is abandoned, and done again by whoever owns the partition next."""
        tasks = [task for desk, run in self._desks.values() for task in (run, *desk.cancel())]
        for task in (self._calendar, *tasks):
            task.cancel()
        await asyncio.gather(self._calendar, *tasks, return_exceptions=True)
