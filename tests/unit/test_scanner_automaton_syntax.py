"""Trees say at least what `re` says of a pattern, and exactly that where they can."""

import re
from re import _parser as sre_parse

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from scanner.automaton.nodes import BYTES, Chars, Seq
from scanner.automaton.syntax import FLAGS, parse, parse_bytes
from scanner.errors import BadRules, Fault
from tests.fakes.regexes import accepted, edged, foreign_texts, found, padded, patient, plain, texts, wild

MANY = settings(max_examples=400, deadline=None)
REPEATED = r"((?<![0-9A-Za-z])(?:(?:\d){1,3}?){2,}(?![0-9]))(?<![0-9A-Za-z])(?:(?:\d){1,3}?){2,}(?![0-9])(?:\1)"
"""Drawn once, and not done after a quarter of an hour."""


def least_length(regex):
    return sre_parse.parse(regex, FLAGS).getwidth()[0]


def compiles(regex):
    try:
        return re.compile(regex, FLAGS)
    except re.error:
        return None


@MANY
@given(wild(), foreign_texts, foreign_texts)
@example((r"(?<!a)(?:(?<!b)c|d)", "c"), "", "")
@example((r"(?:a(?!b)|c)(?!d)", "a"), "", "")
@example((r"([a-z])(?i:\1)", "aA"), "", "")
@example((r"([^a])(?i:\1)", "Aa"), "", "")
@example((r"(?=(a))b?\1", "a"), "", "")
@example((r"(?<=(a))\1", "aa"), "", "")
@example((REPEATED, "0" * 36), "", "")
def test_a_text_that_matches_the_pattern_always_matches_the_tree(drawn, before, after):
    regex, made = drawn
    assume(compiles(regex))
    text = before + made + after
    match = found(regex, text)
    assume(match and match[0])  # rules that match the empty text are refused, and an empty match is no finding
    upto = len(padded(text[: match.end()]))  # the pad at the end stands for the one byte after the match
    assert accepted(parse(regex), padded(text)) is not None
    assert accepted(parse(regex), padded(text)) <= upto + 3, "a character after the match has up to four bytes"


@MANY
@given(edged(plain()), texts, texts)
def test_without_odd_features_the_tree_says_no_more_than_the_pattern(drawn, before, after):
    regex, made = drawn
    assume(least_length(regex))
    for text in (before + made + after, before + after):
        assert (found(regex, text) is not None) == (accepted(parse(regex), padded(text)) is not None)


@MANY
@given(plain(), texts)
def test_a_pattern_for_whole_values_matches_between_blanks_and_pads(drawn, other):
    regex, made = drawn
    for value in (made, other):
        for text in (value, f" {value}\t"):
            with patient():
                matched = re.fullmatch(regex, text.strip(" \t\r\n"), FLAGS)
            if matched:
                assert accepted(parse(regex, whole=True), padded(text)) is not None


@MANY
@given(plain(foreign=True), st.binary(max_size=6), st.binary(max_size=6))
def test_a_hand_written_anchor_is_about_bytes(drawn, before, after):
    regex, made = drawn
    assume(all(ord(mark) < 256 for mark in regex) and least_length(regex))
    data = before + made.encode("latin-1", "replace") + after
    with patient():
        matched = re.search(regex.encode("latin-1"), data, FLAGS)
    if matched:
        assert accepted(parse_bytes(regex), data) is not None


@pytest.mark.parametrize(
    ("regex", "text", "is_said"),
    [
        (r"(?<![0-9])7(?![0-9])", "7", True),
        (r"(?<![0-9])7(?![0-9])", "17", False),
        (r"(?<![0-9])7(?![0-9])", "71", False),
        (r"(?<=a)7", "7", False),
        (r"(?<!a|b)7", "b7", False),
        (r"(?i:ß)", "ß", True),
        (r"(?i:straße)", "STRAßE", True),
        (r"[^a]", "é", True),
        (r"\w", "é", False),
        (r"(a|b)-\1", "a-c", False),
        (r"(a|b)-\1", "a-b", True),  # more than `re` says: which of the two it was is not remembered
        (r"a(?=b)c", "ac", True),  # as here: nothing matches, but look-arounds inside are not looked at
        (r"[é-ê]", "ë", True),  # and here: the first byte is the same
        (r"[é-ê]", "日", False),
    ],
)
def test_what_a_tree_says_of_a_text(regex, text, is_said):
    assert is_said == (accepted(parse(regex), padded(text)) is not None)


@pytest.mark.parametrize(
    "regex", ["(", "a{3,2}", "(?u:a)", "(a)(?(1)b|c)", "(?P<x>a)(?P<x>b)", "[b-a]", "a{99999999999999}"]
)
def test_what_no_automaton_can_run_is_refused_without_quoting_it(regex):
    with pytest.raises(BadRules) as refused:
        parse(regex)
    assert Fault.RULE_SYNTAX is refused.value.fault
    assert regex not in str(refused.value)


def test_nested_sequences_are_one():
    assert Seq((Chars(1 << 97), Chars(1 << 98), Chars(1 << 99))) == parse("a(?:b(?:c))")
    assert Chars(BYTES & ~(1 << 97)) == parse_bytes("[^a]")
