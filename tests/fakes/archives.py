"""Zip files of every legal form, and the reading of an archive in one process."""

import gzip
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass

from scanner.archive import Account, Archive, Content, Limits, of_member

STORED, DEFLATED = 0, 8
LIMITS = Limits()


@dataclass(frozen=True)
class Entry:
    """One member. `streamed`: sizes come behind it; `signed`, `wide`: how they are written there."""

    content: bytes
    method: int = STORED
    streamed: bool = True
    signed: bool = True
    wide: bool = False
    name: bytes = b"829528/829528_2026-06-16_11#0.json.gz"
    flags: int = 0


def packed(entry):
    if entry.method != DEFLATED:
        return entry.content
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(entry.content) + packer.flush()


def record(entry):
    """(local header, payload, descriptor) of one member."""
    payload, crc = packed(entry), zlib.crc32(entry.content)
    sizes = (len(payload), len(entry.content))
    flags = entry.flags | (8 if entry.streamed else 0)
    extra = b""
    told = (0, 0, 0) if entry.streamed else (crc, *sizes)
    if entry.wide and not entry.streamed:
        told, extra = (crc, 0xFFFFFFFF, 0xFFFFFFFF), struct.pack("<HHQQ", 1, 16, sizes[1], sizes[0])
    head = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, flags, entry.method, 0, 0, *told, len(entry.name), len(extra))
    tail = b""
    if entry.streamed:
        tail = (b"PK\7\x08" if entry.signed else b"") + struct.pack("<IQQ" if entry.wide else "<III", crc, *sizes)
    return head + entry.name + extra, payload, tail


def directory(entries, comment=b""):
    """The records behind the members."""
    rows = b"".join(
        struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, e.method, 0, 0, 0, 0, 0, len(e.name), 0, 0, 0, 0, 0, 0)
        + e.name
        for e in entries
    )
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, len(entries), len(entries), len(rows), 0, len(comment))
    return rows + end + comment


def zip_of(*entries, comment=b""):
    return b"".join(b"".join(record(entry)) for entry in entries) + directory(entries, comment)


def export_of(*texts):
    """The archive as Amplitude sends it: stored gzip members, written to a sink that cannot seek."""
    sink = Unseekable()
    with zipfile.ZipFile(sink, "w") as archive:
        for part, text in enumerate(texts):
            archive.writestr(f"829528/829528_2026-06-16_11#{part}.json.gz", gzip.compress(text, mtime=0))
    return sink.getvalue()


class Unseekable(io.BytesIO):
    def seekable(self):
        return False

    def seek(self, *args):
        raise io.UnsupportedOperation

    def tell(self):
        raise io.UnsupportedOperation


def pieces(data, size):
    """The data in chunks of that size."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def read(chunks, limits=LIMITS, **options):
    """(lines of each member, account, sha256) of an input."""
    archive = Archive(chunks, limits, **options)
    account, lines = Account(), []
    for member in archive.members():
        content = Content(member.chunks, limits, archive.layer)
        blocks = [block.data[block.start : block.end] for block in content.blocks()]
        assert all(block.endswith(b"\n") for block in blocks)
        lines.append(b"".join(blocks).splitlines(keepends=True))
        account = account.merge(of_member(0, member.ordinal, member.split(content.reading.split), content.reading))
    return lines, account.merge(archive.between(0)), archive.sha256
