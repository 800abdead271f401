"""`python -m tests.chaos.run`: break everything on purpose, publish meanwhile, and count what the promise came to.

A dedicated Apache Kafka, a pocket Amplitude with real limits and a fast calendar, whole members under a supervisor.
Strikes are aimed: at an open transaction, a POST in flight, a restore. Exit code 0 if the promise was kept.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from functools import partial
from itertools import cycle
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from consumer.sandbox.amplitude.faults import Fault, Kind
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.thread import PocketThread
from consumer.sandbox.clock import ScaledClock
from tests.chaos import judge
from tests.chaos.crew import AIMS, Crew
from tests.chaos.feed import Feed
from tests.chaos.table import tell
from tests.chaos.witness import Witness
from tests.integration.intake_worker import topics
from tests.integration.member import SESSION_MS
from tests.kafka.local_kafka import LocalKafka

PREFIX, PARTITIONS, OUTCOME_PARTITIONS = "chaos", 6, 3
SPEED = 43_200.0
"""Half a day a second: a job's 18 days are 36 seconds."""
PATIENCE_S = 240.0
MOST_MORE, MORE = 12, 30
"""Kills of an aim that was not hit often enough, and requests published before each."""
SLOW = Fault(Kind.LATENCY, method="POST", seconds=0.4, count=20)
MISBEHAVIOUR = [
    Fault(Kind.STATUS, status=500),
    Fault(Kind.STATUS, status=429),
    Fault(Kind.DROP, method="POST"),
    Fault(Kind.APPLIED_DROP, method="POST"),
    Fault(Kind.APPLIED_STATUS, method="POST", status=502),
    Fault(Kind.TRUNCATED, method="POST"),
]


def main(given=None):
    """Run, print the table, return the exit code."""
    options = parser().parse_args(given)
    began = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="dsr-chaos-"))
    kafka = LocalKafka().start()
    try:
        rows, kept = rehearse(options, kafka, directory)
    finally:
        kafka.stop()
    rows.append(("seconds in all", round(time.monotonic() - began), None))
    tell(rows)
    if kept and not options.keep:
        shutil.rmtree(directory)
    else:
        print("states and logs of the members are kept in a temporary directory,", directory.name)
    return 0 if kept else 1


def rehearse(options, kafka, directory):
    """One run: rows of (name, value, whether it is right or None), and whether all are."""
    origin_s, dice = time.time(), random.Random(options.seed)
    clock = ScaledClock(int(origin_s * 1000), SPEED, origin_s=origin_s)
    names = topics(PREFIX)
    make_topics(kafka, names)
    with PocketThread(PocketAmplitude(clock, Knobs())) as server:
        apps = {f"p{n}": str(829_000 + n) for n in range(options.projects)}
        told = {
            "bootstrap": kafka.bootstrap,
            "prefix": PREFIX,
            "partitions": PARTITIONS,
            "projects": {name: project(server.pocket, name, app) for name, app in apps.items()},
            "start_ms": int(origin_s * 1000),
            "origin_s": origin_s,
            "speed": SPEED,
            "dedupe_days": 3_650,
        }
        witness = Witness(kafka.bootstrap, names.outcomes, OUTCOME_PARTITIONS)
        witness.start()
        crew = Crew(told, [f"m{n}" for n in range(options.members)], directory)
        feed = Feed(list(apps), dice, int(origin_s * 1000))
        try:
            times = drive(options, kafka, server, crew, feed, witness, dice)
        finally:
            crew.stop()
            witness.stop()
        return verdict(options, crew, feed, witness, server.pocket, apps, times)


def make_topics(kafka, names):
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    compact = {"cleanup.policy": "compact"}
    wanted = [NewTopic(names.commands, PARTITIONS, 1), NewTopic(names.ledger, PARTITIONS, 1, config=compact)]
    wanted += [NewTopic(names.outcomes, OUTCOME_PARTITIONS, 1), NewTopic(names.dead_letters, 1, 1)]
    for future in admin.create_topics(wanted).values():
        future.result(30)


def project(pocket, name, app):
    access = pocket.access(app)
    keys = {"api_key": access.keys.api_key.reveal(), "secret_key": access.keys.secret_key.reveal()}
    return {"org": f"org-{name}", "base_url": access.base_url, "daily_cap": 10**6, **keys}


