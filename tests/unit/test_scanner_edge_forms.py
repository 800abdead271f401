"""The odd forms in which exports hold data: both engines find the same, and that is what a reader would find."""

import itertools
import json
from urllib.parse import quote

import pytest

from scanner.automaton import build
from scanner.automaton import load as load_tables
from scanner.kernel import NATIVE
from scanner.rules import load
from tests.fakes import scanner_rules
from tests.fakes.differential import Pair
from tests.fakes.exports.examples import arabic_digits, everything_encoded, standard, url_safe, wide

MAIL, CARD = "ana.lima@example.com", "4111111111111111"
MAIL_BYTES, AT = MAIL.encode(), rb"ana.lima\u0040example.com"
EMAIL, CREDIT_CARD = ("/x", "EMAIL", ""), ("/x", "CREDIT_CARD", "")


def value(text, *, ascii_only=True):
    return json.dumps({"x": text}, ensure_ascii=ascii_only).encode()


def document(depth):
    """So many documents one inside the other; only the innermost has the address, its @ escaped."""
    text = AT.decode()
    text = f'["{text}"]'
    for _ in range(depth - 1):
        text = json.dumps([text])
    return value(text)


FORMS = {
    # escapes
    "an escaped @": (rb'{"x":"ana.lima\u0040example.com"}', {EMAIL}),
    "escaped letters": (rb'{"x":"ana.lima\u0040\u0065xample.com"}', {EMAIL}),
    "a line break is not its letter": (rb'{"x":"\n4111111111111111\t"}', {CREDIT_CARD}),
    "hex digits of an escape are no digits": (rb'{"x":"\u00e94111111111111111\u0041"}', set()),
    "a character outside ASCII is no letter before digits": (rb'{"x":"\u00e94111111111111111"}', {CREDIT_CARD}),
    "a NUL": (rb'{"x":"\u00004111111111111111\u0000"}', {CREDIT_CARD}),
    "a surrogate pair": (rb'{"x":"\ud83d\ude004111111111111111"}', {CREDIT_CARD}),
    "lone surrogates": (rb'{"x":"\ud800 ana.lima@example.com \udc00"}', {EMAIL}),
    "a lone surrogate as key": (rb'{"\ud83d":"ana.lima@example.com"}', {("/·", "EMAIL", "")}),
    "escaped slashes": (
        rb'{"x":"https:\/\/joe:s3cretpw@shop.example\/a"}',
        {EMAIL, ("/x", "URL_CREDENTIALS", "")},
    ),
    "an escaped key": (
        rb'{"e\u006dail":"ana.lima@example.com","\u0061\/b":"4111111111111111"}',
        {("/email", "EMAIL", ""), ("/a~1b", "CREDIT_CARD", "")},
    ),
    # structure
    "the same key twice": (b'{"x":"ana.lima@example.com","x":"nothing"}', {EMAIL}),
    "the same key again with other data": (
        b'{"x":"4111111111111111","x":"ana.lima@example.com"}',
        {CREDIT_CARD, EMAIL},
    ),
    "values that only touch": (b'{"x":"4111 1111","y":"1111 1111","z":["41111111","11111111"]}', set()),
    "numbers with a comma between": (b'{"x":[37.7749,-122.4194]}', set()),
    "a key is data": (b'{"ana.lima@example.com":true}', {("/{EMAIL}", "EMAIL", "")}),
    "a key that is data names what is in it": (
        b'{"ana.lima@example.com":{"a":4111111111111111}}',
        {("/{EMAIL}", "EMAIL", ""), ("/{EMAIL}/a", "CREDIT_CARD", "")},
    ),
    "an empty key": (b'{"":"ana.lima@example.com","x":""}', {("/", "EMAIL", "")}),
    "marks of paths in keys": (b'{"a/b~c":{"*":"ana.lima@example.com"}}', {("/a~1b~0c/*", "EMAIL", "")}),
    "a single string": (b'"ana.lima@example.com"', {("", "EMAIL", "")}),
    "a single number": (b"4111111111111111", {("", "CREDIT_CARD", "")}),
    "an array": (b'["ana.lima@example.com",4111111111111111]', {("/*", "EMAIL", ""), ("/*", "CREDIT_CARD", "")}),
    # numbers
    "a number": (b'{"x":4111111111111111}', {CREDIT_CARD}),
    "a number with a fraction of nothing": (b'{"x":4111111111111111.0}', {CREDIT_CARD}),
    "a negative number": (b'{"x":-4111111111111111}', {CREDIT_CARD}),
    "digits of a fraction": (b'{"x":0.4111111111111111}', set()),
    "a number with an exponent": (b'{"x":4111111111111111e0}', set()),
    "a number of more than 64 bits": (b'{"x":41111111111111111111111111111111}', set()),
    "a number of more than 64 bits in words": (
        b'{"id":12345678901234567890123,"x":4111111111111111}',
        {CREDIT_CARD},
    ),
    "zeros at the end of a fraction": (
        b'{"lat":37.774900,"lng":-122.41940}',
        {("/lat", "GEO", ""), ("/lng", "GEO", "")},
    ),
    "what is not a number": (b'{"x":"ana.lima@example.com","y":[NaN,Infinity,-Infinity]}', {EMAIL}),
    # wrappings
    "a document in a string": (document(1), {("/x#/*", "EMAIL", "json")}),
    "two documents": (document(2), {("/x#/*/*", "EMAIL", "json")}),
    "three documents": (document(3), {("/x#/*/*/*", "EMAIL", "json")}),
    "four documents are too many": (document(4), set()),
    "percent-encoding": (value("?q=ana.lima%40example.com"), {("/x", "EMAIL", "percent")}),
    "all percent-encoded": (value(everything_encoded(MAIL)), {("/x", "EMAIL", "percent")}),
    "percent-encoded twice": (value(quote(quote(MAIL))), set()),
    "base64": (value(standard(MAIL)), {("/x", "EMAIL", "base64")}),
    "base64 of URLs": (value(url_safe(f"mail: {MAIL} ~~~???")), {("/x", "EMAIL", "base64")}),
    "base64 in prose": (value(f"token {standard(f'card {CARD}')} end"), {("/x", "CREDIT_CARD", "base64")}),
    "base64 twice": (value(standard(standard(MAIL))), set()),
    "a document in base64": (value(standard(f'["{AT.decode()}"]')), {("/x#/*", "EMAIL", "json base64")}),
    "full-width digits": (value(wide(CARD)), {("/x", "CREDIT_CARD", "digits")}),
    "full-width digits as they are": (value(wide(CARD), ascii_only=False), {("/x", "CREDIT_CARD", "digits")}),
    "a full-width address": (value(wide(MAIL)), {("/x", "EMAIL", "digits")}),
    "Arabic digits": (value(arabic_digits(CARD), ascii_only=False), {("/x", "CREDIT_CARD", "digits")}),
    # damage: such a line is one text in no field
    "a byte order mark": (b'\xef\xbb\xbf{"x":"ana.lima@example.com"}', {("", "EMAIL", "")}),
    "cut off": (b'{"x":"ana.lima@example.com"', {("", "EMAIL", "")}),
    "two documents on a line": (b'{"x":"ana.lima@example.com"}{"y":1}', {("", "EMAIL", "")}),
    "no JSON": (b"ana.lima@example.com paid 4111111111111111", {("", "EMAIL", ""), ("", "CREDIT_CARD", "")}),
    "bytes that are not UTF-8": (b'{"x":"\xff ana.lima@example.com"}', {EMAIL}),
    "surrogates in UTF-8": (b'{"x":"\xed\xa0\x80 ana.lima@example.com"}', {EMAIL}),
    "a control character as it is": (b'{"x":"\x01 4111111111111111"}', {CREDIT_CARD}),
    "blanks and a carriage return": (b' {"x":"ana.lima@example.com"} \r', {EMAIL}),
    "nothing but blanks": (b"   \t", set()),
    "nothing": (b"", set()),
    # sizes
    "deep": (b"[" * 40 + b'"ana.lima@example.com"' + b"]" * 40, {("/*" * 40, "EMAIL", "")}),
    "deeper than the kernel reads": (b'{"a":' * 55 + b'"ana.lima@example.com"' + b"}" * 55, {("/a" * 55, "EMAIL", "")}),
    "deeper than Python reads": (b"[" * 20_000 + b'"ana.lima@example.com"' + b"]" * 20_000, {("", "EMAIL", "")}),
    "a long string": (b'{"x":"' + b"a " * 100_000 + b'ana.lima@example.com"}', {EMAIL}),
    "a long array": (b'{"x":[' + b"1," * 70_000 + b'"ana.lima@example.com"]}', {("/x/*", "EMAIL", "")}),
    "a long object": (
        b"{" + b",".join(b'"k%d":1' % number for number in range(5000)) + b',"x":"ana.lima@example.com"}',
        {EMAIL},
    ),
    # what is one thing and not another
    "fifteen digits": (b'{"x":"490154203237518"}', {("/x", "IMEI", "")}),
    "versions": (b'{"x":"Chrome/110.0.0.0","ip":"81.2.69.142"}', {("/ip", "IPV4", "")}),
    "bare digits count by their key": (b'{"x":"536904399","ssn":"536904399"}', {("/ssn", "US_SSN", "")}),
}


