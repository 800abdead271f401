"""Amplitude's files, unpacked and packed again."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.copies import lines as module
from consumer.copies.lines import Damaged, Repacking, Unpacking, event_of

EVENTS = [{"app": n % 2, "event_type": "e", "text": "ä\u2028\n" * n} for n in range(40)]
LINES = b"".join(json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in EVENTS)


def unpacked(data, step, *, plain=False):
    unpacking, found = Unpacking(plain=plain), []
    for at in range(0, len(data), step):
        found += unpacking.feed(data[at : at + step])
    return [*found, *unpacking.finish()]


@pytest.mark.parametrize("step", [1, 7, 64, 1 << 20])
@pytest.mark.parametrize(
    "data",
    [gzip.compress(LINES), gzip.compress(LINES[:300]) + gzip.compress(LINES[300:]), gzip.compress(LINES[:-1])],
    ids=["one member", "two members", "last line without an end"],
)
def test_lines_come_whole_however_the_bytes_are_cut(data, step):
    """Members in a row are one text."""
    assert unpacked(data, step) == LINES.splitlines(keepends=False) or unpacked(data, step) == LINES[:-1].split(b"\n")


@given(st.integers(0, len(gzip.compress(LINES, mtime=0)) - 1))
def test_one_wrong_byte_never_passes_for_the_same_events(at):
    """gzip's checksum sees it, or (in a header field that says nothing about the text) the text is the same."""
    data = bytearray(gzip.compress(LINES, mtime=0))
    data[at] ^= 0x55
    try:
        found = unpacked(bytes(data), 512)
    except Damaged:
        return
    assert b"\n".join(found) + b"\n" == LINES


@given(st.integers(1, len(gzip.compress(LINES, mtime=0)) - 1))
def test_a_file_that_is_cut_off_anywhere_is_damaged(length):
    """Also within its last eight bytes."""
    with pytest.raises(Damaged):
        unpacked(gzip.compress(LINES, mtime=0)[:length], 512)


def test_what_is_no_gzip_is_damaged():
    """A page, for instance."""
    with pytest.raises(Damaged):
        unpacked(b"<html>log in</html>", 512)


def test_an_empty_answer_is_damaged_and_an_empty_file_is_not():
    """A gzip file of nothing is a file without events."""
    assert unpacked(gzip.compress(b""), 512) == []
    with pytest.raises(Damaged):
        unpacked(b"", 512)


def test_a_line_without_end_does_not_fill_the_memory(monkeypatch):
    """A bomb, for instance."""
    monkeypatch.setattr(module, "LONGEST_LINE", 1 << 16)
    with pytest.raises(Damaged):
        unpacked(gzip.compress(b"a" * (1 << 20)), 512)


@pytest.mark.parametrize("line", [b"[1]", b"1", b"null", b"{", b"\xff", b'{"a":1}{"b":2}'])
def test_a_line_that_is_no_object_is_damaged(line):
    """And says nothing of it."""
    with pytest.raises(Damaged) as raised:
        event_of(line)
    assert str(raised.value) == ""
    assert raised.value.__context__ is None or raised.value.__suppress_context__


def test_lines_that_are_kept_are_passed_on_as_they_are():
    """And the others are counted."""
    repacking = Repacking(lambda event: event["app"] == 1)
    data = gzip.compress(LINES)
    packed = b"".join([repacking.feed(data[at : at + 100]) for at in range(0, len(data), 100)]) + repacking.finish()
    assert zlib.decompress(packed, 31).splitlines() == [line for line in LINES.split(b"\n")[:-1] if b'"app": 1' in line]
    assert (repacking.lines, repacking.left_out) == (20, 20)


def test_nothing_comes_of_a_file_without_a_line_to_keep():
    """Not even an empty gzip file."""
    repacking = Repacking(lambda _: False)
    assert repacking.feed(gzip.compress(LINES)) + repacking.finish() == b""
    assert (repacking.lines, repacking.left_out) == (0, 40)


def test_plain_lines_are_packed_too_and_the_same_lines_make_the_same_bytes():
    """What comes from search and activity."""
    packed = []
    for _ in range(2):
        repacking = Repacking(lambda _: True, plain=True)
        packed.append(repacking.feed(LINES[:77]) + repacking.feed(LINES[77:]) + repacking.finish())
    assert gzip.decompress(packed[0]) == LINES
    assert packed[0] == packed[1]
