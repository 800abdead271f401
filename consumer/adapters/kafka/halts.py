"""Notices that a person has lifted a halt: `dsr resume` writes a tombstone beside the halt, into the same ledger.

The ledger is where a halt survives a restart; reading its end is the one channel that works for every member, with or
without an admin port, and while the commands' topic is not being read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from consumer.adapters.kafka.asking import ASK_S, patiently
from consumer.domain.halt import HALT_KEY
from consumer.turn import Partition

BATCH = 1_000


class HaltWatch:
    """Follows the ledger of halted partitions. Lives in the Kafka thread; connects only once something is halted."""

    def __init__(self, config: Mapping[str, Any], topic: str) -> None:
        own = {"group.id": f"{config.get('group.id', 'dsr')}-halts", "enable.auto.commit": False}
        self._config, self._topic = {**config, **own, "isolation.level": "read_committed"}, topic
        self._watched: set[Partition] = set()
        self._consumer: Consumer | None = None

    def watch(self, partition: Partition) -> None:
        """Follow the partition from its present end on. Blocks for one question to the broker.

        Ask before the halt is committed: a tombstone cannot come earlier than the halt it lifts.
        """
        if partition in self._watched:
            return
        consumer = self._consumer = self._consumer or Consumer(self._config)
        place = TopicPartition(self._topic, partition)
        place.offset = patiently(lambda: consumer.get_watermark_offsets(place, timeout=ASK_S))[1]
        consumer.incremental_assign([place])
        self._watched.add(partition)

    def forget(self, partition: Partition) -> None:
        """Follow it no more. Nothing happens if it was not followed."""
        if partition in self._watched and self._consumer is not None:
            self._watched.discard(partition)
            self._consumer.incremental_unassign([TopicPartition(self._topic, partition)])

    def lifted(self) -> set[Partition]:
        """The partitions whose halt was lifted since the last call; they are followed no more. Never blocks."""
        if not self._watched or self._consumer is None:
            return set()
        messages = [m for m in self._consumer.consume(BATCH, 0) if m.error() is None]
        found = {Partition(m.partition() or 0) for m in messages if _lifts(m)} & self._watched
        for partition in found:
            self.forget(partition)
        return found

    def close(self) -> None:
        """Leave the broker."""
        if self._consumer is not None:
            self._consumer.close()


def _lifts(message: Message) -> bool:
    return message.key() == HALT_KEY.encode() and message.value() is None
