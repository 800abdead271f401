"""Members in processes that are killed and frozen, and a witness of what is committed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource

ROOT = Path(__file__).parents[2]
SESSION_MS = 6_000
FROZEN_S = SESSION_MS / 1000 + 2


class Crew:
    """The members, processes of `module`, and their supervisor. `strikes` are the words for what was done; each waits
    until somebody is `busy`, if anybody gets to be."""

    def __init__(self, module, told, names, directory, busy):
        self._module, self._told, self._directory, self._busy, self.names = module, told, directory, busy, names
        self._members, self.strikes, self.ended = {}, [], 0
        for name in names:
            self.start(name)

    def start(self, name):
        told = self._told | {"name": name}
        command = [sys.executable, "-m", self._module, json.dumps(told)]
        with (self._directory / f"{name}.log").open("ab") as log:
            self._members[name] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def mend(self):
        """Restart what has ended by itself."""
        for name, member in self._members.items():
            if member.poll() is not None:
                self.ended += 1
                self.start(name)

    def kill(self, name):
        """SIGKILL, and a new one in its place; what it was doing is taken over."""
        self._aim("SIGKILL")
        self._members[name].kill()
        self._members[name].wait()
        self.start(name)

    def freeze(self, name):
        """SIGSTOP beyond the session time-out: others take its work, and it wakes up as a zombie."""
        self._aim("SIGSTOP")
        self._members[name].send_signal(signal.SIGSTOP)
        time.sleep(FROZEN_S)
        self._members[name].send_signal(signal.SIGCONT)

    def _aim(self, what):
        until = time.monotonic() + 5
        while time.monotonic() < until and not self._busy():
            time.sleep(0.01)
        self.strikes.append(what)

    def stop(self):
        for member in self._members.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGCONT)
            member.terminate()
        for member in self._members.values():
            try:
                member.wait(20)
            except subprocess.TimeoutExpired:
                member.kill()
                member.wait()


class Reader:
    """Everything that is committed in one topic, again and again."""

    def __init__(self, bootstrap, topic, partitions, subject):
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "witness", "isolation.level": "read_committed", "log_level": 0}
        )
        self._consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
        self._codec, self._subject = Codec(DirectorySource()), subject
        self.records = []
        self.latest = {}

    def read(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for message in self._consumer.consume(1_000, 0.2):
                if message.error():
                    continue
                told = self._codec.decode(self._subject, message.value()) if message.value() else None
                self.records.append(told)
                self.latest[message.key()] = told
        return self.records
