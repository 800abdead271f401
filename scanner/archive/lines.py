"""Pieces of text, cut anywhere, to blocks of whole lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from scanner.errors import Fault


class Block(NamedTuple):
    """Whole lines: `data[start:end]`, which ends with a newline. The rest of `data` is not meant."""

    data: bytes
    start: int
    end: int


class Lines:
    """The text of one content: `push` its pieces, then `finish`, or `abandon` if the rest is lost.

    Only a line that lies across pieces is copied. A line of more than `longest` bytes, its newline not counted, is
    skipped.
    """

    def __init__(self, longest: int) -> None:
        self._longest, self._tail, self._tail_size = longest, list[bytes](), 0
        self.inflated = 0
        """Bytes pushed."""
        self.delivered = 0
        """Bytes in blocks; a newline that `finish` had to add is not counted."""
        self.skipped: Counter[Fault] = Counter()
        self.long_lines = 0

    def push(self, piece: bytes) -> Iterator[Block]:
        """The blocks that this piece completes."""
        self.inflated += len(piece)
        if len(piece) <= self._longest:
            yield from self._push(piece)
            return
        for at in range(0, len(piece), self._longest):  # so that a line inside one piece is never too long
            yield from self._push(piece[at : at + self._longest])

    def finish(self) -> Iterator[Block]:
        """The last line, if it had no newline."""
        if self._tail_size:
            yield from self._border(b"", b"\n")

    def abandon(self, fault: Fault) -> None:
        """What follows is lost: the line that has begun is skipped."""
        self.skipped[fault] += self._tail_size
        self._tail, self._tail_size = [], 0

    def _push(self, piece: bytes) -> Iterator[Block]:
        start = piece.find(b"\n") + 1 if self._tail_size else 0
        end = piece.rfind(b"\n") + 1
        if end and self._tail_size:
            yield from self._border(piece[:start])
        if end > start:
            self.delivered += end - start
            yield Block(piece, start, end)
        if end < len(piece):
            self._keep(piece[end:] if end else piece)

    def _keep(self, part: bytes) -> None:
        self._tail_size += len(part)
        if self._tail_size > self._longest:
            self._tail.clear()
        else:
            self._tail.append(part)

    def _border(self, rest: bytes, added: bytes = b"") -> Iterator[Block]:
        size = self._tail_size + len(rest)
        if size - (not added) > self._longest:
            self.skipped[Fault.OVERSIZED_LINE] += size
            self.long_lines += 1
        else:
            line = b"".join((*self._tail, rest, added))
            self.delivered += size
            yield Block(line, 0, len(line))
        self._tail, self._tail_size = [], 0
