"""How long a ledger takes to restore, and in how much memory: `python -m tests.benchmarks.ledger_restore`.

The bar: 1,000,000 open requests and 3,000,000 closed ones, three stale versions of each open one, within 90 s and
1 GB. `--open` and `--closed` make it smaller. A real Kafka is started (or KAFKA_BOOTSTRAP_SERVERS used); everything
is in one partition, written in transactions of 10,000 records, the versions of a request spread over the whole topic.

To be fast, values are not encoded one by one: of each kind of version 200 made-up requests are encoded, and in each
record the request id, the user id, the Amplitude ID and every instant are then overwritten by values of the same
length. Restoring runs in a process of its own, through the real `Restore` and `Shard`, and that process's peak of
resident memory is what is printed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from statistics import quantiles
from typing import Any
from uuid import uuid4

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.kafka.restore import Restore
from consumer.adapters.ledger_codec import ledger_codec
from consumer.domain.command import ProjectRule
from consumer.domain.entry import JobRef, RequestEntry
from consumer.domain.erasure import answered, dispatch, forget
from consumer.domain.jobs import JobStatus
from consumer.domain.lifecycle import Stage
from consumer.domain.reply import Scheduled
from consumer.ledger import CLOSED, Shard
from tests.fakes.commands import NOW, accepted
from tests.kafka import brokers

BAR_S, BAR_MB = 90, 1000
DAY_MS = 86_400_000
KEEP_MS = 20 * DAY_MS
"""Over before the first deadline notice is due, so that the two kinds of timer can be measured apart."""
TEMPLATES, TRANSACTION = 200, 10_000
VERSIONS = ("accepted", "dispatching", "scheduled", "submitted")
USER, AMPLITUDE_ID = "user-{:09}", 1 << 36
LEDGER = ledger_codec(Codec(DirectorySource()))


class Template:
    """One encoded request, and where in it the parts stand that differ from request to request."""

    def __init__(self, number: int, kind: str) -> None:
        self.project = f"project-{number % 20:02}"
        entry = _entry(number, kind, self.project)
        self._value = LEDGER.encode(entry)
        self._ids = _all(self._value, entry.request_id.encode())
        self._users = _all(self._value, USER.format(number).encode())
        self._amplitude_ids = _all(self._value, _varint(AMPLITUDE_ID + number))
        instants = {entry.submitted, entry.accepted, entry.deadline, entry.dispatched, entry.erased, entry.closed}
        self._instants = [(at, x) for x in instants if x is not None for at in _all(self._value, _varint(x))]

    def value(self, name: str, number: int, later_ms: int) -> bytes:
        """Request `name`, of person `number`, with all instants moved."""
        made = bytearray(self._value)
        for places, text in (
            (self._ids, name.encode()),
            (self._users, USER.format(number).encode()),
            (self._amplitude_ids, _varint(AMPLITUDE_ID + number)),
        ):
            for at in places:
                made[at : at + len(text)] = text
        for at, instant in self._instants:
            made[at : at + 6] = _varint(instant + later_ms)
        return bytes(made)


def _entry(number: int, kind: str, project: str) -> RequestEntry:
    batch, day = f"{number:016x}", f"2026-{6 + number % 2:02}-{1 + number % 28:02}"
    entry = accepted(USER.format(number), rule=ProjectRule(project, "acme"))._replace(project=project)
    if kind == "accepted":
        return entry._replace(stage=Stage.ACCEPTED, stage_sequence=1)
    entry = dispatch(entry, [0], batch, NOW + 1_000)._replace(stage=Stage.DISPATCHING, stage_sequence=2)
    if kind == "dispatching":
        return entry
    entry = answered(entry, batch, {0: Scheduled((JobRef(day, AMPLITUDE_ID + number),))})
    if kind == "scheduled":
        return entry._replace(stage=Stage.SCHEDULED, stage_sequence=3)
    ref = replace(entry.identities[0].jobs[0], status=JobStatus.SUBMITTED)
    entry = entry._replace(identities=(replace(entry.identities[0], stage=Stage.SUBMITTED, jobs=(ref,)),))
    entry = entry._replace(stage=Stage.SUBMITTED, stage_sequence=4)
    if kind == "submitted":
        return entry
    done = replace(ref, status=JobStatus.DONE, scrubbed_on=day)
    ended = entry._replace(identities=(replace(entry.identities[0], stage=Stage.DONE, jobs=(done,)),), stage=Stage.DONE)
    return forget(ended._replace(erased=NOW + 2_000, stage_sequence=6), NOW + 3_000)


def _all(value: bytes, part: bytes) -> list[int]:
    return [at for at in range(len(value)) if value.startswith(part, at)]


def _varint(number: int) -> bytes:
    rest, out = number << 1, bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes((*out, rest))


def name_of(number: int) -> str:
    """A request id: looks random, can be told again."""
    text = blake2b(number.to_bytes(8), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def key_of(number: int) -> str:
    """The ledger's key of the request."""
    return f"{name_of(number)}/project-{number % TEMPLATES % 20:02}"


