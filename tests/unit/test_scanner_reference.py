"""One line, the plain way: every key, string and number, whatever odd JSON it is."""

import json
import random

import pytest

from scanner import reference
from scanner.reference import ANY, line_hits, told_by
from tests.fakes import json_lines
from tests.fakes.scanner_rules import meaning

MAIL, VISA, SSN = "ana@example.com", "4111111111111111", "536904399"


def read(line):
    return line_hits(meaning(), meaning().contexts, line if isinstance(line, bytes) else line.encode())


def located(line):
    return [(each.field, each.hit.data_type, each.hit.value) for each in read(line).hits]


def test_a_finding_has_the_field_it_stands_in():
    line = '{"user_properties": {"contact": {"mail": "ana@example.com"}}, "ip": "81.2.69.142"}\n'
    assert [
        (("user_properties", "contact", "mail"), "EMAIL", MAIL),
        (("ip",), "IPV4", "81.2.69.142"),
    ] == located(line)


def test_positions_in_arrays_are_one_field():
    line = json.dumps({"m": [MAIL, [MAIL], {"x": MAIL}]})
    assert [("m", ANY), ("m", ANY, ANY), ("m", ANY, "x")] == [field for field, _, _ in located(line)]


def test_a_key_is_read_as_data_without_context():
    line = json.dumps({"ssn": {MAIL: True, SSN: None}})
    (only,) = read(line).hits
    assert (("ssn", MAIL), True, "EMAIL") == (only.field, only.is_key, only.hit.data_type)


def test_array_positions_are_no_words_of_the_path():
    assert [("ssn", ANY, ANY)] == [field for field, _, _ in located(json.dumps({"ssn": [["x", int(SSN)]]}))]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (rb'{"a": "ana\u0040example.com"}', [(("a",), "EMAIL", MAIL)]),
        (rb'{"a": "ana@example.com\/x"}', [(("a",), "EMAIL", MAIL)]),
        (rb'{"a": "x\n4111111111111111"}', [(("a",), "CREDIT_CARD", VISA)]),
        (rb'{"a": "\ud83d\ude00 ana@example.com \ud83d"}', [(("a",), "EMAIL", MAIL)]),
        (b'{"a": 4111111111111111}', [(("a",), "CREDIT_CARD", VISA)]),
        (b'{"a": -4111111111111111}', [(("a",), "CREDIT_CARD", VISA)]),
        (b'{"a": 0.4111111111111111}', []),  # the fraction of a number
        (b'{"a": 1.5, "b": 4.5}', []),
        (b'{"a": "ana@example.com", "a": 1}', [(("a",), "EMAIL", MAIL)]),  # repeated names
        (b'{"a": "ana@exam\xffple.com"}', []),
        (b'{"a": "\xff", "b": "ana@example.com"}', [(("b",), "EMAIL", MAIL)]),
        (b'{"a": "raw\ttab ana@example.com"}', [(("a",), "EMAIL", MAIL)]),
        (b'{"a": NaN, "b": "ana@example.com"}', [(("b",), "EMAIL", MAIL)]),
        (b'{"a": "4111111111", "b": "111111"}', []),  # never across values
        (b'"ana@example.com"', [((), "EMAIL", MAIL)]),
        (b'["ana@example.com"]\r\n', [((ANY,), "EMAIL", MAIL)]),
    ],
)
def test_odd_json_is_read_as_what_it_says(line, expected):
    assert expected == located(line)
    assert read(line).seen is not None


@pytest.mark.parametrize(
    "line",
    [
        b'{"a": "ana@example.com"',
        b'\xef\xbb\xbf{"a": "ana@example.com"}',  # a byte order mark
        b"ana@example.com",
        b'{"a": "ana@example.com"} {}',
        b"{'a': 'ana@example.com'}",
        b'{"a": "ana@example.com", }',
        b"[" * 100_000 + b'"ana@example.com"' + b"]" * 100_000,
    ],
)
def test_a_line_that_is_not_json_is_one_text_in_no_field(line):
    result = read(line)
    assert [((), "EMAIL", MAIL)] == [(each.field, each.hit.data_type, each.hit.value) for each in result.hits]
    assert ("", "", None) == (result.event_type, result.hour, result.seen)


def test_an_empty_line_says_nothing():
    assert [] == read(b"\n").hits


def test_fields_are_seen_that_hold_a_text_or_a_number():
    line = '{"a": "x", "b": "", "c": 0, "d": null, "e": true, "f": {}, "g": [], "h": ["", 1], "i": {"j": " "}}'
    assert {("a",), ("c",), ("h", ANY), ("i", "j")} == read(line).seen


@pytest.mark.parametrize(
    ("line", "event_type", "hour"),
    [
        ('{"event_type": "view", "event_time": "2024-05-06 07:08:09.123456"}', "view", "2024-05-06 07"),
        ('{"event_type": "view", "event_time": "2024-05-06T07:08:09Z"}', "view", "2024-05-06 07"),
        ('{"event_type": "view", "event_time": "2024-05-06 07"}', "view", "2024-05-06 07"),
        ('{"event_type": "a", "event_type": "b"}', "b", ""),
        ('{"event_type": "a", "event_type": 1}', "", ""),
        ('{"event_type": 4, "event_time": 1714979289}', "", ""),
        ('{"event_type": null, "event_time": "May 6"}', "", ""),
        ('{"event_time": "2024-05-06 7:08"}', "", ""),
        ('{"x": {"event_type": "view", "event_time": "2024-05-06 07:00"}}', "", ""),
        ('["event_type"]', "", ""),
        ("7", "", ""),
    ],
)
def test_the_event_tells_its_type_and_its_hour(line, event_type, hour):
    assert (event_type, hour) == (read(line).event_type, read(line).hour)


def test_a_document_in_a_string_is_found_in_the_field_that_holds_it():
    line = json.dumps({"payload": json.dumps({"who": {"full_name": "Ana Lima"}})})
    (only,) = read(line).hits
    assert (("payload",), "/who/full_name") == (only.field, only.hit.path)


def test_a_long_line_is_read_to_its_end():
    line = json.dumps({"a": "x" * 3_000_000, "b": ["y"] * 10_000, "c": MAIL})
    assert [(("c",), "EMAIL", MAIL)] == located(line)


def test_what_an_event_tells_is_the_same_read_quickly_or_plainly(monkeypatch):
    """The strict parser may refuse a line, but never read it otherwise."""
    chance, told = (
        random.Random(26),
        ('"a"', '"b\\u0041"', "7", "null", '["c"]', '"\\ud800"', '"d"', "NaN", '{"library": "e"}'),
    )
    lines = json_lines.hostile(chance, 1_000)
    for _ in range(1_000):
        keys = [chance.choice(("library", "event_time", "\\u006cibrary", "x")) for _ in range(chance.randrange(5))]
        lines.append(("{" + ",".join(f'"{key}":{chance.choice(told)}' for key in keys) + "}").encode())
    quick = [told_by(line, "library", "x") for line in lines]
    read = sum(reference._quickly(line, "library") != [] for line in lines)
    monkeypatch.setattr(reference, "_quickly", lambda *_: [])
    assert quick == [told_by(line, "library", "x") for line in lines]
    assert 500 < read < len(lines)
    assert 200 < sum(library != "" for _, (library, _) in quick)