@pytest.fixture(scope="module")
def pair():
    rules = load()
    return Pair(rules, load_tables(rules))


@pytest.mark.skipif(NATIVE is None, reason="the native engine was not built")
@pytest.mark.parametrize("form", FORMS)
def test_both_engines_find_what_is_there(pair, form):
    line, expected = FORMS[form]
    native, plain = pair.tallies([line])
    assert native == plain
    assert expected == {(key.path, key.data_type, " ".join(evidence.via.words)) for key, evidence in plain.rows.items()}


HEADS = {
    "": ("", ""),
    '"event_type":"a","event_time":"2024-03-01 05:59:59.9"': ("a", "2024-03-01 05"),
    '"event_type":"a","event_time":"2024-03-01T05"': ("a", "2024-03-01 05"),
    r'"event_typ\u0065":"\u0061","event_t\u0069me":"2024-03-01\u002005"': ("a", "2024-03-01 05"),
    '"event_type":"a","event_time":"2024-03-01 05","event_type":"b","event_time":"2025-03-01 06"': (
        "b",
        "2025-03-01 06",
    ),
    '"event_type":"a","event_time":"2024-03-01 05","event_type":null,"event_time":7': ("", ""),
    '"event_type":"a","event_type":"","event_time":"2024-03-01  05"': ("", ""),
    '"event_type":5,"event_time":1709253887985': ("", ""),
    '"event_type":["a"],"event_time":["2024-03-01 05"]': ("", ""),
    '"deeper":{"event_type":"a","event_time":"2024-03-01 05"}': ("", ""),
    '"event_type":"0000-00-00 00:00:00","event_time":"0000-00-00 00:00:00"': ("0000-00-00 00:00:00", ""),
    '"event_type":"a","event_time":"0000-00-00 01:00:00"': ("a", "0000-00-00 01"),
    '"event_type":"a","event_time":"9999-99-99 99:99:99"': ("a", "9999-99-99 99"),
    '"event_type":"a","event_time":"٢٠٢٤-03-01 05"': ("a", ""),
    '"event_type":"ana.lima@example.com"': ("{EMAIL}", ""),
    r'"event_type":"\ud800"': ("·", ""),
}


