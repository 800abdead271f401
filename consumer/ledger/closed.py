"""Requests that have ended, remembered until their dedupe window is over: many, nearly never looked at, small.

They are kept in pages of 64, each compressed as a whole: 90 bytes a request instead of 240, for one or two
microseconds when it is put and some 80 more when it is read again. An index of eight bytes a request leads from a key
to its page: four of them a fingerprint, which the key written in the page confirms, so that no two requests can be
taken for each other. A page goes when the last request in it does; they end in nearly the order in which they came.
"""

from __future__ import annotations

import heapq
import struct
import sys
from collections.abc import Iterator

import zstandard

from consumer.domain.subject import Millis

PAGE = 64
_BUCKETS = 1 << 14
_WORD = struct.Struct("=II")
_MARK = 0xFFFFFFFF
_HEAD = struct.Struct("=qHI")


class Page:
    """`live`: a bit for each request still remembered. `packed`: all that were written, compressed together."""

    __slots__ = ("live", "packed")

    def __init__(self, packed: bytes) -> None:
        self.live, self.packed = (1 << PAGE) - 1, packed


class ClosedRequests:
    """Encoded requests by key, each with the instant at which its window ends. Not for sharing between threads."""

    def __init__(self) -> None:
        self._pack = zstandard.ZstdCompressor(level=1, write_checksum=False).compress
        self._unpack = zstandard.ZstdDecompressor().decompress
        self._fresh: dict[bytes, tuple[Millis, bytes]] = {}
        self._pages: dict[int, Page] = {}
        self._written = 0
        self._index: dict[int, bytearray] = {}
        self._ends: list[tuple[Millis, int]] = []
        self._paged = 0

    def __len__(self) -> int:
        return len(self._fresh) + self._paged

    def get(self, key: bytes) -> bytes | None:
        """The request's encoded form, or None."""
        if (fresh := self._fresh.get(key)) is not None:
            return fresh[1]
        found = self._find(key)
        return found[2] if found else None

    def put(self, key: bytes, due: Millis, value: bytes) -> None:
        """Remember it until `due`. It must not be there yet: `remove` it first."""
        self._fresh[key] = (due, value)
        if len(self._fresh) == PAGE:
            self._write_page()

    def remove(self, key: bytes) -> bool:
        """Forget it. Whether it was there."""
        if self._fresh.pop(key, None) is not None:
            return True
        found = self._find(key)
        if found is None:
            return False
        bucket, at, _ = found
        (_, place) = _WORD.unpack_from(bucket, at)
        del bucket[at : at + _WORD.size]
        number, slot = divmod(place, PAGE)
        page = self._pages[number]
        page.live &= ~(1 << slot)
        self._paged -= 1
        if not page.live:
            del self._pages[number]
        return True

    def due(self, now: Millis, limit: int) -> list[tuple[Millis, bytes]]:
        """Up to `limit` requests whose window is over, as (due, value), oldest first; whole pages are looked at."""
        found = [(due, value) for due, value in self._fresh.values() if due <= now]
        looked_at: list[tuple[Millis, int]] = []
        while self._ends and self._ends[0][0] <= now and len(found) < limit:
            _, number = heapq.heappop(self._ends)
            if remaining := [(due, value) for _, due, _, value in self._live(number)]:
                looked_at.append((min(remaining)[0], number))
                found += [each for each in remaining if each[0] <= now]
        for each in looked_at:
            heapq.heappush(self._ends, each)
        return sorted(found)[:limit]

    def _write_page(self) -> None:
        index, pack, first = self._index, _WORD.pack, self._written * PAGE
        for place, key in enumerate(self._fresh, first):
            where = hash(key)
            bucket = index.get(where % _BUCKETS)
            if bucket is None:
                bucket = index[where % _BUCKETS] = bytearray()
            bucket += pack(where >> 32 & _MARK, place)
        written = self._fresh.values()
        heads = [_HEAD.pack(due, len(key), len(value)) for key, (due, value) in self._fresh.items()]
        packed = self._pack(b"".join([*heads, *self._fresh, *[value for _, value in written]]))
        self._pages[self._written] = Page(bytes(memoryview(packed)))  # a copy: the original has room for the worst case
        heapq.heappush(self._ends, (min(written)[0], self._written))
        self._written += 1
        self._paged += PAGE
        self._fresh.clear()

    def _find(self, key: bytes) -> tuple[bytearray, int, bytes] | None:
        """The bucket, the place in it, and the value."""
        where = hash(key)
        bucket = self._index.get(where % _BUCKETS)
        if bucket is None:
            return None
        mark = (where >> 32 & _MARK).to_bytes(4, sys.byteorder)
        at = bucket.find(mark)
        while at >= 0:
            if at % _WORD.size == 0 and (value := self._confirmed(key, _WORD.unpack_from(bucket, at)[1])) is not None:
                return bucket, at, value
            at = bucket.find(mark, at + 1)
        return None

    def _confirmed(self, key: bytes, place: int) -> bytes | None:
        number, wanted = divmod(place, PAGE)
        return next((value for slot, _, there, value in self._live(number) if slot == wanted and there == key), None)

    def _live(self, number: int) -> Iterator[tuple[int, Millis, bytes, bytes]]:
        """Slot, end of the window, key and value of each request of a page that is still remembered."""
        page = self._pages.get(number)
        if page is None:
            return
        written = self._unpack(page.packed)
        heads = list(_HEAD.iter_unpack(written[: PAGE * _HEAD.size]))
        key_at = PAGE * _HEAD.size
        value_at = key_at + sum(key_bytes for _, key_bytes, _ in heads)
        for slot, (due, key_bytes, value_bytes) in enumerate(heads):
            if page.live >> slot & 1:
                yield (
                    slot,
                    Millis(due),
                    written[key_at : key_at + key_bytes],
                    written[value_at : value_at + value_bytes],
                )
            key_at += key_bytes
            value_at += value_bytes
