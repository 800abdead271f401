"""Which rules the words around a value speak for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner import context
from scanner.context import MARKS, NEARBY_CHARACTERS, NOWHERE, Contexts, bits, field_path, phrase_words
from scanner.findings import Grade
from scanner.rules.model import Pattern, Rule, RuleSet
from tests.fakes.scanner_rules import wide

FORM = Pattern("[0-9]{4}", Grade.LIKELY, Grade.CONFIRMED)
BARE = Pattern("[0-9]{4}", None, Grade.LIKELY)
WHOLE = Pattern("[a-z]+", Grade.LIKELY, Grade.LIKELY, whole=True)


def contexts(**rules):
    """One rule for each name, with what it says of its words and, under `patterns`, its patterns."""
    made = [
        Rule(id=name, data_type=name.upper(), name=name, group="device", **{"patterns": (FORM,), **told})
        for name, told in rules.items()
    ]
    return Contexts(RuleSet(tuple(made)))


SSN = contexts(
    ssn={"context": ("ssn", "social security number", "numéro de sécurité sociale")},
    card={"context": ("カード番号", "card")},
    name={"keys": ("full name",), "veto": ("file",)},
)


def ssn_on(*path):
    return bool(SSN.of(path).enabled & 1)


@pytest.mark.parametrize(
    "key",
    ["ssn", "SSN", "userSsn", "userSSN", "userSSNValue", "user_ssn", "user-ssn", "user.ssn", "ssn2", "ssn_2", "my ssn#",
     "socialSecurityNumber", "social_security_number", "SOCIAL_SECURITY_NUMBER", "SocialSecurityNumbers", "$ssn",
     "socialsecuritynumber", "user_socialsecuritynumber", "userSocialsecuritynumber", "numero_de_securite_sociale",
     "Numéro de sécurité sociale", "NUMÉRO DE SÉCURITÉ SOCIALE", wide("ssn")],
)  # fmt: skip
def test_a_key_names_a_rule_however_it_is_written(key):
    assert ssn_on(key)


@pytest.mark.parametrize(
    "key", ["", "classname", "lessnoise", "ssna", "assn", "social_security", "number_security_social", "3ssn", "s_s_n"]
)
def test_a_key_that_only_holds_the_letters_does_not(key):
    assert not ssn_on(key)


def test_a_phrase_may_stand_anywhere_on_the_path_and_across_its_keys():
    assert ssn_on("ssn", "value")
    assert ssn_on("social", "security_number", "raw")
    assert not ssn_on("social", "raw", "security_number")


def test_own_phrases_and_vetoes_count_in_the_last_key_only():
    assert SSN.of(("full_name",)).enabled == 0b100
    assert SSN.of(("fullName", "raw")).enabled == 0
    assert SSN.of(("file", "fullName")).vetoed == 0
    assert (0b100, 0b100) == (SSN.of(("fullNameFile",)).enabled, SSN.of(("fullNameFile",)).vetoed)


def test_phrases_of_scripts_without_blanks_are_found_inside():
    assert SSN.of(("お客様カード番号欄",)).enabled == 0b10
    assert SSN.nearby("カード番号は4111", 6) == 0b10
    assert SSN.nearby("カード番は4111", 5) == 0


def test_no_path_is_no_context():
    assert NOWHERE == SSN.of(())
    assert not NOWHERE.emits


@pytest.mark.parametrize(("patterns", "expected"), [((FORM,), False), ((FORM, BARE), True), ((WHOLE,), True)])
def test_a_context_emits_if_it_enables_what_no_mask_announces(patterns, expected):
    made = contexts(badge={"context": ("badge",), "patterns": patterns}, other={"context": ("x",), "patterns": (BARE,)})
    assert expected is made.of(("badge",)).emits
    assert not made.of(("elsewhere",)).emits


def test_inside_a_document_both_paths_speak_but_only_the_inner_key_vetoes():
    made = contexts(
        one={"context": ("outer",), "veto": ("outer",)},
        two={"context": ("inner",), "veto": ("inner",)},
        three={"keys": ("outer",)},
    )
    outer = made.of(("outer",))
    assert outer == made.within(outer, ())
    assert (0b101, 0b001) == (outer.enabled, outer.vetoed)
    assert (0b011, 0b010) == (made.within(outer, ("inner",)).enabled, made.within(outer, ("inner",)).vetoed)


@pytest.mark.parametrize(("before", "expected"), [(39, True), (40, True), (41, False)])
def test_a_phrase_counts_within_forty_characters_before_the_match(before, expected):
    text = "-- ssn" + "." * (before - len("ssn")) + "536904399"
    assert expected is bool(SSN.nearby(text, text.index("5")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssn 5", True),
        ("SSN:5", True),
        ("My Social  Security-Number is 5", True),
        ("userSSN=5", True),
        ("ssns 5", False),  # only keys are read so freely
        ("lessn 5", False),
        ("5 ssn", False),
        ("5", False),
        ("numero de securite sociale: 5", True),
    ],
)
def test_texts_are_read_in_whole_words(text, expected):
    assert expected is bool(SSN.nearby(text, text.index("5")))


def test_the_end_of_a_word_that_the_window_cuts_is_no_word():
    text = "classn" + "." * (NEARBY_CHARACTERS - len("ssn")) + "5"
    assert 0 == SSN.nearby(text, text.index("5"))
    apart = "cla ssn" + "." * (NEARBY_CHARACTERS - len("ssn")) + "5"
    assert 0b1 == SSN.nearby(apart, apart.index("5"))


def test_a_name_in_camel_case_is_one_word_and_its_pieces():
    made = contexts(app={"context": ("whatsapp",)}, plural={"context": ("ssns",)}, four={"context": ("ipv4",)})
    assert made.nearby("WhatsApp 5", 9) == 0b001
    assert made.nearby("our SSNs 5", 9) == 0b010
    assert made.nearby("userIPv4 5", 9) == 0
    assert made.nearby("my IPv4 5", 8) == 0b100


def test_fields_are_named_with_dots_or_as_pointers():
    assert ("user_properties", "a b") == field_path("user_properties.a b")
    assert ("a.b", "c/d", "~") == field_path("/a.b/c~1d/~0")
    assert () == field_path("")


WORDS = st.sampled_from(["ssn", "Ssn", "SSN", "social", "Security", "number", "é", "card", "x", "9", "A", "カード番号"])
TEXTS = st.lists(st.tuples(WORDS, st.sampled_from(["", " ", "_", "-", ". ", "…" * 20])), max_size=12).map(
    lambda parts: "".join(word + gap for word, gap in parts)
)


@given(TEXTS, TEXTS)
def test_what_is_nearby_is_mentioned_wherever_the_window_cuts(text, more):
    start = len(text)
    separated = text + " " + more
    assert SSN.nearby(separated, start) | SSN.mentioned(separated) == SSN.mentioned(separated)


@given(TEXTS)
def test_a_phrase_in_a_short_text_is_nearby_at_its_end(text):
    if len(text) < NEARBY_CHARACTERS:
        assert SSN.mentioned(text) == SSN.nearby(text, len(text))


PARTS = ["ssn", "SSN", "social", "security", "Number", *sorted(MARKS), *" 9aZ_-."]
MARKED = st.lists(st.sampled_from(PARTS), max_size=8).map("".join)


@given(TEXTS.filter(str.isascii) | MARKED)
def test_a_text_of_ascii_and_marks_with_a_phrase_has_its_words_at_boundaries_of_bytes(text):
    """What the module promises to engines that look for words by bytes."""

    def has(word):
        capital = rf"(?:(?<![0-9A-Za-z])(?i:{word[0]})|{word[0].upper()})"
        return re.search(rf"{capital}(?i:{word[1:]})(?![a-z])", text)

    phrases = [phrase_words(phrase) for phrase in ("ssn", "social security number", "numéro de sécurité sociale")]
    if SSN.mentioned(text) & 1:
        assert any(all(has(word) for word in words) for words in phrases)


@pytest.mark.parametrize("mark", sorted(MARKS))
def test_a_mark_is_in_no_word(mark):
    assert not mark.isascii()
    assert SSN.mentioned(f"ssn{mark}9") & 1
    assert SSN.mentioned(f"{mark}ssn{mark}") & 1
    assert 1 == len(context._RUN.findall(f"a{mark}"))
    assert ["a", "b"] == context._RUN.findall(f"a{mark}b")


def test_bits_is_a_set_of_numbers():
    assert 0b1001 == bits([0, 3, 3])


@given(st.text(alphabet="aZbSs09_ .", max_size=30) | st.text(alphabet=st.characters(max_codepoint=127), max_size=60))
def test_the_words_of_ascii_are_found_as_those_of_any_text(text):
    assert context._RUN.findall(text.lower()) == context._ASCII_RUN.findall(text.lower())
    assert context._PIECE.findall(text) == context._ASCII_PIECE.findall(text)
    assert bool(context._CAMEL.search(text)) == bool(context._ASCII_CAMEL.search(text))