def drive(options, kafka, server, crew, feed, witness, dice):
    """Publish a share of the commands before each strike, strike until every aim was hit often enough, and wait until
    every request has ended. Seconds of strikes, and of waiting."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "log_level": 0, "enable.idempotence": True})
    planned = [crew.kill] * options.kills + [crew.freeze] * options.stops
    strikes = list(zip(planned, cycle(AIMS)))
    strikes += [(partial(crew.kill_broker, kafka), "transaction")] * options.broker_kills
    dice.shuffle(strikes)
    share, rest = divmod(options.commands, len(strikes))
    began = time.monotonic()
    for strike, aim in strikes:
        publish(producer, feed, share + rest)
        rest = 0
        hit(server, crew, witness, dice, strike, aim)
    for aim in list(missed(options, crew)) * MOST_MORE:
        if aim in missed(options, crew):
            publish(producer, feed, MORE)
            hit(server, crew, witness, dice, crew.kill, aim)
    publish(producer, feed, MORE, last=True)
    struck = time.monotonic()
    while len(witness.ended) < len(feed.asked) and time.monotonic() - struck < PATIENCE_S:
        crew.mend()
        time.sleep(1)
    time.sleep(3)
    return round(struck - began), round(time.monotonic() - struck - 3)


def hit(server, crew, witness, dice, strike, aim):
    """One strike, while Amplitude is slow and does wrong."""
    faults = [SLOW, *dice.choices(MISBEHAVIOUR, k=4)]
    server.run(lambda: misbehave(server.pocket, faults))
    strike(aim)
    crew.mend()
    what, _, hits = crew.strikes[-1]
    say(f"{len(crew.strikes)}. {what} at {aim}: hit {hits}; {len(witness.ended)} requests have ended")


def missed(options, crew):
    """The aims that were not yet hit as often as they must be."""
    return [aim for aim in AIMS if sum(aim in hits for _, _, hits in crew.strikes) < options.least_hits]


async def misbehave(pocket, faults):
    pocket.misbehave(*faults)


def publish(producer, feed, count, *, last=False):
    for value in feed.chunk(count, last=last):
        producer.produce(f"{PREFIX}.commands", value, feed.random.randbytes(8))
        producer.poll(0)
    if producer.flush(60):
        raise RuntimeError("not everything could be published")


def verdict(options, crew, feed, witness, pocket, apps, times):
    """The table, and whether every row that can be wrong is right."""
    ends = {o["subject_request_id"]: o["stage"] for o in witness.said if o["kind"] == "stage"}
    counted = {stage: list(ends.values()).count(stage) for stage in sorted(set(ends.values()))}
    hits = {aim: sum(aim in hit for _, _, hit in crew.strikes) for aim in AIMS}
    kinds = {kind: sum(kind == k for k, _, _ in crew.strikes) for kind in ("SIGKILL", "SIGSTOP", "broker")}
    least, oldest, calls = judge.judge_calls(crew, SESSION_MS / 1000)
    why = judge.judge_repetitions(crew, pocket, apps)
    posts = [post for app in apps.values() for post in pocket.seen(app).posts]
    people, stories = judge.judge_people(feed.asked, witness.said, pocket, apps)
    for story in stories:
        say(story)
    rows = [
        ("requests", len(feed.asked), None),
        ("  duplicates, cancels", (sum(a.duplicates for a in feed.asked.values()), _cancels(feed)), None),
        ("outcomes", len(witness.said), None),
        ("last stages", " ".join(f"{stage} {count}" for stage, count in counted.items()), None),
        ("strikes", " ".join(f"{kind} {count}" for kind, count in kinds.items()), None),
        *((f"  that hit: {aim}", count, count >= options.least_hits) for aim, count in hits.items()),
        ("unknown people said done by evidence", _by_evidence(feed, witness), None),
        ("members that ended by themselves", len(crew.ended), None),
        ("members that hung, restarted by a probe", len(crew.hung), None),
        *((name, n, n == 0) for name, n in judge.judge_outcomes(feed.asked, witness.said).items()),
        *((name, n, n == 0) for name, n in people.items()),
        ("POSTs, ids in each", f"{len(posts)}, {sum(map(len, posts)) / max(1, len(posts)):.1f}", None),
        ("least seconds between calls of a lane", f"{least:.4f}", None),
        ("oldest proof of ownership at a call, s", f"{oldest:.3f}", None),
        *((name, n, n == 0) for name, n in calls.items()),
        ("429 from the stand-in", sum(pocket.seen(app).throttled for app in apps.values()), None),
        *((f"ids sent again: {name}", n, name != "unexplained" or n == 0) for name, n in why.items()),
        ("seconds of strikes, of waiting", times, None),
    ]
    return rows, all(right is not False for _, _, right in rows)


def _by_evidence(feed, witness):
    stages = [o for o in witness.said if o["kind"] == "stage" and o["subject_request_id"] in feed.asked]
    return sum(judge.by_evidence(feed.asked[o["subject_request_id"]], o) for o in stages)


def _cancels(feed):
    return sum(a.cancelled for a in feed.asked.values())


def say(line):
    print(line, file=sys.stderr, flush=True)


def parser():
    made = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    made.add_argument("--commands", type=int, default=10_000, help="erasures; duplicates and cancels come on top")
    made.add_argument("--projects", type=int, default=20)
    made.add_argument("--members", type=int, default=3)
    made.add_argument("--kills", type=int, default=10, help="SIGKILLs of a member")
    made.add_argument("--stops", type=int, default=5, help="SIGSTOPs of a member past its session timeout")
    made.add_argument("--broker-kills", type=int, default=2)
    made.add_argument("--least-hits", type=int, default=2, help="of a transaction, a POST and a restore, each")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--keep", action="store_true", help="keep the members' states and logs")
    return made


if __name__ == "__main__":
    sys.exit(main())
