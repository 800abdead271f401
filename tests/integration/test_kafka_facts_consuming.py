"""What the consumer's loop takes for granted about Kafka and librdkafka; test_kafka_facts.py has the rest."""

from __future__ import annotations

import threading
import time
import uuid

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

WAIT_S = 30


def consumer_of(bootstrap, group, **more):
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "log_level": 0,
            **more,
        }
    )


def test_committed_waits_for_the_offsets_of_an_open_transaction(kafka_bootstrap, topics):
    """A new owner cannot read the position that its predecessor's unfinished transaction is about to move (KIP-447)."""
    topic, group = topics("commands"), uuid.uuid4().hex
    member = consumer_of(kafka_bootstrap, group)
    member.subscribe([topic])
    end = time.monotonic() + WAIT_S
    while not member.assignment() and time.monotonic() < end:
        member.poll(0.1)
    writer = Producer({"bootstrap.servers": kafka_bootstrap, "transactional.id": group})
    writer.init_transactions(WAIT_S)
    writer.begin_transaction()
    writer.send_offsets_to_transaction([TopicPartition(topic, 0, 7)], member.consumer_group_metadata(), WAIT_S)
    reader, answers = consumer_of(kafka_bootstrap, group), []
    asking = threading.Thread(target=lambda: answers.extend(reader.committed([TopicPartition(topic, 0)], WAIT_S)))
    asking.start()
    asking.join(2)
    assert asking.is_alive()
    writer.commit_transaction(WAIT_S)
    asking.join(WAIT_S)
    assert [each.offset for each in answers] == [7]
    reader.close()
    member.close()


def test_consume_waits_for_the_full_count_or_the_whole_time(kafka_bootstrap, topics):
    """So the loop polls first and then takes what is there with a time-out of 0."""
    topic = topics("commands")
    writer = Producer({"bootstrap.servers": kafka_bootstrap})
    writer.produce(topic, b"1")
    writer.flush(WAIT_S)
    reader = consumer_of(kafka_bootstrap, uuid.uuid4().hex)
    reader.assign([TopicPartition(topic, 0, 0)])
    assert reader.poll(WAIT_S).value() == b"1"
    writer.produce(topic, b"2")
    writer.flush(WAIT_S)
    began = time.monotonic()
    assert [each.value() for each in reader.consume(10, 3)] == [b"2"]
    assert time.monotonic() - began >= 2.9
    reader.close()


@pytest.mark.parametrize(
    "protocol",
    [
        {"partition.assignment.strategy": "cooperative-sticky", "session.timeout.ms": 6000},
        {"group.protocol": "consumer"},
    ],
    ids=["classic", "KIP-848"],
)
def test_two_members_share_one_topic_and_the_survivor_gets_all(kafka_bootstrap, topics, protocol):
    """Of the topic subscribed to and of no other, under both group protocols."""
    topic, group = topics("commands", partitions=4), uuid.uuid4().hex
    topics("bystander", partitions=4)
    first, second = (consumer_of(kafka_bootstrap, group, **protocol) for _ in range(2))
    for each in (first, second):
        each.subscribe([topic])

    def settle(members, wanted):
        end = time.monotonic() + WAIT_S
        while [len(each.assignment()) for each in members] != wanted:
            assert time.monotonic() < end
            for each in members:
                each.poll(0.05)

    settle([first, second], [2, 2])
    assert {part.topic for each in (first, second) for part in each.assignment()} == {topic}
    assert {part.partition for each in (first, second) for part in each.assignment()} == {0, 1, 2, 3}
    first.close()
    settle([second], [4])
    second.close()
