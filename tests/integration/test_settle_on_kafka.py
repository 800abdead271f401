"""A partition that is given up is settled first: what was sent comes home while it is still this member's."""

import threading
import time

import pytest
from confluent_kafka import KafkaError, KafkaException

import schemas
from consumer.turn import Proposal
from tests.integration import intake_worker
from tests.integration.test_halt_on_kafka import Threads, until
from tests.integration.test_intake_on_kafka import PARTITIONS


class Answering(intake_worker.Nobody):
    """Has one call in flight for every partition; the answers arrive a moment after no more may be sent."""

    def __init__(self, after_s=0.3):
        self.after_s, self.epochs, self.settled, self.written, self.dropped = after_s, {}, [], [], []
        self.late = set()

    def opened(self, partition, epoch, states, watched):
        self.epochs[partition] = epoch
        self.late.add(partition)

    def settling(self, partition):
        if partition in self.late and partition not in self.settled:
            self.settled.append(partition)
            self.later(partition)

    def later(self, partition):
        timer = threading.Timer(self.after_s, self.answer, [partition])
        timer.daemon = True
        timer.start()

    def busy(self, partition):
        return partition in self.late

    def answer(self, partition):
        def decide(turn):
            state = turn.project(partition, f"of-{partition}")
            turn.put_project(partition, state._replace(counted=7))

        self.stream.propose(Proposal(partition, self.epochs[partition], decide, lambda ok: self.done(partition, ok)))

    def done(self, partition, committed):
        (self.written if committed else self.dropped).append(partition)
        self.late.discard(partition)


@pytest.fixture
def members(kafka_bootstrap):
    members = Threads(kafka_bootstrap)
    yield members
    members.stop()


def states(members):
    records = members.read(members.topics.ledger)
    values = [intake_worker.codec.decode(schemas.LEDGER, m.value()) for m in records if m.value()]
    return {v["project"]["project"] for v in values if v["project"] and v["project"]["counted"] == 7}


def joined(members, name, followers):
    followers.stream = members.start(name, followers=followers)
    return followers.stream


def test_a_shutdown_waits_for_the_answers_that_are_on_their_way(members):
    """And writes them down before the group is left."""
    followers = Answering()
    stream = joined(members, "a", followers)
    until(lambda: len(stream.report.owned) == PARTITIONS)
    assert stream.report.joined
    members.end("a")
    assert sorted(followers.written) == list(range(PARTITIONS))
    assert {f"of-{p}" for p in range(PARTITIONS)} == states(members)
    assert not stream.report.alive


def test_a_rebalance_waits_for_the_answers_of_the_partitions_that_go(members):
    """In the revocation itself: the transaction is still this member's, and the next owner restores what it wrote."""
    first, second = Answering(), Answering()
    one = joined(members, "a", first)
    until(lambda: len(one.report.owned) == PARTITIONS)
    two = joined(members, "b", second)
    until(lambda: len(one.report.owned) == len(two.report.owned) == PARTITIONS // 2)
    moved = set(two.report.owned)
    assert moved == set(first.settled) == set(first.written)
    assert {f"of-{p}" for p in moved} == states(members)


def test_an_answer_that_does_not_come_is_not_waited_for_long(members):
    """The next owner reconciles it; a late proposal is dropped."""
    followers = Answering(after_s=3_600)
    stream = joined(members, "a", followers)
    until(lambda: len(stream.report.owned) == PARTITIONS)
    began = time.monotonic()
    members.end("a")
    assert time.monotonic() - began < 25
    assert followers.written == []
    assert not states(members)


class Breaking(intake_worker.Nobody):
    """Fails inside a rebalance, as a broker that answers badly would make the service fail."""

    def settling(self, partition):
        raise KafkaException(KafkaError(KafkaError._FAIL))


def test_what_fails_inside_a_rebalance_ends_the_thread_and_is_said(members):
    """confluent-kafka makes it something that no `except` catches: the thread would end as if it had been asked."""
    stream = joined(members, "a", Breaking())
    until(lambda: len(stream.report.owned) == PARTITIONS)
    joined(members, "b", intake_worker.Nobody())
    stream.join(60)
    del members.members["a"]
    assert isinstance(stream.failure, KafkaException)
