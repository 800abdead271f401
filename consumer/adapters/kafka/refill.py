"""Filling an empty ledger from a backup, in one transaction: all of it, or nothing.

Only into a topic that holds nothing, and only while no member serves: what members have in memory and what the topic
says must be the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from consumer.adapters.kafka.producing import Message
from consumer.adapters.kafka.reading import TopicReader, lost, reaching
from consumer.adapters.kafka.topics import LEDGER_BYTES
from consumer.domain.errors import Fatal, Reason

CALL_S = 30.0
TIMEOUT_MS = 900_000
"""The longest transaction that brokers allow unless told otherwise."""


def free(config: Mapping[str, Any], group: str, reader: TopicReader) -> None:
    """Returns if the ledger that the reader reads is empty, and no member of the group is there. Blocks.

    `Fatal(LEDGER_IN_USE)` otherwise; what the transactions of earlier attempts left behind is nothing.
    """
    client = AdminClient({**config, "log_level": 0})  # must stay referenced until the answer: its end cancels it
    try:
        members = len(client.describe_consumer_groups([group], request_timeout=CALL_S)[group].result(CALL_S).members)
    except KafkaException as error:
        raise Fatal(Reason.BROKER_UNREACHABLE, lost(error.args[0])) from None
    except TimeoutError:
        raise Fatal(Reason.BROKER_UNREACHABLE, "no answer in time") from None
    if members:
        raise Fatal(Reason.LEDGER_IN_USE, f"{members} members of {group} are running; stop them first")
    if next(reader.to_end(), None) is not None:
        raise Fatal(Reason.LEDGER_IN_USE, "the ledger holds records; a backup goes into an empty one only")


def refill(config: Mapping[str, Any], topic: str, group: str, messages: Iterable[Message]) -> int:
    """Write the messages; returns how many. Raises what `messages` raises, and nothing was written then. Blocks.

    Two at once exclude each other. `Fatal(BROKER_UNREACHABLE)` when Kafka does not take them, for its reason.
    """
    own = {"transactional.id": f"{group}-import", "transaction.timeout.ms": TIMEOUT_MS}
    tuned = {"message.max.bytes": LEDGER_BYTES, "log_level": 0, "linger.ms": 20}
    with reaching(topic):
        producer = Producer({**tuned, **own, **config})
        producer.init_transactions(CALL_S)
        producer.begin_transaction()
        try:
            written = 0
            for message in messages:
                _produce(producer, message)
                written += 1
            producer.commit_transaction(CALL_S)
        except BaseException:
            producer.abort_transaction(CALL_S)
            raise
    return written


def _produce(producer: Producer, message: Message) -> None:
    headers: Any = list(message.headers)
    while True:
        try:
            producer.produce(message.topic, message.value, message.key, partition=message.partition, headers=headers)
        except BufferError:
            producer.poll(0.1)
        else:
            return