@pytest.mark.skipif(NATIVE is None, reason="the native engine was not built")
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("line", ['{%s"z":"%s"}', '{"z":"%s"%s}'])
def test_both_engines_tell_the_same_type_and_hour(pair, head, line):
    before = line.startswith("{%")
    text = line % ((f"{head}," if head else "", MAIL) if before else (MAIL, f",{head}" if head else ""))
    native, plain = pair.tallies([text.encode()])
    assert native == plain
    told = {(key.event_type, row.first_hour, row.last_hour) for key, row in plain.rows.items() if key.path == "/z"}
    event_type, hour = HEADS[head]
    assert {(event_type, hour, hour)} == told


@pytest.mark.skipif(NATIVE is None, reason="the native engine was not built")
@pytest.mark.parametrize("mark", ["a", r"\u0061", "é", r"\ud800"])
@pytest.mark.parametrize("more", [0, 1])
def test_a_very_long_event_type_is_one_of_the_others(pair, mark, more):
    size = len(json.loads(f'"{mark}"').encode("utf-8", "surrogatepass"))
    name = mark * (4096 // size) + "b" * (4096 % size + more)
    native, plain = pair.tallies([f'{{"event_type":"{name}","x":"{MAIL}"}}'.encode()])
    assert native == plain
    assert bool(more) == ({"{other}"} == {key.event_type for key in plain.rows})


@pytest.mark.skipif(NATIVE is None, reason="the native engine was not built")
def test_any_number_of_event_types_is_told_apart():
    lines = [b'{"event_type":"%s","x":1}' % "".join(each).encode() for each in itertools.product(*["abcdefgh"] * 4)]
    pair = Pair(scanner_rules.ruleset(), build(scanner_rules.ruleset()))
    assert [] == pair.differing([*lines, b'{"event_type":"one more","x":1}'])


@pytest.mark.skipif(NATIVE is None, reason="the native engine was not built")
def test_all_forms_together_are_counted_as_one_by_one(pair):
    lines = [line for line, _ in FORMS.values() if len(line) < 1000]
    together, _ = pair.tallies(lines)
    again, _ = pair.tallies(lines[::-1])
    alone = [pair.tallies([line])[0] for line in lines]
    assert together == again
    assert sum(alone[1:], alone[0]) == together
