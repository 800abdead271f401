"""`python -m tests.chaos.discovery`: whole projects scanned by members that are killed, and every hour counted.

A dedicated Apache Kafka, a pocket Amplitude that throttles, breaks off, spoils archives and answers with pages, and
workers under a supervisor. The truth about the events was counted when they were made. Exit code 0 if all of it agrees.
"""

import argparse
import hashlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from uuid import uuid4

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.domain.hours import Hour, Span, count, hour_of, joined, start_of
from consumer.domain.subject import Millis
from consumer.sandbox.amplitude.events import Truth
from consumer.sandbox.amplitude.faults import Fault, Kind
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.shelf import MadeUp
from consumer.sandbox.amplitude.thread import PocketThread
from consumer.sandbox.clock import ScaledClock
from tests.chaos.table import tell
from tests.chaos.workers import Crew, Reader
from tests.kafka.local_kafka import LocalKafka

PREFIX, PARTITIONS = "chaos", 6
COMPACTED = ("discovery_ledger", "inventory")
TOPICS = (
    "discovery_commands",
    "discovery_tasks",
    "discovery_results",
    *COMPACTED,
    "discovery_outcomes",
    "dead_letters",
)
PATIENCE_S = 1_200.0
LAST = Hour(494_880)
MISBEHAVIOUR = [
    Fault(Kind.STATUS, method="EXPORT", status=500),
    Fault(Kind.STATUS, method="EXPORT", status=429),
    Fault(Kind.STATUS, method="EXPORT", status=404),
    Fault(Kind.HTML, method="EXPORT"),
    Fault(Kind.DROP, method="EXPORT"),
    Fault(Kind.TRUNCATED, method="EXPORT"),
    Fault(Kind.CUT, method="EXPORT"),
    Fault(Kind.CORRUPT, method="EXPORT"),
]


def main(given=None):
    """Run, print the table, return the exit code."""
    options = parser().parse_args(given)
    began, directory = time.monotonic(), Path(tempfile.mkdtemp(prefix="dsr-chaos-"))
    kafka = LocalKafka().start()
    try:
        rows, kept = rehearse(options, kafka, directory)
    finally:
        kafka.stop()
    rows.append(("seconds in all", round(time.monotonic() - began), None))
    tell(rows)
    if kept:
        shutil.rmtree(directory)
    else:
        print("logs of the members are kept in a temporary directory,", directory.name)
    return 0 if kept else 1


def parser():
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--hours", type=int, default=501, help="of all projects together")
    made.add_argument("--projects", type=int, default=3)
    made.add_argument("--members", type=int, default=3)
    made.add_argument("--kills", type=int, default=20)
    made.add_argument("--stops", type=int, default=3)
    made.add_argument("--least-hits", type=int, default=5, help="exports that a strike broke off")
    made.add_argument("--events", type=int, default=60, help="in each hour")
    made.add_argument("--bytes-per-s", type=float, default=20_000, help="of an export: slow, to be hit")
    made.add_argument("--longest", type=int, default=1, help="hours of a window at most")
    made.add_argument("--seed", type=int, default=7)
    return made


