"""What the delivery guarantee takes for granted about Apache Kafka and librdkafka, each fact by itself.

If one of these fails after an upgrade, the ledger's reasoning no longer holds: read the design before changing a test.
"""

import time
import uuid
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

pytestmark = pytest.mark.kafka

WAIT_S = 30
NOTHING = -1001
PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])
CLASSIC = {
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 300,
}
STALE = {
    "classic": {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID},
    "consumer": {KafkaError.STALE_MEMBER_EPOCH, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION},
}


@contextmanager
def member(bootstrap, group, topic, protocol="classic"):
    """A member of a cooperative group on one topic; closed at the end. KIP-848's protocol is always cooperative."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "group.protocol": protocol,
            **(CLASSIC if protocol == "classic" else {}),
        }
    )
    consumer.subscribe([topic])
    try:
        yield consumer
    finally:
        consumer.close()


def producer(bootstrap, transactional_id):
    """A transactional producer that has fenced its predecessors."""
    made = Producer(
        {"bootstrap.servers": bootstrap, "transactional.id": transactional_id, "linger.ms": 0, "log_level": 0}
    )
    made.init_transactions(WAIT_S)
    return made


def until(condition, *consumers):
    """Poll the consumers in turn until the condition holds; what they read meanwhile is thrown away."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        for consumer in consumers or (None,):
            consumer.poll(0.05) if consumer else time.sleep(0.05)


def partitions(consumer):
    return {each.partition for each in consumer.assignment()}


def read(bootstrap, topic, isolation="read_committed", partition=0):
    """The values from the beginning to the end of a partition, as this isolation level sees the end."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": uuid.uuid4().hex,
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0)])
    values, end = [], time.monotonic() + WAIT_S
    while time.monotonic() < end:
        message = consumer.poll(1)
        if message is not None and message.error():
            assert message.error().code() == KafkaError._PARTITION_EOF
            break
        if message is not None:
            values.append(message.value())
    consumer.close()
    return values


def committed(consumer, topic, partition=0):
    return consumer.committed([TopicPartition(topic, partition)], timeout=WAIT_S)[0].offset


def stale_metadata(bootstrap, group, topic, protocol="classic"):
    """The group metadata of a member that owned the partition and has left."""
    with member(bootstrap, group, topic, protocol) as gone:
        until(lambda: partitions(gone) == {0}, gone)
        return gone.consumer_group_metadata()


@PROTOCOLS
def test_a_transaction_with_offsets_of_a_stale_generation_aborts(kafka_bootstrap, topics, protocol):
    """The fence: what a zombie says is never seen, because its offsets are refused."""
    commands, outcomes, group = topics("commands"), topics("outcomes"), uuid.uuid4().hex
    metadata = stale_metadata(kafka_bootstrap, group, commands, protocol)
    with member(kafka_bootstrap, group, commands, protocol) as owner:
        until(lambda: partitions(owner) == {0}, owner)
        zombie = producer(kafka_bootstrap, group)
        zombie.begin_transaction()
        zombie.produce(outcomes, b"zombie")
        with pytest.raises(KafkaException) as refused:
            zombie.send_offsets_to_transaction([TopicPartition(commands, 0, 5)], metadata, WAIT_S)
        error = refused.value.args[0]
        assert error.code() in STALE[protocol]
        assert error.txn_requires_abort()
        zombie.abort_transaction(WAIT_S)
        assert committed(owner, commands) == NOTHING
    assert read(kafka_bootstrap, outcomes) == []


def test_the_same_transaction_without_offsets_commits(kafka_bootstrap, topics):
    """Negative control: nothing else stops a zombie, so every transaction must carry offsets."""
    commands, outcomes, group = topics("commands"), topics("outcomes"), uuid.uuid4().hex
    stale_metadata(kafka_bootstrap, group, commands)
    with member(kafka_bootstrap, group, commands) as owner:
        until(lambda: partitions(owner) == {0}, owner)
        zombie = producer(kafka_bootstrap, group)
        zombie.begin_transaction()
        zombie.produce(outcomes, b"zombie")
        zombie.commit_transaction(WAIT_S)
    assert read(kafka_bootstrap, outcomes) == [b"zombie"]


def test_read_committed_hides_aborted_records(kafka_bootstrap, topics):
    """They are in the log, and read_uncommitted sees them."""
    topic = topics("outcomes")
    writer = producer(kafka_bootstrap, uuid.uuid4().hex)
    for value, end in ((b"aborted", writer.abort_transaction), (b"committed", writer.commit_transaction)):
        writer.begin_transaction()
        writer.produce(topic, value)
        writer.flush(WAIT_S)
        end(WAIT_S)
    assert read(kafka_bootstrap, topic) == [b"committed"]
    assert read(kafka_bootstrap, topic, "read_uncommitted") == [b"aborted", b"committed"]


def test_read_committed_stops_at_the_last_stable_offset(kafka_bootstrap, topics):
    """An open transaction hides even records that are not part of any, until it ends."""
    topic = topics("outcomes")
    writer, plain = (
        producer(kafka_bootstrap, uuid.uuid4().hex),
        Producer({"bootstrap.servers": kafka_bootstrap, "log_level": 0}),
    )
    writer.begin_transaction()
    writer.produce(topic, b"open")
    writer.flush(WAIT_S)
    plain.produce(topic, b"plain")
    plain.flush(WAIT_S)
    assert read(kafka_bootstrap, topic) == []
    writer.commit_transaction(WAIT_S)
    assert read(kafka_bootstrap, topic) == [b"open", b"plain"]


def test_a_second_producer_with_the_same_id_fences_the_first(kafka_bootstrap, topics):
    """The first one's open transaction is aborted, and its commit is fatal to it."""
    topic, name = topics("outcomes"), uuid.uuid4().hex
    first = producer(kafka_bootstrap, name)
    first.begin_transaction()
    first.produce(topic, b"first")
    first.flush(WAIT_S)
    second = producer(kafka_bootstrap, name)
    with pytest.raises(KafkaException) as fenced:
        first.commit_transaction(WAIT_S)
    assert fenced.value.args[0].fatal()
    assert fenced.value.args[0].code() == KafkaError._FENCED
    second.begin_transaction()
    second.produce(topic, b"second")
    second.commit_transaction(WAIT_S)
    assert read(kafka_bootstrap, topic) == [b"second"]


