"""`python -m tests.chaos.copies`: copies made by members that are killed, and every package opened and compared.

A dedicated Apache Kafka, a pocket Amplitude that throttles, loses answers, damages files and lets links expire, a
store that fails, and two members of which one owns the org. Amplitude's hour and ours are shorter by one factor. The
truth about each person's events is the stand-in's. Exit code 0 if all of it agrees.
"""

import argparse
import asyncio
import gzip
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from uuid import uuid4

import obstore
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.store import open_store
from consumer.copies.policy import CopyPolicy
from consumer.sandbox.amplitude.faults import Fault, Kind
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.thread import PocketThread
from consumer.sandbox.clock import ScaledClock
from tests.chaos.table import tell
from tests.chaos.workers import Crew, Reader
from tests.kafka.local_kafka import LocalKafka
from tests.s3.server import S3Server

PREFIX, PARTITIONS, ORG = "chaos", 6, "acme"
APPS = {"shop": "829000", "app": "829001"}
PATIENCE_S = 1_500.0
MISBEHAVIOUR = [
    Fault(Kind.STATUS, method="DSAR", status=429),
    Fault(Kind.STATUS, method="DSAR_GET", status=500),
    Fault(Kind.STATUS, method="DSAR_OUTPUT", status=503),
    Fault(Kind.APPLIED_DROP, method="DSAR"),
    Fault(Kind.APPLIED_DROP, method="DSAR_GET"),
    Fault(Kind.JOB_FAILS, method="DSAR"),
    Fault(Kind.STATUS, method="LINK", status=403),
    Fault(Kind.CORRUPT, method="LINK"),
    Fault(Kind.CUT, method="LINK"),
    Fault(Kind.TRUNCATED, method="LINK"),
]


def main(given=None):
    """Run, print the table, return the exit code."""
    options = parser().parse_args(given)
    began, directory = time.monotonic(), Path(tempfile.mkdtemp(prefix="dsr-chaos-"))
    kafka = LocalKafka().start()
    try:
        store = Bucket(directory) if options.s3 else Folder(directory / "store")
        rows, kept = rehearse(options, kafka, directory, store)
        store.stop()
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
    made.add_argument("--copies", type=int, default=2_000)
    made.add_argument("--members", type=int, default=2)
    made.add_argument("--kills", type=int, default=5)
    made.add_argument("--stops", type=int, default=1)
    made.add_argument("--outages", type=int, default=3, help="of the store")
    made.add_argument("--factor", type=float, default=30.0, help="by which hours and pauses are shorter; at most 100")
    made.add_argument("--struck", type=float, default=0.4, help="share of the copies during which strikes happen")
    made.add_argument("--events", type=int, default=20, help="of a person and project")
    made.add_argument("--least-utilisation", type=float, default=0.9)
    made.add_argument("--s3", action="store_true", help="packages go to an S3-compatible server, not to a folder")
    made.add_argument("--seed", type=int, default=5)
    return made


class Folder:
    """A store in a folder, which can be made to fail: its place is taken by a file."""

    def __init__(self, path):
        self._path, self._away = path, path.with_name("away")
        path.mkdir()
        self.settings = {"store": path.as_uri()}

    def outage(self, seconds):
        self._path.rename(self._away)
        self._path.write_text("not a folder")
        time.sleep(seconds)
        self._path.unlink()
        self._away.rename(self._path)

    def files(self):
        return {p.relative_to(self._path).as_posix(): p for p in self._path.rglob("*") if p.is_file()}

    def stop(self):
        pass

    def read(self):
        """Every file by name."""
        return {name: path.read_bytes() for name, path in self.files().items()}


class Bucket:
    """A store in a real S3-compatible server, which is killed and started again on the same files."""

    def __init__(self, directory):
        self._server = S3Server(directory)
        self._server.start()
        self.settings = self._server.settings

    def outage(self, seconds):
        self._server.kill()
        time.sleep(seconds)
        self._server.start()

    def read(self):
        """Every file by name."""
        return asyncio.run(self._read())

    async def _read(self):
        store = open_store(self.settings["store"], self.settings["store_options"])
        names = [each["path"] for page in obstore.list(store._store) for each in page]
        return {name: b"".join([chunk async for chunk in store.get(name)]) for name in names}

    def stop(self):
        self._server.kill()