def rehearse(options, kafka, directory):
    """One run: rows of (name, value, whether it is right or None), and whether all are."""
    make_topics(kafka)
    clock = ScaledClock(Millis(start_of(Hour(LAST + 10))), 1.0)
    dice = random.Random(options.seed)
    per_project = -(-options.hours // options.projects)
    names = [f"p{number}" for number in range(options.projects)]
    apps = {name: str(829_000 + number) for number, name in enumerate(names)}
    span = Span(Hour(LAST - per_project + 1), LAST)
    with PocketThread(PocketAmplitude(clock, Knobs(export_parts=4, export_bytes_per_s=options.bytes_per_s))) as server:
        told = {"bootstrap": kafka.bootstrap, "prefix": PREFIX, "partitions": PARTITIONS, "longest": options.longest}
        told["projects"] = {name: project(server.pocket, apps[name], options) for name in names}
        apps_seen = server.pocket.counters.apps
        crew = Crew(
            "tests.chaos.discovery_member",
            told,
            [f"m{number}" for number in range(options.members)],
            directory,
            lambda: any(app.open_exports for app in list(apps_seen.values())),
        )
        outcomes = reader(kafka, "discovery_outcomes", schemas.DISCOVERY_OUTCOMES)
        try:
            began = time.monotonic()
            ask(kafka, names, span)
            drive(options, server, crew, outcomes, dice)
            took = time.monotonic() - began
        finally:
            crew.stop()
        results = reader(kafka, "discovery_results", schemas.DISCOVERY_RESULTS)
        inventory = reader(kafka, "inventory", schemas.INVENTORY)
        dead = reader(kafka, "dead_letters", schemas.DISCOVERY_COMMANDS)
        for each in (results, inventory, dead, outcomes):
            each.read(3)
        return verdict(options, crew, server.pocket, apps, span, (outcomes, results, inventory, dead), took)


def reader(kafka, name, subject):
    return Reader(kafka.bootstrap, f"{PREFIX}.{name}", PARTITIONS, subject)


def make_topics(kafka):
    compact = {"cleanup.policy": "compact"}
    wanted = [
        NewTopic(f"{PREFIX}.{name}", PARTITIONS, 1, config=compact if name in COMPACTED else {}) for name in TOPICS
    ]
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.create_topics(wanted).values():
        future.result(30)


def project(pocket, app, options):
    access = pocket.access(app)
    pocket.world.shelf.make_up(app, MadeUp(options.events, options.seed, empty_every=7))
    keys = {"api_key": access.keys.api_key.reveal(), "secret_key": access.keys.secret_key.reveal()}
    return {"base_url": access.base_url, **keys}


def ask(kafka, names, span):
    """Two overlapping discoveries of each project: together they are all of its hours. The first one twice."""
    codec, producer = Codec(DirectorySource()), Producer({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    third = span.hours // 3
    for name in names:
        for first, last in ((span.first, span.last - third), (span.first + third, span.last)):
            fields = {
                "command_id": str(uuid4()),
                "command": "start",
                "discovery_id": str(uuid4()),
                "project": name,
                "from_hour": start_of(Hour(first)),
                "to_hour": start_of(Hour(last)),
            }
            value = codec.encode(schemas.DISCOVERY_COMMANDS, fields)
            for _ in range(1 + (first == span.first)):
                producer.produce(f"{PREFIX}.discovery_commands", value, name.encode() + os.urandom(1))
    producer.flush(30)


def drive(options, server, crew, outcomes, dice):
    """Strike evenly from the first hours to the last, until all discoveries are done."""
    planned = [crew.kill] * options.kills + [crew.freeze] * options.stops
    dice.shuffle(planned)
    strikes, until = len(planned), time.monotonic() + PATIENCE_S
    while len(done(outcomes)) < 2 * options.projects and time.monotonic() < until:
        outcomes.read(dice.uniform(1, 3))
        server.run(lambda: misbehave(server.pocket, dice.choices(MISBEHAVIOUR, k=2)))
        exported = sum(len(app.exports) for app in server.pocket.counters.apps.values())
        if planned and exported * (strikes + 1) >= options.hours * (strikes + 1 - len(planned)):
            planned.pop()(dice.choice(crew.names))
        crew.mend()
        hours = {o["discovery_id"]: o["hours"]["open"] for o in outcomes.records if o["hours"]}
        print(f"{len(crew.strikes)} strikes, {sum(hours.values())} hours open", file=sys.stderr, flush=True)


async def misbehave(pocket, faults):
    pocket.world.faults.clear()
    pocket.misbehave(*faults)


def done(outcomes):
    return {o["discovery_id"] for o in outcomes.records if o["kind"] == "stage" and o["stage"] == "done"}


def verdict(options, crew, pocket, apps, span, readers, took):
    """The table, and whether every row that can be wrong is right."""
    outcomes, results, inventory, dead = readers
    last = {o["discovery_id"]: o for o in outcomes.records if o["stage"] == "done" and o["kind"] == "stage"}
    windows = [result for result in results.records if result["part"] == 1]
    states = Counter(window["state"] for window in windows)
    answered = {name: [] for name in apps}
    for window in windows:
        if window["state"] != "split":
            answered[window["project"]].append(window)
    covered = {name: [span_of(window) for window in found] for name, found in answered.items()}
    twice = sum(sum(s.hours for s in spans) - count(joined(spans)) for spans in covered.values())
    missing = sum(span.hours - count(joined(spans)) for spans in covered.values())
    differing, lines, events = compare(pocket, apps, answered, inventory)
    hits = sum(pocket.seen(app).broken_exports for app in apps.values())
    hours = [outcome["hours"] for outcome in last.values()]
    rows = [
        ("hours asked for, of projects", (span.hours * len(apps), len(apps)), None),
        ("windows answered", f"{len(windows)}: {dict(states)}", None),
        ("events scanned, planted types found", (events, lines), None),
        ("strikes", " ".join(f"{kind} {n}" for kind, n in Counter(crew.strikes).items()), None),
        ("  exports that they broke off", hits, hits >= options.least_hits),
        ("members that ended by themselves", crew.ended, None),
        ("discoveries that are done", f"{len(last)} of {2 * len(apps)}", len(last) == 2 * len(apps)),
        ("hours lost", missing, missing == 0),
        ("hours answered twice", twice, twice == 0),
        ("hours that do not reconcile", odd := sum(map(unreconciled, hours)), odd == 0),
        ("outcomes said twice", n := repeated(outcomes), n == 0),
        ("statements out of order or missing", n := out_of_order(outcomes), n == 0),
        ("lines of the inventory that differ", differing, differing == 0),
        ("evidence that differs", n := sum(chain(o, windows) != o["evidence"] for o in last.values()), n == 0),
        ("bytes unaccounted for", n := sum(unaccounted(o["account"]) for o in last.values()), n == 0),
        ("dead letters", len(dead.records), len(dead.records) == 0),
        (
            "most exports of a project at once",
            n := max(pocket.seen(app).max_open_exports for app in apps.values()),
            n == 1,
        ),
        ("429 from the stand-in", sum(pocket.seen(app).throttled for app in apps.values()), None),
        ("seconds of scanning", round(took), None),
    ]
    return rows, all(right for _, _, right in rows if right is not None)


def span_of(record):
    return Span(hour_of(record["from_hour"]), hour_of(record["to_hour"]))


def unreconciled(hours):
    parts = sum(hours[name] for name in ("scanned", "empty", "known", "refused", "open"))
    return abs(hours["total"] - parts) + hours["open"]


def repeated(outcomes):
    ids = Counter(outcome["outcome_id"] for outcome in outcomes.records)
    return sum(number - 1 for number in ids.values())


def out_of_order(outcomes):
    """Statements about one discovery are numbered from 1, without a gap."""
    said = {}
    for outcome in outcomes.records:
        if outcome["sequence"]:
            said.setdefault(outcome["discovery_id"], []).append(outcome["sequence"])
    return sum(numbers != list(range(1, len(numbers) + 1)) for numbers in said.values())


def unaccounted(account):
    def left(whole, *parts):
        return account.get(whole, 0) - sum(account.get(part, 0) for part in parts)

    skipped = sum(n for name, n in account.items() if name.startswith("text_skipped."))
    raw = sum(n for name, n in account.items() if name.startswith("input_skipped."))
    return abs(left("text_bytes", "text_scanned") - skipped) + abs(
        left("input_bytes", "input_overhead", "input_unpacked") - raw
    )


def chain(outcome, windows):
    """The evidence, computed apart from the results as they travelled."""
    told = ""
    ours = [w for w in windows if w["discovery_id"] == outcome["discovery_id"] and w["state"] != "split"]
    for window in sorted(ours, key=lambda w: w["from_hour"]):
        span = span_of(window)
        line = f"{span.first} {span.last} {window['state']} {window['reason'] or '-'} {window['archive_sha256'] or '-'}"
        told = hashlib.sha256(f"{told}\n{line}".encode()).hexdigest()
    return told or None


def compare(pocket, apps, answered, inventory):
    """Lines of the inventory that are not the truth of the hours that were scanned; how many there are, and events."""
    differing = lines = events = 0
    for name, app in apps.items():
        truth = Truth()
        for window in answered[name]:
            if window["state"] == "scanned":
                truth.add(pocket.world.shelf.truth(app, span_of(window)))
        events += truth.events
        wanted = {tuple(place): (hits, truth.seen[place[:2]]) for place, hits in truth.planted.items()}
        found = {}
        for line in inventory.latest.values():
            if line and line["project"] == name and not line["expected"] and line["grade"] != "possible":
                place = (line["event_type"], line["path"], line["data_type"])
                found[place] = (sum(line["hits"]), line["events_seen"])
        differing += len(wanted.items() ^ found.items())
        lines += len(found)
    return differing, lines, events


if __name__ == "__main__":
    sys.exit(main())
