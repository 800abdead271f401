"""The native kernel reads lines as Python's json does, or hands them back. Both walks: scalar and AVX2."""

from __future__ import annotations

import json
import random
from pathlib import Path as File

import pytest

from scanner.kernel import NATIVE
from tests.fakes import json_lines, packed
from tests.fakes.kernel_caller import Caller, Path

pytestmark = pytest.mark.skipif(NATIVE is None, reason="the native kernel is not built")

SOMETHING = [(0, 0, 1, 0, 0)]


@pytest.fixture(params=[True, False], ids=["simd", "scalar"])
def simd(request):
    return request.param


def reader(*, simd: bool, **options) -> Caller:
    """Finds something in every value, also at the root, which never emits."""
    return Caller(lambda value: SOMETHING, simd=simd, tables=packed.everywhere(skips=0), **options)


def read(line: bytes, *, simd: bool) -> list[tuple[Path, bytes]] | None:
    """Path and value of every non-empty string and number; None: refused."""
    caller = reader(simd=simd)
    caller.scan(line)
    return None if caller.refused else caller.found


@pytest.mark.parametrize("seed", range(8))
def test_paths_and_values_are_those_of_pythons_json(seed, simd):
    caller, expected, refused = reader(simd=simd), [], []
    lines = json_lines.hostile(random.Random(seed), 400)
    for line in lines:
        values = json_lines.everything(line)
        refused += [line] if values is None else []
        expected += values or []
    caller.scan(*lines)
    assert refused == caller.refused
    assert expected == caller.found
    assert len(expected) > 500
    assert len(refused) > 10


@pytest.mark.parametrize(
    "line",
    [
        b"-",
        b"01",
        b"-01",
        b"1.",
        b".5",
        b"1.e5",
        b"1e",
        b"1e+",
        b"+1",
        b"0x10",
        b"-NaN",
        b"--1",
        b"nul",
        b"nullx",
        b"True",
        b"Infinit",
        b"-Infinit",
        b'"',
        b'"a',
        b'"\\',
        b'"\\"',
        b'"\\x"',
        b'"\\u12"',
        b'"\\u12g4"',
        b'"\\ud83d\\u12"',
        b"'a'",
        b"{",
        b"{}}",
        b'{"a"}',
        b'{"a":}',
        b'{"a":1,}',
        b'{"a" 1}',
        b"{1:2}",
        b'{"a":1 "b":2}',
        b"[",
        b"[1,]",
        b"[1 2]",
        b"[}",
        b"1 2",
        b"\xef\xbb\xbf1",
        b"\x0b1",
        b"\xa01",
    ],
)
def test_malformed_lines_are_handed_back_whole(line, simd):
    caller = reader(simd=simd)
    caller.scan(b'{"before":"x1"}', line, b'{"after":"x2"}')
    assert json_lines.everything(line) is None
    assert [line] == caller.refused
    assert [b"x1", b"x2"] == [value for _, value in caller.found]
    taken = caller.kernel.take()
    assert (3, 1, len(line) + 1) == (taken["lines"], taken["refused_lines"], taken["refused_bytes"])


@pytest.mark.parametrize(
    "line",
    [
        b"0",
        b"-0",
        b"-0.0e-00",
        b"1E400",
        b"1" * 5000,
        b"123456789.987654321e+10",
        b"NaN",
        b"-Infinity",
        b"[Infinity,-Infinity,NaN]",
        b'"\x01\x1f\x7f raw control characters"',
        b'"\\u0000"',
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\\ud83d\\ude00\\uD83D\\uDE00"',
        b'"\\ud83d\\ud83d\\ude00"',
        b'"\\ud83d\\\\ude00"',
        b'"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uffff"',
        b'{"a":"1","a":2,"a":{"a":"3"}}',
        b'{"\\u0061b":1,"a\\u0062":2,"ab":3}',
        b'{"a\\"b":1,"a\\\\b":2,"":3}',
        b'\t {"a" : [ 1 , "2" ] } \r',
        b'{"a":[],"b":{},"c":"","d":null,"e":true,"f":false}',
    ],
)
def test_what_python_takes_is_taken_literally(line, simd):
    assert json_lines.everything(line) == read(line, simd=simd)


@pytest.mark.parametrize("depth", [1, 2, 47, 48])
def test_nesting_is_read_to_48_levels(depth, simd):
    line = b"[" * depth + b"1" + b"]" * depth
    assert json_lines.everything(line) == read(line, simd=simd)
    line = b'{"a":' * depth + b"1" + b"}" * depth
    assert json_lines.everything(line) == read(line, simd=simd)


