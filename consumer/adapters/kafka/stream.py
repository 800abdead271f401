"""The Kafka thread: it alone touches the consumer, the transactional producer and the ledger in memory.

A turn is: read, restore a slice, decide, commit one transaction, and only then take it over into memory. Everybody
else hands in proposals and is told when they are durable. It is the shape of Kafka Streams' StreamThread.

A partition that is given up is settled first, on a revocation and on a shutdown alike: nothing new is sent for it, and
the answers to what was sent are written down while it is still ours.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Protocol

from consumer.adapters.kafka.assignment import Assignment
from consumer.adapters.kafka.producing import Aborted
from consumer.adapters.kafka.transaction import Topics, Transactor
from consumer.domain.errors import Deferred
from consumer.ledger import Shard
from consumer.ports import Clock, Meter, NoMeter, StreamReport
from consumer.requests import traceparent_of
from consumer.trace_ports import NoSpan, NoTracer, Span, Tracer
from consumer.turn import Partition, Proposal, Record, Turn

TURN_PROPOSALS = 2_000
DEFER_S = 1.0
SETTLE_S = 5.0
"""How long a partition that is given up may wait for answers; less than the least session time-out."""


class Desk(Protocol):
    """Who decides. Called in the Kafka thread; must not block."""

    def take(self, turn: Turn, record: Record) -> None:
        """A record that was read. `Deferred`: not now; it will be read again."""
        ...

    def tick(self, turn: Turn, shards: Mapping[Partition, Shard]) -> None:
        """Timers that are due."""
        ...

    def opened(self, partition: Partition, epoch: int, shard: Shard) -> None:
        """A partition is owned and restored."""
        ...

    def settling(self, partition: Partition) -> None:
        """A partition is about to be given up."""
        ...

    def busy(self, partition: Partition) -> bool:
        """Whether somebody still waits for an answer about the partition."""
        ...

    def closed(self, partition: Partition) -> None:
        """A partition is no longer ours."""
        ...

    def kept(self, turn: Turn) -> None:
        """A turn is committed and taken over."""
        ...

    def dropped(self) -> None:
        """A turn was aborted; its records will be read again."""
        ...

    def resumed(self, partition: Partition) -> None:
        """A person has lifted the partition's halt."""
        ...

    @property
    def full(self) -> bool:
        """Whether intake must pause: enough undispatched requests are open."""
        ...


