"""The ground that the parts of one org's copies share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from consumer.copies.policy import CopyPolicy
from consumer.copy_ports import Activity, Dsar, Store
from consumer.domain.command import ProjectRule, Rules
from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.errors import Reason
from consumer.domain.subject import Millis, OrgId, ProjectId, Secret
from consumer.lanes.tenure import Tenure
from consumer.ports import Access, Clock, Meter
from consumer.turn import Turn

Change = Callable[[RequestEntry, Millis], RequestEntry]


class Sealer(Protocol):
    """Encrypts what goes to the store for its recipients, and for the copy's own seal."""

    @property
    def recipients(self) -> tuple[str, ...]:
        """The public keys; none: nothing is encrypted."""
        ...

    def new_seal(self) -> Secret | None:
        """A fresh seal for one copy; None where nothing is encrypted."""
        ...

    def closing(self, chunks: AsyncIterator[bytes], seal: Secret) -> AsyncIterator[bytes]:
        """The chunks, encrypted."""
        ...

    def opening(self, chunks: AsyncIterator[bytes], seal: Secret) -> AsyncIterator[bytes]:
        """The chunks, decrypted. Raises `Unsealed` for bytes that this seal does not open."""
        ...


class Unsealed(Exception):
    """Bytes that are not what was sealed."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How far back copies reach, and how long packages are kept and whether they are then deleted."""

    months: int
    keep_days: int
    delete_expired: bool


@dataclass(frozen=True, slots=True)
class World:
    """What all orgs share. The two accesses are asked for every call: keys change without a restart."""

    dsar: Dsar
    activity: Activity
    store: Store
    sealer: Sealer
    org_access: Callable[[OrgId], Access | Reason]
    access: Callable[[ProjectId], Access | Reason]
    rules: Callable[[], Rules]
    clock: Clock
    meter: Meter
    policy: CopyPolicy
    keeping: Keeping


@dataclass(frozen=True, slots=True)
class Ground:
    """One org in one partition under one assignment."""

    tenure: Tenure
    org: OrgId
    world: World

    def projects(self) -> dict[ProjectId, ProjectRule]:
        """The org's projects as the settings have them now."""
        return {name: rule for name, rule in self.world.rules().items() if rule.org == self.org}

    async def change(self, key: LedgerKey, change: Change) -> RequestEntry | None:
        """Change the copy as it then is, and say what follows; what it became, durable. None when the partition is no
        longer ours, or the copy is not there."""
        partition = self.tenure.partition

        def decide(turn: Turn) -> RequestEntry | None:
            entry = turn.get(partition, key)
            if entry is None or entry.copy is None:
                return None
            turn.settle(partition, entry, change(entry, turn.now))
            return turn.get(partition, key)

        return await self.tenure.decide(decide)


def folder(entry: RequestEntry) -> str:
    """Where the copy's files are in the store: no name of anybody."""
    run = f"-{entry.run}" if entry.run > 1 else ""
    return f"{entry.request_id}{run}"