@pytest.mark.parametrize("resumed", [False, True])
def test_a_pause_survives_revoke_and_assign(kafka_bootstrap, topics, resumed):
    """A partition that comes back stays silent unless it is resumed when it is assigned."""
    topic, group = topics("commands"), uuid.uuid4().hex
    writer = Producer({"bootstrap.servers": kafka_bootstrap, "log_level": 0})
    assigned = (lambda consumer, parts: consumer.resume(parts)) if resumed else (lambda consumer, parts: None)
    with member(kafka_bootstrap, group, topic) as consumer:
        until(lambda: partitions(consumer) == {0}, consumer)
        consumer.pause(consumer.assignment())
        consumer.unsubscribe()
        until(lambda: partitions(consumer) == set(), consumer)
        consumer.subscribe([topic], on_assign=assigned)
        until(lambda: partitions(consumer) == {0}, consumer)
        writer.produce(topic, b"command")
        writer.flush(WAIT_S)
        end, message = time.monotonic() + (WAIT_S if resumed else 3), None
        while message is None and time.monotonic() < end:
            message = consumer.poll(0.1)
    assert (message is not None) is resumed


@PROTOCOLS
def test_a_live_member_can_commit_for_a_partition_it_lost(kafka_bootstrap, topics, protocol):
    """Membership is not ownership: the broker checks the first only, so the second is fenced by us."""
    topic, group = topics("commands", partitions=2), uuid.uuid4().hex
    with member(kafka_bootstrap, group, topic, protocol) as loser:
        until(lambda: partitions(loser) == {0, 1}, loser)
        with member(kafka_bootstrap, group, topic, protocol) as winner:
            until(lambda: len(partitions(loser)) == len(partitions(winner)) == 1, loser, winner)
            [lost] = {0, 1} - partitions(loser)
            assert partitions(winner) == {lost}
            of_the_loser = loser.consumer_group_metadata()
            writer = producer(kafka_bootstrap, group)
            writer.begin_transaction()
            writer.send_offsets_to_transaction([TopicPartition(topic, lost, 7)], of_the_loser, WAIT_S)
            writer.commit_transaction(WAIT_S)
            assert committed(winner, topic, lost) == 7
