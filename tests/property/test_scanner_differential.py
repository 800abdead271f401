"""The native engine finds what the plain one finds, with the shipped rules; `make fuzz` tries it for hours."""

import json
import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.automaton import build, building
from scanner.errors import BadRules
from scanner.kernel import NATIVE
from scanner.rules import load
from tests.fakes.differential import Pair
from tests.fakes.exports.examples import WRAPPINGS, Examples
from tests.fakes.mutations import alone, own_bits, right_anchors, unproved, with_one_narrowed, without_one
from tests.fakes.scanner_rules import ruleset
from tests.fuzz.differential import KINDS, Comparison

pytestmark = pytest.mark.skipif(NATIVE is None, reason="the native engine was not built")

SEED = 20_260


@pytest.fixture(scope="module")
def pair():
    return Pair()


@pytest.mark.parametrize(
    ("kind", "lines", "findings"), [("hostile", 3000, 9000), ("archive", 3000, 5000), ("examples", 4000, 3500)]
)
def test_both_engines_count_the_same_on_lines_of_this_kind(pair, kind, lines, findings):
    comparison = Comparison(pair)
    comparison.run(KINDS[kind](SEED), lines)
    assert [] == comparison.differing
    assert lines == comparison.lines
    assert comparison.found > findings, "they agree on something, not on nothing"


@cache
def shipped():
    return load()


def test_both_engines_count_the_same_on_every_example(pair):
    """Each in its own field, as a key, as a number where it is one, and in two of the wrappings."""
    examples = [example for rule in shipped().rules for example in (*rule.examples, *rule.counter_examples)]
    lines = []
    for number, example in enumerate(examples):
        text, field = example.text, example.field
        one, two = (WRAPPINGS[(number + more) % len(WRAPPINGS)](text) for more in (0, 5))
        digits = "".join(mark for mark in text if mark in "0123456789").lstrip("0") or "0"
        members = {field or "x": text, "one": one, "y": [f" {two} "], text: int(digits)}
        lines.append(json.dumps(members, ensure_ascii=number % 2 == 0).encode())
    pair.found = 0
    assert [] == pair.differing(lines)
    assert pair.found > len(lines)


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False))
def test_both_engines_count_the_same_around_an_example(pair, chance):
    """As above, but what differs is made as small as it can be."""
    assert [] == pair.differing([Examples(shipped(), chance).line()])


BREAKABLE = [rule for rule in ruleset().rules if own_bits(alone(rule))]


@pytest.mark.parametrize("wrong", [without_one, with_one_narrowed])
@pytest.mark.parametrize("rule", BREAKABLE, ids=lambda rule: rule.id)
def test_an_engine_with_a_wrong_anchor_does_differ(monkeypatch, rule, wrong):
    """Such tables cannot be built: the proof must be put out of the way."""
    one = alone(rule)
    drawn = [wrong(right_anchors(rule), own_bits(one)[0], random.Random(seed)) for seed in range(6)]
    mutants = [mutant for mutant in drawn if unproved(one, mutant)]
    with pytest.raises(BadRules):
        build(one, mutants[0])
    monkeypatch.setattr(building, "prove_anchors", lambda rules, found: iter(()))
    lines = Examples(one, random.Random(SEED)).lines(1000)
    differing = next(filter(None, (Pair(one, build(one, mutant)).differing(lines) for mutant in mutants)), [])
    assert differing, "a half of a class is missed by an example or two, but not every half"
    assert [] == Pair(one, build(one)).differing(differing)
