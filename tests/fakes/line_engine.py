"""Small engines for the pool: real work, whose result shows every line that was fed, in whatever order."""

import hashlib
import os
import signal
import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Lines:
    """How many lines, and the sum of their SHA-256."""

    count: int = 0
    digest: int = 0

    def merge(self, other):
        return Lines(self.count + other.count, (self.digest + other.digest) % (1 << 256))


def digest(lines):
    """The result for these lines, each with its newline."""
    total = Lines()
    for line in lines:
        total = total.merge(Lines(1, int.from_bytes(hashlib.sha256(line).digest())))
    return total


class LineEngine:
    def __init__(self):
        self._lines = Lines()

    def feed(self, data, start, end):
        self._lines = self._lines.merge(digest(data[start:end].splitlines(keepends=True)))

    def take(self):
        return self._lines


class FailingEngine(LineEngine):
    """Fails with a text that nobody may see."""

    def feed(self, data, start, end):
        if b"secret" in data:
            raise KeyError("jane.roe@example.com")
        super().feed(data, start, end)


class DyingEngine(LineEngine):
    """Is killed, as by a machine without memory."""

    def feed(self, data, start, end):
        if b"secret" in data:
            os.kill(os.getpid(), signal.SIGKILL)
        super().feed(data, start, end)


class SlowEngine(LineEngine):
    """Takes its time with each block."""

    def feed(self, data, start, end):
        time.sleep(0.05)
        super().feed(data, start, end)


@dataclass(frozen=True)
class Origins:
    """By process, how it was started, and whether its engine was the parent's."""

    of: frozenset = frozenset()

    def merge(self, other):
        return Origins(self.of | other.of)


class OriginEngine:
    """Tells where it runs, whatever it is fed."""

    made_in: int

    def __init__(self):
        self.made_in = os.getpid()

    def feed(self, data, start, end):
        pass

    def take(self):
        spawned = "--multiprocessing-fork" in sys.orig_argv  # so the standard library tells a spawned process
        return Origins(frozenset({(os.getpid(), "spawn" if spawned else "fork", self.made_in != os.getpid())}))


def no_engine():
    raise RuntimeError("jane.roe@example.com")
