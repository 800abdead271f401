"""What one transaction of the coordinator writes, and the memory that it is taken over into once it is committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID, uuid5

from consumer.discovery.inventory import DataType, Inventory, Merged, bucket_of
from consumer.domain.discovery.command import DiscoveryId
from consumer.domain.discovery.discovery import Discovery, Issued
from consumer.domain.discovery.outcome import FieldChange, Kind, Outcome, ended, say
from consumer.domain.errors import Reason
from consumer.domain.hours import Span, Spans, joined
from consumer.domain.subject import Millis, ProjectId
from consumer.turn import DeadLetter, Partition, Record, Reroute
from scanner.evidence import Key

_TASKS = UUID("3b0d3c84-54a5-5a0c-8f27-0a7f6f0d6c2e")

Name = tuple[ProjectId, DiscoveryId]
"""A discovery's id is unique within its project."""


class Task(NamedTuple):
    """One window to scan."""

    task_id: str
    discovery_id: DiscoveryId
    project: ProjectId
    slot: int
    span: Span
    sample: float
    rules: str | None
    traceparent: str | None
    issued: Millis

    @classmethod
    def of(cls, discovery: Discovery, issued: Issued) -> Task:
        """The same window of the same discovery always has the same id."""
        about = f"{discovery.project}/{discovery.id}/{issued.span.first}/{issued.span.last}"
        return cls(
            str(uuid5(_TASKS, about)),
            discovery.id,
            discovery.project,
            issued.slot,
            issued.span,
            discovery.sample,
            discovery.rules,
            discovery.traceparent,
            issued.since,
        )


@dataclass(slots=True)
class Shelf:
    """One partition's memory: its projects' discoveries and inventories, as the ledger has them."""

    discoveries: dict[Name, Discovery] = field(default_factory=dict)
    inventories: dict[ProjectId, Inventory] = field(default_factory=dict)


class Draft:
    """Collects what one transaction writes. Reading gives what the draft has, else what the shelf has."""

    def __init__(self, shelves: Mapping[Partition, Shelf], now: Millis) -> None:
        self.now = now
        self.discoveries: dict[tuple[Partition, Name], Discovery | None] = {}
        self.inventories: dict[tuple[Partition, ProjectId], Inventory] = {}
        self.lines: dict[tuple[Partition, ProjectId, Key], DataType | None] = {}
        self.buckets: set[tuple[Partition, ProjectId, int]] = set()
        self.tasks: list[Task] = []
        self.outcomes: list[Outcome] = []
        self.dead: list[tuple[str, DeadLetter]] = []
        self.rerouted: list[Reroute] = []
        self.applied: list[tuple[ProjectId, str]] = []
        """Projects and states of the windows that were answered, and `ignored` for a repetition."""
        self._shelves = shelves

    def discovery(self, partition: Partition, name: Name) -> Discovery | None:
        """As this draft leaves it, or as the ledger has it."""
        if (partition, name) in self.discoveries:
            return self.discoveries[partition, name]
        return self._shelves[partition].discoveries.get(name)

    def of_partition(self, partition: Partition) -> list[Discovery]:
        """Every discovery, as this draft leaves them."""
        found = {(partition, name): each for name, each in self._shelves[partition].discoveries.items()}
        changed = {place: each for place, each in self.discoveries.items() if place[0] == partition}
        return [each for each in {**found, **changed}.values() if each is not None]

    def inventory(self, partition: Partition, project: ProjectId) -> Inventory:
        """As this draft leaves it, or as the ledger has it, or an empty one."""
        known = self.inventories.get((partition, project)) or self._shelves[partition].inventories.get(project)
        return known or Inventory(project)

    def taken(self, partition: Partition, project: ProjectId) -> Spans:
        """The hours that nobody else should scan: scanned ones, those that an open discovery has still to answer, and
        those that are still being scanned for a cancelled one."""
        ours = [each for each in self.of_partition(partition) if each.project == project]
        claimed = [span for each in ours if not ended(each) for span in each.unanswered]
        claimed += [window.span for each in ours if ended(each) for window in each.issued]
        return joined((*self.inventory(partition, project).covered, *claimed))

    def put(self, partition: Partition, discovery: Discovery) -> None:
        """Write the discovery."""
        self.discoveries[partition, (discovery.project, discovery.id)] = discovery

    def issue(self, discovery: Discovery, windows: list[Issued]) -> None:
        """Write tasks for these windows."""
        self.tasks += [Task.of(discovery, window) for window in windows]

    def say(
        self, partition: Partition, discovery: Discovery, kind: Kind, change: FieldChange | None = None
    ) -> Discovery:
        """Say something about the discovery, and write it; returns it as it then is."""
        dirty = self.inventory(partition, discovery.project).dirty_fields
        told, outcome = say(discovery, kind, self.now, dirty=dirty, field=change)
        self.outcomes.append(outcome)
        self.put(partition, told)
        return told

    def put_inventory(self, partition: Partition, inventory: Inventory) -> None:
        """Write what the inventory covers."""
        self.inventories[partition, inventory.project] = inventory

    def take_over(self, partition: Partition, merged: Merged) -> None:
        """Write a merged inventory: its lines, its counters and what it covers."""
        inventory = merged.inventory
        self.put_inventory(partition, inventory)
        project = inventory.project
        self.lines |= {(partition, project, line.row.key): line for line in merged.lines}
        self.lines |= {(partition, project, key): None for key in merged.gone}
        self.buckets |= {(partition, project, bucket) for bucket in merged.buckets}

    def forget(self, partition: Partition, project: ProjectId) -> None:
        """Write an inventory that holds nothing."""
        old = self.inventory(partition, project)
        self.put_inventory(partition, Inventory(project))
        self.lines |= {(partition, project, key): None for key in old.marks}
        self.buckets |= {(partition, project, bucket_of(place)) for place in old.tally.seen}

    def bury(self, topic: str, record: Record, reason: Reason) -> None:
        """Dead-letter the record, which was read from that topic."""
        self.dead.append((topic, DeadLetter(record, reason)))

    @property
    def empty(self) -> bool:
        """Nothing to write but offsets."""
        return not (self.discoveries or self.inventories or self.outcomes or self.dead or self.rerouted)

    def keep(self) -> None:
        """Take it all over into memory. Only after the transaction is committed."""
        for (partition, name), discovery in self.discoveries.items():
            if discovery is None:
                self._shelves[partition].discoveries.pop(name, None)
            else:
                self._shelves[partition].discoveries[name] = discovery
        for (partition, project), inventory in self.inventories.items():
            self._shelves[partition].inventories[project] = inventory
