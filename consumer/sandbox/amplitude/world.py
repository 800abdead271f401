"""Everything the stand-in remembers, in one value that its APIs share. Each API is a module that takes this."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from consumer.domain.deadline import day_of
from consumer.domain.subject import Day
from consumer.ports import Clock
from consumer.sandbox.amplitude.allowance import Allowance
from consumer.sandbox.amplitude.book import JobBook
from consumer.sandbox.amplitude.copybook import CopyBook
from consumer.sandbox.amplitude.counters import Counters
from consumer.sandbox.amplitude.faults import FaultScript
from consumer.sandbox.amplitude.history import History
from consumer.sandbox.amplitude.keys import KeyTable
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.limiter import Limiter
from consumer.sandbox.amplitude.people import People
from consumer.sandbox.amplitude.shelf import Shelf


@dataclass(slots=True)
class World:
    """Keys, people, jobs, limits, scripted faults and counters, for both regions. Belongs to one event loop."""

    clock: Clock
    knobs: Knobs
    keys: KeyTable
    people: People
    book: JobBook
    limiter: Limiter
    faults: FaultScript
    counters: Counters
    shelf: Shelf
    history: History
    copybook: CopyBook
    links: dict[str, Any] = field(default_factory=dict)
    links_url: str = ""
    _allowances: dict[tuple[str, str], Allowance] = field(default_factory=dict)
    _late: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    def create(cls, clock: Clock, knobs: Knobs) -> World:
        """An empty world."""
        people = People(knobs.ghost_prefix, knobs.several_prefix)
        return cls(
            clock,
            knobs,
            KeyTable(),
            people,
            JobBook(people, knobs.lead_days),
            Limiter(knobs.gate_s, knobs.most_in_flight),
            FaultScript(),
            Counters(),
            Shelf(knobs.export_parts),
            History(clock.now(), knobs.events_per_person, knobs.months_of_history, knobs.heavy_prefix),
            CopyBook(knobs.dsar_s),
        )

    def allowance(self, org: str) -> Allowance:
        """What an org has spent on copies."""
        return self._allowance("org", org, self.knobs.dsar_units)

    def lookups(self, app: str) -> Allowance:
        """What a project has spent on searches and activity."""
        return self._allowance("app", app, self.knobs.lookups)

    def _allowance(self, kind: str, name: str, units: int) -> Allowance:
        return self._allowances.setdefault((kind, name), Allowance(units, self.knobs.hour_s))

    def people_in(self, app: str, user_id: str | None, amplitude_id: int | None) -> dict[int, str | None]:
        """Whom a project still knows by that id: Amplitude IDs with their user ids. Whoever was erased is not there;
        an Amplitude ID is known where it was ever derived or seeded."""
        if amplitude_id is not None and self.people.user_of(app, amplitude_id) is None:
            return {}
        ids = [] if amplitude_id is None else [amplitude_id]
        return self.book.resolve(app, self.today(), [user_id] if user_id else [], ids)[0]

    def today(self) -> Day:
        """The calendar's day, UTC."""
        return day_of(self.clock.now())

    def forget(self) -> None:
        """Drop jobs, faults and counters; keys and people stay."""
        self.cancel_late()
        self.book = JobBook(self.people, self.knobs.lead_days)
        self.faults.clear()
        self.counters.reset()

    def apply_later(self, apply: Callable[[], object], seconds: float) -> None:
        """Apply something after so many real seconds, unless the world stops first."""
        task = asyncio.create_task(_after(apply, seconds))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def cancel_late(self) -> None:
        """What was to be applied later never will be."""
        for task in self._late:
            task.cancel()


async def _after(apply: Callable[[], object], seconds: float) -> None:
    await asyncio.sleep(seconds)
    apply()
