"""The truth about the made-up events is what the scanner should find, and the scanner finds it."""

import gzip
import json

import pytest

from consumer.discovery.inventory import Inventory, Window, merge
from consumer.domain.hours import Hour, Span
from consumer.domain.subject import ProjectId
from consumer.sandbox.amplitude.events import EVENT_TYPES, Place, made_up
from consumer.sandbox.amplitude.shelf import MadeUp, Shelf
from scanner.engine import make_engine
from scanner.evidence import Field
from scanner.findings import Grade
from scanner.pool import Source
from scanner.ports import Wanted
from scanner.rules import load

HOUR = Hour(494_000)


def test_every_key_is_on_every_line_and_the_same_hour_is_the_same_everywhere():
    lines, truth = made_up("829000", HOUR, 200)
    assert {len(json.loads(line)) for line in lines} == {55}
    assert made_up("829000", HOUR, 200) == (lines, truth)
    assert made_up("829000", HOUR, 200, seed=1)[0] != lines
    assert truth.text_bytes == sum(map(len, lines))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_scanner_finds_what_was_planted_and_nothing_else(seed):
    shelf, span = Shelf(parts=3), Span(HOUR, Hour(HOUR + 9))
    shelf.make_up("829000", MadeUp(300, seed, empty_every=4))
    parts = [part.content for hour in range(span.first, span.last + 1) for part in shelf.hour("829000", Hour(hour))]
    truth, rules = shelf.truth("829000", span), load()
    engine = make_engine(Wanted(rules, "auto", 1, b"k" * 16))
    scanned = engine.scan([Source(lambda part=part: [part]) for part in parts], [""] * len(parts), lambda *_: None)
    tally = scanned.summary.tally
    assert tally.account["lines"] == truth.events
    assert tally.seen == {Field(*place): events for place, events in truth.seen.items()}
    lines = merge(Inventory(ProjectId("p")), Window(span, tally, "r", "k"), rules).lines
    found = {
        Place(*line.row.key): line.row.hits.total
        for line in lines
        if not line.mark.expected and line.row.grade >= Grade.LIKELY
    }
    assert found == dict(truth.planted)
    assert {place.event_type for place in truth.planted} < set(EVENT_TYPES)
    assert gzip.decompress(parts[0]).endswith(b"\n")
