"""Reading a partition of compacted topics back, to the right end. For memories of some megabytes: it blocks.

The right end: see `Restore`. It must be called after the group's committed offsets were read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from consumer.adapters.kafka.asking import ASK_S, patiently
from consumer.adapters.kafka.restore import CONSUMER
from consumer.domain.errors import Fatal, Reason
from consumer.turn import Partition

BATCH = 1_000

Sink = Callable[[bytes, bytes | None], None]
"""Gets key and value of each record, in the order of their offsets."""


def read_back(config: Mapping[str, Any], partition: Partition, sinks: Mapping[str, Sink]) -> None:
    """Read that partition of each topic, committed records only, up to its present end. Blocks until it is read."""
    shared = {**config, "group.id": f"{config.get('group.id', 'dsr')}-restore", "enable.auto.commit": False}
    marks = _marks(shared, partition, sinks)
    consumer = Consumer(shared | CONSUMER)
    try:
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for topic in marks])
        while marks:
            for message in consumer.consume(BATCH, 0.5):
                topic, error = message.topic() or "", message.error()
                if error is None:
                    sinks[topic](message.key() or b"", message.value())
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 (a public constant)
                    if (message.offset() or 0) >= marks.get(topic, 0):
                        marks.pop(topic, None)
                elif error.fatal():
                    raise Fatal(Reason.BROKER_UNREACHABLE, error.name())
    finally:
        consumer.close()


def _marks(shared: Mapping[str, Any], partition: Partition, sinks: Mapping[str, Sink]) -> dict[str, int]:
    consumer = Consumer({**shared, "isolation.level": "read_uncommitted"})

    def end(topic: str) -> int:
        place = TopicPartition(topic, partition)
        return patiently(lambda: consumer.get_watermark_offsets(place, timeout=ASK_S))[1]

    try:
        return {topic: end(topic) for topic in sinks}
    finally:
        consumer.close()
