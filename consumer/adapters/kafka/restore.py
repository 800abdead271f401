"""Reading partitions of the ledger back into memory, a slice at a time, so that other partitions keep flowing.

The right end: once the group's committed offsets are known (which waits for offsets in pending transactions), the
ledger's high watermark is read without regard to transactions, and reading goes on, committed records only, until
that mark is passed. The last stable offset alone would not do: it may lag behind the commit of the offsets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from consumer.adapters.kafka.asking import ASK_S, patiently
from consumer.domain.errors import Fatal, Reason
from consumer.turn import Partition

SLICE_S = 0.2
BATCH = 5_000

Found = Callable[[Partition, dict[bytes, bytes]], None]


class Restore:
    """The partitions being restored. `found` is called with what the topic last said of each key."""

    def __init__(self, config: Mapping[str, Any], topic: str, found: Found) -> None:
        shared = {**config, "group.id": f"{config.get('group.id', 'dsr')}-restore", "enable.auto.commit": False}
        self._marks_config = shared | {"isolation.level": "read_uncommitted"}
        self._config = shared | {"isolation.level": "read_committed", "enable.partition.eof": True}
        self._topic, self._found = topic, found
        self._consumer: Consumer | None = None
        self._marks: dict[Partition, int] = {}
        self._latest: dict[Partition, dict[bytes, bytes]] = {}

    def begin(self, partition: Partition) -> None:
        """Start on a partition, after its committed offsets have been read. Blocks for one question to the broker."""
        marks = Consumer(self._marks_config)
        place = TopicPartition(self._topic, partition)
        self._marks[partition] = patiently(lambda: marks.get_watermark_offsets(place, timeout=ASK_S))[1]
        marks.close()
        self._latest[partition] = {}
        self._consumer = self._consumer or Consumer(self._config)
        self._consumer.incremental_assign([TopicPartition(self._topic, partition, OFFSET_BEGINNING)])

    def drop(self, partition: Partition) -> None:
        """Give a partition up: it is no longer ours. Nothing happens if it was not being restored."""
        if self._marks.pop(partition, None) is not None and self._consumer is not None:
            del self._latest[partition]
            self._consumer.incremental_unassign([TopicPartition(self._topic, partition)])

    def advance(self) -> None:
        """Read for at most a fifth of a second. Nothing happens if nothing is being restored."""
        until = time.monotonic() + SLICE_S
        while self._marks and self._consumer is not None and time.monotonic() < until:
            for message in self._consumer.consume(BATCH, 0.02):
                self._read(message)

    def _read(self, message: Message) -> None:
        partition = Partition(message.partition() or 0)
        if partition not in self._marks:
            return
        if error := message.error():
            self._at_end(partition, message, error)
        elif (value := message.value()) is None:
            self._latest[partition].pop(message.key() or b"", None)
        else:
            self._latest[partition][message.key() or b""] = value

    def _at_end(self, partition: Partition, message: Message, error: KafkaError) -> None:
        if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 (librdkafka's own public constant)
            if error.fatal():
                raise Fatal(Reason.BROKER_UNREACHABLE, error.name())
            return
        if (message.offset() or 0) >= self._marks[partition]:
            latest = self._latest[partition]
            self.drop(partition)
            self._found(partition, latest)

    def close(self) -> None:
        """Leave the broker."""
        if self._consumer is not None:
            self._consumer.close()
