"""age encryption of what goes to the store, as a stream: nothing plain is ever written.

The library works on files that block, so each stream runs in a thread of its own, which asks the event loop for bytes
and hands bytes back; a few pieces wait in between, and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import pyrage
from pyrage import x25519

from consumer.copies import Unsealed
from consumer.domain.errors import Fatal, Reason
from consumer.domain.subject import Secret

T = TypeVar("T")
PIECES = 4
"""Pieces of up to 64 KiB that wait to be taken from the thread."""


class AgeSealer:
    """Implements `Sealer`. `Fatal(INVALID_SETTINGS)` for a recipient that is none."""

    def __init__(self, recipients: Sequence[str]) -> None:
        self._recipients = [recipient(text, f"copies.recipients.{number}") for number, text in enumerate(recipients)]
        self._texts = tuple(recipients)

    @property
    def recipients(self) -> tuple[str, ...]:
        """The public keys; none: nothing is encrypted."""
        return self._texts

    def new_seal(self) -> Secret | None:
        """A fresh identity for one copy; None where nothing is encrypted."""
        return Secret(str(x25519.Identity.generate())) if self._recipients else None

    def closing(self, chunks: AsyncIterator[bytes], seal: Secret) -> AsyncIterator[bytes]:
        """See `Sealer`."""
        own = x25519.Identity.from_str(seal.reveal()).to_public()
        return _through(lambda source, sink: pyrage.encrypt_io(source, sink, [*self._recipients, own]), chunks)

    def opening(self, chunks: AsyncIterator[bytes], seal: Secret) -> AsyncIterator[bytes]:
        """See `Sealer`."""
        own = x25519.Identity.from_str(seal.reveal())
        return _through(lambda source, sink: pyrage.decrypt_io(source, sink, [own]), chunks)


class Keys:
    """The identities of an age identity file. `Fatal(INVALID_SETTINGS)` for a file without one."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        self.identities = [_identity(line) for line in lines if line and not line.startswith("#")]
        if not self.identities:
            raise Fatal(Reason.INVALID_SETTINGS, "the identity file holds no age identity")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Those of a file."""
        try:
            return cls(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            raise Fatal(Reason.INVALID_SETTINGS, "the identity file cannot be read") from None

    def opening(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The chunks, decrypted. Raises `Unsealed` for what none of the identities opens."""
        return _through(lambda source, sink: pyrage.decrypt_io(source, sink, self.identities), chunks)


def _identity(text: str) -> x25519.Identity:
    try:
        return x25519.Identity.from_str(text)
    except pyrage.IdentityError:
        pass  # raised below and not here: the library's text may quote the key
    raise Fatal(Reason.INVALID_SETTINGS, "the identity file holds something that is no age identity")


def recipient(text: str, where: str) -> x25519.Recipient:
    """The public key. `Fatal(INVALID_SETTINGS)` says `where` there is none."""
    try:
        return x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        pass  # raised below and not here: the library's text may quote the key
    raise Fatal(Reason.INVALID_SETTINGS, f"{where}: not an age public key (age1...)")


class _Stopped(Exception):
    """Nobody wants the result any more."""


class _Bridge:
    """The two ends of a stream in the thread: a file to read from and a file to write to, both served by the loop."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._loop, self._chunks, self._left = asyncio.get_running_loop(), chunks, b""
        self.made: asyncio.Queue[bytes | None] = asyncio.Queue(PIECES)
        self._stopped = False
        self._pending: Future[Any] | None = None
        self.failure: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """Some bytes; none at the end."""
        if not self._left:
            self._left = self._wait(self._next())
        wanted = len(self._left) if size < 0 else size
        given, self._left = self._left[:wanted], self._left[wanted:]
        return given

    async def _next(self) -> bytes:
        try:
            while not (piece := await anext(self._chunks, None)):
                if piece is None:
                    return b""
        except BaseException as error:
            self.failure = error
            raise
        return piece

    def write(self, data: bytes) -> int:
        """Wait until there is room."""
        self._wait(self.made.put(bytes(data)))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def _wait(self, step: Coroutine[Any, Any, T]) -> T:
        if self._stopped:
            step.close()
            raise _Stopped
        pending: Future[T] = asyncio.run_coroutine_threadsafe(step, self._loop)
        self._pending = pending
        return pending.result()

    def stop(self) -> None:
        """In the loop: nothing is read or written any more."""
        self._stopped = True
        if self._pending is not None:
            self._pending.cancel()

    def work(self, transform: Transform) -> bool:
        """In the thread. Whether it went well; what the library says of a failure is not passed on."""
        try:
            transform(self, self)
        except Exception:  # noqa: BLE001 (the library wraps whatever our own ends raise)
            return False
        finally:
            with suppress(_Stopped, CancelledError):
                self._wait(self.made.put(None))
        return True


Transform = Callable[[Any, Any], object]


async def _through(transform: Transform, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What the transformation makes of the chunks. Raises what they raise, and `Unsealed` where it fails itself."""
    bridge = _Bridge(chunks)
    working = asyncio.create_task(asyncio.to_thread(bridge.work, transform))
    try:
        while (piece := await bridge.made.get()) is not None:
            yield piece
        if not await working:
            raise bridge.failure or Unsealed
    finally:
        while not working.done():  # again and again: the thread may just have asked for something
            bridge.stop()
            await asyncio.wait({working}, timeout=0.02)
