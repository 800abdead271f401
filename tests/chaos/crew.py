"""The members and their supervisor: starts them, restarts what ended or hangs, and strikes at a chosen instant."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.member import OFFSET, SESSION_MS, STATE, STATE_BYTES

ROOT = Path(__file__).parents[2]
HUNG_S = 30.0
"""A liveness probe: a Kafka thread that has begun no transaction for so long (idle ones begin one a second)."""
AIM_S = 8.0
FROZEN_S = SESSION_MS / 1000 + 2
AIMS = ("transaction", "posts", "restoring")


class Crew:
    """`strikes`: (what, when, aims hit); `freezes`: (member, stopped, woken); `ended`, `hung`: (member, when)."""

    def __init__(self, told, names, directory):
        self._told, self._directory, self.names = told, directory, names
        self._members, self._started = {}, {}
        self.strikes, self.freezes, self.ended, self.hung = [], [], [], []
        for name in names:
            self._state(name).write_bytes(bytes(STATE_BYTES))
            self.start(name)

    def _state(self, name):
        return self._directory / f"{name}.state"

    def start(self, name):
        told = self._told | {"name": name, "state": str(self._state(name))}
        command = [sys.executable, "-m", "tests.integration.member", json.dumps(told)]
        log = (self._directory / f"{name}.log").open("ab")
        with log:
            self._members[name] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        self._started[name] = time.monotonic()

    def state(self, name):
        """What a member is, or was when it died, doing."""
        held = self._state(name).read_bytes()
        return {what: STATE[what].unpack_from(held, OFFSET[what])[0] for what in STATE}

    def mend(self):
        """Restart what has ended by itself, and what a liveness probe would."""
        now = time.monotonic()
        for name, member in self._members.items():
            if member.poll() is not None:
                self.ended.append((name, now))
                self.start(name)
            elif now - max(self.state(name)["turned_at"], self._started[name]) > HUNG_S:
                self.hung.append((name, now))
                self._end(name)
                self.start(name)

    def kill(self, aim):
        """SIGKILL a member at an instant."""
        name = self._wait_for(aim)
        self._end(name)
        self.strikes.append(("SIGKILL", time.monotonic(), self._hit(name)))
        self.start(name)

    def freeze(self, aim):
        """SIGSTOP a member at an instant, past its session timeout."""
        name = self._wait_for(aim)
        self._members[name].send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        self.strikes.append(("SIGSTOP", stopped, self._hit(name)))
        time.sleep(FROZEN_S)
        self.freezes.append((name, stopped, time.monotonic()))
        self._members[name].send_signal(signal.SIGCONT)

    def kill_broker(self, kafka, aim):
        """SIGKILL the broker at an instant of any member, and start it again on the same data."""
        name = self._wait_for(aim)
        kafka.kill9()
        self.strikes.append(("broker", time.monotonic(), self._hit(name)))
        kafka.start()

    def _wait_for(self, aim):
        """The first member that is doing it; any, if nobody does for a while."""
        until = time.monotonic() + AIM_S
        while time.monotonic() < until:
            for name in self.names:
                if self.state(name)[aim] and self._members[name].poll() is None:
                    return name
        return self.names[int(time.monotonic() * 1000) % len(self.names)]

    def _hit(self, name):
        state = self.state(name)
        return [aim for aim in AIMS if state[aim]]

    def _end(self, name):
        self._members[name].kill()
        self._members[name].wait()

    def stop(self):
        for member in self._members.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGCONT)
            member.kill()
            member.wait()

    def notes(self, name):
        """A member's calls and answers, over all its lives: lists of words."""
        return [line.split() for line in self._state(name).with_suffix(".calls").read_text().splitlines()]