def records(n_open: int, n_closed: int) -> Iterator[tuple[str, bytes, bool]]:
    """Key, value and whether closed. One open request in ten never gets beyond its first version's stage."""
    kinds = {kind: [Template(n, kind) for n in range(TEMPLATES)] for kind in (*VERSIONS, "closed")}
    closed = iter(range(n_open, n_open + n_closed))
    for version, kind in enumerate(VERSIONS):
        for number in range(n_open):
            yield key_of(number), _value(kinds["accepted" if number % 10 == 0 else kind], number, version), False
            for other in itertools.islice(closed, -(-n_closed // (len(VERSIONS) * n_open))):
                yield key_of(other), _value(kinds["closed"], other, 0), True
    for other in closed:
        yield key_of(other), _value(kinds["closed"], other, 0), True


def _value(templates: list[Template], number: int, version: int) -> bytes:
    later_ms = number * 7919 % (20 * DAY_MS) + version
    return templates[number % TEMPLATES].value(name_of(number), number, later_ms)


def write(bootstrap: str, topic: str, n_open: int, n_closed: int) -> int:
    """Fill the topic; how many records that took."""
    settings = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(10 * DAY_MS)}
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1, config=settings)])[topic].result(15)
    producer = Producer(
        {"bootstrap.servers": bootstrap, "transactional.id": topic, "linger.ms": 20, "batch.size": 262_144}
    )
    producer.init_transactions(30)
    written, made = 0, records(n_open, n_closed)
    while part := list(itertools.islice(made, TRANSACTION)):
        producer.begin_transaction()
        for key, value, closed in part:
            producer.produce(topic, value, key, headers=[(CLOSED, str(NOW + 3_000).encode())] if closed else None)
        producer.commit_transaction(60)
        written += len(part)
    return written


def restore(bootstrap: str, topic: str, n_open: int, n_closed: int) -> dict[str, Any]:
    """In the process that is measured."""
    found: list[Shard] = []
    reader = Restore(
        {"bootstrap.servers": bootstrap, "group.id": topic},
        topic,
        lambda: Shard(LEDGER, KEEP_MS),
        lambda _partition, shard: found.append(shard),
    )
    before_mb, began, longest = peak_mb(), time.perf_counter(), 0.0
    reader.begin(0)
    while not found:
        slice_began = time.perf_counter()
        reader.advance()
        longest = max(longest, time.perf_counter() - slice_began)
    took, cpu = time.perf_counter() - began, time.process_time()
    restored_mb, (shard,) = peak_mb(), found
    ask = {
        "get open": lambda n: shard.get(key_of(n * 7919 % n_open)),
        "get closed": lambda n: shard.get(key_of(n_open + n * 7919 % n_closed)),
        "get unknown": lambda n: shard.get(key_of(n_open + n_closed + n)),
        "due, none": lambda n: shard.due(NOW, 500),
        "due, 500 closed": lambda n: shard.due(NOW + 4_000 + KEEP_MS, 500),
    }
    first = time.perf_counter()
    shard.due(NOW, 500)
    first_due = time.perf_counter() - first
    latencies = {name: _latency(call, 20 if "500" in name else 2_000) for name, call in ask.items()}
    reader.close()
    return {
        "seconds": took,
        "cpu_s": cpu,
        "before_mb": before_mb,
        "restored_mb": restored_mb,
        "peak_mb": peak_mb(),
        "longest_slice_s": longest,
        "first_due_s": first_due,
        "counts": shard.counts(),
        "watched": len(shard.watched()),
        "latencies": latencies,
    }


def _latency(call: Any, times: int) -> tuple[float, float]:
    """Median and 99th percentile, in microseconds."""
    took = []
    for n in range(times):
        began = time.perf_counter()
        call(n)
        took.append((time.perf_counter() - began) * 1e6)
    cuts = quantiles(took, n=100)
    return cuts[49], cuts[98]


def peak_mb() -> float:
    """The most resident memory this process ever had, in units of 1,000,000 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    """Write, restore in a child, print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--open", type=int, default=1_000_000)
    arguments.add_argument("--closed", type=int, default=3_000_000)
    arguments.add_argument("--restore", nargs=2, metavar=("BOOTSTRAP", "TOPIC"), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.restore:
        print(json.dumps(restore(*given.restore, given.open, given.closed)))
        return
    broker, topic = brokers.find(), f"ledger-{uuid4().hex[:12]}"
    try:
        began = time.perf_counter()
        written = write(broker.bootstrap, topic, given.open, given.closed)
        print(f"{broker.origin}: {written:,} records written in {time.perf_counter() - began:.0f} s", flush=True)
        command = [sys.executable, "-m", "tests.benchmarks.ledger_restore", "--restore", broker.bootstrap, topic]
        sizes = ["--open", str(given.open), "--closed", str(given.closed)]
        report(written, json.loads(subprocess.run([*command, *sizes], check=True, capture_output=True).stdout))
    finally:
        broker.stop()


def report(written: int, seen: dict[str, Any]) -> None:
    """Print what the child saw."""
    rate = written / seen["seconds"]
    print(f"restored in {seen['seconds']:.1f} s (bar {BAR_S} s), {rate:,.0f} records/s; {seen['cpu_s']:.1f} s of CPU")
    print(
        f"peak RSS {seen['restored_mb']:.0f} MB (bar {BAR_MB} MB), of them {seen['before_mb']:.0f} MB before;", end=" "
    )
    print(f"{seen['peak_mb']:.0f} MB after the look-ups")
    print(f"longest slice {seen['longest_slice_s']:.2f} s; the hour's look ahead of timers {seen['first_due_s']:.2f} s")
    print(f"{seen['counts']}; {seen['watched']} projects watched")
    for name, (median, worst) in seen["latencies"].items():
        print(f"  {name:16} median {median:9.1f} us, 99 % below {worst:9.1f} us")


if __name__ == "__main__":
    main()
