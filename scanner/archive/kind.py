"""What a content is, by its first bytes. Names are not asked: exports call zip files `.json.gz`."""

from __future__ import annotations

from enum import StrEnum

SNIFF = 1 << 16
"""First bytes that are looked at."""


class Kind(StrEnum):
    """What a content is read as."""

    ZIP = "zip"
    GZIP = "gzip"
    LINES = "lines"
    OTHER = "other"


MAGIC = (
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),  # without members
    (b"\x1f\x8b", Kind.GZIP),
)
CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\r\f"))
MOST_CONTROLS = 0.3
UTF8_BOM = b"\xef\xbb\xbf"


def kind_of(head: bytes | memoryview) -> Kind:
    """The kind of a content that begins so. What begins like JSON is lines, whatever comes behind."""
    first = bytes(head[:SNIFF])
    for magic, kind in MAGIC:
        if first.startswith(magic):
            return kind
    if first.removeprefix(UTF8_BOM).lstrip()[:1] in {b"{", b"["}:
        return Kind.LINES
    controls = len(first) - len(first.translate(None, CONTROLS))
    return Kind.OTHER if b"\0" in first or controls > MOST_CONTROLS * len(first) else Kind.LINES
