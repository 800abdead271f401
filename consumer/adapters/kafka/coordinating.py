"""The coordinator's Kafka thread: commands and results in; ledger, inventory, tasks and outcomes out.

A turn reads, decides, commits one transaction and only then takes it over into memory. The two topics it reads, and the
two it remembers in, have the same partitions, and the range assignor gives a member the same partitions of both: so a
project has one owner, who knows everything about it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any, Protocol, cast

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka import Message as Received

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.discovery_ledger import ShelfReader
from consumer.adapters.discovery_messages import PUBLIC, DiscoveryTopics, Encode, messages_of
from consumer.adapters.discovery_wire import result_in
from consumer.adapters.kafka.membership import Guard, committed, usable
from consumer.adapters.kafka.producing import Aborted, TransactionalProducer
from consumer.adapters.kafka.reading import record_of
from consumer.adapters.kafka.remembering import read_back
from consumer.discovery.draft import Draft, Shelf
from consumer.discovery.results import Assembly, Result
from consumer.domain.errors import Deferred, Fatal, Poison, Reason
from consumer.ports import Clock
from consumer.turn import Partition, Record

POLL_S = 0.1
TURN_RECORDS = 20
"""A result's record may have almost a megabyte, and a transaction fifteen seconds."""
DEFER_S = 1.0

Place = tuple[str, Partition]


class Desk(Protocol):
    """Who decides. Called in the coordinator's thread; must not block."""

    def order(self, draft: Draft, topic: str, record: Record) -> None:
        """A record of the commands' topic. `Deferred`: not now; it will be read again."""
        ...

    def result(self, draft: Draft, partition: Partition, result: Result) -> None:
        """A whole result."""
        ...

    def tick(self, draft: Draft, partitions: Collection[Partition]) -> None:
        """Whatever the clock makes due."""
        ...


class Told(Protocol):
    """Who counts. Called in the coordinator's thread; never blocks, never raises."""

    def kept(self, draft: Draft) -> None:
        """A draft is durable."""
        ...


class Coordinator:
    """One member; see `MemberThread`. Its codecs are used in its thread only: `codec` for what we alone read and write,
    `public` for what others do, whose ids may be a registry's."""

    def __init__(
        self,
        *,
        config: Mapping[str, Any],
        producer_config: Mapping[str, Any],
        topics: DiscoveryTopics,
        codec: Codec,
        public: Codec,
        desk: Desk,
        clock: Clock,
        told: Told,
    ) -> None:
        self._config, self._topics, self._codec, self._public = config, topics, codec, public
        self._encode: Encode = lambda subject, told: (public if subject in PUBLIC else codec).encode(subject, told)
        self._desk, self._clock, self._told = desk, clock, told
        self._positions: dict[Place, int] = {}
        self._committed: dict[Place, int] = {}
        self._shelves: dict[Partition, Shelf] = {}
        self._assemblies: dict[Partition, Assembly] = {}
        self.joined = False
        self._producer = TransactionalProducer(producer_config)
        own = {"partition.assignment.strategy": "range", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        self._consumer = Consumer(dict(config) | own | {"isolation.level": "read_committed"})
        self._guard = Guard()
        callbacks = {"on_assign": self._assigned, "on_revoke": self._revoked, "on_lost": self._revoked}
        guarded = {name: self._guard(each) for name, each in callbacks.items()}
        self._consumer.subscribe([topics.commands, topics.results], **guarded)

    @property
    def owned(self) -> tuple[Partition, ...]:
        """The partitions whose projects are this member's. From any thread."""
        return tuple(sorted(self._shelves))

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def turn(self) -> None:
        """Read, decide, commit, keep."""
        messages = self._read()
        draft, after = Draft(self._shelves, self._clock.now()), dict(self._positions)
        for message in messages:
            record, place = record_of(message), _place(message)
            if record.offset < after.get(place, record.offset + 1):
                continue
            try:
                self._take(draft, place, record)
            except Deferred as deferred:
                self._rewind()
                time.sleep(min(deferred.retry_after_s or DEFER_S, DEFER_S))
                return
            after[place] = record.offset + 1
        self._desk.tick(draft, list(self._shelves))
        if after != self._positions or not draft.empty:
            self._commit(draft, after)

    def _read(self) -> list[Received]:
        first = self._consumer.poll(POLL_S)
        self._guard.check()
        messages = [] if first is None else [first, *self._consumer.consume(TURN_RECORDS - 1, 0)]
        return [message for message in messages if usable(message)]

    def _take(self, draft: Draft, place: Place, record: Record) -> None:
        topic, partition = place
        if topic == self._topics.commands:
            self._desk.order(draft, topic, record)
            return
        try:
            part = result_in(self._codec.decode(schemas.DISCOVERY_RESULTS, record.value))
        except Poison as poison:
            draft.bury(topic, record, poison.reason)
        except ValueError:  # a state or reason of a newer version
            draft.bury(topic, record, Reason.UNKNOWN_SCHEMA)
        else:
            if (result := self._assemblies[partition].take(part, record.offset)) is not None:
                self._desk.result(draft, partition, result)

    def _commit(self, draft: Draft, after: Mapping[Place, int]) -> None:
        offsets = [TopicPartition(topic, p, self._safe(topic, p, at)) for (topic, p), at in after.items()]
        try:
            written = list(messages_of(draft, self._topics, self._encode))
            self._producer.write(written, offsets, self._consumer.consumer_group_metadata())
        except (Aborted, Deferred):
            self._rewind()
            return
        self._positions |= after
        self._committed = {(place.topic, Partition(place.partition)): place.offset for place in offsets}
        draft.keep()
        self._told.kept(draft)

    def _safe(self, topic: str, partition: Partition, at: int) -> int:
        """The offset to begin at after a restart: results that are not whole yet must be read again."""
        return self._assemblies[partition].resume_at(at) if topic == self._topics.results else at

    def _rewind(self) -> None:
        """Nothing of this turn was written: read again from what was committed last. What is whole by then is read
        once more, and changes nothing."""
        self._positions = dict(self._committed)
        self._assemblies = {partition: Assembly() for partition in self._assemblies}
        self._consumer.assign(
            [TopicPartition(topic, partition, at) for (topic, partition), at in self._committed.items()]
        )

    def _assigned(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        """Everything that is known of the new partitions is read back before a record of them is."""
        self.joined = True
        found = committed(consumer, places)
        for place in found:
            self._positions[place.topic, Partition(place.partition)] = place.offset
        partitions = {Partition(place.partition) for place in found}
        if any((topic, p) not in self._positions for p in partitions for topic in self._both):
            raise Fatal(Reason.PARTITIONS_DIFFER, f"{self._topics.commands} and {self._topics.results}")
        for partition in sorted(partitions):
            reader = ShelfReader(self._codec, self._public)
            sinks = {self._topics.ledger: reader.entry, self._topics.inventory: reader.line}
            read_back(self._config, partition, sinks)
            self._shelves[partition], self._assemblies[partition] = reader.shelf(), Assembly()
        self._committed = dict(self._positions)
        consumer.assign(found)

    @property
    def _both(self) -> tuple[str, str]:
        return self._topics.commands, self._topics.results

    def _revoked(self, _consumer: Consumer, _places: list[TopicPartition]) -> None:
        """The range assignor takes everything away, and gives anew."""
        self._positions.clear()
        self._committed.clear()
        self._shelves.clear()
        self._assemblies.clear()


def _place(message: Received) -> Place:
    return cast("str", message.topic()), Partition(cast("int", message.partition()))
