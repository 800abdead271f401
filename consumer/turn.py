"""One turn of the service: everything that one transaction will write, decided before it begins.

Reads see the turn's own writes, so a submit and its cancel may stand in one batch. Nothing reaches the ledger in
memory before the transaction is committed (`keep`); a turn whose transaction is aborted is simply dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NewType, Protocol

from consumer.domain import copies
from consumer.domain.command import Identity
from consumer.domain.entry import IdentityState, LedgerKey, RequestEntry
from consumer.domain.erasure import forget
from consumer.domain.errors import Reason
from consumer.domain.halt import Halt
from consumer.domain.project import ProjectState
from consumer.domain.statement import Outcome, notices, speak
from consumer.domain.subject import AmplitudeId, CommandId, Day, Millis, OrgId, ProjectId

Partition = NewType("Partition", int)


@dataclass(slots=True)
class Record:
    """A record as it was read. Prints without key, value and headers: they may hold anything.

    `context` is the trace context in which it is taken in: of our span, where that is traced, else the header's.
    Not frozen, because one is made for everything that is read, and freezing doubles the price.
    """

    partition: Partition
    offset: int
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: tuple[tuple[str, bytes | None], ...] = field(default=(), repr=False)
    context: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that nobody can answer, with the reason."""

    record: Record
    reason: Reason


@dataclass(frozen=True, slots=True)
class Reroute:
    """A record that belongs to another partition, to be produced there unchanged."""

    record: Record
    partition: Partition


class Memory(Protocol):
    """One partition's ledger in memory."""

    def get(self, key: LedgerKey) -> RequestEntry | None:
        """The request as last kept."""
        ...

    def put(self, entry: RequestEntry, value: bytes | None = None) -> None:
        """Keep it. `value` is its encoded form, where the caller has it already."""
        ...

    def remove(self, key: LedgerKey) -> None:
        """Forget it."""
        ...

    def project(self, project: ProjectId) -> ProjectState:
        """The project as last kept, or a fresh one."""
        ...

    def put_project(self, state: ProjectState) -> None:
        """Keep it."""
        ...

    def put_halt(self, halt: Halt | None) -> None:
        """Keep that intake is halted, or that it no longer is."""
        ...

    def scheduled(self, project: ProjectId, after: int, limit: int) -> tuple[list[RequestEntry], int]:
        """Requests of the project with open jobs, from the cursor on, and the next cursor (0: no more)."""
        ...

    def sharing(self, project: ProjectId, amplitude_id: AmplitudeId, day: Day, but: LedgerKey) -> bool:
        """Whether another open request holds the same place in the same job."""
        ...

    def copying(self, org: OrgId, identity: IdentityState | Identity) -> list[LedgerKey]:
        """The copies of that identity in that org that are not delivered yet."""
        ...