@pytest.mark.parametrize("depth", [49, 50, 100_000])
def test_deeper_nesting_is_handed_back(depth, simd):
    assert read(b"[" * depth + b"1" + b"]" * depth, simd=simd) is None
    assert read(b'{"a":' * depth + b"1" + b"}" * depth, simd=simd) is None
    assert read(b"[" * depth, simd=simd) is None


def sequences():
    """Every one- and two-byte text, and three and four bytes at the borders of what UTF-8 allows."""
    border = (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF)
    yield from (bytes([a]) for a in range(0x80, 0x100))
    yield from (bytes([a, b]) for a in range(0x80, 0x100) for b in range(0x100) if b not in b'"\n\\')
    for lead in (0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF):
        yield from (bytes([lead, b, c]) for b in border for c in border)
        yield from (bytes([lead, b, c, d]) for b in border for c in border for d in border)


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_utf8_is_judged_as_python_judges_it(simd):
    texts = list(sequences())
    caller = reader(simd=simd)
    caller.scan(*(b'{"v":"%s"}' % text for text in texts))
    assert [b'{"v":"%s"}' % text for text in texts if not is_utf8(text)] == caller.refused
    assert [text for text in texts if is_utf8(text)] == [value for _, value in caller.found]


def test_utf8_in_keys_is_judged_too(simd):
    good, bad = '{"é":1}'.encode(), b'{"\xed\xa0\x80":1}'
    caller = reader(simd=simd)
    caller.scan(good, bad, b'{"\\ud800":2}', bad)
    assert [bad, bad] == caller.refused
    assert [(("é",), b"1"), (("\ud800",), b"2")] == caller.found


@pytest.mark.parametrize("size", [*range(1, 70), 95, 96, 97, 127, 128, 129, 1000])
def test_strings_of_any_length_at_any_place_are_cut_right(size, simd):
    lines = [b'{"%s":"%s\\n%s","z":"%s"}' % (b"k" * size, b"a" * size, b"b" * at, b"c" * size) for at in range(40)]
    caller = reader(simd=simd)
    caller.scan(*lines)
    assert [value for line in lines for value in json_lines.everything(line)] == caller.found


def test_the_same_lines_in_other_pieces_give_the_same(simd):
    lines = json_lines.hostile(random.Random(5), 300)
    text = b"\n".join(lines) + b"\n"
    whole = reader(simd=simd)
    whole.kernel.scan(text, 0, len(text))
    ends = [at + 1 for at, byte in enumerate(text) if byte == 0x0A]
    taken = whole.kernel.take()
    for pieces in ([*ends], ends[::7] + ends[-1:]):
        caller, start = reader(simd=simd), 0
        for end in pieces:
            caller.kernel.scan(memoryview(text)[:end], start, end)
            start = end
        assert whole.traced == caller.traced
        assert whole.refused == caller.refused
        assert taken == caller.kernel.take()


def test_a_key_is_one_path_however_it_is_written(simd):
    caller = reader(simd=simd)
    caller.scan(b'{"a\\u0062":"1"}', b'{"ab":"2"}', b'{"\\u0061b":"3"}', b'{"ab":"4"}')
    assert [(), ("ab",)] == caller.paths
    assert [b"1", b"2", b"3", b"4"] == [value for _, value in caller.found]


def test_an_escaped_key_is_not_recognised_by_the_bytes_of_its_meaning(simd):
    """The key `a\\b` means a, backspace; decoded `a\\\\b` has the same bytes."""
    lines = [b'{"a\\\\b":1}', b'{"a\\b":2}', b'{"a\\"b":3}', b'{"a\\\\b":4}']
    caller = reader(simd=simd)
    caller.scan(*lines)
    assert [value for line in lines for value in json_lines.everything(line)] == caller.found


def test_a_full_path_table_and_endless_keys_hand_lines_back(simd):
    caller = reader(simd=simd, paths=4)
    caller.scan(b'{"a":1,"b":2}', b'{"a":3,"c":4,"d":5}', b'{"b":[6]}', b'{"b":7}', b'{"%s":8}' % (b"k" * 2000))
    assert [b'{"a":3,"c":4,"d":5}', b'{"b":[6]}', b'{"%s":8}' % (b"k" * 2000)] == caller.refused
    assert [b"1", b"2", b"7"] == [value for _, value in caller.found]
    caller = reader(simd=simd)
    caller.scan(b'{"%s":1}' % (b"k" * 1024), b'{"%s":2}' % (b"k" * 1025))
    assert [b"1"] == [value for _, value in caller.found]


def test_a_huge_line_is_read_in_batches(simd):
    line = b"[" + b",".join(b'"value\\t%d"' % number for number in range(50_000)) + b"]"
    assert json_lines.everything(line) == read(line, simd=simd)
    line = b'["' + b"ab\\n@" * 500_000 + b'"]'
    assert json_lines.everything(line) == read(line, simd=simd)


