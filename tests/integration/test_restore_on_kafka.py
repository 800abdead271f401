"""Restoring ledgers from a real Kafka: what was written, and committed, is what is found."""

import time
import uuid

import pytest
from confluent_kafka import Producer

from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.kafka.restore import Restore
from consumer.adapters.ledger_codec import ledger_codec
from consumer.adapters.wire import halt_out, project_out
from consumer.domain.errors import Reason
from consumer.domain.halt import HALT_KEY, Halt
from consumer.domain.project import ProjectState
from consumer.ledger import PROJECT_KEY, Shard, headers_of
from tests.fakes.commands import NOW
from tests.fakes.entries import lives

pytestmark = pytest.mark.kafka

WAIT_S = 30
HALT = Halt(Reason.TOO_MANY_DEAD_LETTERS, NOW, 101)
codec = Codec(DirectorySource())
ledger = ledger_codec(codec)


class Writer:
    """Writes ledgers as the service does: in transactions."""

    def __init__(self, bootstrap, topic):
        self.topic, self.name = topic, uuid.uuid4().hex
        self.producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": self.name, "log_level": 0})
        self.producer.init_transactions(WAIT_S)
        self.producer.begin_transaction()

    def entry(self, partition, entry):
        self.record(partition, entry.key, ledger.encode(entry), headers_of(entry))

    def record(self, partition, key, value, headers=()):
        self.producer.produce(self.topic, value, key.encode(), partition, headers=list(headers))

    def end(self, commit=True):
        (self.producer.commit_transaction if commit else self.producer.abort_transaction)(WAIT_S)
        self.producer.begin_transaction()


class Reader:
    """Restores in slices; `found` are the partitions that are done."""

    def __init__(self, bootstrap, topic):
        self.found = {}
        config = {"bootstrap.servers": bootstrap, "group.id": uuid.uuid4().hex, "log_level": 0}
        self.restore = Restore(config, topic, lambda: Shard(ledger, 10**9), self.found.__setitem__)

    def until(self, *partitions):
        end = time.monotonic() + WAIT_S
        while set(partitions) - self.found.keys():
            assert time.monotonic() < end, "it was not restored"
            self.restore.advance()


@pytest.fixture
def place(kafka_bootstrap, topics):
    topic = topics("ledger", partitions=2, **{"cleanup.policy": "compact"})
    reader = Reader(kafka_bootstrap, topic)
    yield Writer(kafka_bootstrap, topic), reader
    reader.restore.close()


def test_what_was_committed_last_of_each_key_is_what_is_restored(place):
    """Versions, closed requests, tombstones, projects and the halt; nothing of an aborted transaction."""
    writer, reader = place
    requests = [lives(number) for number in range(1, 201)]
    for kind in ("accepted", "scheduled"):
        for entries in requests:
            writer.entry(0, entries[kind])
        writer.end()
    for entries in requests[:150]:
        writer.entry(0, entries["closed"])
    for entries in requests[100:110]:
        writer.record(0, entries["closed"].key, None)
    for counted in (1, 2):
        state = ProjectState("shop", counted=counted)
        writer.record(0, f"{PROJECT_KEY}shop", codec.encode("dsr.ledger-value", project_out(state)))
    writer.record(0, HALT_KEY, codec.encode("dsr.ledger-value", halt_out(HALT)))
    writer.end()
    writer.entry(0, requests[0]["accepted"])
    writer.end(commit=False)
    reader.restore.begin(0)
    reader.until(0)
    shard = reader.found[0]
    expected = [
        None if 100 <= n < 110 else entries["closed" if n < 150 else "scheduled"] for n, entries in enumerate(requests)
    ]
    assert expected == [shard.get(entries["accepted"].key) for entries in requests]
    assert {"active": 0, "resting": 50, "closed": 140} == shard.counts()
    assert [("shop", "2026-06-28", "2026-07-02")] == shard.watched()
    assert [ProjectState("shop", counted=2)] == shard.projects()
    assert shard.halt == HALT


def test_restoring_waits_for_a_transaction_that_is_still_open(place):
    """Its records stand below the mark that was read without regard to transactions: they may be committed yet."""
    writer, reader = place
    open_one = lives(1)["accepted"]
    writer.entry(0, open_one)
    writer.producer.flush(WAIT_S)
    reader.restore.begin(0)
    for _ in range(10):
        reader.restore.advance()
    assert {} == reader.found
    writer.end()
    reader.until(0)
    assert open_one == reader.found[0].get(open_one.key)


def test_a_partition_that_is_given_up_is_not_found_and_can_be_begun_again(place):
    """The other one flows on meanwhile."""
    writer, reader = place
    ours, theirs = lives(1)["scheduled"], lives(2)["closed"]
    writer.entry(0, ours)
    writer.entry(1, theirs)
    writer.end()
    reader.restore.begin(0)
    reader.restore.begin(1)
    reader.restore.drop(0)
    reader.until(1)
    assert [1] == list(reader.found)
    assert theirs == reader.found[1].get(theirs.key)
    reader.restore.begin(0)
    reader.until(0)
    assert (ours, None) == (reader.found[0].get(ours.key), reader.found[0].get(theirs.key))
