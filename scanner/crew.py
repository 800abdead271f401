"""Scanner processes as their parent sees them.

A member goes whole to the process that has the least to do. What a process has not taken yet waits here, up to `buffer`
bytes for each; then the parent waits, so one archive of any size needs no more memory than that. A thread per process
writes to its pipe, so the parent itself never waits for one of them while another has nothing to do.
"""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from queue import SimpleQueue
from threading import Thread
from typing import Any, cast

from scanner.archive import Limits, Member
from scanner.errors import BadArchive, Fault, Stopped
from scanner.progress import Books
from scanner.worker import Answer, Done, Factory, Failed, Result, Step, run

GRACE_S = 5.0
MOST_TICKETS = 10_000
"""Members that may wait for one process: a hostile archive has millions of them without any content."""


class Lane:
    """One scanner process, its two pipes, and the thread that writes to it."""

    def __init__(self, context: BaseContext, name: str, work: tuple[Factory[Any], Limits], older: list[Lane]) -> None:
        theirs, self.pipe = context.Pipe(duplex=False)
        self.answers, answering = context.Pipe(duplex=False)
        ours = [pipe for lane in (*older, self) for pipe in (lane.pipe, lane.answers)]
        target, inherited = (_forked, (ours,)) if context.get_start_method() == "fork" else (run, ())
        arguments = (*inherited, theirs, answering, *work)
        self._process = context.Process(target=target, args=arguments, name=name, daemon=True)  # type: ignore[attr-defined]
        with _sigint_blocked():
            self._process.start()
        theirs.close()
        answering.close()
        self._frames: SimpleQueue[bytes | None] = SimpleQueue()
        self._writer = Thread(target=self._write, name=name, daemon=True)
        self.waiting = 0
        """Bytes of content that it has not taken yet."""
        self.tickets: deque[tuple[int, Member]] = deque()
        """Members that it has not answered for, each with the number of its input."""
        self.result: Result | None = None

    def open(self) -> None:
        """Start the writer: after the last fork, which would copy its locks."""
        self._writer.start()

    def put(self, *frames: bytes) -> None:
        """Hand frames to the writer."""
        for frame in frames:
            self._frames.put(frame)

    def put_content(self, chunk: bytes) -> None:
        """Hand content to the writer."""
        self.waiting += len(chunk)
        self._frames.put(chunk)

    def close(self) -> None:
        """Nothing follows: the process answers with its result."""
        self._frames.put(None)

    def death(self) -> Stopped:
        """How the process ended."""
        self._process.join(GRACE_S)
        code = self._process.exitcode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        return Stopped(Fault.WORKER_DIED, f"{self._process.name} ended {how} before its work was done")

    def end(self) -> None:
        """End the process, and the thread with it."""
        self.close()
        self._process.join(GRACE_S if self.result else 0)
        self._process.kill()
        self._process.join()
        self._writer.join()
        self._process.close()
        self.answers.close()

    def _write(self) -> None:
        with suppress(OSError), self.pipe:  # a reader that died is noticed by its silence
            for frame in iter(self._frames.get, None):
                self.pipe.send_bytes(frame)


def _forked(
    ours: list[Connection], inbox: Connection, outbox: Connection, factory: Factory[Any], limits: Limits
) -> None:
    """A copy of the parent's end of a pipe would keep that pipe open after the parent has closed it."""
    for pipe in ours:
        pipe.close()
    run(inbox, outbox, factory, limits)


class Crew:
    """Scanner processes.

    Where the caller has no other thread they are forked, all at once, and start with the engine that is ready here.
    Otherwise a fork would copy other threads' locks and sockets: then each is spawned when there is work for it, builds
    its own engine, and the factory must be importable.
    """

    def __init__(self, factory: Factory[Any], processes: int, limits: Limits, buffer: int, books: Books) -> None:
        self._factory, self._processes, self._limits = factory, processes, limits
        self._buffer, self._books = buffer, books
        self._context = get_context("fork" if threading.active_count() == 1 else "spawn")
        self._lanes: list[Lane] = []
        if self._context.get_start_method() == "fork":
            for _ in range(processes):
                self._hire()
            for lane in self._lanes:
                lane.open()

    @property
    def waiting(self) -> int:
        """Bytes of content that no process has taken yet."""
        return sum(lane.waiting for lane in self._lanes)

    def scan(self, source: int, member: Member, layer: int) -> None:
        """Hand over a member, chunk by chunk as it arrives."""
        lane = self._idlest()
        lane.put(bytes([layer]))
        fault = b""
        try:
            for chunk in member.chunks:
                lane.put_content(chunk)
                self._hear(0)
                while lane.waiting >= self._buffer:
                    self._hear()
        except BadArchive as error:
            fault = error.fault.encode()
        lane.put(b"", fault)
        lane.tickets.append((source, member))
        while len(lane.tickets) >= MOST_TICKETS:
            self._hear()

    def results(self) -> list[Any]:
        """What each process found, once all work is done."""
        if not self._lanes:
            self._start()
        for lane in self._lanes:
            lane.close()
        while not all(lane.result for lane in self._lanes):
            self._hear()
        return [lane.result.value for lane in self._lanes if lane.result]

    def end(self) -> None:
        """End all processes: at once, if their work is not done."""
        for lane in self._lanes:
            lane.end()

    def _idlest(self) -> Lane:
        """The process with the least to do; a new one, as long as there may be more and none has nothing to do."""
        self._hear(0)
        idlest = min(self._lanes, key=lambda lane: (lane.waiting, len(lane.tickets)), default=None)
        if idlest and (not idlest.tickets or len(self._lanes) == self._processes):
            return idlest
        return self._start()

    def _start(self) -> Lane:
        lane = self._hire()
        lane.open()
        return lane

    def _hire(self) -> Lane:
        name = f"scanner-{len(self._lanes)}"
        self._lanes.append(Lane(self._context, name, (self._factory, self._limits), list(self._lanes)))
        return self._lanes[-1]

    def _hear(self, timeout: float | None = None) -> None:
        """Take the answers that are there; wait for one if none is and no `timeout` says for how long."""
        speaking = {lane.answers: lane for lane in self._lanes if not lane.result}
        for pipe in wait(list(speaking), timeout):
            self._take(speaking[cast("Connection", pipe)])

    def _take(self, lane: Lane) -> None:
        try:
            answer: Answer = lane.answers.recv()
        except (EOFError, OSError):
            raise lane.death() from None
        match answer:
            case Step(taken, text, lines):
                lane.waiting -= taken
                self._books.step(text, lines)
            case Done(reading, lines):
                self._books.done(*lane.tickets.popleft(), reading, lines)
            case Result():
                lane.result = answer
            case Failed(fault, message):
                raise Stopped(fault, message)


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """A process that is started now inherits the mask: an interrupt is for the parent, which ends the process."""
    resource_tracker.ensure_running()  # if a start had to do it, it would unblock the signal again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
