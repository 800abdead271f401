"""Who decides what a turn writes: records by the intake, timers by the ledger; and who tells the lanes afterwards.

It also counts dead letters, and halts the intake of a partition in which they are too many.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Protocol

from consumer.domain.entry import RequestEntry
from consumer.domain.halt import DeadLetterRate
from consumer.domain.project import ProjectState
from consumer.domain.statement import notices
from consumer.domain.subject import ProjectId
from consumer.ledger import Shard
from consumer.requests import Intake
from consumer.turn import Partition, Record, Turn

TIMERS_A_TURN = 500


class Followers(Protocol):
    """Whoever works on open requests. Called in the Kafka thread; must only hand over."""

    def opened(self, partition: Partition, epoch: int, states: list[ProjectState], watched: list[ProjectId]) -> None:
        """A partition is ours, with these projects; `watched` have open jobs."""
        ...

    def settling(self, partition: Partition) -> None:
        """A partition is about to be given up: nothing new may be sent for it; answers may still come home."""
        ...

    def busy(self, partition: Partition) -> bool:
        """Whether a call of the partition, or what it decided, is still under way."""
        ...

    def closed(self, partition: Partition) -> None:
        """A partition is no longer ours: nothing may be sent for it any more."""
        ...

    def changed(self, partition: Partition, entries: list[RequestEntry]) -> None:
        """These requests are durable in this form."""
        ...

    def project_changed(self, partition: Partition, states: list[ProjectState]) -> None:
        """These projects are durable in this form."""
        ...


class RequestDesk:
    """Decides turns of the requests stage. Lives in the Kafka thread."""

    def __init__(self, intake: Intake, followers: Followers, most_undispatched: int = 200_000) -> None:
        self._intake, self._followers, self._most = intake, followers, most_undispatched
        self._undispatched: dict[Partition, defaultdict[ProjectId, set[str]]] = {}
        self._paused: dict[Partition, set[ProjectId]] = {}
        self._rates: defaultdict[Partition, DeadLetterRate] = defaultdict(DeadLetterRate)

    def take(self, turn: Turn, record: Record) -> None:
        """A record that was read. Lets `Deferred` pass: it must be read again later."""
        buried = len(turn.dead)
        self._intake.take(turn, record)
        if halt := self._rates[record.partition].seen(len(turn.dead) > buried, turn.now):
            turn.halts[record.partition] = halt

    def dropped(self) -> None:
        """A turn was aborted: its records will be read again, and must not count twice."""
        self._rates.clear()

    def tick(self, turn: Turn, shards: Mapping[Partition, Shard]) -> None:
        """Say the deadline notices that are due, and end the memory of requests whose dedupe window is over.

        A request that this turn has already written is left for the next one.
        """
        for partition, shard in shards.items():
            for entry in shard.due(turn.now, TIMERS_A_TURN):
                if (partition, entry.key) in turn.entries:
                    continue
                if entry.closed is not None:
                    turn.remove(partition, entry.key)
                else:
                    after, said = notices(entry, turn.now, turn.project(partition, entry.project).estimate_ms)
                    turn.entries[partition, entry.key] = after
                    turn.outcomes += said

    def opened(self, partition: Partition, epoch: int, shard: Shard) -> None:
        """A partition is owned and restored: its open requests go to the lanes."""
        states = shard.projects()
        self._undispatched[partition] = defaultdict(set)
        self._paused[partition] = {state.project for state in states if state.paused}
        self._followers.opened(partition, epoch, states, [project for project, _, _ in shard.watched()])
        self._tell(partition, list(shard.active()))

    def settling(self, partition: Partition) -> None:
        """A partition is about to be given up: whoever works on it sends nothing new."""
        self._followers.settling(partition)

    def busy(self, partition: Partition) -> bool:
        """Whether somebody still waits for an answer about the partition."""
        return self._followers.busy(partition)

    def resumed(self, partition: Partition) -> None:
        """A halt was lifted: count anew."""
        self._rates.pop(partition, None)

    def closed(self, partition: Partition) -> None:
        """A partition is no longer ours."""
        self._undispatched.pop(partition, None)
        self._paused.pop(partition, None)
        self._rates.pop(partition, None)
        self._followers.closed(partition)

    def kept(self, turn: Turn) -> None:
        """A turn is committed and taken over."""
        for (partition, project), state in turn.projects.items():
            (self._paused[partition].add if state.paused else self._paused[partition].discard)(project)
            self._followers.project_changed(partition, [state])
        changed: dict[Partition, list[RequestEntry]] = {}
        for (partition, _), entry in turn.entries.items():
            if entry is not None:
                changed.setdefault(partition, []).append(entry)
        for partition, entries in changed.items():
            self._tell(partition, entries)

    def _tell(self, partition: Partition, entries: list[RequestEntry]) -> None:
        waiting = self._undispatched[partition]
        for entry in entries:
            go_by_themselves = entry.dispatched is None and not entry.ended and (entry.held is None or entry.approved)
            (waiting[entry.project].add if go_by_themselves else waiting[entry.project].discard)(entry.key)
        self._followers.changed(partition, entries)

    @property
    def full(self) -> bool:
        """Whether as many undispatched requests are open as this member may hold.

        What is held, or paused with its project, does not count: only a command lets it go on, which must be read.
        """
        counted = (
            len(keys)
            for partition, waiting in self._undispatched.items()
            for project, keys in waiting.items()
            if project not in self._paused[partition]
        )
        return sum(counted) >= self._most
