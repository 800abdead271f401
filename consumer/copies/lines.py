"""Between Amplitude's gzip files of JSON lines and a package's: unpacked, judged line by line, packed again.

All of it is work for a thread: `Repacking` takes pieces of any size and gives what is finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
from isal import isal_zlib

LONGEST_LINE = 32 << 20
LEVEL = 2
BROKEN: type[Exception] = isal_zlib.error  # type: ignore[assignment]
_GZIP = 31
"""zlib's window bits for the gzip format."""


class Damaged(Exception):
    """Not a whole gzip file of JSON objects. Carries no text: it could quote somebody."""


class Unpacking:
    """gzip, also several members in a row, to whole lines without their ends. `plain`: the lines come as they are."""

    def __init__(self, *, plain: bool = False) -> None:
        self._plain = plain
        self._inflate = isal_zlib.decompressobj(_GZIP)
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that end in this piece. Raises `Damaged`."""
        text = piece if self._plain else b"".join(self._inflated(piece))
        lines = (self._rest + text).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > LONGEST_LINE:
            raise Damaged
        yield from filter(None, lines)

    def _inflated(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            if self._inflate.eof:
                self._inflate = isal_zlib.decompressobj(_GZIP)
            try:
                yield self._inflate.decompress(piece)
            except BROKEN:
                raise Damaged from None
            piece = self._inflate.unused_data if self._inflate.eof else b""

    def finish(self) -> Iterator[bytes]:
        """The last line, if it has no end. Raises `Damaged` for a file that is cut off, or is not there."""
        if not self._plain and not self._inflate.eof:
            raise Damaged
        if self._rest:
            yield self._rest


def event_of(line: bytes) -> dict[str, Any]:
    """One line as the event it is. Raises `Damaged`."""
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise Damaged from None
    if not isinstance(event, dict):
        raise Damaged
    return event


class Repacking:
    """`keep` says which events belong to the package. Lines are passed on as they are. Deterministic."""

    def __init__(self, keep: Callable[[dict[str, Any]], bool], *, plain: bool = False) -> None:
        self._keep, self._unpacking = keep, Unpacking(plain=plain)
        self._deflate = isal_zlib.compressobj(LEVEL, wbits=_GZIP)
        self.lines = self.left_out = 0

    def feed(self, piece: bytes) -> bytes:
        """What is finished by this piece. Raises `Damaged`."""
        return self._packed(self._unpacking.feed(piece))

    def finish(self) -> bytes:
        """The rest; nothing at all if there was not one line to keep."""
        packed = self._packed(self._unpacking.finish())
        return packed + bytes(self._deflate.flush()) if self.lines else b""

    def _packed(self, lines: Iterator[bytes]) -> bytes:
        kept = []
        for line in lines:
            if self._keep(event_of(line)):
                kept.append(line + b"\n")
            else:
                self.left_out += 1
        self.lines += len(kept)
        return bytes(self._deflate.compress(b"".join(kept))) if kept else b""
