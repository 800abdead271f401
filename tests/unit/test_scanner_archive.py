"""Archives as they come: what is read, what is skipped, and under which name."""

import gzip
import io
import random
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from scanner.archive import Account, Archive, Content, Limits, chunks_of
from scanner.errors import Fault
from tests.fakes.archives import DEFLATED, Entry, Unseekable, directory, export_of, pieces, read, record, zip_of

LINES = [b'{"n":%d}\n' % n for n in range(1_000)]
TEXT = b"".join(LINES)
PACKED = gzip.compress(TEXT, mtime=0)
BINARY = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + random.Random(1).randbytes(900)


def faults(account):
    return [(trouble.member, trouble.fault) for trouble in account.troubles]


def noise(lines, seed=1):
    """Lines that do not shrink, so that a stream of them has many pieces."""
    dice = random.Random(seed)
    return [b'{"v":"%s"}\n' % dice.randbytes(100).hex().encode() for _ in range(lines)]


@pytest.mark.parametrize(
    "content", [TEXT, PACKED, gzip.compress(TEXT[:5_555]) + gzip.compress(TEXT[5_555:]) + bytes(99)]
)
def test_lines_and_gzip_are_read_without_a_zip_around_them(content):
    lines, account, _ = read([content])
    assert [LINES] == lines
    assert (True, 1, len(content)) == (account.clean, account.members, account.split.read)


def test_an_archive_as_amplitude_sends_it_is_read():
    lines, account, _ = read(pieces(export_of(TEXT, b"{}\n", TEXT), 1_000))
    assert [LINES, [b"{}\n"], LINES] == lines
    assert account.clean


@pytest.mark.parametrize("sink", [io.BytesIO, Unseekable])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("zip64", [False, True])
def test_what_the_standard_library_writes_is_read(sink, method, zip64):
    out = sink()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.comment = b"PK\x05\x06"
        archive.writestr("folder/", b"")
        archive.writestr("empty.json.gz", b"")
        with archive.open("größe.json.gz", "w", force_zip64=zip64) as member:
            member.write(PACKED)
        archive.writestr("plain.json", TEXT)
    lines, account, _ = read([out.getvalue()])
    assert [LINES, LINES] == [member for member in lines if member]
    assert (True, 2) == (account.clean, account.members)


def test_an_empty_zip_and_an_empty_input_have_no_members():
    assert ([], Account()) == read([])[:2]
    lines, account, _ = read([zip_of()])
    assert ([], True, 22) == (lines, account.clean, account.split.overhead)


def test_a_last_line_without_newline_gets_one():
    lines, account, _ = read([gzip.compress(b'{"a":1}\n{"b":2}')])
    assert [[b'{"a":1}\n', b'{"b":2}\n']] == lines
    assert 15 == account.text.delivered


def test_a_zip_in_a_zip_is_read():
    inner = zip_of(Entry(PACKED), Entry(b"{}\n", DEFLATED))
    lines, account, _ = read(
        [zip_of(Entry(inner), Entry(inner, DEFLATED, streamed=False), Entry(gzip.compress(inner)))]
    )
    assert [[*LINES, b"{}\n"]] * 3 == lines
    assert (True, 3) == (account.clean, account.members)


def test_containers_nested_too_deep_are_not_opened():
    content = PACKED
    for _ in range(4):
        content = zip_of(Entry(content))
    lines, account, _ = read([content])
    assert ([[]], [(0, Fault.UNSUPPORTED)]) == (lines, faults(account))
    assert 1 == read([content], Limits(layers=5))[1].members


def test_a_payload_that_contains_signatures_is_not_cut_short():
    tricks = b"".join((b"PK\x03\x04", b"PK\x07\x08" + bytes(12), b"PK\x01\x02", *record(Entry(b"{}\n"))))
    content = b"".join(b'{"t":"' + tricks.replace(b"\n", b"") + b'"}\n' for _ in range(50))
    lines, account, _ = read([zip_of(Entry(content), Entry(PACKED))], Limits(compressed=256))
    assert [content.splitlines(keepends=True), LINES] == lines
    assert account.clean


