"""Scans inputs with an engine in each of several processes. The result does not depend on how many.

Memory: a process holds what its engine and `Limits` say; the parent holds at most `buffer` bytes for each process, and
what one inflate needs. Nothing is stored on disk.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Generic, NamedTuple, Protocol

from scanner.archive import Account, Archive, Content, Limits, Member, chunks_of
from scanner.archive.limits import MIB
from scanner.crew import Crew
from scanner.progress import Books, Progress
from scanner.worker import Engine, Factory, Mergeable, R, in_our_words, scan_content

__all__ = ["Engine", "Mergeable", "Progress", "Scan", "Source", "Stream", "scan"]

LIMITS = Limits()
BUFFER = 64 * MIB


@dataclass(frozen=True, slots=True)
class Source:
    """One input. `open` is called once, and its chunks are read once, in the calling thread."""

    open: Callable[[], Iterable[bytes]]
    size: int | None = None
    """Bytes, if known; only progress needs it."""
    zip_only: bool = False
    """Anything else is `NOT_AN_ARCHIVE`: an export that failed can be a page of text."""

    @classmethod
    def path(cls, path: Path) -> Source:
        """A file. One that cannot be read is noted as `UNREADABLE` when its turn comes."""
        size = None
        with suppress(OSError):
            size = path.stat().st_size
        return cls(partial(_file, path), size)

    @classmethod
    def stream(cls, file: BinaryIO) -> Source:
        """An open file, pipe or socket. It is not closed."""
        return cls(partial(chunks_of, file))


class Stream(NamedTuple):
    """What arrived from one input."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Scan(Generic[R]):
    """What was found, and what became of every byte."""

    result: R
    account: Account
    streams: tuple[Stream, ...]


class Scanner(Protocol):
    """Where members are scanned: here, or in other processes."""

    @property
    def waiting(self) -> int:
        """Bytes of content that were handed over and are not taken yet."""
        ...

    def scan(self, source: int, member: Member, layer: int) -> None:
        """Scan a member; reads its chunks to their end."""
        ...

    def results(self) -> list[Any]:
        """The results, at least one, once all is scanned."""
        ...

    def end(self) -> None:
        """Leave nothing behind."""
        ...


def scan(
    sources: Iterable[Source],
    *,
    engine: Factory[R],
    processes: int = 1,
    progress: Callable[[Progress], None] | None = None,
    limits: Limits = LIMITS,
    buffer: int = BUFFER,
) -> Scan[R]:
    """Scan all inputs, one after the other, their members in `processes` processes; 1: in this one.

    What cannot be read is in the account, and the rest is scanned all the same. `Stopped`: an engine failed or a
    process died; nothing counts. Any other exception is one of a source. In no case a process is left behind.

    With more than one process and other threads in this one, `engine` must be importable, and so must the caller's main
    module; see `Crew`.
    """
    books = Books(_total(sources), progress)
    scanner = Here(engine, limits, books) if processes <= 1 else Crew(engine, processes, limits, buffer, books)
    gc.freeze()  # rules and tables are many objects and live on: no collection of the scan looks at them
    try:
        streams = tuple(_read(number, source, scanner, books, limits) for number, source in enumerate(sources))
        first, *others = scanner.results()
        for other in others:
            first = first.merge(other)
    finally:
        gc.unfreeze()  # what was there before is collected again, even what the caller had frozen
        scanner.end()
    return Scan(first, books.account, streams)


class Here:
    """Scans in this process."""

    waiting = 0

    def __init__(self, factory: Factory[Any], limits: Limits, books: Books) -> None:
        self._limits, self._books = limits, books
        with in_our_words():
            self._engine = factory()

    def scan(self, source: int, member: Member, layer: int) -> None:
        """Scan a member."""
        content = Content(member.chunks, self._limits, layer)
        lines = scan_content(content, self._engine, self._books.step)
        self._books.done(source, member, content.reading, lines)

    def results(self) -> list[Any]:
        """The result."""
        with in_our_words():
            return [self._engine.take()]

    def end(self) -> None:
        """There is nothing to leave behind."""


def _read(number: int, source: Source, scanner: Scanner, books: Books, limits: Limits) -> Stream:
    archive = Archive(source.open(), limits, zip_only=source.zip_only)
    before = books.finished
    books.reading(number, lambda: max(before, before + archive.size - scanner.waiting))
    for member in archive.members():
        scanner.scan(number, member, archive.layer)
    books.add(archive.between(number))
    books.finished += archive.size
    return Stream(archive.size, archive.sha256)


def _total(sources: Iterable[Source]) -> int | None:
    sizes = [source.size for source in sources] if isinstance(sources, Sequence) else [None]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _file(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        yield from chunks_of(file)