def rehearse(options, kafka, directory, store):
    """One run: rows of (name, value, whether it is right or None), and whether all are."""
    make_topics(kafka)
    start, origin_s = int(time.time() * 1000), time.time()
    clock = ScaledClock(start, options.factor, origin_s=origin_s)
    knobs = Knobs(
        gate_s=0.0,
        events_per_person=options.events,
        months_of_history=1,
        hour_s=3600 / options.factor,
        dsar_s=600 / options.factor,
    )
    with PocketThread(PocketAmplitude(clock, knobs)) as server:
        pocket = server.pocket
        told = {
            "bootstrap": kafka.bootstrap,
            "prefix": PREFIX,
            "partitions": PARTITIONS,
            "projects": {
                name: keys(pocket.access(app, ORG)) | {"org": ORG, "app_id": int(app)} for name, app in APPS.items()
            },
            "orgs": {ORG: keys(pocket.org_access(ORG))},
            "copies": store.settings,
            "factor": options.factor,
            "start": start,
            "origin_s": origin_s,
        }
        seen = pocket.world.counters.org(ORG)
        busy = Busy(seen)
        names = [f"m{number}" for number in range(options.members)]
        crew = Crew("tests.chaos.copies_member", told, names, directory, busy)
        outcomes = Reader(kafka.bootstrap, f"{PREFIX}.outcomes", PARTITIONS, schemas.OUTCOMES)
        try:
            began = time.monotonic()
            people = ask(kafka, options.copies, clock)
            drive(options, server, crew, store, outcomes)
            took = time.monotonic() - began
        finally:
            crew.stop()
        dead = Reader(kafka.bootstrap, f"{PREFIX}.dead_letters", PARTITIONS, schemas.COMMANDS)
        for each in (dead, outcomes):
            each.read(3)
        return verdict(options, crew, pocket, people, store, (outcomes, dead), took)


class Busy:
    """Whether a question or a file has arrived since it was last asked."""

    def __init__(self, seen):
        self._seen, self._last = seen, 0

    def __call__(self):
        last, self._last = self._last, self._seen.downloads + self._seen.requests["DSAR"]
        return self._last > last


def keys(access):
    pair = {"api_key": access.keys.api_key.reveal(), "secret_key": access.keys.secret_key.reveal()}
    return {"base_url": access.base_url, **pair}


def make_topics(kafka):
    compact = {"cleanup.policy": "compact"}
    names = ("commands", "outcomes", "dead_letters", "ledger")
    wanted = [NewTopic(f"{PREFIX}.{n}", PARTITIONS, 1, config=compact if n == "ledger" else {}) for n in names]
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.create_topics(wanted).values():
        future.result(30)


def ask(kafka, count, clock):
    """One copy for each person, every tenth of one project only, every hundredth of nobody; some commands twice."""
    codec = Codec(DirectorySource())
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "log_level": 0, "partitioner": "murmur2_random"})
    people = {}
    for number in range(count):
        who = f"{'ghost' if number % 100 == 99 else 'u'}-{number:05}"
        projects = ["shop"] if number % 10 == 3 else []
        now = clock.now()
        fields = {
            "command_id": str(uuid4()),
            "command": "submit",
            "subject_request_id": str(uuid4()),
            "subject_request_type": "access",
            "submitted_time": now,
            "org": ORG,
            "scope": "org",
            "projects": projects,
            "subject_identities": [{"identity_type": "controller_customer_id", "identity_value": who}],
            "issued_time": now,
        }
        people[fields["subject_request_id"]] = (who, projects or list(APPS))
        value = codec.encode(schemas.COMMANDS, fields)
        for _ in range(1 + (number % 10 == 0)):
            producer.produce(f"{PREFIX}.commands", value, ORG.encode())
        producer.poll(0)
    producer.flush(30)
    return people


def drive(options, server, crew, store, outcomes):
    """Strike evenly over the first part; then let it work; until all have ended."""
    dice = random.Random(options.seed)
    planned = [crew.kill] * options.kills + [crew.freeze] * options.stops + [None] * options.outages
    dice.shuffle(planned)
    strikes, until = len(planned), time.monotonic() + PATIENCE_S
    while (over := len(ended(outcomes))) < options.copies and time.monotonic() < until:
        outcomes.read(1)
        struck = options.copies * options.struck
        if over < struck:
            server.run(lambda: misbehave(server.pocket, dice.choices(MISBEHAVIOUR, k=3)))
        if planned and over * (strikes + 1) >= struck * (strikes + 1 - len(planned)):
            strike = planned.pop()
            if strike is None:
                crew.strikes.append("store outage")
                store.outage(2.0)
            else:
                strike(dice.choice(crew.names))
        crew.mend()
        print(f"{len(crew.strikes)} strikes, {over} of {options.copies} ended", file=sys.stderr, flush=True)


