"""The command line beside a real Kafka: what it reads is committed, and what it re-drives it re-drives once."""

import json
import os
import subprocess
import sys
import time
from uuid import uuid4

import pytest
from confluent_kafka import Producer

import schemas
from consumer.adapters.kafka.reading import TopicReader
from consumer.adapters.kafka.redrive import TRANSACTION, progress
from consumer.cli.embedded import TOPICS
from consumer.domain.halt import Halt
from tests.fakes.commands import fields
from tests.integration import intake_worker
from tests.integration.test_intake_on_kafka import ROOT, Rehearsal
from tests.integration.test_run_command import DSR, settings

HALT = "too_many_dead_letters"


@pytest.fixture
def rehearsal(kafka_bootstrap):
    rehearsal = Rehearsal(kafka_bootstrap)
    yield rehearsal
    rehearsal.stop()


@pytest.fixture
def dsr(rehearsal, tmp_path):
    """Run a command; returns what it printed, as JSON objects with `--json`. `code` is the expected exit code."""
    file = settings(rehearsal, tmp_path)

    def run(*arguments, code=0, given=""):
        done = subprocess.run(
            [*DSR, *map(str, arguments), "-s", file],
            cwd=ROOT,
            capture_output=True,
            text=True,
            input=given,
            timeout=90,
        )
        assert code == done.returncode, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()] if "--json" in arguments else done

    return run


def bury(rehearsal, reasons, partition=None):
    """Dead letters as the service writes them, one for each reason; the value is the number."""
    producer = Producer({"bootstrap.servers": rehearsal.bootstrap})
    for number, reason in enumerate(reasons):
        headers = [
            ("trace", b"kept"),
            ("dsr.rerouted", b"1"),
            ("__connect.errors.topic", b"was"),
            ("dsr.attempts", b"2"),
        ]
        headers += [("dsr.reason", reason.encode()), ("dsr.failed_at", b"1781610000000")]
        value = f"letter {number}".encode()
        producer.produce(rehearsal.topics.dead_letters, value, b"key", headers=headers, partition=partition or 0)
        producer.poll(0)
    assert producer.flush(30) == 0


def commands(rehearsal):
    return [message.value().decode() for message in rehearsal.read(rehearsal.topics.commands)]


def test_submitted_requests_are_shown_and_cancelled_together(rehearsal, dsr):
    """Submit a file, see it in the status, cancel what was accepted since; the outcomes say so."""
    rehearsal.start("a")
    sent = dsr("submit", "erase", "-p", "p0", "--file", "-", "--json", given="u-1\nu-2\n\nu-3\n")
    assert [1, 2, 4] == [one["line"] for one in sent]
    rehearsal.wait_for(3)
    (overview,) = dsr("status", "--json")
    (row,) = [row for row in overview["projects"] if row["project"] == "p0"]
    assert ({"accepted": 3}, 3) == (row["stages"], row["open"])
    request = sent[0]["request_id"]
    (one,) = dsr("status", request, "--json")
    assert ["accepted"] == [outcome["stage"] for outcome in one["history"]]
    assert [{"position": 0, "stage": "accepted", "reason": None, "jobs": []}] == one["projects"][0]["results"]
    assert "u-1" not in json.dumps(one)
    refused = dsr("cancel", "-p", "p0", "--since", "1h", code=1, given="n\n")
    assert "3 open requests" in refused.stderr
    cancelled = dsr("cancel", "-p", "p0", "--since", "1h", "--yes", "--json")
    assert {each["request_id"] for each in sent} == {each["request_id"] for each in cancelled}
    rehearsal.wait_for(6)
    (overview,) = dsr("status", "--json")
    assert [{"cancelled": 3}] == [row["stages"] for row in overview["projects"] if row["project"] == "p0"]
    assert [] == dsr("cancel", "-p", "p0", "--since", "1h", "--yes", "--json")


def test_a_request_is_cancelled_by_its_id_alone(rehearsal, dsr):
    """The project is looked up in the ledger; an unknown request is not sent anywhere."""
    rehearsal.start("a")
    (sent,) = dsr("submit", "erase", "-p", "p0", "-u", "u-1", "--json")
    rehearsal.wait_for(1)
    (cancelled,) = dsr("cancel", sent["request_id"], "--json")
    assert ("p0", "cancel") == (cancelled["project"], cancelled["command"])
    assert "unknown_request" in dsr("cancel", uuid4(), code=1).stderr


