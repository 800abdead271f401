"""The scanning of members, in this process or in one of its own.

What the parent writes to a scanner process, for each member: a frame with its layer, frames of its content, an empty
frame, and a frame with the fault that ended the content, empty if none did. The end of the pipe is the end of the work.
What it answers is pickled: for each member a `Step` for each frame of content, a last `Step` and `Done`; at the end one
`Result` or `Failed`.
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import PurePath
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from scanner.archive import Content, Limits, Reading
from scanner.errors import BadArchive, Fault, ScanError, Stopped


class Mergeable(Protocol):
    """A result of a part. Merging is associative and commutative."""

    def merge(self, other: Self) -> Self:
        """Both together."""
        ...


R_co = TypeVar("R_co", bound=Mergeable, covariant=True)
R = TypeVar("R", bound=Mergeable)


class Engine(Protocol[R_co]):
    """Scans text. Made once in each process, by a factory that can be pickled."""

    def feed(self, data: bytes, start: int, end: int) -> int | None:
        """Scan `data[start:end]`, whole lines each with its newline; how many, if the engine happens to count them."""
        ...

    def take(self) -> R_co:
        """The result of all that was fed."""
        ...


Factory = Callable[[], Engine[R]]


class Step(NamedTuple):
    """What was done since the last one: bytes of content taken, bytes of text and lines scanned."""

    taken: int
    text: int
    lines: int


class Done(NamedTuple):
    """A member is scanned."""

    reading: Reading
    lines: int


class Result(NamedTuple):
    """The work is done."""

    value: Any


class Failed(NamedTuple):
    """The work cannot be done; in our words."""

    fault: Fault
    message: str


Answer = Step | Done | Result | Failed


@contextmanager
def in_our_words() -> Iterator[None]:
    """An exception of an engine stops the scan. Its type and place are told, its text is not: it can quote a value."""
    try:
        yield
    except ScanError:
        raise
    except Exception as error:  # noqa: BLE001 (its text must not come along)
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{PurePath(place.filename).name}, line {place.lineno}"
        raise Stopped(Fault.WORKER_DIED, f"the scanner failed: {type(error).__name__} in {where}") from None


def scan_content(content: Content, engine: Engine[Any], told: Callable[[int, int], None]) -> int:
    """Scan one content; how many lines it had. `told` is called with the text and the lines of each block."""
    total = 0
    for data, start, end in content.blocks():
        with in_our_words():
            lines = engine.feed(data, start, end)
        lines = data.count(b"\n", start, end) if lines is None else lines
        total += lines
        told(end - start, lines)
    return total


def run(inbox: Connection, outbox: Connection, factory: Factory[Any], limits: Limits) -> None:
    """The life of a scanner process. It ends with its parent, too."""
    with suppress(_Gone, BrokenPipeError):
        outbox.send(_work(_Scanner(inbox, outbox, limits), factory))


def _work(scanner: _Scanner, factory: Factory[Any]) -> Result | Failed:
    try:
        with in_our_words():
            engine = factory()
            gc.freeze()  # rules and tables live as long as the process: no collection looks at them again
            while scanner.member(engine):
                pass
            return Result(engine.take())
    except ScanError as error:
        return Failed(error.fault, str(error))


class _Gone(BaseException):
    """The parent has ended, or has ended its end of the pipe."""


class _Scanner:
    def __init__(self, inbox: Connection, outbox: Connection, limits: Limits) -> None:
        self._inbox, self._outbox, self._limits = inbox, outbox, limits
        self._text = self._lines = 0

    def member(self, engine: Engine[Any]) -> bool:
        """Scan the next member; whether there was one."""
        try:
            layer = self._inbox.recv_bytes()[0]
        except EOFError:
            return False
        content = Content(self._content(), self._limits, layer)
        lines = scan_content(content, engine, self._count)
        self._step(0)
        self._outbox.send(Done(content.reading, lines))
        return True

    def _content(self) -> Iterator[bytes]:
        while frame := self._frame():
            yield frame
            self._step(len(frame))
        if fault := self._frame():
            raise BadArchive(Fault(fault.decode()), "the content was cut short")

    def _step(self, taken: int) -> None:
        self._outbox.send(Step(taken, self._text, self._lines))
        self._text = self._lines = 0

    def _count(self, text: int, lines: int) -> None:
        self._text += text
        self._lines += lines

    def _frame(self) -> bytes:
        try:
            return self._inbox.recv_bytes()
        except EOFError:
            raise _Gone from None
