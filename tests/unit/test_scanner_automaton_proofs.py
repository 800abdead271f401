"""The proof that nothing is missed: it holds for the rules of these tests, and wrong anchors do not get past it."""

import random
import re
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.automaton import Skip, anchors, build, prove, prove_anchors
from scanner.automaton.anchors import bits_of, derive, strong, without_redundant
from scanner.automaton.inclusion import meeting
from scanner.automaton.nodes import Chars, Seq
from scanner.automaton.proofs import SHAPES, prove_skip
from scanner.automaton.syntax import parse_bytes
from scanner.derived import base64_decoded, folded_digits, json_leaves, percent_decoded
from scanner.errors import BadRules, Fault
from scanner.findings import Grade
from scanner.kernel import NATIVE
from scanner.rules.model import Pattern, Rule, RuleSet
from tests.fakes.differential import Pair
from tests.fakes.mutations import (
    alone,
    as_text,
    holds,
    matches,
    noticed,
    own_bits,
    right_anchors,
    unproved,
    with_one_narrowed,
    without_one,
)
from tests.fakes.regexes import padded
from tests.fakes.scanner_rules import number_of, ruleset

RULES = ruleset().rules
BY_ID = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
UUID, TIME = "0f3a9c55-7a1b-4c2d-8e9f-001122334455", "2024-03-01 00:53:59.376326"


@cache
def derived():
    return anchors(ruleset())


def rule_of(*patterns, **more):
    return Rule("test.made", "MADE", "Made for a test", "personal", patterns, **more)


def strong_pattern(regex, **more):
    return Pattern(regex, Grade.LIKELY, Grade.LIKELY, **more)


def bare_pattern(regex, **more):
    return Pattern(regex, None, Grade.LIKELY, **more)


def test_every_derived_anchor_is_proved():
    proofs = list(prove_anchors(ruleset(), derived()))
    assert [] == [proof for proof in proofs if not proof.proved]
    told = {(proof.rule, proof.what) for proof in proofs}
    assert {(rule.id, "its anchors") for rule in RULES if strong(rule)} <= told
    assert {("json", "its anchors"), ("percent", "its anchors")} <= told


@BY_ID
def test_every_example_that_matches_contains_an_anchor(rule):
    one = alone(rule)
    trees = [tree for bit in own_bits(one) for tree in right_anchors(rule)[bit]]
    for example in (*rule.examples, *rule.counter_examples):
        if matches(rule, example.text):
            assert holds(trees, padded(example.text))


def test_an_anchor_is_selective():
    trees = derived()
    for text in ("session_start", "2024-03-01", "1709253887985", "Mozilla/5.0", "3.14.159"):
        for number, rule in enumerate(RULES):
            assert not trees[number] or not holds(trees[number], padded(text)), (rule.id, text)


def test_a_hand_written_anchor_is_taken_as_it_is():
    pattern = strong_pattern("x[0-9]{4}y", anchor="[0-9]{3}")
    assert [parse_bytes("[0-9]{3}")] == derive(pattern, rule_of(pattern))


def test_of_two_anchors_one_of_which_holds_the_other_the_shorter_is_enough():
    short, long, other = map(parse_bytes, ("ab", "xaby", "cd"))
    for order in ([short, long, other], [long, short, other], [other, long, short, short]):
        assert {short, other} == set(without_redundant(order))


@BY_ID
@pytest.mark.parametrize("wrong", [without_one, with_one_narrowed])
def test_a_wrong_anchor_is_noticed_with_a_match_that_it_would_miss(rule, wrong):
    one, seen = alone(rule), 0
    for seed in range(20):
        for bit in own_bits(one):
            found = noticed(one, wrong(right_anchors(rule), bit, random.Random(seed)))
            seen += found.points > 0
    assert seen >= 12 * len(own_bits(one)), "a narrowed leaf may be one that the pattern does not need"


def test_the_rule_with_the_wrong_anchor_is_named_and_no_other():
    others = ruleset_without("test.card")
    bit = [rule.id for rule in others.rules].index("test.iban")
    proofs = prove(others, anchors(others) | {bit: (parse_bytes("(?i:de[0-9]{2})"),)})
    (wrong,) = [proof for proof in proofs if not proof.proved]
    assert ("test.iban", "its anchors") == (wrong.rule, wrong.what)
    assert not wrong.counter_example[1:].lower().startswith(b"de")


@pytest.mark.parametrize("bit", ["json", "percent"])
def test_the_triggers_of_documents_and_percent_encoding_are_proved_too(bit):
    number = getattr(bits_of(ruleset()), bit)
    narrower = tuple(parse_bytes(regex) for regex in (r'"\{"', "%40"))
    assert [bit] == [
        proof.rule for proof in prove_anchors(ruleset(), derived() | {number: narrower}) if not proof.proved
    ]