class Turn:
    """Collects what one transaction writes. `memory` holds the partitions that this member owns and has restored."""

    def __init__(self, memory: Mapping[Partition, Memory], now: Millis) -> None:
        self.now = now
        self.entries: dict[tuple[Partition, LedgerKey], RequestEntry | None] = {}
        self.projects: dict[tuple[Partition, ProjectId], ProjectState] = {}
        self.halts: dict[Partition, Halt] = {}
        self.outcomes: list[Outcome] = []
        self.dead: list[DeadLetter] = []
        self.rerouted: list[Reroute] = []
        self._memory = memory
        self._copied: dict[copies.Whose | None, set[LedgerKey]] = {}

    def get(self, partition: Partition, key: LedgerKey) -> RequestEntry | None:
        """The request as this turn leaves it, or as the ledger has it."""
        if (partition, key) in self.entries:
            return self.entries[partition, key]
        return self._memory[partition].get(key)

    def scheduled(
        self, partition: Partition, project: ProjectId, after: int, limit: int
    ) -> tuple[list[RequestEntry], int]:
        """As the memory's, as this turn leaves each of them."""
        found, cursor = self._memory[partition].scheduled(project, after, limit)
        return [self.entries.get((partition, entry.key)) or entry for entry in found], cursor

    def sharing(self, partition: Partition, entry: RequestEntry, amplitude_id: AmplitudeId, day: Day) -> bool:
        """Whether another open request than this one holds the place."""
        return self._memory[partition].sharing(entry.project, amplitude_id, day, entry.key)

    def copying(
        self, partition: Partition, org: OrgId, project: ProjectId, identities: Collection[IdentityState | Identity]
    ) -> list[RequestEntry]:
        """The copies that would lose something if these identities were erased in the project now: as this turn
        leaves them, each once."""
        keys = {key for identity in identities for key in self._memory[partition].copying(org, identity)}
        here = {copies.whose(org, identity) for identity in identities}
        keys.update(key for each in here & self._copied.keys() for key in self._copied[each])
        found = (self.get(partition, key) for key in sorted(keys))
        return [entry for entry in found if entry is not None and copies.covers(entry, project)]

    def remove(self, partition: Partition, key: LedgerKey) -> None:
        """Forget that there ever was such a request: a tombstone."""
        self.entries[partition, key] = None

    def project(self, partition: Partition, project: ProjectId) -> ProjectState:
        """The project as this turn leaves it, or as the ledger has it."""
        return self.projects.get((partition, project)) or self._memory[partition].project(project)

    def put_project(self, partition: Partition, state: ProjectState) -> None:
        """Write the project's state."""
        self.projects[partition, state.project] = state

    def settle(
        self, partition: Partition, before: RequestEntry | None, after: RequestEntry, command: CommandId | None = None
    ) -> None:
        """Write the request, with whatever has to be said about the way from `before` to `after`.

        A request that has ended is forgotten in the same write.
        """
        if after == before:
            return
        state = self.project(partition, after.project)
        after, outcome = speak(before, after, command, self.now, state.estimate_ms)
        after, said = notices(after, self.now, state.estimate_ms)
        self.outcomes += [outcome] if outcome else []
        self.outcomes += said
        if after.copy is None and after.erased is not None and (before is None or before.erased is None):
            self.put_project(partition, state.observed(after.erased - after.accepted))
        closing = after.ended and after.closed is None
        self.entries[partition, after.key] = forget(after, self.now) if closing else after
        if copies.wanted(after):
            for identity in after.identities:
                self._copied.setdefault(copies.whose(after.org, identity), set()).add(after.key)
        if before is not None and copies.wanted(before) and not copies.wanted(after):
            self._let_go(partition, before)

    def _let_go(self, partition: Partition, copy: RequestEntry) -> None:
        """The erasures that waited for this copy go on, but for those that wait for another one, too."""
        for key in copy.copy.before if copy.copy else ():
            entry = self.get(partition, LedgerKey(key))
            if entry is not None and entry.after_copy and not entry.ended:
                others = self.copying(partition, entry.org, entry.project, entry.identities)
                if not any(other.key != copy.key for other in others):
                    self.settle(partition, entry, entry._replace(after_copy=False))

    def keep(self, values: Mapping[tuple[Partition, LedgerKey], bytes] | None = None) -> None:
        """Take it all over into memory. Only after the transaction is committed; `values` is what it wrote."""
        encoded = values or {}
        for (partition, key), entry in self.entries.items():
            if entry is None:
                self._memory[partition].remove(key)
            else:
                self._memory[partition].put(entry, encoded.get((partition, key)))
        for (partition, _), state in self.projects.items():
            self._memory[partition].put_project(state)
        for partition, halt in self.halts.items():
            self._memory[partition].put_halt(halt)

    def bury(self, record: Record, reason: Reason) -> None:
        """Dead-letter the record."""
        self.dead.append(DeadLetter(record, reason))

    @property
    def empty(self) -> bool:
        """Nothing to write but offsets."""
        return not (self.entries or self.projects or self.halts or self.outcomes or self.dead or self.rerouted)


@dataclass(frozen=True, slots=True)
class Proposal:
    """Something to write about a partition, decided when the turn is made, on the entries as they then are.

    `epoch` names the assignment under which it was proposed: a live member may have lost the partition since, and its
    transactions would still be valid (membership is not ownership), so stale proposals are dropped here. `done` is
    called in the Kafka thread: True once committed, False when dropped.
    """

    partition: Partition
    epoch: int
    decide: Callable[[Turn], None]
    done: Callable[[bool], None]
