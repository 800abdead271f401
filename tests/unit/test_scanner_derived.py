"""Texts inside a text: what is read, where it stood, and what is not found twice."""

import base64
import json
import sys
import unicodedata
from itertools import pairwise
from urllib.parse import quote_plus, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner import derived
from scanner.confirm import DEEPEST_DOCUMENT
from scanner.context import NOWHERE
from scanner.derived import FOLDINGS, base64_decoded, folded_digits, json_leaves, leaves, parsed, percent_decoded
from tests.fakes.scanner_rules import found, meaning, told, wide

MAIL, VISA, SSN = "ana@example.com", "4111111111111111", "536904399"


def b64(text):
    return base64.b64encode(text.encode()).decode()


def test_percent_encoding_is_read_and_its_token_covered():
    text = "https://shop.example/?mail=ana%40example.com&card=4111+1111%201111+1111#x"
    assert [
        ("EMAIL", "confirmed", "ana%40example.com", "percent"),
        ("CREDIT_CARD", "confirmed", "4111+1111%201111+1111", "percent"),
    ] == told(text)
    assert [MAIL, "4111 1111 1111 1111"] == [hit.value for hit in found(text)]


def test_a_text_without_encoded_ascii_is_not_decoded():
    assert [] == list(percent_decoded("caf%C3%A9 + 100% %zz %1"))


ESCAPES = st.sampled_from(["%40", "%2B", "%C3%A9", "%E2%82%AC", "%C3", "%80%80", "%F0%9F%98%80", "%", "%4", "%zz", "+"])
ENCODED = st.lists(st.one_of(ESCAPES, st.text("aé€+%4", max_size=3))).map("".join)


@given(ENCODED)
def test_places_in_a_decoded_text_are_those_of_the_whole_decoder(text):
    for reading in percent_decoded(text):
        assert unquote_plus(text) == reading.text
        spans = [reading.locate(place, place + 1) for place in range(len(reading.text))]
        assert (0, len(text)) == (spans[0][0], spans[-1][1])
        for (start, end), (next_start, next_end) in pairwise(spans):
            assert next_start == end or (start, end) == (next_start, next_end)
        for place, (start, end) in enumerate(spans):
            assert reading.text[place] in unquote_plus(text[start:end])


@given(st.text("aé@ +", min_size=1).filter(lambda text: "@" in text))
def test_the_place_of_all_of_a_decoded_text_is_all_of_it(text):
    (reading,) = percent_decoded(quote_plus(text))
    assert (0, len(quote_plus(text))) == reading.locate(0, len(text))


@pytest.mark.parametrize("pad", ["mail: ana@example.com.", "mail: ana@example.com, ", "mail: ana@example.com;  "])
@pytest.mark.parametrize("decorate", [str, lambda text: text.rstrip("=")], ids=["padded", "unpadded"])
def test_base64_is_read_anywhere_and_its_token_covered(pad, decorate):
    token = decorate(b64(pad))
    assert [("EMAIL", "confirmed", token, "base64")] == told(f"see {token} there")


def test_url_safe_base64_is_read_too():
    token = base64.urlsafe_b64encode(f"{MAIL} ~~~??? ÿÿ".encode()).decode()
    assert set(token) & set("-_")
    assert [("EMAIL", "confirmed", token, "base64")] == told(token)


def test_every_token_of_a_text_is_read():
    first, second = b64(f"to {MAIL}"), b64("from eve@example.org")
    assert [(first, MAIL), (second, "eve@example.org")] == [
        (text[hit.start : hit.end], hit.value) for text in (f"{first}.{second}",) for hit in found(text)
    ]


@pytest.mark.parametrize(
    "text",
    [
        b64("ana@b.co"),  # too short
        b64(MAIL).lower(),
        b64("mail: ana@example.com") + "-+",  # both alphabets
        base64.b64encode(b"\x00\x01" + MAIL.encode()).decode(),  # not printable
        base64.b64encode(b"\xff\xfe" + MAIL.encode()).decode(),  # not UTF-8
        b64("mail: ana@example.com") + "A",  # a length that cannot be
        b64(MAIL + " " * derived.LONGEST_BASE64),
    ],
)
def test_what_is_not_base64_of_a_text_is_left(text):
    assert [] == list(base64_decoded(text))


def test_line_breaks_and_tabs_are_text():
    assert ["a\tb\r\nana@example.com"] == [reading.text for reading in base64_decoded(b64("a\tb\r\nana@example.com"))]


PRINTABLE = st.characters(categories=["L", "N", "P", "S"])


@given(st.text(PRINTABLE, min_size=12, max_size=40))
def test_each_printable_text_comes_back_from_its_base64(text):
    token = b64(text)
    readable = any(letter.isupper() for letter in token) and len(token.rstrip("=")) >= derived.SHORTEST_BASE64
    expected = [(text, (1, len(token) + 1))] if readable else []
    assert expected == [(each.text, each.locate(0, 1)) for each in base64_decoded(f"({token})")]


def test_digits_of_every_script_and_full_width_characters_are_folded_in_place():
    assert [("CREDIT_CARD", "likely", wide(VISA), "digits")] == told(f"no. {wide(VISA)}!")
    assert [MAIL] == [hit.value for hit in found(wide(MAIL))]
    arabic = VISA.translate({48 + digit: 0x660 + digit for digit in range(10)})
    assert [("CREDIT_CARD", "likely", arabic, "digits")] == told(arabic)