def test_a_question_that_is_too_hard_is_not_proved():
    one = alone(rule_of(strong_pattern("a[ab]{19}[ac]", anchor="a[ab]{18}[abc]")))
    (point,) = unproved(one, anchors(one))
    assert (False, None) == (point.proved, point.counter_example)


@pytest.mark.parametrize("skip", Skip)
def test_each_shape_may_be_skipped_for_these_rules(skip):
    wrong = [proof for proof in prove_skip(ruleset(), skip) if not proof.proved]
    if skip is Skip.UUID:  # a back-reference may be any text of its group, so that the tree finds a card in a UUID
        (point,) = wrong
        assert "test.card" == point.rule
        wrong = [proof for proof in prove_skip(ruleset_without("test.card"), skip) if not proof.proved]
    assert [] == wrong


def ruleset_without(rule_id):
    return RuleSet(tuple(rule for rule in RULES if rule.id != rule_id))


BREAKING = [
    (Skip.TIMESTAMP, strong_pattern("[0-9]{2}:[0-9]{2}:[0-9]{2}"), TIME),
    (Skip.UUID, strong_pattern("[0-9a-f]{12}(?![0-9a-z])"), UUID),
    (Skip.SHORT, strong_pattern("(?i:secret)"), "my Secret"),
    (Skip.SHORT_NUMBER, strong_pattern("(?<![0-9])[0-9]{6}(?![0-9])"), "471100"),
    (Skip.SHORT_NUMBER, strong_pattern("[1-9]e[0-9]"), "12e5"),
]


@pytest.mark.parametrize(("skip", "pattern", "text"), BREAKING)
def test_a_rule_that_finds_something_in_a_shape_forbids_to_skip_it(skip, pattern, text):
    rules = RuleSet((*ruleset_without("test.card").rules, rule_of(pattern, context=("pin",))))
    (wrong,) = [proof for proof in prove_skip(rules, skip) if not proof.proved]
    assert "test.made" == wrong.rule
    assert matches(rule_of(replace(pattern, alone=Grade.LIKELY)), as_text(wrong.counter_example))
    one = alone(rules.rules[-1])
    tables = build(one)
    assert not tables.flags & skip
    if NATIVE:
        pair, value = Pair(one, tables), text if skip is Skip.SHORT_NUMBER else f'"{text}"'
        assert [] == pair.differing([f'{{"event_type":"a","x":{value}}}'.encode()])
        assert 1 == pair.found


@pytest.mark.parametrize(
    ("skip", "pattern"),
    [
        (Skip.SHORT_NUMBER, bare_pattern("[0-9]{6}")),  # no word is in a number
        (Skip.UUID, bare_pattern("[0-9]{12}")),
        (Skip.SHORT, bare_pattern("[a-c]{4}x")),  # no digit
        (Skip.SHORT, bare_pattern("[a-c]{4}x", whole=True)),  # found by the key, whose values are never skipped
        (Skip.SHORT, strong_pattern("secret[0-9]")),
        (Skip.TIMESTAMP, strong_pattern("(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}(?! )")),
    ],
)
def test_a_rule_that_finds_nothing_in_a_shape_leaves_it_skipped(skip, pattern):
    rules = alone(rule_of(pattern, context=("pin",)))
    assert [] == [proof for proof in prove_skip(rules, skip) if not proof.proved]
    assert build(rules).flags & skip


SHAPES_IN_WORDS = {
    Skip.TIMESTAMP: r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}",
    Skip.UUID: "(?i:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",
    Skip.SHORT: r"[^0-9:@%{\[\x80-\U0010ffff]{1,11}",
    Skip.SHORT_NUMBER: r"-?(?:0|[1-9][0-9]{0,2})(?:\.[0-9]{1,3})?",
}


@pytest.mark.parametrize("skip", Skip)
@given(data=st.data())
def test_nothing_is_wrapped_in_a_shape(skip, data):
    """What the proof takes for granted: there is no other reading of such a text."""
    text = data.draw(st.from_regex(re.compile(SHAPES_IN_WORDS[skip], re.ASCII), fullmatch=True))
    assert meeting([*SHAPES[skip], literal(padded(text))], [literal(b'"')]), "the text is of the shape"
    readings = (*base64_decoded(text), *percent_decoded(text), *folded_digits(text), *json_leaves(text))
    assert () == readings


def literal(data):
    return Seq(tuple(Chars(1 << byte) for byte in data))


def test_tables_of_unproved_anchors_are_not_built():
    bit = number_of("test.email")
    with pytest.raises(BadRules) as refused:
        build(ruleset(), derived() | {bit: (parse_bytes("@[a-z]"),)})
    assert Fault.RULE_UNPROVED is refused.value.fault
    assert "test.email" in str(refused.value)
    assert "test.card" not in str(refused.value)
