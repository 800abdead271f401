"""A scanner in a process of its own, for programs with an event loop: archives in as they arrive, summaries out.

The host reads no faster than it scans, and nothing but a few pieces lies between its pipe and the caller's source: so
whoever sends an archive is slowed down to the scanner's pace, and memory does not depend on the archive's size.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from scanner.errors import Fault, ScanError, Stopped
from scanner.frames import HEAD, MOVED, About, Frame, HostSettings, Kind, framed, head
from scanner.ports import Scanned

__all__ = ["HostSettings", "ScannerHost"]

GRACE_S = 5.0


class ScannerHost:
    """One host. Scans one archive at a time: a second call waits. Belongs to one event loop.

    `rules`, `key` and `engine` say what it scans with: digest of the rules, name of the fingerprints' key, engine.
    """

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self._process: Process | None = None
        self._stale = False  # an archive was given up, and the host has not said yet that it dropped it
        self._turn = asyncio.Lock()
        self._about = About("", "", "")

    @classmethod
    async def start(cls, settings: HostSettings) -> Self:
        """A host that is ready. Takes a second. Raises what the engine raises: `BadRules`, `BadInput`."""
        host = cls(settings)
        await host._begin()
        return host

    @property
    def rules(self) -> str:
        """Digest of the rule set."""
        return self._about.rules

    @property
    def key(self) -> str:
        """Name of the key of the fingerprints."""
        return self._about.key

    @property
    def engine(self) -> str:
        """`native` or `reference`."""
        return self._about.engine

    @property
    def pid(self) -> int | None:
        """The process, if there is one."""
        return self._process.pid if self._process else None

    async def scan(
        self, chunks: AsyncIterator[bytes], *, sample: float = 1.0, progress: Callable[[int, int], None] | None = None
    ) -> Scanned:
        """Scan one zip. `progress` gets bytes read and bytes of text scanned since its last call.

        What cannot be read is an incident of the result. Raises what `chunks` raises, or `Stopped` if the host died or
        the scan failed: then nothing counts, and the next call starts another host if it must. May be cancelled.
        """
        async with self._turn:
            await self._fresh()
            return await self._scan(chunks, sample, progress or _unheard)

    async def close(self) -> None:
        """End the process: its input ends; what it still does a few seconds later is ended with it."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.1 if self._stale else GRACE_S)
        if process.returncode is None:
            process.kill()
            await process.wait()

    async def _begin(self) -> None:
        self._stale = False
        command = (sys.executable, "-P", "-m", "scanner.host")
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, limit=1 << 20, env=os.environ | {"PYTHONPATH": _paths()}
        )
        self._write(Kind.HELLO, pickle.dumps(self._settings))
        frame = await self._read()
        if frame.kind is Kind.FAILED:
            await self.close()
            raise _failure(frame)
        self._about = pickle.loads(frame.body)  # noqa: S301 (from our own child)

    async def _fresh(self) -> None:
        """A host that waits for an archive."""
        while self._process is not None and self._stale:
            try:
                frame = await self._read()
            except Stopped:
                break
            self._stale = frame.kind is Kind.MOVED
        if self._process is None:
            await self._begin()

    async def _scan(self, chunks: AsyncIterator[bytes], sample: float, progress: Callable[[int, int], None]) -> Scanned:
        self._write(Kind.OPEN, str(sample).encode())
        sending = asyncio.create_task(self._send(chunks))
        receiving = asyncio.create_task(self._receive(progress))
        try:
            await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done():
                return receiving.result()
            if sending.exception() is not None:
                self._abort()
                sending.result()
            return await receiving
        except asyncio.CancelledError:
            self._abort()
            raise
        finally:
            for task in (sending, receiving):
                task.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)

    async def _send(self, chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            self._write(Kind.CHUNK, chunk)
            with suppress(ConnectionError):  # its death is noticed by whoever receives
                await self._pipe.drain()
        self._write(Kind.END)

    async def _receive(self, progress: Callable[[int, int], None]) -> Scanned:
        while (frame := await self._read()).kind is Kind.MOVED:
            progress(*MOVED.unpack(frame.body))
        if frame.kind is not Kind.DONE:
            raise _failure(frame)
        scanned: Scanned = pickle.loads(frame.body)  # noqa: S301 (from our own child)
        return scanned

    def _abort(self) -> None:
        self._stale = True
        self._write(Kind.ABORT)

    def _write(self, kind: Kind, body: bytes = b"") -> None:
        self._pipe.write(framed(kind, body))

    @property
    def _pipe(self) -> asyncio.StreamWriter:
        if self._process is None or self._process.stdin is None:
            raise Stopped(Fault.WORKER_DIED, "the scanner host is not running")
        return self._process.stdin

    async def _read(self) -> Frame:
        if self._process is None or self._process.stdout is None:
            raise Stopped(Fault.WORKER_DIED, "the scanner host is not running")
        try:
            kind, size = head(await self._process.stdout.readexactly(HEAD.size))
            return Frame(kind, await self._process.stdout.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            process, self._process = self._process, None
            code = await process.wait()
            raise Stopped(Fault.WORKER_DIED, f"the scanner host ended with {code}") from None


def _failure(frame: Frame) -> ScanError:
    fault, message = pickle.loads(frame.body)  # noqa: S301 (from our own child)
    return Stopped(fault, message)


def _unheard(*_: Any) -> None:
    """Nobody asked for the progress."""


def _paths() -> str:
    """Where this process finds its modules: the host must be of the same code, whatever folder it is started in."""
    return os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
