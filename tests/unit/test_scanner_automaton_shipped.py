"""The shipped rules: all is proved, the automata are as small as they must be, and wrong anchors do not get past."""

import random
from importlib import resources

import pytest

from scanner import automaton
from scanner.automaton import anchors, prove
from scanner.automaton.anchors import strong
from scanner.automaton.building import PREBUILT, key_of, unwrap
from scanner.automaton.proofs import Skip
from scanner.rules import load
from tests.fakes.mutations import alone, noticed, own_bits, right_anchors, with_one_narrowed, without_one

STATES_AT_MOST = {"main": 50_000}
OTHERWISE = 16_384
"""Of the words and of each bank; main, which is run over every value, is larger, but nine of ten steps on exports are
in its four hundred commonest states. The kernel itself takes 60,000, for states are written in 16 bits."""


@pytest.fixture(scope="module")
def rules():
    return load()


def test_every_anchor_and_every_skip_is_proved(rules):
    proofs = prove(rules, anchors(rules))
    assert [] == [(proof.rule, proof.what) for proof in proofs if not proof.proved]
    patterns = sum(len(strong(rule)) for rule in rules.rules)
    assert len(proofs) >= patterns * (1 + len(Skip)), "a point for the anchors of each pattern, and one for each skip"


def test_the_tables_skip_what_may_be_skipped_and_stay_small(rules):
    tables = automaton.load(rules)
    assert sum(Skip) == tables.flags
    assert [] == [name for name, states in tables.states.items() if states > STATES_AT_MOST.get(name, OTHERWISE)]


def test_the_tables_in_the_package_are_those_of_the_rules(rules):
    """Whoever changes a rule, an anchor or how tables are built runs `python -m scanner.automaton`."""
    shipped = (resources.files("scanner.automaton") / PREBUILT).read_bytes()
    assert unwrap(shipped, key_of(rules)) == automaton.build(rules)


@pytest.mark.parametrize(("wrong", "share"), [(without_one, 0.95), (with_one_narrowed, 0.85)])
def test_wrong_anchors_are_noticed_rule_by_rule(rules, wrong, share):
    """Not all are wrong: an anchor may be wider than its pattern, or one of two may do; `noticed` tries those, too."""
    r, tried, seen, checked = random.Random(wrong.__name__), 0, 0, 0
    for rule in rules.rules:
        for bit in own_bits(alone(rule)):
            found = noticed(alone(rule), wrong(right_anchors(rule), bit, r))
            tried, seen, checked = tried + 1, seen + (found.points > 0), checked + (found.matches > 0)
    assert tried == sum(bool(strong(rule)) for rule in rules.rules) > 150
    assert seen > share * tried
    assert checked > 0.6 * seen, "`re` confirmed most counter-examples"
