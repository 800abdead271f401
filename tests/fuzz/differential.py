"""Does the native engine find what the plain one finds? `python -m tests.fuzz.differential KIND [options]`.

KIND is `hostile` (odd and damaged lines), `archive` (exports of every profile), `examples` (lines around the examples
of all rules), or `all` of them in turn. Ends with 1 and the first lines if any line is counted differently.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections.abc import Iterator

from scanner.kernel import NATIVE
from scanner.rules import load
from tests.fakes.differential import Pair
from tests.fakes.exports import archive
from tests.fakes.exports.events import PROFILES
from tests.fakes.exports.examples import Examples
from tests.fakes.exports.hostile import Hostile

BATCH = 250
"""Lines that are compared at once. The engines live on and remember, as in a scan."""

LIFE = 20_000
"""Lines that a pair of engines lives. Hostile lines have many event types; beyond 4,096 all go to the plain engine."""

_FRESH = 20  # batches, then the generator of hostile lines draws other texts
_EVENTS = 2_000  # of one archive
_SHOWN = 10  # of the lines that are counted differently


def hostile(seed: int) -> Iterator[list[bytes]]:
    """Batches without end."""
    for each in itertools.count(seed * 1_000_003):
        lines = Hostile(each)
        for _ in range(_FRESH):
            yield lines.lines(BATCH)


def exports(seed: int) -> Iterator[list[bytes]]:
    """Batches without end, archives of every profile in turn."""
    for each, profile in zip(itertools.count(seed * 1_000_003), itertools.cycle(PROFILES), strict=False):
        lines = (line[:-1] for _, line, _, _ in archive.lines(_EVENTS, each, profile))
        while batch := list(itertools.islice(lines, BATCH)):
            yield batch


def examples(seed: int) -> Iterator[list[bytes]]:
    """Batches without end."""
    lines = Examples(load(), random.Random(seed))
    while True:
        yield lines.lines(BATCH)


def in_turn(seed: int) -> Iterator[list[bytes]]:
    """A batch of each kind, again and again."""
    for batches in zip(hostile(seed), exports(seed), examples(seed), strict=True):
        yield from batches


KINDS = {"hostile": hostile, "archive": exports, "examples": examples, "all": in_turn}


class Comparison:
    """Batches given to both engines, until there are enough lines or the time is over; differences are told at once."""

    def __init__(self, pair: Pair | None = None, every: float = 60) -> None:
        self.pair, self.lines, self.found, self.differing = pair or Pair(), 0, 0, list[bytes]()
        self._every, self._renews = every, pair is None

    def run(self, batches: Iterator[list[bytes]], lines: float = float("inf"), seconds: float = float("inf")) -> None:
        """Tells every minute how far it is."""
        start = told = time.monotonic()
        while self.lines < lines and (now := time.monotonic()) - start < seconds:
            batch = next(batches)
            self._compare(batch)
            if now - told >= self._every:
                told = now
                print(f"{now - start:,.0f} s: {self}", flush=True)

    def _compare(self, batch: list[bytes]) -> None:
        before, after = self.lines // LIFE, (self.lines + len(batch)) // LIFE
        known = self.pair.found
        for line in self.pair.differing(batch):
            self.differing.append(line)
            if len(self.differing) <= _SHOWN:
                print(repr(line), self.pair.explain(line), sep="\n  ", flush=True)
        self.lines, self.found = self.lines + len(batch), self.found + self.pair.found - known
        if self._renews and before != after:
            self.pair = Pair()

    def __str__(self) -> str:
        return f"{self.lines:,} lines, {self.found:,} findings, {len(self.differing)} differences"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--lines", type=float, default=float("inf"))
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    asked = parser.parse_args()
    if NATIVE is None:
        sys.exit("the native engine was not built: there is nothing to compare")
    print("seed", asked.seed, flush=True)
    comparison = Comparison()
    comparison.run(KINDS[asked.kind](asked.seed), asked.lines, asked.seconds)
    print(f"{asked.kind}: {comparison}")
    return 1 if comparison.differing else 0


if __name__ == "__main__":
    sys.exit(main())
