"""Automata packed into bytes, and run from them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.automaton import Tables, build
from scanner.automaton.anchors import Bits, strong
from scanner.automaton.nodes import PAD
from scanner.automaton.positions import bits
from scanner.automaton.subset import compile_trees
from scanner.automaton.syntax import parse_bytes
from scanner.automaton.tables import pack
from scanner.derived import base64_decoded, folded_digits, json_leaves, percent_decoded
from scanner.forms import forms_of
from scanner.hot import Kind
from scanner.kernel import NATIVE
from tests.fakes.exports.examples import WRAPPINGS
from tests.fakes.regexes import MARKS, padded, plain
from tests.fakes.scanner_rules import number_of, ruleset

SOME = settings(max_examples=150, deadline=None)
BITS = Bits(bare=70, json=71, percent=72, base64=73, digits=74)
NOWHERE = [0] * len(Kind)
regexes = st.lists(plain().map(lambda drawn: drawn[0]), min_size=1, max_size=3)
data = st.text(st.sampled_from(MARKS + '"é'), max_size=10).map(str.encode)


@pytest.fixture(scope="module")
def tables():
    return build(ruleset())


def automaton_of(regexes, places):
    return compile_trees({1 << place: [parse_bytes(regex)] for place, regex in zip(places, regexes, strict=False)})


def said(dfa, text):
    """All that it says on the way through a text and the pad after it; what the pad before it says is no news."""
    state, found = dfa.step(dfa.start, PAD), 0
    for byte in (*text, PAD):
        state = dfa.step(state, byte)
        found |= dfa.outputs[state]
    return found


@SOME
@given(regexes, regexes, st.lists(data, min_size=1, max_size=5))
def test_packed_automata_say_what_they_said(one, other, texts):
    main, first, second = automaton_of(one, (0, 5, 63)), automaton_of(one, (0, 5, 69)), automaton_of(other, (3, 63, 64))
    packed = pack([main, second, first, second], BITS, 5, NOWHERE)
    assert (BITS, 5) == (packed.bits, packed.flags)
    read = list(packed.automata.values())
    assert 4 == len(read)
    for dfa, automaton in zip((main, second, first, second), read, strict=True):
        assert len(dfa.rows) == automaton.states
        for text in texts:
            assert said(dfa, text) == automaton.run(text)


def test_every_section_begins_at_eight_bytes():
    main, other = automaton_of(["a", "bcd"], (0, 63)), automaton_of(["a", "bcd"], (0, 69))
    assert 0 == len(pack([main, other, other], BITS, 0, NOWHERE).packed) % 8


def test_equal_tables_have_equal_bytes(tables):
    again = Tables(bytes(tables.packed))
    assert tables == again
    assert tables.states == again.states
    assert tables != Tables(tables.packed + bytes(8))


def test_the_same_rules_give_the_same_bytes(tables):
    assert build(ruleset()).packed == tables.packed


def test_the_numbers_of_states_are_those_of_the_automata(tables):
    assert {"main", "words", "digits"} <= tables.states.keys()
    assert tables.states == {name: automaton.states for name, automaton in tables.automata.items()}


EXAMPLES = [example.text for rule in ruleset().rules for example in (*rule.examples, *rule.counter_examples)]


@st.composite
def made_texts(draw):
    """Examples among other things, wrapped and not."""
    parts = st.one_of(st.sampled_from(EXAMPLES), st.text(st.sampled_from(MARKS + "@:é５{["), max_size=5))
    text = "".join(draw(st.lists(parts, min_size=1, max_size=3)))
    wrap = draw(st.sampled_from([str, *WRAPPINGS]))
    return draw(st.sampled_from(["", "x ", "ssn "])) + wrap(text)


@settings(max_examples=400, deadline=None)
@given(made_texts())
def test_a_mask_is_never_less_than_the_truth(tables, text):
    """A pattern that matches has its bit; a reading in which one does, too."""
    mask, own = tables.mask(text), tables.bits
    for number, rule in enumerate(ruleset().rules):
        for pattern, form in forms_of(number, rule):
            if pattern.alone is not None and form().search(text):
                assert mask >> number & 1
    if "ssn" in text.casefold() and any(form().search(text) for pattern, form in SSN if pattern.alone is None):
        assert mask >> own.bare & 1
    for bit, readings in (
        (own.digits, folded_digits(text)),
        (own.percent, percent_decoded(text)),
        (own.base64, base64_decoded(text)),
    ):
        if any(is_a_finding(reading.text) for reading in readings):
            assert mask >> bit & 1
    if any(json_leaves(text)):
        assert mask >> own.json & 1


SSN = forms_of(number_of("test.ssn"), ruleset().rules[number_of("test.ssn")])


def is_a_finding(text):
    return any(
        form().search(text)
        for number, rule in enumerate(ruleset().rules)
        for pattern, form in forms_of(number, rule)
        if pattern in strong(rule)
    )


@pytest.mark.skipif(NATIVE is None, reason="the native engine was not built")
@settings(max_examples=400, deadline=None)
@given(made_texts())
def test_the_kernel_says_the_same_mask(tables, kernel, text):
    mask = kernel.mask(text.encode())
    assert list(bits(tables.mask(text))) == list(bits(mask))


@pytest.fixture(scope="module")
def kernel(tables):
    def never(*_):
        raise AssertionError("nothing is scanned here")

    return NATIVE(tables.packed, learn=never, decide=never, first=never, refuse=never, forget=never)


def test_pads_are_part_of_what_is_run(tables):
    assert b'"x"' == padded("x")
    dfa = automaton_of(['"x"'], (0,))
    assert 1 == pack([dfa, dfa, dfa], BITS, 0, NOWHERE).automata["main"].run(b"x")
