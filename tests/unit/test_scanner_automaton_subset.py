"""Position automata made to tables, and tables made as small as they can be."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.automaton.positions import Positions, bits
from scanner.automaton.subset import Dfa, TooManyStates, classes_of, compile_trees, determinise, minimise
from scanner.automaton.syntax import FLAGS, parse_bytes
from tests.fakes.regexes import MARKS, plain

SOME = settings(max_examples=150, deadline=None)
regexes = st.lists(plain().map(lambda drawn: drawn[0]), min_size=1, max_size=3)
data = st.text(st.sampled_from(MARKS), max_size=10).map(str.encode)


def subset_automaton(regexes, limit=1 << 14):
    """The table before it is minimised; the regex with index n says 1 << n."""
    positions, first, outputs = Positions(), 0, {}
    for number, regex in enumerate(regexes):
        ends = positions.add(parse_bytes(regex))
        first |= ends.first
        for position in bits(ends.last):
            outputs[position] = outputs.get(position, 0) | 1 << number
    return determinise(positions, first, outputs, limit)


def said(dfa, text):
    """What the automaton says after each byte."""
    state, out = dfa.start, []
    for byte in text:
        state = dfa.step(state, byte)
        out.append(dfa.outputs[state])
    return out


def told_apart(dfa):
    """Pairs of states that some text tells apart, by filling the table of pairs."""
    pairs = list(itertools.combinations(range(len(dfa.rows)), 2))
    apart = {pair for pair in pairs if dfa.outputs[pair[0]] != dfa.outputs[pair[1]]}
    before = -1
    while before != len(apart):
        before = len(apart)
        for one, other in pairs:
            steps = zip(dfa.rows[one], dfa.rows[other], strict=True)
            if any(tuple(sorted(step)) in apart for step in steps if step[0] != step[1]):
                apart.add((one, other))
    return apart


def reachable(dfa):
    seen, waiting = {dfa.start}, [dfa.start]
    while waiting:
        new = set(dfa.rows[waiting.pop()]) - seen
        seen |= new
        waiting += new
    return seen


@SOME
@given(regexes, data)
def test_the_table_says_where_each_regex_ends(regexes, text):
    dfa = subset_automaton(regexes)
    for end, outputs in enumerate(said(dfa, text), start=1):
        for number, regex in enumerate(regexes):
            ends = any(re.fullmatch(regex.encode(), text[start:end], FLAGS) for start in range(end))
            assert ends == bool(outputs >> number & 1)


@SOME
@given(regexes, st.lists(data, min_size=1, max_size=8))
def test_the_minimal_automaton_says_the_same(regexes, texts):
    large = subset_automaton(regexes)
    small = minimise(large)
    assert len(small.rows) <= len(large.rows)
    for text in texts:
        assert said(large, text) == said(small, text)


@SOME
@given(regexes)
def test_the_minimal_automaton_has_no_two_states_alike_and_none_that_nothing_reaches(regexes):
    small = minimise(subset_automaton(regexes))
    states = len(small.rows)
    if states <= 60:
        assert len(told_apart(small)) == states * (states - 1) // 2
    assert len(reachable(small)) == states
    columns = list(zip(*small.rows, strict=True))
    assert len(set(columns)) == len(columns), "no two byte classes are alike"
    assert set(small.classes) == set(range(len(columns)))


@SOME
@given(regexes)
def test_minimising_twice_changes_nothing(regexes):
    once = minimise(subset_automaton(regexes))
    assert once == minimise(once)


@pytest.mark.parametrize(
    ("regexes", "states"),
    [
        (["a"], 2),
        (["ab"], 3),
        (["a|b"], 2),
        (["aa|ab"], 4),
        (["[0-9]{4}"], 5),
        (["a", "b"], 3),
        (["ab", "cb"], 5),  # both end with b, but say different things
        (["(?:ab|cb)"], 3),  # the same, and nobody asks which of them
        (["a*b"], 2),  # the b is enough
        (["[ab]*a[ab]{2}"], 8),  # the famous one: which of the last three were an a
    ],
)
def test_the_number_of_states_of_known_languages(regexes, states):
    assert states == len(minimise(subset_automaton(regexes)).rows)


def test_states_that_say_nothing_and_lead_nowhere_are_one():
    wasteful = Dfa(bytes(256), [(1,), (2,), (0,)], [0, 0, 0])
    assert Dfa(bytes(256), [(0,)], [0]) == minimise(wasteful)


def test_too_many_states_are_noticed_on_the_way():
    with pytest.raises(TooManyStates):
        compile_trees({1: [parse_bytes("a[ab]{20}c")]}, limit=1000)


@given(st.lists(st.integers(0, (1 << 256) - 1), max_size=5))
def test_bytes_share_a_class_exactly_if_no_label_tells_them_apart(labels):
    classes, one_of_each = classes_of(labels)
    kinds = [tuple(label >> byte & 1 for label in labels) for byte in range(256)]
    assert len(set(kinds)) == len(one_of_each) == max(classes) + 1
    assert len(set(zip(kinds, classes, strict=True))) == len(one_of_each)
    assert list(range(len(one_of_each))) == [classes[byte] for byte in one_of_each]
