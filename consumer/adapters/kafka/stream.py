"""The Kafka thread: it alone touches the consumer, the transactional producer and the ledger in memory.

A turn is: poll, restore a slice, decide, commit one transaction, and only then take it over into memory. Everybody
else hands in proposals and is told when they are durable. Rebalances happen inside `poll`, where no transaction is
open. It is the shape of Kafka Streams' StreamThread.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, cast

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from consumer.adapters.kafka.restore import Restore
from consumer.adapters.kafka.transaction import Aborted, Topics, Transactor
from consumer.domain.errors import Fatal, Reason
from consumer.ledger import Shard
from consumer.ports import Clock
from consumer.turn import Partition, Proposal, Record, Turn

POLL_S = 0.02
TURN_RECORDS = 1_000
TURN_PROPOSALS = 2_000


class Desk(Protocol):
    """Who decides. Called in the Kafka thread; must not block."""

    def take(self, turn: Turn, record: Record) -> None:
        """A record that was read."""
        ...

    def tick(self, turn: Turn, shards: Mapping[Partition, Shard]) -> None:
        """Timers that are due."""
        ...

    def opened(self, partition: Partition, epoch: int, shard: Shard) -> None:
        """A partition is owned and restored."""
        ...

    def closed(self, partition: Partition) -> None:
        """A partition is no longer ours."""
        ...

    def kept(self, turn: Turn) -> None:
        """A turn is committed and taken over."""
        ...

    @property
    def full(self) -> bool:
        """Whether intake must pause: enough undispatched requests are open."""
        ...


class Stream(threading.Thread):
    """Runs until `stop`, or until `failure` is set. `shard_of` makes a partition's memory, still empty."""

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
    ) -> None:
        super().__init__(name="kafka", daemon=True)
        self._config, self._producer_config, self._make_transactor = config, producer_config, transactor
        self._desk, self._shard_of, self._clock, self._topics = desk, shard_of, clock, topics
        self._proposals: queue.SimpleQueue[Proposal] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._shards: dict[Partition, Shard] = {}
        self._next: dict[Partition, int] = {}
        self._epochs: Counter[Partition] = Counter()
        self._paused = False
        self.failure: BaseException | None = None
        self.proven_at = float("-inf")
        """When, on the pacing clock, the last transaction began that the broker accepted: the lease of HTTP calls."""

    def propose(self, proposal: Proposal) -> None:
        """Hand in a proposal. From any thread; never blocks."""
        self._proposals.put(proposal)

    def owns(self, partition: Partition, epoch: int) -> bool:
        """Whether the assignment still stands. From any thread."""
        return partition in self._shards and self._epochs[partition] == epoch

    def stop(self) -> None:
        """Ask the thread to finish its turn and leave the group. From any thread; join it afterwards."""
        self._stopping.set()

    def run(self) -> None:
        """The thread. Whatever ends it is left in `failure`."""
        try:
            self._open()
            while not self._stopping.is_set():
                self._turn(self._read())
        except Exception as error:  # noqa: BLE001 (handed to whoever started the thread, who raises it)
            self.failure = error
        finally:
            self._leave()

    def _open(self) -> None:
        self._transactor = self._make_transactor(self._producer_config)
        self._restore = Restore(self._config, self._topics.ledger, self._shard_of, self._restored)
        self._consumer = Consumer(
            dict(self._config) | {"enable.auto.commit": False, "auto.offset.reset": "earliest"},
        )
        callbacks = {"on_assign": self._assigned, "on_revoke": self._revoked, "on_lost": self._revoked}
        self._consumer.subscribe([self._topics.commands], **callbacks)

    def _leave(self) -> None:
        for part in ("_consumer", "_restore"):
            if hasattr(self, part):
                getattr(self, part).close()

    def _read(self) -> list[Record]:
        first = self._consumer.poll(POLL_S)
        messages = [] if first is None else [first, *self._consumer.consume(TURN_RECORDS - 1, 0)]
        self._restore.advance()
        return [_record(m) for m in messages if _usable(m) and m.partition() in self._shards]

    def _turn(self, records: list[Record]) -> None:
        turn, proposals = Turn(self._shards, self._clock.now()), self._current()
        for proposal in proposals:
            proposal.decide(turn)
        for record in records:
            self._desk.take(turn, record)
        self._desk.tick(turn, self._shards)
        if not records and not proposals and turn.empty and not self._lease_is_old():
            return
        self._commit(turn, records, proposals)
        self._mind_the_backlog()

    def _current(self) -> list[Proposal]:
        current: list[Proposal] = []
        while len(current) < TURN_PROPOSALS and not self._proposals.empty():
            proposal = self._proposals.get()
            if self.owns(proposal.partition, proposal.epoch):
                current.append(proposal)
            else:
                proposal.done(False)
        return current

    def _commit(self, turn: Turn, records: list[Record], proposals: list[Proposal]) -> None:
        began = self._clock.monotonic()
        offsets = self._next | {r.partition: r.offset + 1 for r in records}
        owned = {p: offset for p, offset in offsets.items() if p in self._shards}
        if not owned:
            return
        try:
            self._transactor.commit(turn, owned, self._consumer.consumer_group_metadata())
        except Aborted:
            self._again(records, proposals)
            return
        self._next, self.proven_at = owned, began
        turn.keep()
        self._desk.kept(turn)
        for proposal in proposals:
            proposal.done(True)

    def _again(self, records: list[Record], proposals: list[Proposal]) -> None:
        """Nothing was written: read the records again, and decide the proposals anew."""
        for partition in {record.partition for record in records}:
            self._consumer.seek(TopicPartition(self._topics.commands, partition, self._next[partition]))
        for proposal in proposals:
            self._proposals.put(proposal)

    def _lease_is_old(self) -> bool:
        """An idle member proves its membership by an empty transaction, a few times in a session timeout."""
        session_s: float = int(self._config.get("session.timeout.ms", 45_000)) / 1000
        return bool(self._shards) and self._clock.monotonic() - self.proven_at > session_s / 6

    def _mind_the_backlog(self) -> None:
        if self._desk.full != self._paused:
            self._paused = self._desk.full
            places = [TopicPartition(self._topics.commands, p) for p in self._shards]
            (self._consumer.pause if self._paused else self._consumer.resume)(places)

    def _assigned(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """New partitions stay paused until their ledger is restored; what was paused before is not remembered."""
        if not places:
            return
        found = consumer.committed(places, timeout=30)
        for place in found:
            place.offset = place.offset if place.offset >= 0 else consumer.get_watermark_offsets(place, timeout=30)[0]
        consumer.incremental_assign(found)
        consumer.pause(found)
        for place in found:
            partition = Partition(place.partition)
            self._epochs[partition] += 1
            self._next[partition] = place.offset
            self._restore.begin(partition)

    def _restored(self, partition: Partition, shard: Shard) -> None:
        self._shards[partition] = shard
        self._desk.opened(partition, self._epochs[partition], self._shards[partition])
        if not self._paused:
            self._consumer.resume([TopicPartition(self._topics.commands, partition)])

    def _revoked(self, _consumer: Consumer, places: Iterable[TopicPartition]) -> None:
        for place in places:
            partition = Partition(place.partition)
            self._epochs[partition] += 1
            self._next.pop(partition, None)
            self._restore.drop(partition)
            if shard := self._shards.pop(partition, None):
                self._desk.closed(partition)
                shard.close()


def _usable(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.fatal() or error.code() == KafkaError._MAX_POLL_EXCEEDED:  # noqa: SLF001 (a public constant)
        raise Fatal(Reason.FENCED, error.name())
    return False


def _record(message: Message) -> Record:
    headers = cast("tuple[tuple[str, bytes | None], ...]", tuple(message.headers() or ()))
    place = Partition(cast("int", message.partition()))
    return Record(place, cast("int", message.offset()), message.key(), message.value(), headers)