class Stream(threading.Thread):
    """Runs until `stop`, or until `failure` is set. `shard_of` makes a partition's memory, still empty.

    `prepare` is called before the group is joined, again and again while it raises `Deferred`; `ended` is the last
    thing that the thread does.
    """

    def __init__(
        self,
        *,
        config: Mapping[str, Any],
        producer_config: Mapping[str, Any],
        transactor: Callable[[Mapping[str, Any]], Transactor],
        desk: Desk,
        shard_of: Callable[[], Shard],
        clock: Clock,
        topics: Topics,
        meter: Meter | None = None,
        tracer: Tracer | None = None,
        prepare: Callable[[], None] = lambda: None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name="kafka", daemon=True)
        self._config, self._producer_config, self._make_transactor = config, producer_config, transactor
        self._desk, self._shard_of, self._clock, self._topics = desk, shard_of, clock, topics
        self._meter, self._prepare, self._ended = meter or NoMeter(), prepare, ended
        self._tracer = tracer or NoTracer()
        self._lease_s = int(config.get("session.timeout.ms", 45_000)) / 6000
        self._proposals: queue.SimpleQueue[Proposal] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._mine: Assignment | None = None
        self._transactor: Transactor | None = None
        self.failure: BaseException | None = None
        self.report = StreamReport(alive=True, turned_at=clock.monotonic())
        """Made anew at the end of each turn, for whoever wants to read it, from any thread."""
        self.turned_at, self.proven_at = clock.monotonic(), float("-inf")
        """On the pacing clock: when the last turn began, and when the last transaction began that the broker accepted,
        which is the lease of HTTP calls."""

    def propose(self, proposal: Proposal) -> None:
        """Hand in a proposal. From any thread; never blocks."""
        self._proposals.put(proposal)

    def owns(self, partition: Partition, epoch: int) -> bool:
        """Whether the assignment still stands. From any thread."""
        return self._mine is not None and self._mine.owns(partition, epoch)

    @property
    def stirred_at(self) -> float:
        """When the thread last showed a sign of life, on the pacing clock. From any thread."""
        return max(self.turned_at, self._transactor.returned_at if self._transactor else self.turned_at)

    def stop(self) -> None:
        """Ask the thread to finish its turn, settle and leave the group. From any thread; join it afterwards."""
        self._stopping.set()

    def run(self) -> None:
        """The thread. Whatever ends it is left in `failure`."""
        try:
            if self._prepared():
                self._serve()
        except Exception as error:  # noqa: BLE001 (handed to whoever started the thread, who raises it)
            self.failure = error
        finally:
            self.report = replace(self.report, alive=False)
            self._ended()

    def _prepared(self) -> bool:
        while not self._stopping.is_set():
            self.turned_at = self._clock.monotonic()
            try:
                self._prepare()
            except Deferred as deferred:
                self.report = StreamReport(alive=True, turned_at=self.turned_at, intake=deferred.reason)
                self._stopping.wait(deferred.retry_after_s or DEFER_S)
            else:
                return True
        return False

    def _serve(self) -> None:
        self._transactor = self._make_transactor(self._producer_config)
        mine = self._mine = Assignment(self._config, self._topics, self._shard_of, self)
        try:
            while not self._stopping.is_set():
                self._turn(mine, mine.read())
            self.closing(list(mine.shards))
        finally:
            mine.close()

    def _turn(self, mine: Assignment, records: list[Record]) -> None:
        self.turned_at = self._clock.monotonic()
        turn, proposals = Turn(mine.shards, self._clock.now()), self._current()
        for proposal in proposals:
            proposal.decide(turn)
        taken = self._take(mine, turn, records)
        self._desk.tick(turn, mine.shards)
        if mine.shards and (taken or proposals or not turn.empty or self._lease_is_old()):
            self._commit(mine, turn, taken, proposals)
        for partition in mine.lifted():
            self._desk.resumed(partition)
        mine.direct(self._clock.monotonic(), full=self._desk.full)
        self.report = mine.report(self.turned_at, self.proven_at, full=self._desk.full)

    def _current(self) -> list[Proposal]:
        current: list[Proposal] = []
        while len(current) < TURN_PROPOSALS and not self._proposals.empty():
            proposal = self._proposals.get()
            if self.owns(proposal.partition, proposal.epoch):
                current.append(proposal)
            else:
                proposal.done(False)
        return current

    def _take(self, mine: Assignment, turn: Turn, records: list[Record]) -> list[Record]:
        """Whatever follows a record that is deferred, or that trips a halt, is left to be read again.

        Its partition stops here and now: a deferral may be over before the turn is committed, and reading on from where
        the consumer stands would pass over what was left.
        """
        taken: list[Record] = []
        closed: set[Partition] = set()
        for record in records:
            if record.partition in closed:
                continue
            try:
                self._decide(turn, record)
            except Deferred as deferred:
                mine.defer(record.partition, self._clock.monotonic() + (deferred.retry_after_s or DEFER_S))
                closed.add(record.partition)
                continue
            taken.append(record)
            if record.partition in turn.halts:
                mine.halting(record.partition)
                closed.add(record.partition)
        mine.stop(closed)
        return taken

    def _decide(self, turn: Turn, record: Record) -> None:
        given, dead = traceparent_of(record), len(turn.dead)
        with self._tracer.taking(self._topics.commands, record.partition, record.offset, given) as span:
            record.context = span.context or given
            self._desk.take(turn, record)
            for letter in turn.dead[dead:]:
                span.failed(letter.reason)

    def _commit(self, mine: Assignment, turn: Turn, records: list[Record], proposals: list[Proposal]) -> None:
        """Every owned partition's offset goes into every transaction, moved or not: see `Transactor.commit`."""
        assert self._transactor is not None
        began = self._clock.monotonic()
        offsets = mine.positions | {r.partition: r.offset + 1 for r in records}
        owned = {p: offset for p, offset in offsets.items() if p in mine.shards}
        try:
            with self._committing(turn, records):
                written = self._transactor.commit(turn, owned, mine.group())
        except Aborted:
            self._again(mine, turn, records, proposals)
            return
        mine.positions |= owned
        self.proven_at = began
        turn.keep(written)
        self._desk.kept(turn)
        for proposal in proposals:
            proposal.done(True)
        self._count(turn, records, self._clock.monotonic() - began)

    def _committing(self, turn: Turn, records: list[Record]) -> Span:
        """A transaction that only proves the lease is nobody's."""
        if turn.empty and not records:
            return NoSpan()
        read = (record.context for record in records)
        said = (outcome.traceparent for outcome in turn.outcomes)
        contexts = {context: None for context in (*read, *said) if context}
        return self._tracer.committing(self._topics.commands, len(records), contexts)

    def _again(self, mine: Assignment, turn: Turn, records: list[Record], proposals: list[Proposal]) -> None:
        """Nothing was written: read the records again, and decide the proposals anew."""
        mine.stop({record.partition for record in records})
        self._desk.dropped()
        for partition in turn.halts:
            mine.not_halted(partition)
        for proposal in proposals:
            self._proposals.put(proposal)

    def _count(self, turn: Turn, records: list[Record], took_s: float) -> None:
        for outcome in turn.outcomes:
            self._meter.said(outcome)
        for letter in turn.dead:
            self._meter.buried(letter.reason)
        self._meter.committed(took_s, len(records))

    def _lease_is_old(self) -> bool:
        """An idle member proves its membership by an empty transaction, a few times in a session timeout."""
        return self._clock.monotonic() - self.proven_at > self._lease_s

    def opened(self, partition: Partition, epoch: int, shard: Shard, took_s: float) -> None:
        """See `Owner`."""
        self._meter.restored(took_s)
        self._desk.opened(partition, epoch, shard)

    def closing(self, partitions: Collection[Partition]) -> None:
        """Send nothing new for them, and write down what comes home of what was sent, for a few seconds at most."""
        for partition in partitions:
            self._desk.settling(partition)
        until = time.monotonic() + SETTLE_S
        while self._mine and any(self._desk.busy(p) for p in partitions) and time.monotonic() < until:
            self._turn(self._mine, [])
            time.sleep(0.005)

    def closed(self, partition: Partition) -> None:
        """See `Owner`."""
        self._desk.closed(partition)

    def rebalanced(self) -> None:
        """See `Owner`."""
        self._meter.rebalanced()
