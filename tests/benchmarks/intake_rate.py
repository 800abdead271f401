"""How fast commands are taken in, against the least that any exactly-once consumer must do on the same broker.

`python -m tests.benchmarks.intake_rate [--commands 60000] [--rounds 3]`: starts a real local Kafka, writes the
commands, and reads them alternately with

- the floor: consume, fastavro decode, two fastavro encodes (a ledger entry and an outcome as large as ours), two
  produces, and one durable transaction with offsets for each 1,000 commands;
- the service's Kafka thread with the real desk, ledger and transactions, and nobody behind it (intake alone);
- a whole member (`RequestsStage`), whose lanes plan what cannot be sent: Amplitude is not there.

Each reads in a process of its own. The ratios are of the medians; the bar of the design is 0.6 for intake alone.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from uuid import uuid4

import fastavro
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import schemas
from consumer.adapters.wire import entry_out, outcome_out
from consumer.domain.routing import partition_of
from consumer.ports import NoMeter
from consumer.service import RequestsStage
from consumer.settings import AdminSettings, KafkaSettings, ProjectSettings, Settings
from consumer.turn import Turn
from tests.fakes.commands import accepted, fields
from tests.integration import intake_worker
from tests.kafka import brokers

PARTITIONS = 6
A_TRANSACTION = 1_000
PROJECTS = [f"p{n}" for n in range(20)]


class Counting(NoMeter):
    """Notes when the first and the last command were durable."""

    def __init__(self, wanted: int) -> None:
        self.left, self.began, self.ended = wanted, 0.0, 0.0

    def committed(self, took_s: float, records: int) -> None:
        """Time runs from the beginning of the first transaction that has commands."""
        now = time.perf_counter()
        if records and not self.began:
            self.began = now - took_s
        self.left -= records
        self.ended = self.ended or (now if self.left <= 0 else 0.0)


def floor(bootstrap: str, prefix: str, commands: int) -> float:
    """Seconds for all commands by the bare loop."""
    read, write = (fastavro.parse_schema(schemas.load(s)) for s in (schemas.COMMANDS, schemas.LEDGER))
    say = fastavro.parse_schema(schemas.load(schemas.OUTCOMES))
    entry, outcome = _samples()
    names, header = intake_worker.topics(prefix), b"\0\0\0\0\1"
    config = {"bootstrap.servers": bootstrap, "group.id": f"{prefix}-floor", "auto.offset.reset": "earliest"}
    consumer = Consumer(config | {"enable.auto.commit": False, "fetch.queue.backoff.ms": 20})
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": f"{prefix}-floor", "linger.ms": 1})
    producer.init_transactions(30)
    consumer.subscribe([names.commands])
    counting, done, offsets = Counting(commands), 0, {}
    while done < commands:
        messages = [m for m in consumer.consume(A_TRANSACTION, 0.2) if m.error() is None]
        if not messages:
            continue
        began = time.perf_counter()
        producer.begin_transaction()
        for message in messages:
            body = io.BytesIO(message.value())
            body.seek(5)
            fastavro.schemaless_reader(body, read)
            for topic, schema, record, place in (
                (names.ledger, write, entry, {"partition": message.partition()}),
                (names.outcomes, say, outcome, {}),
            ):
                out = io.BytesIO()
                out.write(header)
                fastavro.schemaless_writer(out, schema, record)
                producer.produce(topic, out.getvalue(), message.key(), **place)
            offsets[message.partition()] = message.offset() + 1
        places = [TopicPartition(names.commands, p, o) for p, o in offsets.items()]
        producer.send_offsets_to_transaction(places, consumer.consumer_group_metadata())
        producer.commit_transaction()
        done += len(messages)
        counting.committed(time.perf_counter() - began, len(messages))
    consumer.close()
    return counting.ended - counting.began


def _samples() -> tuple[object, object]:
    entry = accepted("u-000001", project="p0")
    turn = Turn({0: _Empty()}, entry.accepted)
    turn.settle(0, None, entry, entry.commands[0])
    return entry_out(next(iter(turn.entries.values()))), outcome_out(turn.outcomes[0])


class _Empty:
    def project(self, project: str) -> object:
        from consumer.domain.project import ProjectState  # noqa: PLC0415

        return ProjectState(project)


def intake(bootstrap: str, prefix: str, commands: int) -> float:
    """Seconds for all commands by the Kafka thread alone."""
    counting = Counting(commands)
    member = intake_worker.stream(bootstrap, "bench", prefix, PARTITIONS, meter=counting)
    member.start()
    _wait(counting, lambda: member.failure is not None)
    member.stop()
    member.join(30)
    return counting.ended - counting.began


def _wait(counting: Counting, over: Callable[[], bool]) -> None:
    until = time.monotonic() + 300
    while not counting.ended and time.monotonic() < until and not over():
        time.sleep(0.02)
    if not counting.ended:
        raise SystemExit(f"not all commands were taken in: {counting.left} left")


def member(bootstrap: str, prefix: str, commands: int) -> float:
    """Seconds for all commands by a whole member."""
    names = intake_worker.topics(prefix)
    kafka = KafkaSettings(
        bootstrap_servers=bootstrap,
        group_id=f"{prefix}-group",
        replica="bench",
        partitions=PARTITIONS,
        commands=names.commands,
        outcomes=names.outcomes,
        dead_letters=names.dead_letters,
        ledger=names.ledger,
    )
    project = {"api_key": "made-up", "secret_key": "made-up", "base_url": "http://127.0.0.1:9", "daily_cap": 10**9}
    projects = {name: ProjectSettings(org=f"org-{name[1:]}", **project) for name in PROJECTS}
    settings = Settings(kafka=kafka, projects=projects, admin=AdminSettings(port=None))
    counting = Counting(commands)

    async def serve() -> None:
        stage = RequestsStage(settings, meter=counting)
        serving = asyncio.create_task(stage.run())
        await asyncio.to_thread(_wait, counting, serving.done)
        stage.stop()
        await serving

    asyncio.run(serve())
    return counting.ended - counting.began


WAYS = {"floor": floor, "intake": intake, "member": member}


def fill(bootstrap: str, prefix: str, commands: int) -> None:
    """Fresh topics, and the commands in their home partitions."""
    names, admin = intake_worker.topics(prefix), AdminClient({"bootstrap.servers": bootstrap})
    wanted = [NewTopic(t, PARTITIONS, 1) for t in (names.commands, names.outcomes, names.ledger, names.dead_letters)]
    for future in admin.create_topics(wanted).values():
        future.result(30)
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 50})
    now = int(time.time() * 1000)
    for n in range(commands):
        project = PROJECTS[n % len(PROJECTS)]
        record = fields(f"u-{n:06}", project=project, submitted_time=now - 60_000, issued_time=now)
        value = intake_worker.codec.encode(schemas.COMMANDS, record)
        home = partition_of(f"org-{project[1:]}", PARTITIONS)
        producer.produce(names.commands, value, uuid4().bytes, partition=home)
        producer.poll(0)
    if producer.flush(60):
        raise SystemExit("the commands could not be written")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.intake_rate", description=__doc__)
    parser.add_argument("--commands", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--once", nargs=3, metavar=("WAY", "BOOTSTRAP", "PREFIX"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.once:
        way, bootstrap, prefix = chosen.once
        print(json.dumps(WAYS[way](bootstrap, prefix, chosen.commands)))
        return
    broker = brokers.find()
    try:
        compare(broker.bootstrap, chosen.commands, chosen.rounds)
    finally:
        broker.stop()


def compare(bootstrap: str, commands: int, rounds: int) -> None:
    """Run every way so many times, interleaved, and print rates and ratios."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            prefix = f"bench-{uuid4().hex[:8]}"
            fill(bootstrap, prefix, commands)
            command = [sys.executable, "-m", __spec__.name, "--commands", str(commands), "--once", way]
            done = subprocess.run([*command, bootstrap, prefix], check=True, stdout=subprocess.PIPE, timeout=600)
            seconds[way].append(float(done.stdout.split()[-1]))
    rates = {way: commands / statistics.median(each) for way, each in seconds.items()}
    print(f"{commands:,} commands, median of {rounds}, one core each way but the broker's")
    for way, rate in rates.items():
        print(f"{way:8} {rate:10,.0f} commands/s   {rate / rates['floor']:5.2f} x floor")


if __name__ == "__main__":
    main()
