"""The whole stage on Apache Kafka, with members killed and frozen: outcomes exactly once, calls at least once."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict

import pytest

import schemas
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.thread import PocketThread
from consumer.sandbox.clock import ScaledClock
from tests.fakes.commands import fields
from tests.integration import intake_worker
from tests.integration.test_intake_on_kafka import PARTITIONS, ROOT, Rehearsal

PROJECTS = 6
REQUESTS = 600
SPEED = 43_200.0  # half a day a second
ORDER = [
    "accepted",
    "dispatching",
    "cancelling",
    "scheduled",
    "submitted",
    "erased",
    "done",
    "not_found",
    "cancelled",
    "too_late",
]


class Chaos(Rehearsal):
    """Whole members instead of intake workers, and a pocket Amplitude that they share."""

    def __init__(self, bootstrap, pocket, start_ms, origin_s):
        super().__init__(bootstrap)
        self.pocket = pocket
        projects = {}
        for n in range(PROJECTS):
            access = pocket.access(str(829_000 + n))
            keys = {"api_key": access.keys.api_key.reveal(), "secret_key": access.keys.secret_key.reveal()}
            projects[f"p{n}"] = {"org": f"org-{n}", "base_url": access.base_url, **keys}
        clock = {"start_ms": start_ms, "origin_s": origin_s, "speed": SPEED}
        self.told = {
            "bootstrap": bootstrap,
            "prefix": self.prefix,
            "partitions": PARTITIONS,
            "projects": projects,
            **clock,
        }

    def start(self, name):
        command = [sys.executable, "-m", "tests.integration.member", json.dumps(self.told | {"name": name})]
        self.members[name] = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)

    def mend(self):
        """A supervisor: restart members that ended by themselves (fenced after a freeze)."""
        for name, member in list(self.members.items()):
            if member.poll() is not None:
                self.start(name)


@pytest.fixture
def chaos(kafka_bootstrap):
    start_ms, origin_s = int(time.time() * 1000), time.time()
    clock = ScaledClock(start_ms, SPEED, origin_s=origin_s)
    with PocketThread(PocketAmplitude(clock, Knobs(gate_s=0.0))) as server:
        chaos = Chaos(kafka_bootstrap, server.pocket, start_ms, origin_s)
        yield chaos
        chaos.stop()


def commands():
    """Erasures over all projects; every hundredth person is unknown."""
    now = int(time.time() * 1000)
    for n in range(REQUESTS):
        user = f"ghost-{n}" if n % 100 == 7 else f"u-{n:05}"
        yield fields(user, project=f"p{n % PROJECTS}", submitted_time=now, issued_time=now, deadline=now + 10**11)


@pytest.mark.slow
def test_nothing_is_lost_or_said_twice_while_members_are_killed_and_frozen(chaos):
    """SIGKILL, and SIGSTOP past the session time-out; every request reaches one end, by the table, each stage once."""
    sent = list(commands())
    for name in ("a", "b", "c"):
        chaos.start(name)
    for at in range(0, REQUESTS, 100):
        chaos.send(intake_worker.codec.encode(schemas.COMMANDS, record) for record in sent[at : at + 100])
        chaos.send(intake_worker.codec.encode(schemas.COMMANDS, record) for record in sent[at : at + 5])
        victim = random.choice(["a", "b", "c"])
        time.sleep(random.uniform(1, 3))
        if at in {200, 400}:
            chaos.members[victim].send_signal(signal.SIGSTOP)
            time.sleep(8)
            chaos.members[victim].send_signal(signal.SIGCONT)
        else:
            chaos.kill(victim)
            chaos.start(victim)
        chaos.mend()
    ends = {"done", "not_found"}
    until = time.monotonic() + 150
    while time.monotonic() < until:
        chaos.mend()
        said = chaos.outcomes()
        if len({o["subject_request_id"] for o in said if o["stage"] in ends and o["kind"] == "stage"}) == REQUESTS:
            break
        time.sleep(2)
    time.sleep(2)
    judge(sent, chaos.outcomes())
    posts = [post for n in range(PROJECTS) for post in chaos.pocket.seen(str(829_000 + n)).posts]
    applied = Counter(user for post in posts if post.applied for user in post.user_ids)
    assert {u for u in applied if u.startswith("u-")} == {f"u-{n:05}" for n in range(REQUESTS) if n % 100 != 7}


def judge(sent, said):
    """Lost 0, duplicated 0, out of order 0, for a `read_committed` reader."""
    assert len({o["outcome_id"] for o in said if o["kind"] == "stage"}) == len(
        [o for o in said if o["kind"] == "stage"]
    )
    stages = defaultdict(list)
    for outcome in said:
        if outcome["kind"] == "stage":
            stages[outcome["subject_request_id"]].append((outcome["sequence"], outcome["stage"]))
    for record in sent:
        told = [stage for _, stage in stages[record["subject_request_id"]]]
        sequences = [sequence for sequence, _ in stages[record["subject_request_id"]]]
        assert sequences == list(range(1, len(told) + 1)), told
        assert told == sorted(told, key=ORDER.index)
        assert told[0] == "accepted"
        assert told[-1] == (
            "not_found" if record["subject_identities"][0]["identity_value"].startswith("ghost") else "done"
        )
