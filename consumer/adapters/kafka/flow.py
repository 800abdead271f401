"""Which partitions are read at the moment, and from where.

A partition that is stopped starts again at the next offset to be taken, whatever was fetched or read ahead meanwhile:
one rule serves restores, halts, back-pressure, a registry that is down and aborted transactions alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from consumer.turn import Partition


class Flow:
    """Pauses and resumes the partitions of one topic. Lives in the thread that owns the consumer."""

    def __init__(self, consumer: Consumer, topic: str) -> None:
        self._consumer, self._topic = consumer, topic
        self._flowing: set[Partition] = set()

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """New partitions stand still until they are directed to flow."""
        self._consumer.pause([TopicPartition(self._topic, p) for p in partitions])

    def forget(self, partition: Partition) -> None:
        """The partition is no longer ours."""
        self._flowing.discard(partition)

    def stop(self, partitions: Collection[Partition]) -> None:
        """Stand still, and forget what was read ahead."""
        stopping = self._flowing & set(partitions)
        if stopping:
            self._consumer.pause([TopicPartition(self._topic, p) for p in stopping])
            self._flowing -= stopping

    def direct(self, wanted: Collection[Partition], positions: Mapping[Partition, int]) -> None:
        """Let just these flow, each from its position on. One that cannot be moved yet is moved in a later turn."""
        self.stop(self._flowing - set(wanted))
        for partition in set(wanted) - self._flowing:
            try:
                self._consumer.seek(TopicPartition(self._topic, partition, positions[partition]))
            except KafkaException:  # its fetcher has not begun: right after an assignment
                continue
            self._consumer.resume([TopicPartition(self._topic, partition)])
            self._flowing.add(partition)