@pytest.mark.parametrize("words", [1, 2, 8])
@pytest.mark.parametrize("emits", [True, False])
def test_decide_is_given_the_mask_of_the_decoded_text(words, emits, simd):
    caller = Caller(emits=lambda path: emits, tables=packed.tables(words, skips=0), simd=simd)
    texts = json_lines.texts(random.Random(words), 4000)
    caller.scan(*(json.dumps({"v": text}, ensure_ascii=index % 2 == 0) for index, text in enumerate(texts)))
    asked = {value: mask for value, mask, _ in caller.decided}
    for text in texts:
        value = text.encode()
        mask = packed.mask(value, words, emits=emits)
        assert (mask if mask or emits else None) == asked.get(value), value
        assert packed.mask(value, words) == caller.kernel.mask(value)
    assert len(asked) > 1000


@pytest.mark.parametrize("number", [b"123456789", b"-1234567890.5", b"1234567890123456E7", b"12345678", b"1.5"])
def test_numbers_are_nominated_as_their_literal_text(number, simd):
    caller = Caller(emits=lambda path: False, simd=simd)
    caller.scan(b'{"v":%s}' % number)
    expected = [(number, packed.mask(number))] if packed.mask(number) and len(number) >= 9 else []
    assert expected == [(value, mask) for value, mask, _ in caller.decided]


SKIPPED = [
    (1, "2024-03-01 00:53:59.376326"),
    (2, "0f3a9c55-7a1b-4c2d-8E9F-001122334455"),
    (4, "short text"),
]
NOT_SKIPPED = [
    (1, "2024-03-01T00:53:59.376326"),
    (1, "2024-03-01 00:53:59.37632x"),
    (2, "0f3a9c55-7a1b-4c2d-8e9f-00112233445g"),
    (2, "0f3a9c5557a1b-4c2d-8e9f-001122334455"),
    (4, "short t3xt"),
    (4, "short téxt"),
    (4, "sixteen letters!"),
]


@pytest.mark.parametrize(("flag", "text"), SKIPPED + NOT_SKIPPED)
@pytest.mark.parametrize("flags", [0, 15])
def test_shapes_are_skipped_only_where_the_tables_allow_it(flag, text, flags, simd):
    """An automaton that accepts everywhere tells what was skipped."""
    caller = Caller(emits=lambda path: False, tables=packed.everywhere(skips=flag & flags), simd=simd)
    caller.scan(json.dumps({"v": text}, ensure_ascii=False))
    skipped = flags and (flag, text) in SKIPPED
    assert (0 if skipped else 1) == len(caller.decided)


def test_an_emitting_path_skips_nothing(simd):
    caller = Caller(tables=packed.everywhere(), simd=simd)
    caller.scan(*(json.dumps({"v": text}, ensure_ascii=False) for _, text in SKIPPED + NOT_SKIPPED), '{"v":1}')
    assert len(SKIPPED + NOT_SKIPPED) + 1 == len(caller.decided)


def test_an_empty_string_is_never_decided(simd):
    caller = reader(simd=simd)
    caller.scan(b'{"v":"","w":[""]}')
    assert [] == caller.decided


@pytest.mark.parametrize(
    "damage", ["cut", "magic", "version", "words", "bank", "banks", "state", "class", "tail", "empty"]
)
def test_damaged_tables_are_refused(damage):
    blob, main = bytearray(packed.tables()), packed.main_at()
    match damage:
        case "cut":
            del blob[-8:]
        case "magic":
            blob[0] ^= 1
        case "version":
            blob[4] = packed.VERSION + 1
        case "words":
            blob[8] = 9
        case "bank":
            blob[36] = 2
        case "banks":
            blob[36] = 65
        case "state":
            blob[main + 16 + 256 : main + 16 + 258] = b"\xff\xff"
        case "class":
            blob[main + 16] = 255
        case "tail":
            blob += bytes(8)
        case "empty":
            blob.clear()
    with pytest.raises(ValueError, match=r"tables|automaton|mask|bank"):
        Caller(tables=bytes(blob))


def test_any_damage_to_the_tables_is_refused_or_harmless():
    chance, lines, tables = random.Random(3), json_lines.hostile(random.Random(4), 50), packed.tables()
    for _ in range(300):
        blob = bytearray(tables)
        for _ in range(chance.randint(1, 3)):
            blob[chance.randrange(len(blob))] = chance.randrange(256)
        try:
            caller = Caller(tables=bytes(blob[: chance.choice([len(blob), chance.randrange(len(blob))])]))
        except ValueError:
            continue
        caller.scan(*lines)


def test_every_source_file_of_the_extension_is_named_in_the_project():
    project = File("pyproject.toml").read_text()
    for file in File("scanner/kernel").glob("*.[ch]"):
        assert f'"{file.as_posix()}"' in project
