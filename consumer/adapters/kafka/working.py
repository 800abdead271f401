"""The worker's Kafka thread: tasks in, results out, one transaction for each.

It never waits for a scan: the partitions of the task that runs, and of those that wait, stand still, and the thread
polls on. A partition that is taken away takes its scan with it: the socket is closed before the callback returns, and
the next owner waits a moment before it opens one of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from confluent_kafka import Consumer, TopicPartition

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.discovery_messages import DiscoveryTopics
from consumer.adapters.discovery_wire import results_out, task_in
from consumer.adapters.kafka.flow import Flow
from consumer.adapters.kafka.membership import Guard, committed, usable
from consumer.adapters.kafka.producing import Aborted, Message, TransactionalProducer, why_dead
from consumer.adapters.kafka.reading import record_of
from consumer.discovery.draft import Task
from consumer.discovery.results import Result
from consumer.discovery.scanning import Later
from consumer.domain.errors import Poison
from consumer.domain.routing import partition_of
from consumer.domain.subject import OrgId
from consumer.ports import Clock
from consumer.turn import Partition, Record

BUSY_POLL_S, IDLE_POLL_S = 0.05, 0.5


class Scan(Protocol):
    """One scan that is under way elsewhere."""

    @property
    def outcome(self) -> Result | Later | None:
        """What came of it; None while it runs. Raises what it raised."""
        ...

    def cancel(self) -> None:
        """Stop it. Returns when its connection is closed. Blocks for seconds at most."""
        ...


@dataclass(slots=True)
class _Waiting:
    """A record that was read, and is not answered yet. `answer` is what is to be written, once that is known."""

    record: Record
    task: Task | None
    not_before: float
    scan: Scan | None = None
    answer: list[Message] | None = field(default=None, repr=False)


class Worker:
    """One member; see `MemberThread`. `scan` starts a scan, one at a time. `grace_s` passes between getting a partition
    and its first scan."""

    def __init__(
        self,
        *,
        config: Mapping[str, Any],
        producer_config: Mapping[str, Any],
        topics: DiscoveryTopics,
        codec: Codec,
        scan: Callable[[Task], Scan],
        clock: Clock,
        partitions: int,
        grace_s: float = 5.0,
    ) -> None:
        self._topics, self._codec, self._scan, self._clock = topics, codec, scan, clock
        self._partitions, self._grace_s = partitions, grace_s
        self._positions: dict[Partition, int] = {}
        self._fresh_until: dict[Partition, float] = {}
        self._waiting: dict[Partition, _Waiting] = {}
        self.joined = False
        self._producer = TransactionalProducer(producer_config)
        own = {"partition.assignment.strategy": "cooperative-sticky", "enable.auto.commit": False}
        own |= {"auto.offset.reset": "earliest", "isolation.level": "read_committed"}
        self._consumer, self._guard = Consumer(dict(config) | own), Guard()
        self._flow = Flow(self._consumer, topics.tasks)
        callbacks = {"on_assign": self._assigned, "on_revoke": self._revoked, "on_lost": self._revoked}
        self._consumer.subscribe([topics.tasks], **{name: self._guard(each) for name, each in callbacks.items()})

    @property
    def owned(self) -> tuple[Partition, ...]:
        """The partitions of tasks that are this member's. From any thread."""
        return tuple(sorted(self._positions))

    def close(self) -> None:
        """Stop the scan and leave the group."""
        self._drop(list(self._waiting))
        self._consumer.close()

    def turn(self) -> None:
        """Take a task, look after the scan, write what came of it."""
        message = self._consumer.poll(BUSY_POLL_S if self._waiting else IDLE_POLL_S)
        self._guard.check()
        if message is not None and usable(message):
            self._take(record_of(message))
        running = next((waiting for waiting in self._waiting.values() if waiting.scan), None)
        if running is not None:
            self._look(running)
        else:
            self._begin()
        for partition in [p for p, waiting in self._waiting.items() if waiting.answer]:
            self._write(partition)
        self._flow.direct(self._positions.keys() - self._waiting.keys(), self._positions)

    def _take(self, record: Record) -> None:
        partition = record.partition
        if partition in self._waiting or record.offset < self._positions.get(partition, record.offset + 1):
            return
        waiting = self._waiting[partition] = _Waiting(record, None, self._fresh_until[partition])
        try:
            waiting.task = task_in(self._codec.decode(schemas.DISCOVERY_TASKS, record.value))
        except Poison as poison:
            why = why_dead(record, self._topics.tasks, poison.reason, self._clock.now())
            waiting.answer = [Message(self._topics.dead_letters, record.key, record.value, headers=why)]

    def _begin(self) -> None:
        """Start the scan of the task that is due and was issued first."""
        now = self._clock.monotonic()
        due = [w for w in self._waiting.values() if w.task and w.not_before <= now and w.answer is None]
        if due:
            first = min(due, key=lambda waiting: waiting.task.issued if waiting.task else 0)
            assert first.task is not None
            first.scan = self._scan(first.task)

    def _look(self, running: _Waiting) -> None:
        assert running.scan is not None
        told = running.scan.outcome
        if told is None:
            return
        running.scan = None
        if isinstance(told, Later):
            running.not_before = self._clock.monotonic() + told.seconds
        else:
            running.answer = self._messages(told)

    def _messages(self, result: Result) -> list[Message]:
        home = partition_of(OrgId(result.project), self._partitions)
        return [
            Message(
                self._topics.results, result.project.encode(), self._codec.encode(schemas.DISCOVERY_RESULTS, part), home
            )
            for part in results_out(result, self._clock.now())
        ]

    def _write(self, partition: Partition) -> None:
        """The answer and the offset in one transaction; once more in the next turn if nothing was written.

        Every owned partition's offset goes into every transaction, moved or not: see `TransactionalProducer.write`.
        """
        waiting = self._waiting[partition]
        after = self._positions | {partition: waiting.record.offset + 1}
        offsets = [TopicPartition(self._topics.tasks, p, offset) for p, offset in after.items()]
        try:
            self._producer.write(waiting.answer or [], offsets, self._consumer.consumer_group_metadata())
        except Aborted:
            return
        self._positions = after
        del self._waiting[partition]

    def _assigned(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        self.joined = True
        found = committed(consumer, places)
        consumer.incremental_assign(found)
        self._flow.assigned(Partition(place.partition) for place in found)
        for place in found:
            partition = Partition(place.partition)
            self._positions[partition] = place.offset
            self._fresh_until[partition] = self._clock.monotonic() + self._grace_s

    def _revoked(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        partitions = [Partition(place.partition) for place in places]
        self._drop(partitions)
        for partition in partitions:
            self._flow.forget(partition)
            self._positions.pop(partition, None)
            self._fresh_until.pop(partition, None)

    def _drop(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            waiting = self._waiting.pop(partition, None)
            if waiting is not None and waiting.scan is not None:
                waiting.scan.cancel()
