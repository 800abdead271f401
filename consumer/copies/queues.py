"""Steps that are ready, by who pays for them: the org's DSAR API, each project's activity, the store, or nobody."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from consumer.copies.ground import Ground
from consumer.copies.purse import Purse
from consumer.copies.steps import UNITS, Kind, Step
from consumer.domain.budget import Budget
from consumer.domain.copying import Source
from consumer.domain.entry import RequestEntry
from consumer.domain.pace import Circuit
from consumer.domain.ranking import Ranking
from consumer.domain.subject import ProjectId

MOST_WRITING = 64
"""Steps that only write to the ledger."""
_OF_STORE = frozenset({Kind.CANCEL, Kind.EXPIRE, Kind.PACK})
_OF_NOBODY = frozenset({Kind.BEGIN, Kind.LOST})


@dataclass(slots=True)
class Queue:
    """`most`: steps under way at a time. `units`: what a step costs beforehand; the pages of a project's activity are
    paid for one by one instead. `paid`: its steps call Amplitude."""

    purse: Purse
    most: int
    units: dict[Kind, int] = field(default_factory=dict)
    paid: bool = False
    ranking: Ranking[Step] = field(default_factory=Ranking)
    in_flight: int = 0

    def cost(self, step: Step) -> int:
        """Of the step, beforehand."""
        return self.units.get(step.kind, 0)


class Queues:
    """Of one org. Iterates over all of them."""

    def __init__(self, ground: Ground) -> None:
        self._ground, policy = ground, ground.world.policy
        now = ground.world.clock.monotonic()
        budget = Budget.of_new_owner(policy.org_units, policy.hour_s, policy.org_burst, now)
        self.org = Queue(self._purse(budget), policy.most_in_flight, UNITS, paid=True)
        self.store = Queue(self._purse(None, policy.store_circuit), policy.most_packing)
        self.nobody = Queue(self._purse(None), MOST_WRITING)
        self._projects: dict[ProjectId, Queue] = {}

    def __iter__(self) -> Iterator[Queue]:
        yield from (self.nobody, self.store, self.org, *self._projects.values())

    def of(self, step: Step, entry: RequestEntry | None) -> Queue:
        """Where the step belongs. `entry` is its copy, if it is still there."""
        if step.kind in _OF_STORE:
            return self.store
        if step.kind in _OF_NOBODY:
            return self.nobody
        copy = entry.copy if entry else None
        if copy is None or copy.source is not Source.ACTIVITY or step.errand >= len(copy.errands):
            return self.org
        return self.project(copy.errands[step.errand].project or ProjectId(""))

    def project(self, project: ProjectId) -> Queue:
        """The one of a project's activity."""
        if project not in self._projects:
            policy, now = self._ground.world.policy, self._ground.world.clock.monotonic()
            budget = Budget.of_new_owner(policy.project_units, policy.hour_s, policy.project_burst, now)
            self._projects[project] = Queue(self._purse(budget), policy.most_pages, paid=True)
        return self._projects[project]

    def random(self) -> float:
        """From [0, 1)."""
        return random.random()

    def _purse(self, budget: Budget | None, circuit: Circuit | None = None) -> Purse:
        world, tenure = self._ground.world, self._ground.tenure
        return Purse(
            budget,
            world.clock.monotonic,
            tenure.holds_lease,
            random=random.random,
            schedules=world.policy.schedules,
            circuit=circuit or world.policy.circuit,
        )