def test_the_foldings_are_all_decimal_digits_there_are():
    digits = {code for code in range(128, sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Nd"}
    assert digits | set(range(0xFF01, 0xFF5F)) == FOLDINGS.keys()
    assert all(len(folded) == 1 and folded.isascii() for folded in FOLDINGS.values())


def test_a_text_of_other_letters_has_no_second_reading():
    assert [] == list(folded_digits("naïve Ω 漢字"))


def test_a_document_in_a_string_is_read_with_its_keys():
    text = json.dumps({"user": {"full_name": "Ana Lima", "tags": ["x", {"first name": "Eve Stone"}]}})
    assert [("/user/full_name", "Ana Lima"), ("/user/tags/1/first name", "Eve Stone")] == [
        (hit.path, hit.value) for hit in found(text)
    ]
    assert {("PERSON_NAME", "likely", text, "json")} == set(told(text))


def test_a_pointer_is_escaped():
    assert ["/a~1b~0/full_name"] == [hit.path for hit in found(json.dumps({"a/b~": {"full_name": "Ana Lima"}}))]


def test_the_outer_path_speaks_for_what_is_inside():
    text = json.dumps({"value": SSN}).replace("5369", "\\u0035369")
    assert [] == found(text)
    assert [("/value", SSN, ("format", "checksum", "key"))] == [
        (hit.path, hit.value, hit.reasons.words) for hit in found(text, "ssn")
    ]


@pytest.mark.parametrize(
    "text", ['{"full_name": "Ana Lima"', '["Ana Lima"}', "[full_name]", "{}", "[]", '"x"', "[", "{]"]
)
def test_what_is_no_document_is_one_text(text):
    assert [] == [hit for hit in found(text, "payload") if hit.path]


def test_documents_nest_to_a_depth():
    text, deepest = json.dumps({"full_name": "Ana Lima"}), None
    for depth in range(1, DEEPEST_DOCUMENT + 2):
        deepest = [hit.path for hit in found(text)]
        expected = "/in" * (depth - 1) + "/full_name"
        assert ([expected] if depth <= DEEPEST_DOCUMENT else []) == deepest
        text = json.dumps({"in": text})


def test_a_document_too_deep_for_the_parser_is_one_text():
    assert [("EMAIL", MAIL)] == [
        (hit.data_type, hit.value) for hit in found("[" * 100_000 + f'"{MAIL}"' + "]" * 100_000)
    ]


def test_a_wrapped_document_is_read_too():
    text = json.dumps({"full_name": "Ana Lima"})
    for wrapped, via in ((b64(text), "base64"), (quote_plus(text), "percent")):
        assert [("PERSON_NAME", "likely", wrapped, "json", via)] == told(wrapped)


def test_wrappings_are_read_inside_a_document():
    text = json.dumps({"link": "https://x.example/?m=ana%40example.com"})
    assert [("EMAIL", "percent")] == [(hit.data_type, *hit.via.words) for hit in found(text)]
    text = json.dumps({"link": "\\u0040", "m": "ana%40example.com"}).replace("%40", "\\u002540")
    assert [("EMAIL", ("json", "percent"), "/m")] == [(hit.data_type, hit.via.words, hit.path) for hit in found(text)]


def test_what_is_found_plainly_is_not_repeated():
    assert [("EMAIL", "confirmed", MAIL)] == told(f"{MAIL} {wide('%')} %20")
    text = json.dumps({"mail": MAIL})
    assert [("EMAIL", "confirmed", MAIL)] == told(text)
    assert [("CREDIT_CARD", "likely", "4111-1111-1111-1111")] == told("4111-1111-1111-1111%20")


def test_what_a_wrapping_makes_surer_is_told_again():
    gap = "." * 60
    text = json.dumps({"card": {"note": gap, "number": VISA}})
    assert [("CREDIT_CARD", "likely", ()), ("CREDIT_CARD", "confirmed", ("json",))] == [
        (hit.data_type, hit.grade.word, hit.via.words) for hit in found(text)
    ]


def test_another_value_in_a_document_is_told_though_the_document_covers_it():
    text = json.dumps({"mail": MAIL, "other": "eve@example.org"}).replace("eve@", "eve\\u0040")
    assert [(MAIL, ""), ("eve@example.org", "/other")] == [(hit.value, hit.path) for hit in found(text)]


@pytest.mark.parametrize("wrap", [lambda text: text, quote_plus, b64], ids=["plain", "percent", "base64"])
def test_a_key_enables_what_the_nominated_mask_of_the_inner_text_could_not_know(wrap):
    """A kernel nominates a text without its field, so it drops what only a phrase in the same text would allow."""
    text = wrap(json.dumps({"ssn": {"note": "." * 60, "value": SSN, "name": {"full_name": "Ana Lima"}}}))
    everything = meaning().mask
    expected = meaning().confirm(text, everything.all, NOWHERE)
    assert {"US_SSN", "PERSON_NAME"} == {hit.data_type for hit in expected}
    assert expected == meaning().confirm(text, everything.all, NOWHERE, lambda _text: everything.json)


def test_leaves_are_keys_strings_and_number_literals_of_every_member():
    document = parsed(
        '{"a": [1.10, -0, 1e400, NaN, true, null, "x"], "a": {"b": ""}, "c": 123456789012345678901234567890}'
    )
    assert [
        (("a",), True, "a"),
        (("a", 0), False, "1.10"),
        (("a", 1), False, "-0"),
        (("a", 2), False, "1e400"),
        (("a", 3), False, "NaN"),
        (("a", 6), False, "x"),
        (("a",), True, "a"),
        (("a", "b"), True, "b"),
        (("a", "b"), False, ""),
        (("c",), True, "c"),
        (("c",), False, "123456789012345678901234567890"),
    ] == [tuple(leaf) for leaf in leaves(document)]


def test_blanks_around_a_document_are_those_of_json():
    assert ["a"] == [leaf.text for leaf in json_leaves(' \t\r\n["a"]\n')]
    assert [] == list(json_leaves('\u00a0["a"]'))
