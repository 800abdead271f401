"""The embedded broker carries records between ordinary clients, and fails on request."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from consumer.sandbox.broker import EmbeddedBroker


def produce(broker: EmbeddedBroker, topic: str, *values: bytes, **conf: object) -> list[KafkaError | None]:
    """Send the values to partition 0 and return what each delivery report said."""
    reports: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 0, "log_level": 0, **conf})
    for value in values:
        producer.produce(topic, value, partition=0, on_delivery=lambda error, _: reports.append(error))
    producer.flush(15)
    return reports


def consume(broker: EmbeddedBroker, topic: str, count: int, **conf: object) -> list[bytes]:
    """Join a new group and read `count` records within 10 s."""
    reader = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "log_level": 0,
            **conf,
        }
    )
    reader.subscribe([topic])
    values, end = [], time.monotonic() + 10
    while len(values) < count and time.monotonic() < end:
        record = reader.poll(0.2)
        if record is not None and not record.error():
            values.append(record.value())
    reader.close()
    return values


def test_topics_have_the_partitions_that_were_asked_for():
    """`create_topic` is how partition counts are made, since AdminClient cannot."""
    with EmbeddedBroker({"a": 1, "b": 6}) as broker:
        topics = Producer({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=5).topics
        assert {name: len(topic.partitions) for name, topic in topics.items()} == {"a": 1, "b": 6}


def test_a_topic_is_made_once():
    """A second creation is a mistake of the caller."""
    with EmbeddedBroker({"a": 1}) as broker, pytest.raises((RuntimeError, ValueError), match="topic a"):
        broker.create_topic("a", 1)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_group_reads_what_was_produced(protocol):
    """Both group protocols work."""
    with EmbeddedBroker({"a": 1}) as broker:
        assert produce(broker, "a", b"1", b"2") == [None, None]
        assert consume(broker, "a", 2, **{"group.protocol": protocol}) == [b"1", b"2"]


def test_a_new_group_is_assigned_at_once():
    """The mock cluster's own 3 s of rebalance delay are switched off."""
    with EmbeddedBroker({"a": 1}) as broker:
        produce(broker, "a", b"1")
        begin = time.monotonic()
        assert consume(broker, "a", 1) == [b"1"]
        assert time.monotonic() - begin < 2.5


def test_pushed_errors_are_retried_by_the_producer():
    """Two NOT_ENOUGH_REPLICAS (19) cost two retries and no record."""
    with EmbeddedBroker({"a": 1}) as broker:
        broker.push_errors("Produce", 19, 19)
        assert produce(broker, "a", b"1", **{"retry.backoff.ms": 10}) == [None]


def test_a_pushed_fatal_error_reaches_the_delivery_report():
    """TOPIC_AUTHORIZATION_FAILED (29) is not retried."""
    with EmbeddedBroker({"a": 1}) as broker:
        broker.push_errors("Produce", 29)
        assert [error.code() for error in produce(broker, "a", b"1")] == [29]


def test_a_broker_that_is_down_serves_again_when_up():
    """Nothing is delivered in between, and the records are still there."""
    with EmbeddedBroker({"a": 1}) as broker:
        produce(broker, "a", b"1")
        broker.down()
        assert [e.code() for e in produce(broker, "a", b"lost", **{"message.timeout.ms": 700})] == [
            KafkaError._MSG_TIMED_OUT
        ]
        broker.up()
        assert produce(broker, "a", b"2") == [None]
        assert consume(broker, "a", 2) == [b"1", b"2"]


def test_transactional_offsets_are_dropped_as_documented():
    """The reason why no guarantee is tested here; should it start to work, the module's docstring is wrong."""
    with EmbeddedBroker({"a": 1}) as broker:
        reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g"})
        writer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "t"})
        writer.init_transactions(5)
        writer.begin_transaction()
        writer.send_offsets_to_transaction([TopicPartition("a", 0, 7)], reader.consumer_group_metadata(), 5)
        writer.commit_transaction(5)
        assert reader.committed([TopicPartition("a", 0)], timeout=5)[0].offset == -1001
        reader.close()


def test_a_broker_that_has_ended_has_no_address():
    """Rather than a crash inside librdkafka."""
    with EmbeddedBroker({}) as broker:
        assert broker.bootstrap.startswith("127.0.0.1:")
    with pytest.raises(RuntimeError, match="not running"):
        broker.bootstrap  # noqa: B018  reading it is the point
