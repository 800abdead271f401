"""A forward-only input in pieces of the size that is asked for, whatever sizes it arrives in."""

from __future__ import annotations

from collections.abc import Iterable

from scanner.archive.limits import MIB
from scanner.errors import BadArchive, Fault


class Feed:
    """Bytes of an iterable of chunks. A `BadArchive` of the iterable ends the input and is kept as `fault`."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._buffer, self._at, self._ended = iter(chunks), b"", 0, False
        self._fence: int | None = None
        self.offset = 0
        """Bytes taken so far."""
        self.fault: Fault | None = None
        """Why the input ended before its time; known once its end was looked at."""

    def fence(self, size: int | None) -> None:
        """Let the input appear to end `size` bytes from here; None: where it really does."""
        self._fence = None if size is None else self.offset + size

    def look(self, size: int) -> memoryview:
        """The next `size` bytes, fewer only before the end of the input. They are not taken."""
        if self._fence is not None:
            size = min(size, self._fence - self.offset)
        if len(self._buffer) - self._at < size and not self._ended:
            self._fill(size)
        return memoryview(self._buffer)[self._at : self._at + size]

    def skip(self, size: int) -> None:
        """Take bytes that were looked at."""
        self._at += size
        self.offset += size

    def take(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end of the input."""
        piece = bytes(self.look(size))
        self.skip(len(piece))
        return piece

    def drain(self) -> int:
        """Take all that is left; how much that was."""
        start = self.offset
        while piece := len(self.look(MIB)):
            self.skip(piece)
        return self.offset - start

    def _fill(self, size: int) -> None:
        parts: list[bytes | memoryview] = [memoryview(self._buffer)[self._at :]]
        missing = size - len(parts[0])
        while missing > 0 and (chunk := self._next()) is not None:
            parts.append(chunk)
            missing -= len(chunk)
        self._buffer, self._at = b"".join(parts), 0

    def _next(self) -> bytes | None:
        try:
            chunk = next(self._chunks, None)
        except BadArchive as error:
            self.fault, chunk = error.fault, None
        self._ended = chunk is None
        return chunk
