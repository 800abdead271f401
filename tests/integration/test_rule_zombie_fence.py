"""Rule 1, the zombie fence, with its negative control."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from queue import SimpleQueue
from threading import Thread

import pytest

from tests.integration.test_intake_on_kafka import PARTITIONS, ROOT, Rehearsal, encoded

REQUESTS = 12


class Members(Rehearsal):
    """Members that only take commands in and say what time brings; their words can be heard."""

    def __init__(self, bootstrap):
        super().__init__(bootstrap)
        self.said, self._ears = {}, {}

    def start(self, name, **told):
        self.run(name, told | {"intake_only": True})

    def run(self, name, told):
        told |= {"bootstrap": self.bootstrap, "prefix": self.prefix, "partitions": PARTITIONS, "name": name}
        command = [sys.executable, "-m", "tests.integration.member", json.dumps(told)]
        member = self.members[name] = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.said[name] = said = SimpleQueue()
        self._ears[name] = Thread(target=lambda: [said.put(line.strip()) for line in member.stdout])
        self._ears[name].start()

    def hear(self, name, *words):
        """Listen to a member up to one of the words, for a minute at most; return it."""
        until = time.monotonic() + 60
        while (word := self.said[name].get(timeout=60)) not in words:
            assert time.monotonic() < until, f"{name} did not say {words}"
        return word

    def kill(self, name):
        member = self.members.pop(name)
        member.send_signal(signal.SIGCONT)
        member.kill()
        member.wait()
        self._ears[name].join()
        member.stdout.close()

    def stop(self):
        for name in list(self.members):
            self.kill(name)

    def breaches(self):
        """How often each request was said to be late."""
        said = [o for o in self.outcomes() if o["notice"] == "breached"]
        return Counter(o["subject_request_id"] for o in said)


@pytest.fixture
def members(kafka_bootstrap):
    members = Members(kafka_bootstrap)
    yield members
    members.stop()


def wake_a_zombie(members, **told):
    """A member freezes with the notices of late requests produced and not committed. Another takes over and says
    them. The first one wakes, still believing that it is a member, and goes on to commit. What came of it?"""
    members.start("zombie", freeze_at="outcomes", **told)
    members.send([encoded(project="p3")[1]])
    members.wait_for(1)
    soon = int(time.time() * 1000) + 4_000
    members.send([encoded(project="p3", deadline=soon)[1] for _ in range(REQUESTS)])
    members.hear("zombie", "frozen")
    members.start("heir")
    until = time.monotonic() + 60
    while len(members.breaches()) < REQUESTS and time.monotonic() < until:
        time.sleep(0.5)
    assert {1} == set(members.breaches().values())
    members.members["zombie"].send_signal(signal.SIGCONT)
    members.hear("zombie", "woken")
    return members.hear("zombie", "committed", "aborted")


def test_a_woken_member_cannot_say_again_what_its_heir_has_said(members):
    """Rule 1: every transaction carries the offsets of every touched partition, so the broker turns a zombie away."""
    assert wake_a_zombie(members) == "aborted"
    assert {1} == set(members.breaches().values())


def test_without_the_offsets_in_every_transaction_a_woken_member_says_it_all_twice(members):
    """Rule 1, negative control: offsets only when they moved. Nothing else in the design stops the zombie."""
    assert wake_a_zombie(members, fenced=False) == "committed"
    assert {2} == set(members.breaches().values())