def test_a_wrong_checksum_loses_no_line():
    broken = PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:]
    lines, account, _ = read([zip_of(Entry(broken), Entry(PACKED))])
    assert [LINES, LINES] == lines
    assert [(0, Fault.DAMAGED)] == faults(account)
    assert ({Fault.DAMAGED: 1}, 1, {}) == (account.broken, account.members, account.split.skipped)


def test_the_lines_before_a_damage_are_read_and_the_bytes_after_it_counted():
    lines = noise(4_000)
    packer = zlib.compressobj(wbits=31)
    good = packer.compress(b"".join(lines)) + packer.flush(zlib.Z_FULL_FLUSH)
    bad = b"\xff" * 500_000  # no block of deflate begins so
    found, account, _ = read([zip_of(Entry(good + bad), Entry(PACKED))])
    assert lines[: len(found[0])] == found[0]
    assert len(lines) * 2 // 3 < len(found[0])
    assert LINES == found[1]
    assert ({Fault.DAMAGED: 1}, 1) == (account.broken, account.members)
    assert len(bad) <= account.split.skipped[Fault.DAMAGED] < len(bad) + Limits().compressed


@pytest.mark.parametrize("wrap", [lambda packed: packed, lambda packed: zip_of(Entry(packed))])
def test_what_is_cut_off_is_read_as_far_as_it_goes(wrap):
    whole = noise(500)
    data = wrap(gzip.compress(b"".join(whole)))
    lines, account, _ = read([data[: len(data) // 2]])
    assert whole[: len(lines[0])] == lines[0]
    assert len(whole) * 0.45 < len(lines[0])
    assert {Fault.TRUNCATED} == {fault for _, fault in faults(account)}
    assert 0 < account.text.skipped[Fault.TRUNCATED] < 300


def test_an_archive_without_its_directory_is_cut_off():
    data = zip_of(Entry(PACKED), Entry(PACKED))
    lines, account, _ = read([data[: data.index(b"PK\1\2")]])
    assert [LINES, LINES] == lines
    assert [(2, Fault.TRUNCATED)] == faults(account)


def test_an_archive_that_is_cut_off_anywhere_is_cut_off():
    data = zip_of(Entry(PACKED), Entry(PACKED, DEFLATED, streamed=False))
    for size in range(4, len(data)):
        _, account, _ = read([data[:size]])
        assert {Fault.TRUNCATED} == {fault for _, fault in faults(account)}, size
        assert size == account.split.size


def test_a_directory_that_lists_more_than_there_was_is_noted():
    entry = Entry(PACKED)
    lines, account, _ = read([b"".join(record(entry)) + directory([entry, entry])])
    assert ([LINES], [(1, Fault.DAMAGED)]) == (lines, faults(account))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("odd", [Entry(PACKED, 12), Entry(PACKED, flags=1), Entry(PACKED, DEFLATED, flags=1)])
def test_what_is_encrypted_or_packed_otherwise_is_passed_over(odd, streamed, signed):
    odd = replace(odd, streamed=streamed, signed=signed)
    lines, account, _ = read([zip_of(odd, Entry(PACKED))])
    assert ([[], LINES], [(0, Fault.UNSUPPORTED)]) == (lines, faults(account))
    assert {Fault.UNSUPPORTED: len(record(odd)[1])} == account.split.skipped


@pytest.mark.parametrize("content", [BINARY, gzip.compress(BINARY), bytes(100), b"\xff\xfe{\0}\0"])
def test_a_member_that_is_not_text_is_passed_over(content):
    lines, account, _ = read([zip_of(Entry(content), Entry(PACKED))])
    assert ([[], LINES], [(0, Fault.WRONG_TYPE)]) == (lines, faults(account))
    assert {Fault.WRONG_TYPE: len(content)} == account.split.skipped


def test_an_input_of_no_known_kind_is_not_an_archive():
    for data, options in ((BINARY, {}), (b"<html>busy</html>", {"zip_only": True}), (b"", {"zip_only": True})):
        lines, account, _ = read([data], **options)
        assert ([[]], len(data)) == (lines, account.split.skipped.get(Fault.NOT_AN_ARCHIVE, 0))
        assert [(0, Fault.NOT_AN_ARCHIVE)] == faults(account)


@pytest.mark.parametrize("entry", [Entry(gzip.compress(b"{" * 60_000_000)), Entry(b"{" * 60_000_000, DEFLATED)])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_bomb_is_left_and_the_next_member_read(entry, streamed):
    limits = Limits(grace=10_000, slack=10_000_000)
    lines, account, _ = read([zip_of(replace(entry, streamed=streamed), Entry(PACKED))], limits)
    assert ([[], LINES], [(0, Fault.BOMB)]) == (lines, faults(account))
    assert account.text.inflated < 20_000_000


def test_a_line_is_skipped_only_if_it_is_longer_than_allowed():
    fits, too_long = b"{" + b"x" * 99 + b"\n", b"{" + b"x" * 100 + b"\n"
    for text in (too_long + fits + too_long * 2 + fits + too_long, too_long + fits + fits + (too_long * 3)[:-1]):
        lines, account, _ = read([text], Limits(line=100, text=37))
        assert [[fits, fits]] == lines
        assert 4 == account.text.long_lines
        assert {Fault.OVERSIZED_LINE: len(text) - 2 * len(fits)} == account.text.skipped
        assert ([(0, Fault.OVERSIZED_LINE)], 1) == (faults(account), account.members)


def test_the_reader_finds_the_next_member_behind_a_damaged_stream_of_unknown_length():
    head, payload, tail = record(Entry(b"".join(noise(3_000)), DEFLATED))
    payload = payload[:100_000] + b"\xff" * 50 + payload[100_050:]
    rest = b"".join(record(Entry(PACKED)))
    lines, account, _ = read(
        [head + payload + tail + rest + directory([Entry(b""), Entry(b"")])], Limits(compressed=4096)
    )
    assert LINES == lines[1]
    assert [(0, Fault.DAMAGED)] == faults(account)


def test_a_damaged_record_costs_no_more_than_its_member():
    good = record(Entry(PACKED))
    size = (len(PACKED)).to_bytes(4, "little")
    crc = zlib.crc32(PACKED).to_bytes(4, "little")
    for what, other in ((size, b"\1\1\1\1"), (crc, b"\1\1\1\1"), (b"PK\x07\x08", b"PK..")):
        hurt = (*good[:2], good[2].replace(what, other))
        data = b"".join((*hurt, *good, *good)) + directory([Entry(b"")] * 3)
        lines, account, _ = read([data])
        assert [LINES] * 3 == lines
        assert [(0, Fault.DAMAGED)] == faults(account)[:1]
    data = b"".join((*good, b"PK.." + good[0][4:], *good[1:], *good)) + directory([Entry(b"")] * 2)
    lines, account, _ = read([data])
    assert [LINES] * 2 == lines
    assert {Fault.DAMAGED: len(b"".join(good))} == account.split.skipped


def test_memory_does_not_grow_with_the_archive():
    packed = gzip.compress(b"".join(noise(20_000)))
    head, payload, tail = record(Entry(packed * 30))
    data = head + payload + tail + directory([Entry(b"")])
    tracemalloc.start()
    archive = Archive(chunks_of(io.BytesIO(data)), Limits())
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    size = sum(end - start for m in archive.members() for _, start, end in Content(m.chunks, Limits(), 1).blocks())
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert 30 * len(b"".join(noise(20_000))) == size
    assert peak < 8 << 20


WITHOUT_ISAL = """
import hashlib, sys
sys.modules["isal"] = None
from scanner.archive.inflate import codec
from tests.fakes.archives import read
lines, account, _ = read([sys.stdin.buffer.read()])
print(codec.__name__, hashlib.sha256(repr((lines, account)).encode()).hexdigest())
"""


def test_without_isal_the_same_is_read():
    data = zip_of(Entry(PACKED), Entry(PACKED[:-20]), Entry(PACKED, DEFLATED), Entry(PACKED[:-8] + bytes(8)))
    done = [
        subprocess.run(
            [sys.executable, "-c", script], input=data, capture_output=True, check=True, cwd=Path(__file__).parents[2]
        ).stdout.split()
        for script in (WITHOUT_ISAL, WITHOUT_ISAL.replace('sys.modules["isal"] = None', ""))
    ]
    assert [b"zlib", b"isal.isal_zlib"] == [name for name, _ in done]
    assert done[0][1] == done[1][1]
