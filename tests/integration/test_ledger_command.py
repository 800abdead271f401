"""`dsr ledger` on a real Kafka: verified, saved, lost, put back, and served from again."""

import json
import subprocess
import time
from collections import Counter

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pyrage import x25519

import schemas
from consumer.adapters.kafka.producing import Message
from consumer.adapters.kafka.refill import refill
from consumer.domain.errors import Fatal, Reason
from tests.fakes.commands import fields
from tests.integration import intake_worker
from tests.integration.test_intake_on_kafka import PARTITIONS, ROOT, Rehearsal
from tests.integration.test_run_command import DSR, settings

PEOPLE = 40
KEY = x25519.Identity.generate()


@pytest.fixture
def rehearsal(kafka_bootstrap):
    rehearsal = Rehearsal(kafka_bootstrap)
    yield rehearsal
    rehearsal.stop()


@pytest.fixture
def dsr(rehearsal, tmp_path):
    """Run a command; its exit code, what it printed, and what it remarked."""
    file = settings(rehearsal, tmp_path)
    file.write_text(file.read_text().replace("partitions = 6", ""))
    (tmp_path / "key.txt").write_text(f"# made by age-keygen\n{KEY}\n")

    def run(*arguments, code=0):
        command = [*DSR, *map(str, arguments), "-s", file]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert code == done.returncode, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def asked(rehearsal, number):
    record = fields(f"jane-roe-{number}", project=f"p{number % 5}", submitted_time=int(time.time() * 1000) - 60_000)
    return intake_worker.codec.encode(schemas.COMMANDS, record)


def ledger(rehearsal):
    """The last value of every key, by partition."""
    latest = {}
    for message in rehearsal.read(rehearsal.topics.ledger):
        latest[message.partition(), message.key()] = message.value(), message.headers()
    return {place: told for place, told in latest.items() if told[0] is not None}


def lose(rehearsal):
    """The topic is deleted, and made anew."""
    admin, topic = AdminClient({"bootstrap.servers": rehearsal.bootstrap}), rehearsal.topics.ledger
    admin.delete_topics([topic])[topic].result(30)
    until = time.monotonic() + 30
    while topic in admin.list_topics(timeout=10).topics and time.monotonic() < until:
        time.sleep(0.2)
    new = NewTopic(topic, PARTITIONS, 1, config={"cleanup.policy": "compact"})
    admin.create_topics([new])[topic].result(30)
    time.sleep(1)


def gone(rehearsal, seconds=60):
    """Wait until the group has noticed that its members were killed."""
    admin, group = AdminClient({"bootstrap.servers": rehearsal.bootstrap}), f"{rehearsal.prefix}-group"
    until = time.monotonic() + seconds
    while admin.describe_consumer_groups([group])[group].result(30).members:
        assert time.monotonic() < until
        time.sleep(0.5)


def cut(rehearsal):
    """Records, and then the news that the file was cut off."""
    for number in range(10):
        yield Message(rehearsal.topics.ledger, b"%d" % number, b"value", number % PARTITIONS)
    raise Fatal(Reason.ARCHIVE_DAMAGED)


def test_a_ledger_that_is_lost_is_put_back_and_served_from(rehearsal, dsr, tmp_path):
    """The backup is taken beside a running member. Refused are: a running member, a damaged file, a ledger that holds
    something. Afterwards a command that was accepted before the loss is a duplicate: it was not forgotten."""
    backup, key = tmp_path / "ledger.age", tmp_path / "key.txt"
    values = [asked(rehearsal, number) for number in range(PEOPLE)]
    rehearsal.send(values)
    rehearsal.start("a")
    rehearsal.wait_for(PEOPLE)
    told = json.loads(dsr("ledger", "export", backup, "--to", KEY.to_public(), "--json").stdout)
    before = ledger(rehearsal)
    assert (len(before), PARTITIONS) == (told["records"], told["partitions"])
    assert "member" in dsr("ledger", "import", backup, "-i", key, code=3).stderr
    rehearsal.kill("a")

    lose(rehearsal)
    (tmp_path / "cut").write_bytes(backup.read_bytes()[:-40])
    (tmp_path / "other.txt").write_text(str(x25519.Identity.generate()))
    gone(rehearsal)
    for file, identity in ((tmp_path / "cut", key), (backup, tmp_path / "other.txt")):
        assert "archive_damaged" in dsr("ledger", "import", file, "-i", identity, code=3).stderr
    with pytest.raises(Fatal, match="archive_damaged"):
        refill({"bootstrap.servers": rehearsal.bootstrap}, rehearsal.topics.ledger, rehearsal.prefix, cut(rehearsal))
    assert {} == ledger(rehearsal)

    back = dsr("ledger", "import", backup, "-i", key)
    assert f"{len(before)} records written" in back.stdout
    assert "kafka-consumer-groups" in back.stderr
    assert before == ledger(rehearsal)
    assert "ledger_in_use" in dsr("ledger", "import", backup, "-i", key, code=3).stderr
    found = json.loads(dsr("ledger", "verify", "--replication", 1, "--json").stdout)
    assert (True, PEOPLE, "all") == (found["sound"], found["open"], found["acks"])

    rehearsal.send(values[:1])
    rehearsal.start("b")
    said = Counter(outcome["kind"] for outcome in rehearsal.wait_for(PEOPLE + 1))
    assert {"stage": PEOPLE, "reply": 1} == said, "it was not forgotten"
    everything = "".join(done.stdout + done.stderr for done in (back, dsr("ledger", "verify", "--replication", 1)))
    assert "jane-roe" not in everything


def test_what_is_wrong_is_said_by_its_place(rehearsal, dsr):
    """A record that nobody can read, and fewer replicas than wanted: exit code 1."""
    producer = Producer({"bootstrap.servers": rehearsal.bootstrap})
    producer.produce(rehearsal.topics.ledger, b"\0garbage of jane-roe", b"jane-roe", partition=2)
    assert 0 == producer.flush(30)
    done = dsr("ledger", "verify", code=1)
    assert "1 record (unreadable)" in done.stdout
    assert "2@0" in done.stdout
    assert "1 replica each" in done.stdout
    assert "3 are wanted" in done.stdout
    assert "jane-roe" not in done.stdout + done.stderr
