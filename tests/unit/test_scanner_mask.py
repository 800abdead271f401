"""What may be shown of values and keys."""

import re
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.mask import CUT, LONGEST_NAME, LONGEST_SHAPE, public_segment, shape


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ana.lima@example.com", "a{3}.a{4}@a{7}.a{3}"),
        ("536-90-4399", "9{3}-99-9{4}"),
        ("4111 1111 1111 1111", "9{4} 9{4} 9{4} 9{4}"),
        ("Ünï 漢字", "a{3} aa"),
        ("٤١", "99"),
        ("", ""),
        ("a\x00\n\u200b<", "a·{4}"),
        ("日", "a"),
    ],
)
def test_a_shape_keeps_lengths_and_a_little_punctuation(text, expected):
    assert expected == shape(text)


def test_a_long_shape_is_cut_between_runs():
    assert "a{1000}" + CUT == shape("x" * 5_000)
    cut = shape("a1" * 100)
    assert (LONGEST_SHAPE, "a9" * 23 + "a" + CUT) == (len(cut), cut)


@given(st.text(max_size=200))
def test_no_letter_or_digit_of_a_value_is_in_its_shape(text):
    shown = shape(text)
    assert len(shown) <= LONGEST_SHAPE
    assert set(re.sub(r"\{\d+\}", "", shown)) <= set("a9·… .,:;@/-_+()#")


def mark(character):
    if character in " .,:;@/-_+()#":
        return character
    return "a" if character.isalpha() else "9" if character.isdecimal() else "·"


def defined(text):
    """A shape, character by character."""
    shown = ""
    for each, run in groupby(map(mark, text[:1_000])):
        length = len(list(run))
        part = each * length if length < 3 else f"{each}{{{length}}}"
        if len(shown) + len(part) > LONGEST_SHAPE - len(CUT):
            return shown + CUT
        shown += part
    return shown + CUT if len(text) > 1_000 else shown


@given(st.text(max_size=200) | st.text("a9é٤.… \n", max_size=80) | st.text("ab", min_size=990, max_size=1_010))
def test_a_shape_is_what_its_definition_says(text):
    assert defined(text) == shape(text)


@given(st.text(alphabet="abcXYZé", min_size=1, max_size=40))
def test_words_of_one_length_have_one_shape(text):
    assert shape("z" * len(text)) == shape(text)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("email", "email"),
        ("First Name", "First Name"),
        ("a/b~c", "a~1b~0c"),
        ("12345", "{id}"),
        ("deadbeefdeadbeef", "{id}"),
        ("deadbeef", "deadbeef"),
        ("3F2504E0-4F89-11D3-9A0C-0305E82C3301", "{id}"),
        ("line\nbreak\x1b[31m", "line·break·[31m"),
        ("k" * 65, "k" * 63 + CUT),
        ("k" * 64, "k" * 64),
        ("", ""),
    ],
)
def test_a_key_is_shown_so_that_it_identifies_nobody(key, expected):
    assert expected == public_segment(key)


def test_a_key_that_holds_personal_data_is_shown_as_its_types():
    assert "{EMAIL}" == public_segment("ana@example.com", {"EMAIL"})
    assert "{EMAIL,PHONE}" == public_segment("x", ["PHONE", "EMAIL"])


@given(st.text(max_size=200))
def test_a_shown_key_is_short_and_printable(key):
    shown = public_segment(key)
    assert len(shown) <= 2 * LONGEST_NAME
    assert shown.isprintable()
