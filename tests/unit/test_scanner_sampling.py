"""A sample is the same events whoever reads them, and everything still adds up."""

import json

import pytest

from scanner.engine import make_engine
from scanner.pool import Source
from scanner.ports import Wanted
from scanner.report.model import unaccounted
from scanner.rules import load
from scanner.sampling import Sampled
from scanner.summary import Tally
from tests.unit.test_scanner_host import DATA, directly

KEY = b"a key for the tests"


class Kept:
    """Remembers the lines that it was fed with."""

    def __init__(self):
        self.lines = []

    def feed(self, data, start, end):
        lines = data[start:end].splitlines(keepends=True)
        self.lines += lines
        return len(lines)

    def take(self):
        return Tally()


LINES = [
    json.dumps({"event_type": "e", "n": n, "uuid": f"u-{n}", "version_name": None}, separators=(",", ":")).encode()
    + b"\n"
    for n in range(5_000)
]


def sampled(share, lines=LINES):
    kept = Kept()
    engine = Sampled(kept, share)
    data = b"".join(lines)
    assert engine.feed(data, 0, len(data)) == len(kept.lines)
    return kept.lines, engine.take().account


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_about_that_share_of_the_events_is_looked_at(share):
    lines, account = sampled(share)
    assert abs(len(lines) - 5_000 * share) < 4 * (5_000 * share * (1 - share)) ** 0.5
    assert account["lines_skipped.sampled"] == 5_000 - len(lines)
    assert account["text_skipped.sampled"] == sum(map(len, LINES)) - sum(map(len, lines))


def test_a_smaller_sample_is_part_of_a_larger_one_whatever_stands_around_the_events():
    small, large = sampled(0.1)[0], sampled(0.5)[0]
    assert set(small) < set(large)
    assert sampled(0.1, LINES[::-1])[0] == small[::-1]


def test_an_event_is_known_by_its_uuid_and_a_line_without_one_by_all_of_it():
    changed = [line.replace(b'"n":', b'"n":1') for line in LINES]
    assert [line.replace(b'"n":1', b'"n":', 1) for line in sampled(0.3, changed)[0]] == sampled(0.3)[0]
    bare = [line.replace(b"uuid", b"id") for line in LINES]
    assert 1_200 < len(sampled(0.3, bare)[0]) < 1_800


@pytest.mark.parametrize("wanted", [("auto", 2), ("reference", 1)])
def test_engines_and_processes_agree_and_every_byte_is_accounted_for(wanted):
    engine = make_engine(Wanted(load(), *wanted, KEY))
    scanned = engine.scan([Source(lambda: [DATA], zip_only=True)], ["it"], lambda *_: None, 0.2)
    assert scanned.summary == directly(sample=0.2).summary
    account, whole = scanned.summary.tally.account, directly().summary.tally.account
    assert account["lines"] + account["lines_skipped.sampled"] == whole["lines"]
    assert account["text_scanned"] + account["text_skipped.sampled"] == whole["text_scanned"]
    assert unaccounted(account) == 0
