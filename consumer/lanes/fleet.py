"""All lanes of this member: opened and closed with their partitions, fed with what the ledger has made durable.

The Kafka thread calls `opened`, `changed`, `project_changed`, `settling`, `busy` and `closed`; everything else happens
in the event loop. A send is stopped by the tenure and the lease, asked right before it leaves, and not by the message
that a partition is gone: that message may come too late.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from consumer.domain.entry import RequestEntry
from consumer.domain.errors import Reason
from consumer.domain.project import ProjectState
from consumer.domain.ranking import Ranking
from consumer.domain.subject import Millis, ProjectId
from consumer.lanes.ground import Ground
from consumer.lanes.lane import Lane
from consumer.lanes.pacer import Pacer
from consumer.lanes.policy import LanePolicy
from consumer.lanes.tenure import Ledger, Tenure
from consumer.ports import Access, Clock, LaneReport, Meter, NoMeter, Privacy
from consumer.turn import Partition

LaneKey = tuple[Partition, ProjectId]


class Lanes:
    """Construct it in the event loop. `access` gives a project's keys as they are now, or why there are none.

    `lease_s`: how long a transaction that the broker accepted proves ownership; half the session timeout.
    """

    def __init__(
        self,
        *,
        ledger: Callable[[], Ledger],
        access: Callable[[ProjectId], Access | Reason],
        privacy: Privacy,
        clock: Clock,
        policy: LanePolicy,
        lease_s: float,
        meter: Meter | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._ledger, self._access, self._privacy, self._clock = ledger, access, privacy, clock
        self._policy, self._lease_s, self._meter = policy, lease_s, meter or NoMeter()
        self._tenures: dict[Partition, Tenure] = {}
        self._lanes: dict[LaneKey, tuple[Lane, asyncio.Task[None]]] = {}
        self._alarms: Ranking[LaneKey] = Ranking()
        self._calendar = self._loop.create_task(self._mind_the_calendar())
        self.failed: asyncio.Future[None] = self._loop.create_future()
        """Never done, unless a lane met a bug: then it holds the exception, and the process must stop."""

    def opened(self, partition: Partition, epoch: int, states: list[ProjectState], watched: list[ProjectId]) -> None:
        """A partition is ours. From any thread."""
        tenure = Tenure(partition, epoch, self._ledger, self._clock, self._lease_s)
        self._tenures[partition] = tenure
        self._loop.call_soon_threadsafe(self._opened, tenure, states, watched)

    def settling(self, partition: Partition) -> None:
        """From now on no call leaves for the partition; calls in flight still bring their answers home. From any
        thread, also for a partition that is not ours."""
        if tenure := self._tenures.get(partition):
            tenure.over = True
            self._loop.call_soon_threadsafe(self._ring, partition)

    def busy(self, partition: Partition) -> bool:
        """Whether a call or a proposal of the partition is still under way. From any thread."""
        tenure = self._tenures.get(partition)
        return tenure is not None and tenure.under_way > 0

    def closed(self, partition: Partition) -> None:
        """A partition is no longer ours: calls in flight are abandoned. From any thread."""
        if tenure := self._tenures.pop(partition, None):
            tenure.over = True
        self._loop.call_soon_threadsafe(self._closed, partition)

    def changed(self, partition: Partition, entries: list[RequestEntry]) -> None:
        """These requests are durable in this form. From any thread."""
        if tenure := self._tenures.get(partition):
            self._loop.call_soon_threadsafe(self._changed, tenure, entries)

    def project_changed(self, partition: Partition, states: list[ProjectState]) -> None:
        """These projects are durable in this form. From any thread."""
        if tenure := self._tenures.get(partition):
            self._loop.call_soon_threadsafe(self._project_changed, tenure, states)

    def report(self) -> list[LaneReport]:
        """What every lane is doing. In the event loop only."""
        return [lane.report() for lane, _ in self._lanes.values()]

    def _opened(self, tenure: Tenure, states: list[ProjectState], watched: list[ProjectId]) -> None:
        self._project_changed(tenure, states)
        for project in watched:
            lane = self._lane(tenure, ProjectState(project))
            lane.lists.watching = True
            lane.ground.bell.ring()

    def _changed(self, tenure: Tenure, entries: list[RequestEntry]) -> None:
        for entry in entries:
            self._lane(tenure, ProjectState(entry.project)).changed(entry)

    def _project_changed(self, tenure: Tenure, states: list[ProjectState]) -> None:
        for state in states:
            self._lane(tenure, state).project_changed(state)

    def _closed(self, partition: Partition) -> None:
        for key in [key for key in self._lanes if key[0] == partition]:
            lane, task = self._lanes.pop(key)
            self._alarms.withdraw(key)
            task.cancel()
            lane.cancel()

    def _ring(self, partition: Partition) -> None:
        for (place, _), (lane, _) in self._lanes.items():
            if place == partition:
                lane.ground.bell.ring()

    def _lane(self, tenure: Tenure, state: ProjectState) -> Lane:
        """The project's lane; a new one begins with this state."""
        key = (tenure.partition, state.project)
        if key not in self._lanes:
            ground = Ground(tenure, state, self._privacy, self._clock, self._policy, self._meter)
            pacer = Pacer(
                self._clock,
                tenure.holds_lease,
                random.random,
                self._policy.least_interval_s,
                self._policy.schedules,
            )
            lane = Lane(
                ground,
                pacer,
                access=lambda: self._access(state.project),
                alarm=lambda at: self._set_alarm(key, at),
                crashed=self._ended,
            )
            task = self._loop.create_task(lane.run())
            task.add_done_callback(self._ended)
            self._lanes[key] = lane, task
        return self._lanes[key][0]

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and not self.failed.done():
            self.failed.set_exception(error)

    def _set_alarm(self, key: LaneKey, at: Millis | None) -> None:
        if at is None:
            self._alarms.withdraw(key)
        else:
            self._alarms.put(key, at)

    async def _mind_the_calendar(self) -> None:
        """One look for all lanes: a calendar that runs fast or jumps cannot be slept towards."""
        while True:
            await asyncio.sleep(self._policy.calendar_check_s)
            now = self._clock.now()
            while (at := self._alarms.least()) is not None and at <= now:
                key = self._alarms.pop()
                if key in self._lanes:
                    self._lanes[key][0].ground.bell.ring()

    async def close(self) -> None:
        """End every lane; calls in flight are abandoned and reconciled by whoever owns the partition next."""
        tasks = [task for lane, run in self._lanes.values() for task in (run, *lane.cancel())]
        for task in (self._calendar, *tasks):
            task.cancel()
        await asyncio.gather(self._calendar, *tasks, return_exceptions=True)
