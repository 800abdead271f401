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
from consumer.domain.subject import Millis
from consumer.ledger import CLOSED, Shard, Version
from consumer.turn import Partition

SLICE_S = 0.2
BATCH = 2_000
"""Records between two looks at the clock: some 20 ms of work."""
CONSUMER = {
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    # The restore's share of memory beside the shards: what librdkafka reads ahead, and one fetch on top of it.
    "queued.max.messages.kbytes": 8_192,
    "fetch.max.bytes": 4_194_304,
    "fetch.queue.backoff.ms": 10,
}

Found = Callable[[Partition, Shard], None]


class Restore:
    """The partitions being restored, each into a shard of its own. `found` is called with one that is fit for use."""

    def __init__(self, config: Mapping[str, Any], topic: str, shard: Callable[[], Shard], found: Found) -> None:
        shared = {**config, "group.id": f"{config.get('group.id', 'dsr')}-restore", "enable.auto.commit": False}
        self._marks_config = shared | {"isolation.level": "read_uncommitted"}
        self._config = shared | CONSUMER
        self._topic, self._shard, self._found = topic, shard, found
        self._consumer: Consumer | None = None
        self._marks: dict[Partition, int] = {}
        self._shards: dict[Partition, Shard] = {}

    def begin(self, partition: Partition) -> None:
        """Start on a partition, after its committed offsets have been read. Blocks for one question to the broker."""
        marks = Consumer(self._marks_config)
        place = TopicPartition(self._topic, partition)
        self._marks[partition] = patiently(lambda: marks.get_watermark_offsets(place, timeout=ASK_S))[1]
        marks.close()
        self._shards[partition] = self._shard()
        self._consumer = self._consumer or Consumer(self._config)
        self._consumer.incremental_assign([TopicPartition(self._topic, partition, OFFSET_BEGINNING)])

    def drop(self, partition: Partition) -> None:
        """Give a partition up: it is no longer ours. Nothing happens if it was not being restored."""
        self._leave(partition)
        if (shard := self._shards.pop(partition, None)) is not None:
            shard.close()

    def advance(self) -> None:
        """Work for at most a fifth of a second. Nothing happens if nothing is being restored."""
        until = time.monotonic() + SLICE_S
        while self._shards and time.monotonic() < until:
            for partition in self._shards.keys() - self._marks.keys():
                self._settle(partition)
            if self._marks and self._consumer is not None:
                self._read(self._consumer.consume(BATCH, 0.02))

    def _settle(self, partition: Partition) -> None:
        if self._shards[partition].settle(BATCH):
            self._found(partition, self._shards.pop(partition))

    def _read(self, messages: list[Message]) -> None:
        read: dict[int | None, list[Version]] = {partition: [] for partition in self._marks}
        ended: list[Message] = []
        for message in messages:
            versions = read.get(message.partition())
            if versions is None:
                continue
            if (error := message.error()) is None:
                headers = message.headers()
                versions.append((message.key() or b"", message.value(), _closed(headers) if headers else None))
            elif _is_end(error):
                ended.append(message)
        for partition in self._marks:
            self._shards[partition].load(read[partition])
        for message in ended:
            partition = Partition(message.partition() or 0)
            if (message.offset() or 0) >= self._marks[partition]:
                self._leave(partition)

    def _leave(self, partition: Partition) -> None:
        """Read no more of it."""
        if self._marks.pop(partition, None) is not None and self._consumer is not None:
            self._consumer.incremental_unassign([TopicPartition(self._topic, partition)])

    def close(self) -> None:
        """Leave the broker."""
        if self._consumer is not None:
            self._consumer.close()


def _closed(headers: Any) -> Millis | None:
    for name, value in headers:
        if name == CLOSED:
            return Millis(int(value))
    return None


def _is_end(error: KafkaError) -> bool:
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 (librdkafka's own public constant)
        return True
    if error.fatal():
        raise Fatal(Reason.BROKER_UNREACHABLE, error.name())
    return False
