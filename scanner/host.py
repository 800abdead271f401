"""A scanner host: a process that builds its engine once and scans one archive after the other, as they arrive on stdin.

`python -m scanner.host` is started by `scanner.hosted.ScannerHost`, never by hand. It has one thread, so that the
scanner processes of each archive are forked from the engine that is ready. It ends with its standard input.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Iterator
from typing import BinaryIO

from scanner.engine import ScanEngine, make_engine
from scanner.errors import ScanError
from scanner.frames import HEAD, MOVED, About, Frame, HostSettings, Kind, framed, head
from scanner.pool import Source
from scanner.ports import Wanted
from scanner.rules import load
from scanner.worker import in_our_words

STREAM = "(the export)"
"""What an archive is called in incidents: it has no name."""


class _Aborted(BaseException):
    """The client wants nothing of this archive. No `Exception`: a scan turns those into words of its own."""


class _Over(BaseException):
    """The client has gone."""


class Host:
    """One host on two streams."""

    def __init__(self, inbox: BinaryIO, outbox: BinaryIO) -> None:
        self._inbox, self._outbox = inbox, outbox
        self._moved = [0, 0]

    def serve(self) -> None:
        """Scan until the input ends."""
        try:
            settings: HostSettings = pickle.loads(self._read().body)  # noqa: S301 (from our own parent)
            engine = self._ready(settings)
            while engine is not None:
                self._archive(engine)
        except (_Over, BrokenPipeError):
            pass

    def _ready(self, settings: HostSettings) -> ScanEngine | None:
        try:
            with in_our_words():
                wanted = Wanted(
                    load(settings.rules), settings.engine, settings.processes or os.cpu_count() or 1, settings.key
                )
                engine = make_engine(wanted)
        except ScanError as error:
            self._fail(error)
            return None
        self._write(Kind.READY, pickle.dumps(About(wanted.rules.digest, engine.fingerprints.name, engine.name)))
        return engine

    def _archive(self, engine: ScanEngine) -> None:
        opened = self._read()
        if opened.kind is not Kind.OPEN:
            raise _Over
        self._ended, self._moved = False, [0, 0]
        try:
            with in_our_words():
                scanned = engine.scan([Source(self._chunks, zip_only=True)], [STREAM], self._tell, float(opened.body))
        except _Aborted:
            self._write(Kind.DROPPED)
            return
        except ScanError as error:
            self._skip()
            self._fail(error)
            return
        self._skip()
        self._tell(0, 0, last=True)
        self._write(Kind.DONE, pickle.dumps(scanned))

    def _chunks(self) -> Iterator[bytes]:
        while (frame := self._read()).kind is Kind.CHUNK:
            yield frame.body
        self._ended = True
        if frame.kind is Kind.ABORT:
            raise _Aborted

    def _skip(self) -> None:
        """What is left of an archive whose scan has ended."""
        while not self._ended:
            self._ended = self._read().kind is not Kind.CHUNK

    def _tell(self, input_bytes: int, text_bytes: int, *, last: bool = False) -> None:
        self._moved[0] += input_bytes
        self._moved[1] += text_bytes
        if last or self._moved[1] >= _TELL_BYTES:
            self._write(Kind.MOVED, MOVED.pack(*self._moved))
            self._moved = [0, 0]

    def _fail(self, error: ScanError) -> None:
        self._write(Kind.FAILED, pickle.dumps((error.fault, str(error))))

    def _read(self) -> Frame:
        data = self._inbox.read(HEAD.size)
        if len(data) < HEAD.size:
            raise _Over
        kind, size = head(data)
        body = self._inbox.read(size)
        if len(body) < size:
            raise _Over
        return Frame(kind, body)

    def _write(self, kind: Kind, body: bytes = b"") -> None:
        self._outbox.write(framed(kind, body))
        self._outbox.flush()


_TELL_BYTES = 8 << 20
"""Of text between two tellings of progress."""


def main() -> None:
    """Serve on standard input and output. What anything else prints goes nowhere: it could quote a value."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the parent, which closes our input
    outbox = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    Host(sys.stdin.buffer, outbox).serve()


if __name__ == "__main__":
    main()
