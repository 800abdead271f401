"""What a person's desk writes to Kafka: commands, and the tombstones that lift halts. Idempotent, no transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from consumer.adapters.kafka.reading import reaching
from consumer.adapters.kafka.topics import COMMAND_BYTES
from consumer.domain.errors import Fatal, Reason
from consumer.domain.halt import HALT_KEY
from consumer.turn import Partition

DELIVERY_S = 30


def send(config: Mapping[str, Any], topic: str, records: Sequence[tuple[bytes, bytes]]) -> list[bool]:
    """Produce (key, value) pairs in their order and wait; which of them Kafka certainly has.

    Blocks for at most about `DELIVERY_S`. A record that is not reported as delivered may still be there.
    """
    delivered = [False] * len(records)
    producer = _producer(config)
    with reaching(topic):
        for index, (key, value) in enumerate(records):
            _produce(producer, topic, value, key, on_delivery=_marking(delivered, index))
        producer.flush(DELIVERY_S + 5)
    return delivered


def lift(config: Mapping[str, Any], ledger: str, partitions: Iterable[Partition]) -> None:
    """Take the halt out of these partitions of the ledger; the service that owns them sees it and goes on."""
    wanted = list(partitions)
    delivered = [False] * len(wanted)
    producer = _producer(config)
    with reaching(ledger):
        for index, partition in enumerate(wanted):
            mark = _marking(delivered, index)
            _produce(producer, ledger, None, HALT_KEY.encode(), partition=partition, on_delivery=mark)
        producer.flush(DELIVERY_S + 5)
    if not all(delivered):
        raise Fatal(Reason.BROKER_UNREACHABLE, "not every halt was lifted; try again")


def _producer(config: Mapping[str, Any]) -> Producer:
    own = {"enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 5, "log_level": 0}
    own |= {"message.max.bytes": COMMAND_BYTES}
    return Producer(own | dict(config) | {"delivery.timeout.ms": DELIVERY_S * 1000})


def _produce(producer: Producer, topic: str, value: bytes | None, key: bytes, **more: Any) -> None:
    while True:
        try:
            producer.produce(topic, value, key, **more)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _marking(delivered: list[bool], index: int) -> Any:
    def mark(error: KafkaError | None, _message: Message) -> None:
        delivered[index] = error is None

    return mark
