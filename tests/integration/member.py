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

from consumer.domain.errors import Fault
from consumer.domain.retry import Schedule
from consumer.lane import LanePolicy
from consumer.sandbox.clock import ScaledClock
from consumer.service import RequestsStage
from consumer.settings import KafkaSettings, ProjectSettings, Settings
from tests.integration import intake_worker
from tests.integration.seams import Watch, WatchedTransactor, between

QUICK = {fault: Schedule(1.0, 2.0, 0.2) for fault in Fault}
SESSION_MS = 6_000
IN_TRANSACTION, IN_POST, IN_RESTORE = range(3)
STATE_BYTES = 16


class Freezing(Watch):
    """Stops this process once, at an instant: `outcomes` (a transaction without a command is closing) or `gate`."""

    def __init__(self, instant):
        self._instant = instant

    def closing(self, moved, topics):
        if not moved and any(topic.endswith(".outcomes") for topic in topics):
            self._freeze("outcomes")

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


class Noting(Watch):
    """Keeps the state file: a byte for each thing that can be under way, and a line for each call beside it.

    A line is: project, method, when it left, when the last committed transaction had begun (monotonic seconds). The
    file outlives the process, so it says what a SIGKILL hit.
    """

    def __init__(self, file):
        with file.open("r+b") as opened:
            self._state = mmap.mmap(opened.fileno(), STATE_BYTES)
        self._state[:] = bytes(STATE_BYTES)
        self._calls = file.with_suffix(".calls").open("ab", buffering=0)
        self._proven = 0.0

    def begun(self):
        self._state[IN_TRANSACTION] = 1

    def ended(self, committed, began):
        self._state[IN_TRANSACTION] = 0
        self._proven = began if committed else self._proven

    def sent(self, method, access):
        if method == "POST":
            self._state[IN_POST] += 1
        self._calls.write(f"{access.project} {method} {time.monotonic():.6f} {self._proven:.6f}\n".encode())

    def answered(self, method, access):
        if method == "POST":
            self._state[IN_POST] -= 1

    def restoring(self, partitions):
        self._state[IN_RESTORE] = partitions


def say(word):
    print(word, flush=True)


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


async def serve(told, watch):
    """A whole member."""
    for module, name, part in between(watch, leased=told.get("leased", True)):
        setattr(module, name, part)
    clock = ScaledClock(told["start_ms"], told["speed"], origin_s=told["origin_s"])
    projects = {name: ProjectSettings(**project) for name, project in told["projects"].items()}
    poll_every_ms = told.get("poll_every_ms", 3 * 86_400_000)
    policy = LanePolicy(linger_s=0.3, poll_every_ms=poll_every_ms, requester="dsr", schedules=QUICK)
    await RequestsStage(Settings(kafka=kafka(told), projects=projects), clock, policy).run()


def take_in(told, watch):
    """Intake and timers only: the real Kafka thread with nobody behind it."""
    transactor = partial(WatchedTransactor, watch=watch, hold=True, fenced=told.get("fenced", True))
    thread = intake_worker.stream(told["bootstrap"], told["name"], told["prefix"], told["partitions"], transactor)
    thread.start()
    thread.join()
    sys.exit(3 if thread.failure else 0)


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    watch = Noting(Path(told["state"])) if "state" in told else Freezing(told.get("freeze_at"))
    if told.get("intake_only"):
        take_in(told, watch)
    asyncio.run(serve(told, watch))
