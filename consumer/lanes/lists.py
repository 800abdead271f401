"""The GETs of a lane: one list of Amplitude's jobs answers everything that only a list can answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from consumer.domain import erasure
from consumer.domain.deadline import day_of, plus_days
from consumer.domain.entry import LedgerKey
from consumer.domain.errors import Fault
from consumer.domain.observation import Revoked, Window, observe
from consumer.domain.subject import AmplitudeId, BatchId, Day, Millis
from consumer.lanes.batches import Batches
from consumer.lanes.ground import SLICE, Ground
from consumer.ports import Access, Gate
from consumer.turn import Turn

LIST_BACK_DAYS, LIST_AHEAD_DAYS = 120, 60
"""Together within the six months that one list may span (Amplitude, "User Privacy API")."""

JobPlace = tuple[AmplitudeId, Day]
Told = Callable[[Revoked], None]


class Lists:
    """Due when a poll is due, when the answer to a POST was lost, and when a DELETE was refused. One at a time."""

    def __init__(self, ground: Ground, batches: Batches) -> None:
        self._ground, self._batches = ground, batches
        self.watching = False
        """Whether the project has open jobs."""
        self.under_way = False
        self.look_ups: list[tuple[JobPlace, Told]] = []
        self._next_poll = Millis(0)

    def look_up(self, place: JobPlace, told: Told) -> None:
        """Have the next list say whether the Amplitude ID still stands in that day's job."""
        self.look_ups.append((place, told))

    @property
    def polls_at(self) -> Millis | None:
        """When, on the calendar, the next list is due by itself."""
        return self._next_poll if self.watching and not self.under_way else None

    def due(self) -> ListCall | None:
        """The list, if one is wanted now. It must be abandoned or prepared."""
        if self.under_way:
            return None
        polling = self.watching and self._ground.clock.now() >= self._next_poll
        if not (polling or self.look_ups or self._ground.backlog.has_unanswered(self._batches.under_way)):
            return None
        self.under_way = True
        return ListCall(self._ground, self, self._batches, polling=polling)

    def polled(self) -> None:
        """Every open job was looked at."""
        self._next_poll = Millis(self._ground.clock.now() + self._ground.policy.poll_every_ms)


class ListCall:
    """One GET. What it is to answer is settled when it leaves: a list knows nothing of what happens later."""

    verb: ClassVar[str] = "GET"

    def __init__(self, ground: Ground, lists: Lists, batches: Batches, *, polling: bool) -> None:
        self._ground, self._lists, self._batches, self._polling = ground, lists, batches, polling
        self._lost: dict[BatchId, list[LedgerKey]] = {}
        self._look_ups: list[tuple[JobPlace, Told]] = []

    def abandon(self) -> None:
        """The next one will do."""
        self._lists.under_way = False

    async def prepare(self) -> bool:
        """A list changes nothing."""
        return True

    async def unsent(self) -> None:
        """The next one will do, and answers what this one was to answer."""
        self._lists.look_ups += self._look_ups
        self._lists.under_way = False

    async def ask(self, access: Access, gate: Gate) -> None:
        """All jobs, those of the past included until they are done."""
        ground = self._ground
        self._lost = ground.backlog.unanswered(self._batches.under_way)
        self._look_ups, self._lists.look_ups = self._lists.look_ups, []
        today = day_of(ground.clock.now())
        start, end = plus_days(today, -LIST_BACK_DAYS), plus_days(today, LIST_AHEAD_DAYS)
        jobs = await ground.privacy.jobs(access, start, end, gate)
        self._window = Window.of(jobs, start, end, ground.policy.requester)

    async def failed(self, _fault: Fault) -> None:
        """Nothing is known."""
        await self.unsent()

    async def settle(self) -> None:
        """First what is lost, then what was refused, then every open job if a poll was due."""
        for batch, keys in self._lost.items():
            await self._sight(batch, keys, self._window.marked(batch))
        for (amplitude_id, day), told in self._look_ups:
            stands = amplitude_id in self._window.members.get(day, {})
            told(Revoked.FROZEN if stands else Revoked.GONE)
        if self._polling:
            await self._observe_all()
        self._lists.under_way = False

    async def _sight(self, batch: BatchId, keys: list[LedgerKey], day: Day | None) -> None:
        for at in range(0, len(keys), SLICE):
            await self._ground.change(keys[at : at + SLICE], lambda entry: erasure.sighted(entry, batch, day))

    async def _observe_all(self) -> None:
        cursor, found, more = 0, 0, True
        self._lists.watching = False
        while more:
            observed = await self._ground.tenure.decide(partial(self._observe, cursor=cursor))
            if observed is None:
                return
            cursor, found = observed[0], found + observed[1]
            more = cursor > 0
        self._lists.watching = self._lists.watching or found > 0
        self._lists.polled()

    def _observe(self, turn: Turn, cursor: int) -> tuple[int, int]:
        partition = self._ground.tenure.partition
        entries, cursor = turn.scheduled(partition, self._ground.project, cursor, SLICE)
        for entry in entries:
            turn.settle(partition, entry, observe(entry, self._window, turn.now))
        return cursor, len(entries)
