"""The ground that the parts of one lane share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from consumer.domain.backlog import Backlog
from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.errors import Fault
from consumer.domain.project import ProjectState
from consumer.domain.subject import ProjectId
from consumer.lanes.bell import Bell
from consumer.lanes.policy import LanePolicy
from consumer.lanes.tenure import Tenure
from consumer.ports import Access, Clock, Gate, Meter, Privacy
from consumer.turn import Turn

SLICE = 1_000
"""Requests that one proposal changes at most: a Kafka transaction should stay small."""


@dataclass(slots=True)
class Ground:
    """`state` is the project as it is durable; `backlog` its requests with something to do."""

    tenure: Tenure
    state: ProjectState
    privacy: Privacy
    clock: Clock
    policy: LanePolicy
    meter: Meter
    bell: Bell = field(default_factory=Bell)
    backlog: Backlog = field(default_factory=Backlog)

    @property
    def project(self) -> ProjectId:
        """The project whose lane this is."""
        return self.state.project

    def get(self, turn: Turn, key: LedgerKey) -> RequestEntry | None:
        """The request as the turn finds it."""
        return turn.get(self.tenure.partition, key)

    async def change(self, keys: Iterable[LedgerKey], change: Callable[[RequestEntry], RequestEntry]) -> None:
        """Change these requests, as they then are, and say what follows from it; durable when it returns, unless the
        partition is no longer ours."""

        def decide(turn: Turn) -> None:
            for key in keys:
                if (entry := self.get(turn, key)) is not None:
                    turn.settle(self.tenure.partition, entry, change(entry))

        await self.tenure.decide(decide)


class Call(Protocol):
    """One HTTP call, from its preparation until its answer is durable. `verb`: GET, POST or DELETE."""

    verb: ClassVar[str]

    def abandon(self) -> None:
        """It will not be made, and nothing was prepared."""
        ...

    async def prepare(self) -> bool:
        """Write ahead what must be durable before it leaves. False if nothing is left to be asked."""
        ...

    async def unsent(self) -> None:
        """It was prepared and certainly never left: take back what was written ahead."""
        ...

    async def ask(self, access: Access, gate: Gate) -> None:
        """Make the call and keep the answer. Raises `CallFailed` and `LeaseLost`."""
        ...

    async def settle(self) -> None:
        """Make the answer durable."""
        ...

    async def failed(self, fault: Fault, /) -> None:
        """There was no usable answer: make durable what is known."""
        ...
