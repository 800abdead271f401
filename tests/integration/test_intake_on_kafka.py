"""Intake on Apache Kafka: every command is answered exactly once, whoever is killed when."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import schemas
from consumer.domain.routing import partition_of
from tests.fakes.commands import fields, identity
from tests.integration import intake_worker

PARTITIONS = 6
ROOT = Path(__file__).parents[2]


class Rehearsal:
    """Topics of its own on the shared broker, members as processes, and a `read_committed` reader."""

    def __init__(self, bootstrap):
        self.bootstrap, self.prefix, self.members = bootstrap, f"it-{uuid4().hex[:8]}", {}
        self.topics = intake_worker.topics(self.prefix)
        admin = AdminClient({"bootstrap.servers": bootstrap})
        compact = {"cleanup.policy": "compact"}
        wanted = [
            NewTopic(self.topics.commands, PARTITIONS, 1),
            NewTopic(self.topics.ledger, PARTITIONS, 1, config=compact),
        ]
        wanted += [NewTopic(self.topics.outcomes, 3, 1), NewTopic(self.topics.dead_letters, 1, 1)]
        for future in admin.create_topics(wanted).values():
            future.result(30)

    def start(self, name):
        command = [
            sys.executable,
            "-m",
            "tests.integration.intake_worker",
            self.bootstrap,
            name,
            self.prefix,
            str(PARTITIONS),
        ]
        self.members[name] = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)

    def kill(self, name):
        member = self.members.pop(name)
        member.send_signal(signal.SIGKILL)
        member.wait()

    def stop(self):
        for member in self.members.values():
            member.kill()
            member.wait()

    def send(self, values, partition=None):
        producer = Producer({"bootstrap.servers": self.bootstrap})
        for value in values:
            place = {} if partition is None else {"partition": partition}
            producer.produce(self.topics.commands, value, os.urandom(8), **place)
            producer.poll(0)
        assert producer.flush(30) == 0

    def read(self, topic):
        """Every committed record of a topic."""
        config = {"bootstrap.servers": self.bootstrap, "group.id": uuid4().hex, "enable.partition.eof": True}
        reader = Consumer(config | {"isolation.level": "read_committed"})
        partitions = list(reader.list_topics(topic, timeout=10).topics[topic].partitions)
        reader.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
        found, left = [], set(partitions)
        while left:
            for message in reader.consume(500, 0.2):
                if message.error():
                    assert message.error().code() == KafkaError._PARTITION_EOF
                    left.discard(message.partition())
                else:
                    found.append(message)
        reader.close()
        return found

    def outcomes(self):
        return [intake_worker.codec.decode(schemas.OUTCOMES, m.value()) for m in self.read(self.topics.outcomes)]

    def wait_for(self, count, seconds=90):
        until = time.monotonic() + seconds
        while len(found := self.outcomes()) < count and time.monotonic() < until:
            time.sleep(0.5)
        return found


@pytest.fixture
def rehearsal(kafka_bootstrap):
    rehearsal = Rehearsal(kafka_bootstrap)
    yield rehearsal
    rehearsal.stop()


def encoded(**changed):
    project = f"p{random.randrange(20)}"
    asked = int(time.time() * 1000) - 60_000
    record = fields("u-1001", **{"project": project, "submitted_time": asked} | changed)
    return record, intake_worker.codec.encode(schemas.COMMANDS, record)


def test_every_command_is_answered_exactly_once_although_members_are_killed(rehearsal):
    """SIGKILL at random instants, two members, commands in any partition: nothing is lost and nothing is said twice."""
    sent = [encoded() for _ in range(3_000)]
    for name in ("a", "b"):
        rehearsal.start(name)
    for at in range(0, len(sent), 500):
        rehearsal.send(value for _, value in sent[at : at + 500])
        victim = random.choice(["a", "b"])
        time.sleep(random.uniform(0.3, 1.5))
        rehearsal.kill(victim)
        rehearsal.start(victim)
    found = rehearsal.wait_for(len(sent))
    said = Counter(o["subject_request_id"] for o in found)
    assert {record["subject_request_id"] for record, _ in sent} == set(said)
    assert {1} == set(said.values())
    assert {"accepted"} == {o["stage"] for o in found}
    assert len({o["outcome_id"] for o in found}) == len(sent)


def test_what_was_accepted_is_known_to_the_member_that_takes_over(rehearsal):
    """The ledger remembers: after a kill, the same command is a duplicate for another member."""
    record, value = encoded()
    rehearsal.start("a")
    rehearsal.send([value])
    rehearsal.wait_for(1)
    rehearsal.kill("a")
    rehearsal.start("b")
    rehearsal.send([value])
    _, second = rehearsal.wait_for(2)
    assert (second["kind"], second["duplicate_of"]) == ("reply", record["command_id"])


def test_a_record_in_any_partition_reaches_its_orgs_unchanged_and_once(rehearsal):
    """Any producer key and any partitioner is correct."""
    record, value = encoded(project="p3")
    home = partition_of("org-3", PARTITIONS)
    rehearsal.send([value], partition=(home + 1) % PARTITIONS)
    rehearsal.start("a")
    (outcome,) = rehearsal.wait_for(1)
    assert outcome["subject_request_id"] == record["subject_request_id"]
    moved = [m for m in rehearsal.read(rehearsal.topics.commands) if m.partition() == home]
    assert [value] == [m.value() for m in moved]
    assert [name for name, _ in moved[0].headers()] == ["dsr.rerouted"]
    assert [home] == [
        m.partition() for m in rehearsal.read(rehearsal.topics.ledger) if not m.key().startswith(b"project/")
    ]


def test_poison_is_dead_lettered_with_its_bytes_and_delays_nobody(rehearsal):
    """Headers say why, in Kafka Connect's names, and never what was in it."""
    _, good = encoded()
    rehearsal.send([b"\x00\x00\x00\x00\x07jane.roe@example.com", good, good[:-3], good + b"x"])
    rehearsal.start("a")
    (outcome,) = rehearsal.wait_for(1)
    assert outcome["stage"] == "accepted"
    dead = {m.value(): dict(m.headers()) for m in rehearsal.read(rehearsal.topics.dead_letters)}
    assert {
        b"\x00\x00\x00\x00\x07jane.roe@example.com": b"unknown_schema",
        good[:-3]: b"undecodable",
        good + b"x": b"trailing_bytes",
    } == {value: headers["dsr.reason"] for value, headers in dead.items()}
    assert not any(b"jane" in value for headers in dead.values() for value in headers.values())


def test_the_largest_command_that_fits_its_topic_also_fits_the_ledger(rehearsal):
    """A thousand long user ids in one command: the ledger's record is larger than the command was."""
    people = [identity(f"{n:04}" + "x" * 900) for n in range(1_000)]
    _, value = encoded(subject_identities=people)
    assert len(value) < 1_000_000
    rehearsal.send([value])
    rehearsal.start("a")
    (outcome,) = rehearsal.wait_for(1)
    assert outcome["stage"] == "accepted"
    assert len(outcome["results"]) == 1_000
