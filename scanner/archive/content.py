"""The content of one member to blocks of whole lines: the part that is worth another process."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import chain

from scanner.archive.account import Reading, Split, Text, total
from scanner.archive.feed import Feed
from scanner.archive.inflate import gunzip
from scanner.archive.kind import SNIFF, Kind, kind_of
from scanner.archive.limits import Limits
from scanner.archive.lines import Block, Lines
from scanner.archive.zip import Zip
from scanner.errors import BadArchive, Fault

CONTAINERS = {Kind.ZIP, Kind.GZIP}


class Content:
    """One content: iterate `blocks`, then ask for the `reading`. Faults are noted, not raised."""

    def __init__(self, chunks: Iterable[bytes], limits: Limits, layer: int = 0) -> None:
        self._feed, self._limits, self._layer = Feed(chunks), limits, layer
        self._split, self._text = Split(), Text()
        self._faults: dict[Fault, int] = {}

    @property
    def reading(self) -> Reading:
        """What became of it; final once `blocks` has ended."""
        return Reading(self._split, self._text, tuple((at, fault) for fault, at in self._faults.items()))

    def blocks(self) -> Iterator[Block]:
        """Whole lines, in order."""
        self._split = yield from self._read(self._feed, self._layer)

    def _read(self, feed: Feed, layer: int) -> Generator[Block, None, Split]:
        before, fault = self._text.delivered, None
        try:
            split = yield from self._open(feed, layer)
        except BadArchive as error:
            split, fault = Split(read=feed.offset), error.fault
        left = feed.drain()
        fault = fault or feed.fault
        if not fault:
            return split
        self._note(fault)
        if self._text.delivered == before:
            return Split(skipped={fault: feed.offset})
        return split + Split(skipped={fault: left})

    def _open(self, feed: Feed, layer: int) -> Generator[Block, None, Split]:
        kind = kind_of(feed.look(SNIFF))
        if kind in CONTAINERS and layer >= self._limits.layers:
            raise BadArchive(Fault.UNSUPPORTED, f"containers are nested deeper than {self._limits.layers}")
        if kind is Kind.ZIP:
            return (yield from self._unzip(feed, layer + 1))
        if kind is Kind.GZIP:
            return (yield from self._gunzip(feed, layer + 1))
        if kind is Kind.OTHER:
            raise BadArchive(feed.fault or Fault.WRONG_TYPE, "these are not lines of text, as far as they go")
        yield from self._lines(_pieces(feed, self._limits))
        return Split(read=feed.offset)

    def _unzip(self, feed: Feed, layer: int) -> Generator[Block, None, Split]:
        archive, split = Zip(feed, self._limits), Split()
        for member in archive.members():
            inner = yield from self._read(Feed(member.chunks), layer)
            split += member.split(inner)
        for _, fault in archive.faults:
            self._note(fault)
        return split + Split(archive.overhead, 0, total(archive.skipped))

    def _gunzip(self, feed: Feed, layer: int) -> Generator[Block, None, Split]:
        pieces = gunzip(feed, self._limits)
        first = next(pieces, b"")
        kind, whole = kind_of(first), chain((first,), pieces)
        if kind in CONTAINERS:
            nested = Feed(whole)
            inner = (yield from self._read(nested, layer)).onto(feed.offset)
            return inner + Split(skipped={nested.fault or Fault.DAMAGED: feed.drain()})
        if kind is Kind.OTHER:
            self._text += Text(len(first), 0, {Fault.WRONG_TYPE: len(first)})
            raise BadArchive(Fault.WRONG_TYPE, "these are not lines of text")
        yield from self._lines(whole)
        return Split(read=feed.offset)

    def _lines(self, pieces: Iterable[bytes]) -> Iterator[Block]:
        lines, before = Lines(self._limits.line), self._text
        try:
            for piece in pieces:
                yield from lines.push(piece)
            yield from lines.finish()
        except BadArchive as error:
            lines.abandon(error.fault)
            raise
        finally:
            self._text = before + Text(lines.inflated, lines.delivered, total(lines.skipped), lines.long_lines)
            if lines.long_lines:
                self._note(Fault.OVERSIZED_LINE)

    def _note(self, fault: Fault) -> None:
        self._faults.setdefault(fault, self._text.delivered)


def _pieces(feed: Feed, limits: Limits) -> Iterator[bytes]:
    while piece := feed.take(limits.text):
        yield piece
    if feed.fault:
        raise BadArchive(feed.fault, f"the content stops at byte {feed.offset}")
