"""Producing dead letters again, each at most once whatever is killed when.

The letters and what is remembered of them (the committed offset of a group of its own, and the text beside it) are
one transaction. The transactional id is fixed, so a second run waits for, or ends, the transaction of the first before
it reads how far that got. It needs a real Kafka: the embedded broker drops offsets that are sent to a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Self

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from consumer.adapters.kafka.reading import TopicReader, lost, reaching
from consumer.adapters.kafka.topics import COMMAND_BYTES
from consumer.domain.errors import Fatal, Reason
from consumer.domain.letter import Letter, Redriven
from consumer.turn import Partition

CALL_S = 30.0
TIMEOUT_MS = 10_000
"""After this long the broker ends the transaction of a run that was killed; until then its progress is not known."""
TRANSACTION = 200
"""Letters in one transaction."""

Progress = dict[int, Redriven]


def letters(reader: TopicReader) -> list[Letter]:
    """Every dead letter that is there, by partition and offset."""
    found = [Letter(r.partition, r.offset, r.key, r.value, r.headers) for r in reader.to_end()]
    return sorted(found, key=lambda letter: (letter.partition, letter.offset))


def progress(config: Mapping[str, Any], topic: str, group: str, partitions: Iterable[Partition]) -> Progress:
    """What earlier runs have produced again. Waits for a transaction of another run that is still open."""
    consumer = _member(config, group)
    try:
        return _progress(consumer, topic, partitions)
    finally:
        consumer.close()


class Redrive:
    """One run. Use as a context manager: entering ends what another run left open, so read `progress` afterwards.

    A letter goes back to the topic that it was read from, if that is one of `targets`, else to the first of them.
    """

    def __init__(self, config: Mapping[str, Any], topic: str, group: str, targets: Sequence[str]) -> None:
        self._config, self._topic, self._group, self._targets = config, topic, group, targets

    def __enter__(self) -> Self:
        own = {"partitioner": "murmur2_random", "message.max.bytes": 2 * COMMAND_BYTES, "log_level": 0}
        self._producer = Producer(
            own | dict(self._config) | {"transactional.id": self._group, "transaction.timeout.ms": TIMEOUT_MS}
        )
        self._consumer = _member(self._config, self._group)
        with reaching(self._topic):
            self._producer.init_transactions(CALL_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def progress(self, partitions: Iterable[Partition]) -> Progress:
        """As the function of this name, as this run's own."""
        return _progress(self._consumer, self._topic, partitions)

    def send(self, chosen: Sequence[Letter], there: Sequence[Letter], done: Progress) -> Progress:
        """Produce the chosen letters, of all that are `there`, in transactions of `TRANSACTION` each.

        Returns the new progress. `Fatal` when Kafka refuses; what was committed until then is remembered.
        """
        waiting, now = iter(chosen), dict(done)
        while part := list(islice(waiting, TRANSACTION)):
            now = self._commit(part, there, now)
        return now

    def _commit(self, part: Sequence[Letter], there: Sequence[Letter], done: Progress) -> Progress:
        after = dict(done)
        for partition in {letter.partition for letter in part}:
            present = [letter.offset for letter in there if letter.partition == partition]
            chosen = [letter.offset for letter in part if letter.partition == partition]
            after[partition] = after.get(partition, Redriven()).plus(chosen, present)
        places = [
            TopicPartition(self._topic, partition, each.upto, metadata=each.memory) for partition, each in after.items()
        ]
        try:
            self._producer.begin_transaction()
            for letter in part:
                headers: Any = list(letter.onward())
                target = letter.topic if letter.topic in self._targets else self._targets[0]
                self._producer.produce(target, letter.value, letter.key, headers=headers)
            self._producer.send_offsets_to_transaction(places, self._consumer.consumer_group_metadata(), CALL_S)
            self._producer.commit_transaction(CALL_S)
        except KafkaException as error:
            raise _failed(error) from None
        return after


def _failed(error: KafkaException) -> Fatal:
    """Nothing is aborted here: the broker does so when the next run begins, or after the transaction's timeout."""
    if error.args[0].fatal():
        return Fatal(Reason.FENCED, "another redrive has begun")
    return Fatal(Reason.BROKER_UNREACHABLE, f"{lost(error.args[0])}; what was not produced will be next time")


def _member(config: Mapping[str, Any], group: str) -> Consumer:
    own = {"log_level": 0, "enable.auto.commit": False}
    return Consumer(own | dict(config) | {"group.id": group, "isolation.level": "read_committed"})


def _progress(consumer: Consumer, topic: str, partitions: Iterable[Partition]) -> Progress:
    with reaching(topic):
        found = consumer.committed([TopicPartition(topic, partition) for partition in partitions], timeout=CALL_S)
    return {place.partition: Redriven.parse(place.offset, place.metadata or "") for place in found}