def test_status_reads_no_aborted_and_no_open_transaction(rehearsal, dsr):
    """Only what is committed is true."""
    producer = Producer({"bootstrap.servers": rehearsal.bootstrap, "transactional.id": f"{rehearsal.prefix}-x"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(rehearsal.topics.ledger, b"not even a ledger record", b"halt", partition=0)
    producer.flush(10)
    producer.abort_transaction(30)
    (overview,) = dsr("status", "--json")
    assert {"projects": [], "halts": []} == overview


def test_a_halt_is_shown_and_lifted_by_a_tombstone_in_its_partition(rehearsal, dsr):
    """And is refused kindly when there is none."""
    assert "nothing to lift" in dsr("resume", "--halted", code=1).stderr
    halt = Halt(HALT, 1_781_610_000_000, 101)
    record = {"request": None, "project": None, "halt": {"reason": HALT, "since": halt.since, "dead_letters": 101}}
    value = intake_worker.codec.encode(schemas.LEDGER, record)
    producer = Producer({"bootstrap.servers": rehearsal.bootstrap})
    for partition in (2, 4):
        producer.produce(rehearsal.topics.ledger, value, b"halt", partition=partition)
    producer.flush(10)
    expected = {"partition": 2, "reason": HALT, "since": "2026-06-16T11:40:00Z", "dead_letters": 101}
    (overview,) = dsr("status", "--json")
    assert [expected, expected | {"partition": 4}] == overview["halts"]
    assert [expected] == dsr("resume", "--halted", "--partition", "2", "--json")
    (overview,) = dsr("status", "--json")
    assert [4] == [each["partition"] for each in overview["halts"]]
    tombstones = [m for m in rehearsal.read(rehearsal.topics.ledger) if m.value() is None]
    assert [(2, b"halt")] == [(m.partition(), m.key()) for m in tombstones]


def test_letters_are_listed_and_produced_again_once_with_their_own_headers(rehearsal, dsr):
    """First those of one reason, then the rest; the text beside the committed offset remembers which were first."""
    bury(rehearsal, ["unknown_schema", "undecodable", "unknown_schema", "undecodable"])
    rows = dsr("dlq", "list", "--json")
    assert [0, 1, 2, 3] == [row["offset"] for row in rows]
    assert {("was", 2, "2026-06-16T11:40:00Z")} == {(r["topic"], r["attempts"], r["failed_at"]) for r in rows}
    assert [0, 2] == [row["offset"] for row in dsr("dlq", "redrive", "--reason", "unknown_schema", "-n", "--json")]
    assert [] == commands(rehearsal)
    assert f"0/2     unknown_schema          2   2026-06-16 11:40   {'was'}" in dsr("dlq", "list").stdout
    dsr("dlq", "redrive", "--reason", "unknown_schema")
    assert ["letter 0", "letter 2"] == sorted(commands(rehearsal))
    assert [1, 3] == [row["offset"] for row in dsr("dlq", "list", "--json")]
    dsr("dlq", "redrive")
    dsr("dlq", "redrive")
    assert [f"letter {n}" for n in range(4)] == sorted(commands(rehearsal))
    assert [] == dsr("dlq", "list", "--json")
    again = {tuple(message.headers()) for message in rehearsal.read(rehearsal.topics.commands)}
    assert {(("trace", b"kept"), ("dsr.attempts", b"2"))} == again
    dsr("dlq", "redrive", "3")
    assert 2 == commands(rehearsal).count("letter 3")


def test_a_letter_is_shown_without_its_content_unless_it_is_asked_for(rehearsal, dsr):
    """Headers of ours are; key, payload and the producer's headers only with --reveal."""
    record = fields("jane-roe", project="p0")
    value = intake_worker.codec.encode(schemas.COMMANDS, record)
    producer = Producer({"bootstrap.servers": rehearsal.bootstrap})
    headers = [("who", b"jane"), ("dsr.reason", b"routing_loop")]
    producer.produce(rehearsal.topics.dead_letters, value, b"jane-key", headers=headers)
    producer.flush(10)
    shown = dsr("dlq", "show", "0").stdout
    assert "routing_loop" in shown
    assert "jane" not in shown
    assert b"jane".hex() not in shown
    (revealed,) = dsr("dlq", "show", "0/0", "--reveal", "--json")
    assert record["subject_identities"] == revealed["decoded"]["subject_identities"]
    assert (value.hex(), b"jane-key".hex()) == (revealed["value_hex"], revealed["key_hex"])
    assert "no such dead letter" in dsr("dlq", "show", "7", code=1).stderr


def test_the_largest_command_can_be_produced_again(rehearsal, dsr):
    """Larger than a client sends by default: whatever fitted the commands' topic fits it again."""
    value = b"x" * 1_045_000
    producer = Producer({"bootstrap.servers": rehearsal.bootstrap, "message.max.bytes": 2_000_000})
    producer.produce(rehearsal.topics.dead_letters, value, b"key", headers=[("dsr.reason", b"undecodable")])
    assert producer.flush(30) == 0
    dsr("dlq", "redrive")
    assert [value] == [message.value() for message in rehearsal.read(rehearsal.topics.commands)]


def test_a_redrive_that_is_killed_repeats_nothing_and_leaves_nothing_out(rehearsal, dsr, tmp_path):
    """SIGKILL as soon as a transaction is through, again and again; at the end each letter is there once."""
    count = 40 * TRANSACTION
    bury(rehearsal, ["undecodable"] * count)
    config, group = {"bootstrap.servers": rehearsal.bootstrap}, f"{rehearsal.prefix}-group-redrive"
    command = [*DSR, "dlq", "redrive", "-s", str(settings(rehearsal, tmp_path))]
    in_the_middle = done = 0
    for _ in range(8):
        run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
        try:
            before = done
            while run.poll() is None and done == before:
                done = progress(config, rehearsal.topics.dead_letters, group, [0])[0].upto
        finally:
            run.kill()
            run.wait()
        done = progress(config, rehearsal.topics.dead_letters, group, [0])[0].upto
        in_the_middle += 0 < done < count
    assert in_the_middle >= 1
    dsr("dlq", "redrive")
    assert sorted(f"letter {n}" for n in range(count)) == sorted(commands(rehearsal))


def test_a_reader_starts_where_a_time_is(rehearsal):
    """`--since` on a real Kafka is a question to the broker, not a scan."""
    producer = Producer({"bootstrap.servers": rehearsal.bootstrap})
    topic, now = rehearsal.topics.outcomes, int(time.time() * 1000)
    for ago_s in (3_600, 60):
        producer.produce(topic, b"x", partition=1, timestamp=now - ago_s * 1000)
    producer.flush(10)
    with TopicReader({"bootstrap.servers": rehearsal.bootstrap}, topic) as reader:
        assert 1 == reader.since(now - 600_000)[1]
        assert [(1, 1)] == [(r.partition, r.offset) for r in reader.to_end(reader.since(now - 600_000))]


def test_topics_are_made_and_judged_for_programs(kafka_bootstrap, tmp_path):
    """One object a topic, then one a flaw; nothing when all is well."""
    prefix, file = uuid4().hex[:8], tmp_path / "dsr.toml"
    names = {name: f"{prefix}.{name}" for name in TOPICS}
    lines = [f'{name} = "{topic}"' for name, topic in names.items()]
    file.write_text("\n".join(["[kafka]", f'bootstrap_servers = "{kafka_bootstrap}"', *lines]), "utf-8")

    def topics(verb):
        command = [*DSR, "topics", verb, "--json", "-s", file]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    code, flaws = topics("check")
    assert (1, {(topic, "topic_missing") for topic in names.values()}) == (
        code,
        {(f["topic"], f["flaw"]) for f in flaws},
    )
    code, made = topics("create")
    assert (0, dict.fromkeys(names.values(), True)) == (code, {each["topic"]: each["created"] for each in made})
    assert (0, []) == topics("check")
    assert {False} == {each["created"] for each in topics("create")[1]}


def test_what_kafka_lacks_is_said_with_the_remedy(kafka_bootstrap, tmp_path):
    """A missing topic and a broker that is not there: exit code 3 and what to do."""
    for bootstrap, words in ((kafka_bootstrap, "dsr topics create"), ("127.0.0.1:1", "does Kafka run")):
        file = tmp_path / "dsr.toml"
        file.write_text(f'[kafka]\nbootstrap_servers = "{bootstrap}"\nledger = "nowhere.{uuid4().hex}"\n', "utf-8")
        done = subprocess.run([*DSR, "status", "-s", file], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert 3 == done.returncode
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert sys.executable not in done.stderr
