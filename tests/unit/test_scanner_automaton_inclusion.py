"""Questions about all texts: a shortest one that answers, or the proof that there is none."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.automaton.inclusion import escape, meeting
from scanner.automaton.subset import TooManyStates
from scanner.automaton.syntax import FLAGS, parse, parse_bytes

ALPHABET = b"ab"
LONGEST = 7


def regexes():
    """Over two letters, so that all short texts can be tried."""
    letters = st.sampled_from(["a", "b", "[ab]"])
    return st.recursive(
        letters,
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=3).map("".join),
            st.lists(inner, min_size=2, max_size=2).map(lambda each: f"(?:{'|'.join(each)})"),
            st.tuples(inner, st.sampled_from(["?", "*", "+", "{2}", "{1,3}"])).map(lambda p: f"(?:{p[0]}){p[1]}"),
        ),
        max_leaves=6,
    )


def short_texts():
    return (bytes(text) for n in range(LONGEST + 1) for text in itertools.product(ALPHABET, repeat=n))


def fits(regex, text):
    return re.fullmatch(regex.encode(), text, FLAGS)


def holds(regex, text):
    """The regex has a match that is not empty in the text."""
    pieces = (text[start:end] for start in range(len(text)) for end in range(start + 1, len(text) + 1))
    return any(fits(regex, piece) for piece in pieces)


def agree(answer, shortest, is_answer):
    """An answer is one, and none of the short texts is a shorter one; no answer means that none of them is."""
    assert answer is None or is_answer(answer)
    if shortest is None:
        assert answer is None or len(answer) > LONGEST
    else:
        assert answer is not None
        assert len(answer) == len(shortest)


@settings(max_examples=150, deadline=None)
@given(regexes(), st.lists(regexes(), min_size=1, max_size=2))
def test_the_counter_example_is_a_shortest_match_without_an_anchor(pattern, anchors):
    def escapes(text):
        return fits(pattern, text) and not any(holds(anchor, text) for anchor in anchors)

    answer = escape(parse_bytes(pattern), [parse_bytes(anchor) for anchor in anchors])
    agree(answer, next((text for text in short_texts() if escapes(text)), None), escapes)


@settings(max_examples=150, deadline=None)
@given(st.lists(regexes(), min_size=1, max_size=2), st.lists(regexes(), min_size=1, max_size=2))
def test_the_meeting_is_a_shortest_text_of_the_shape_that_holds_all_that_is_wanted(shape, wanted):
    def meets(text):
        return text and all(fits(each, text) for each in shape) and all(holds(each, text) for each in wanted)

    answer = meeting([parse_bytes(each) for each in shape], *([parse_bytes(each)] for each in wanted))
    agree(answer, next((text for text in short_texts() if meets(text)), None), meets)


@pytest.mark.parametrize(
    ("pattern", "anchors", "answer"),
    [
        ("[0-9]{4}", ["[0-9]{4}"], None),
        ("[0-9]{4}", ["[0-9]{3}"], None),
        ("[0-9]{4}", ["[0-9]{5}"], b"0000"),
        ("[0-9]{4,}", ["[1-9]"], b"0000"),
        ("[a-z]+@[a-z]+", ["@"], None),
        ("[a-z]+@[a-z]+|none", ["@"], b"none"),
        ("[a-z]+@[a-z]+|none", ["@", "no"], None),
        ("(?<![0-9])[0-9]{4}(?![0-9])", ["[^A][0-9]{4}"], b"A0000A"),
        ("(?<![0-9])[0-9]{4}(?![0-9])", ["[^0-9][0-9]{4}[^0-9]"], None),
        ("a?", ["a"], b""),
        ("(?i:pin)", ["pin"], b"PIN"),
        ("é+", ["\xc3[\x80-\xbf]"], None),
        ("a[^b]c", ["a[abc]c", "a[^d]c"], b"adc"),
    ],
)
def test_a_match_that_escapes_its_anchors(pattern, anchors, answer):
    assert answer == escape(parse(pattern), [parse_bytes(anchor) for anchor in anchors])


@pytest.mark.parametrize(
    ("shape", "wanted", "answer"),
    [
        (['"[a-z]{0,5}"'], ["abc"], b'"abc"'),
        (['"[a-z]{0,2}"'], ["abc"], None),
        (['"[a-z]{0,5}"', '"[^b]*"'], ["abc"], None),
        (['"[a-z]{0,5}"', '"[^d]*"'], ["abc"], b'"abc"'),
        (['"[ab]{4}"'], ["ab", "bb"], b'"aabb"'),
        (['"[ab]{2}"'], ["ab", "ba"], None),
        (['"[ab]{3}"'], ["ab", "ba"], b'"aba"'),  # they may share the b
        (['"a"'], ['"a', 'a"'], b'"a"'),  # the pads count
        (['"a"'], ['b|"'], b'"a"'),
        (['"a*"'], ["b"], None),
    ],
)
def test_a_text_of_a_shape_that_holds_what_is_wanted(shape, wanted, answer):
    shapes, parts = [parse_bytes(each) for each in shape], ([parse_bytes(each)] for each in wanted)
    assert answer == meeting(shapes, *parts)


def test_one_of_several_trees_is_enough():
    assert meeting([parse_bytes('"b"')], [parse_bytes("a"), parse_bytes("b")]) == b'"b"'


def test_a_question_that_takes_too_long_is_given_up():
    with pytest.raises(TooManyStates):
        escape(parse_bytes("[ab]*a[ab]{16}c"), [parse_bytes("a[ab]{15}d")], limit=1000)
    with pytest.raises(TooManyStates):
        meeting([parse_bytes("[ab]*")], [parse_bytes("a[ab]{16}c")], limit=1000)
