"""A pocket Amplitude in a process of its own, and the rehearsal of a member in this one, for benchmarks."""

import json
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

from consumer.domain.command import ProjectRule
from consumer.domain.subject import Secret
from consumer.ports import Access, KeyPair, Region
from consumer.sandbox.amplitude.keys import default_pair
from consumer.sandbox.clock import ScaledClock
from tests.fakes.commands import NOW
from tests.fakes.rehearsal import Rehearsal


@contextmanager
def pocket(apps, gate_s=0.95):
    """Its base URL; the apps are let in with keys by rule."""
    command = [sys.executable, "-m", "consumer.sandbox.amplitude", "--gate-s", str(gate_s), "--start-ms", str(NOW)]
    process = subprocess.Popen(
        [*command, *(word for app in apps for word in ("--project", app))], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


def control(url, path, body=None):
    """One call of the stand-in's control interface."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/fake/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


class Stamps:
    """A `Meter` that keeps the send stamps and the sizes of batches, by project."""

    def __init__(self):
        self.left, self.ids, self.answers = {}, {}, {}

    def called(self, project, verb, answer, took_s):
        self.left.setdefault(project, []).append(time.monotonic() - took_s)
        self.answers[answer] = self.answers.get(answer, 0) + 1

    def batched(self, project, ids):
        self.ids.setdefault(project, []).append(ids)

    def resubmitted(self, project, ids):
        pass


def member(url, apps, policy, meter):
    """A rehearsal of these projects, the calendar at real speed."""

    def access(project):
        api_key, secret_key = default_pair(project)
        return Access(project, "acme", Region.US, KeyPair(Secret(api_key), Secret(secret_key)), url)

    rules = {app: ProjectRule(app, "acme") for app in apps}
    return Rehearsal(ScaledClock(NOW), policy, rules, access, meter)