async def misbehave(pocket, faults):
    pocket.world.faults.clear()
    pocket.misbehave(*faults)


def ended(outcomes):
    ends = {"delivered", "not_found", "failed", "refused", "cancelled"}
    return {o["subject_request_id"] for o in outcomes.records if o["kind"] == "stage" and o["stage"] in ends}


def verdict(options, crew, pocket, people, store, readers, took):
    """The table, and whether every row that can be wrong is right."""
    outcomes, dead = readers
    said = {}
    for outcome in outcomes.records:
        if outcome["kind"] == "stage":
            said.setdefault(outcome["subject_request_id"], []).append(outcome)
    ends = Counter(stages[-1]["stage"] for stages in said.values())
    nobody = sum(who.startswith("ghost") for who, _ in people.values())
    allowance = pocket.world.allowance(ORG)
    seen = pocket.world.counters.org(ORG)
    most = allowance.most_in_an_hour()
    wrong, unnamed, events = compare(pocket, people, said, store.read())
    rate = CopyPolicy().org_units / (3600 / options.factor)
    rows = [
        ("copies asked for", len(people), None),
        ("ends", f"{dict(ends)}", ends == {"delivered": len(people) - nobody, "not_found": nobody}),
        ("events delivered", events, None),
        ("strikes", " ".join(f"{kind} {n}" for kind, n in Counter(crew.strikes).items()), None),
        ("members that ended by themselves", crew.ended, None),
        ("copies lost", n := len(people.keys() - said.keys()), n == 0),
        ("packages that are not complete or differ", wrong, wrong == 0),
        ("files in the store that no manifest names", unnamed, unnamed == 0),
        ("outcomes said twice", n := repeated(outcomes), n == 0),
        ("statements out of order or missing", n := out_of_order(said), n == 0),
        ("dead letters", len(dead.records), len(dead.records) == 0),
        ("questions asked, of them again", (seen.requests["DSAR"], seen.requests["DSAR"] - len(people)), None),
        ("units spent in the fullest hour, of 14,400", most, most <= 14_400),
        ("  of what may be spent", f"{most / 14_400:.1%}", most / 14_400 >= options.least_utilisation),
        ("units a second over all, of", (round(sum(c for _, c in allowance.spent) / took), round(rate)), None),
        ("429 for the budget", seen.statuses[429], None),
        ("downloads that carried the org's keys", seen.credentials_leaked, seen.credentials_leaked == 0),
        ("seconds of copying", round(took), None),
    ]
    return rows, all(right for _, _, right in rows if right is not None)


def repeated(outcomes):
    ids = Counter(outcome["outcome_id"] for outcome in outcomes.records)
    return sum(number - 1 for number in ids.values())


def out_of_order(said):
    right = (["accepted", "requested", "ready", "delivered"], ["accepted", "requested", "ready", "not_found"])
    return sum([outcome["stage"] for outcome in stages] not in right for stages in said.values())


def compare(pocket, people, said, files):
    """Packages that are wrong, files that nobody names, events that were delivered."""
    wrong = events = 0
    named = set()
    for request, (who, projects) in people.items():
        last = said.get(request, [{"stage": "lost"}])[-1]
        if last["stage"] != "delivered":
            continue
        manifest = files.get(f"{request}/manifest.json", b"{}")
        told = json.loads(manifest)
        listed = [*told.get("files", []), *([told["page"]] if told.get("page") else [])]
        names = {f"{request}/{each['name']}": each for each in listed}
        named |= names.keys() | {f"{request}/manifest.json"}
        intact = all(
            (len(files.get(n, b"")), hashlib.sha256(files.get(n, b"")).hexdigest()) == (each["size"], each["sha256"])
            for n, each in names.items()
        )
        digest = hashlib.sha256(manifest).hexdigest() == last["sha256"]
        found = Counter(
            json.loads(line)["$insert_id"]
            for n in names
            if n.endswith(".jsonl.gz") and intact
            for line in gzip.decompress(files[n]).splitlines()
        )
        wanted = Counter(event["$insert_id"] for app in projects for event in truth(pocket, APPS[app], who))
        wrong += not (intact and digest and found == wanted and last["results_count"] == sum(found.values()))
        events += sum(found.values())
    return wrong, len(files.keys() - named), events


def truth(pocket, app, who):
    for amplitude_id in pocket.world.people.amplitude_ids(app, who):
        yield from pocket.world.history.of(app, amplitude_id, who)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
