"""A member in a process that can be killed: `python -m tests.integration.member JSON`.

It is a whole member, or one that only takes commands in. It may be told to freeze itself at a chosen instant, and to
keep a state file from which another process reads what it is doing right now.
"""

import asyncio
import json
import mmap
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from struct import Struct
from threading import local

from consumer.domain.errors import Fault
from consumer.domain.retry import Schedule
from consumer.lanes import LanePolicy
from consumer.sandbox.clock import ScaledClock
from consumer.service import RequestsStage
from consumer.settings import AdminSettings, KafkaSettings, ProjectSettings, Settings
from tests.integration import intake_worker
from tests.integration.seams import Watch, WatchedTransactor, between

QUICK = {fault: Schedule(1.0, 2.0, 0.2) for fault in Fault}
SESSION_MS = 6_000
STATE = {"transaction": Struct("B"), "posts": Struct("H"), "restoring": Struct("H"), "turned_at": Struct("d")}
OFFSET = {name: 8 * place for place, name in enumerate(STATE)}
STATE_BYTES = 8 * len(STATE)
"""The state file: is a transaction open, how many POSTs are in flight, how many partitions are being restored, and
when the last transaction began."""


class Freezing(Watch):
    """Stops this process once, at an instant: when a transaction that no command has caused is closing (`outcomes`)
    or about to be committed (`ahead`), or when a POST is about to leave (`gate`)."""

    def __init__(self, instant):
        self._instant, self._uncaused = instant, False

    def closing(self, moved, topics):
        self._uncaused = not moved and any(topic.endswith(".outcomes") for topic in topics)
        if self._uncaused:
            self._freeze("outcomes")

    def committing(self):
        if self._uncaused:
            self._freeze("ahead")

    def leaving(self, method, access):
        if method == "POST":
            self._freeze("gate")

    def ended(self, committed, began):
        say("committed" if committed else "aborted")

    def _freeze(self, instant):
        if self._instant == instant:
            self._instant = None
            say("frozen")
            os.kill(os.getpid(), signal.SIGSTOP)
            say("woken")


class StampingClock(ScaledClock):
    """Remembers what it last told each thread: after a gate, that is the stamp of the send."""

    def __init__(self, told):
        super().__init__(told["start_ms"], told["speed"], origin_s=told["origin_s"])
        self.read = local()

    def monotonic(self):
        self.read.at = super().monotonic()
        return self.read.at


class Noting(Watch):
    """Keeps the state file: what is under way now, and beside it (`.calls`) a line for each call and each answer.

    The files outlive the process, so they say what a SIGKILL hit. Instants are monotonic seconds. A call: `call`,
    project, method, when it left, when the last committed transaction had begun. A POST's answer: `answer`, marker,
    when, 1 if it was understood.
    """

    def __init__(self, file, clock):
        self._clock = clock
        with file.open("r+b") as opened:
            self._state = mmap.mmap(opened.fileno(), STATE_BYTES)
        self._state[:] = bytes(STATE_BYTES)
        self._calls = file.with_suffix(".calls").open("ab", buffering=0)
        self._proven, self._posts = 0.0, 0

    def _note(self, **changed):
        for name, value in changed.items():
            STATE[name].pack_into(self._state, OFFSET[name], value)

    def begun(self):
        self._note(transaction=1, turned_at=time.monotonic())

    def ended(self, committed, began):
        self._note(transaction=0)
        self._proven = began if committed else self._proven

    def sent(self, method, access):
        now = self._clock.read.at
        if method == "POST":
            self._posts += 1
            self._note(posts=self._posts)
        self._calls.write(f"call {access.project} {method} {now:.6f} {self._proven:.6f}\n".encode())

    def answered(self, method, requester, understood):
        if method == "POST":
            self._posts -= 1
            self._note(posts=self._posts)
            self._calls.write(f"answer {requester} {time.monotonic():.6f} {int(understood)}\n".encode())

    def restoring(self, partitions):
        self._note(restoring=partitions)


def say(word):
    os.write(1, f"{word}\n".encode())  # at once: the event loop and the Kafka thread both speak


def kafka(told):
    prefix = told["prefix"]
    return KafkaSettings(
        bootstrap_servers=told["bootstrap"],
        group_id=f"{prefix}-group",
        replica=told["name"],
        session_timeout_ms=SESSION_MS,
        partitions=told["partitions"],
        commands=f"{prefix}.commands",
        outcomes=f"{prefix}.outcomes",
        dead_letters=f"{prefix}.dlq",
        ledger=f"{prefix}.ledger",
    )


async def serve(told, watch, clock):
    """A whole member."""
    for module, name, part in between(watch, leased=told.get("leased", True)):
        setattr(module, name, part)
    projects = {name: ProjectSettings(**project) for name, project in told["projects"].items()}
    poll_every_ms = told.get("poll_every_ms", 3 * 86_400_000)
    policy = LanePolicy(linger_s=0.3, poll_every_ms=poll_every_ms, requester="dsr", schedules=QUICK)
    settings = Settings(
        kafka=kafka(told), projects=projects, admin=AdminSettings(port=None), dedupe_days=told.get("dedupe_days", 60)
    )
    await RequestsStage(settings, clock, policy).run()


def take_in(told, watch):
    """Intake and timers only: the real Kafka thread with nobody behind it."""
    transactor = partial(WatchedTransactor, watch=watch, hold=True, fenced=told.get("fenced", True))
    thread = intake_worker.stream(told["bootstrap"], told["name"], told["prefix"], told["partitions"], transactor)
    thread.start()
    thread.join()
    sys.exit(3 if thread.failure else 0)


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    if told.get("intake_only"):
        take_in(told, Freezing(told.get("freeze_at")))
    clock = StampingClock(told)
    watch = Noting(Path(told["state"]), clock) if "state" in told else Freezing(told.get("freeze_at"))
    asyncio.run(serve(told, watch, clock))
