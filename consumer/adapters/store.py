"""Packages in an object store or in a folder, through the `obstore` library: streamed, whole or not at all.

A file in a folder is written beside its name and renamed; one in an object store is an upload in parts, of which
nothing is visible before the last one. What the library says of a failure is never passed on: it quotes URLs.

The parts of a process that was killed, or that could not reach the store any more, stay in the bucket, and the library
can neither list nor delete them: only the bucket's own rule can, which S3 calls `AbortIncompleteMultipartUpload`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from consumer.adapters.folder import Draft, staged, unlink
from consumer.copy_ports import Stored, StoreFailed
from consumer.domain.errors import Fatal, Reason

T = TypeVar("T")
PART_BYTES = 8 << 20
PARTS_AT_ONCE = 2
"""Of one put: each is held in memory, and the library's twelve would be a hundred megabytes."""
PIECE_BYTES = 1 << 20
SILENCE_S = 20.0
"""Without a byte from the store. A part goes up in this time, so `PARTS_AT_ONCE` of them need 7 Mbit/s."""
WHOLE_S = 86_400.0
"""One answer to its last byte. The library cannot do without, but a large file on a thin line is no failure."""
TIDY_S = 5.0
"""How long the store may take to end what was cancelled."""
SCHEMES = ("file", "s3", "gs", "az")


def open_store(url: str, options: Mapping[str, str] | None = None) -> ObjectStore:
    """The store behind `file:///folder`, `s3://bucket/prefix`, `gs://...` or `az://...`.

    `options` are the library's own (`endpoint`, `region`, `access_key_id`, ...); what is not given is taken from the
    environment (`AWS_*`, ...). Raises `Fatal(INVALID_SETTINGS)`, without the URL: it may hold a password.
    """
    parts = urlsplit(url)
    place = parts.path.startswith("/") and not parts.netloc if parts.scheme == "file" else parts.netloc
    if parts.scheme not in SCHEMES or not place or "@" in parts.netloc or parts.query or parts.fragment:
        raise Fatal(Reason.INVALID_SETTINGS, "copies.store: file://, s3://, gs:// or az://, and a path")
    try:
        if parts.scheme == "file":
            return FolderStore(Path(unquote(parts.path)))
        silence, whole = timedelta(seconds=SILENCE_S), timedelta(seconds=WHOLE_S)
        waits: Any = {"connect_timeout": timedelta(seconds=5), "read_timeout": silence, "timeout": whole}
        waits["allow_http"] = True
        retries: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=15)}
        found: Any = from_url(url, config=cast("Any", dict(options or {})), client_options=waits, retry_config=retries)
        return ObjectStore(found, url)
    except (BaseError, OSError, ValueError, TypeError):
        pass  # raised below and not here: the library's text may quote a secret
    raise Fatal(Reason.INVALID_SETTINGS, "copies.store, copies.store_options: not usable")


class ObjectStore:
    """Implements `Store`."""

    def __init__(self, store: Any, url: str) -> None:
        self._store, self._url = store, url.rstrip("/")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> Stored:
        """See `Store`. When a cancelled task is over, nothing is on its way any more, and the file is there as a whole
        or not at all. A store that does not answer has `TIDY_S` for that.
        """
        source = _Counted(chunks)
        try:
            parts = source.parts()
            first = await anext(parts)
            whole = first if len(first) < PART_BYTES else _with(first, parts)
            await _ours(self._send(_inside(name), whole, source))
        except StoreFailed:
            if source.failure is not None:
                raise source.failure from None
            raise
        return Stored(source.size, source.digest.hexdigest())

    async def _send(self, name: str, whole: bytes | AsyncIterator[bytes], source: _Counted) -> None:
        """Cancelling the library's call would only look away: its parts would stay in the store, where nobody sees
        them, its task in the source, and its request on the way. It tidies up when the source fails.
        """
        bounds: Any = {"chunk_size": PART_BYTES, "max_concurrency": PARTS_AT_ONCE}
        sending = asyncio.ensure_future(obstore.put_async(self._store, name, whole, **bounds))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            source.stop()
            await asyncio.wait({sending}, timeout=TIDY_S)
            raise
        finally:
            sending.cancel()

    async def get(self, name: str) -> AsyncIterator[bytes]:
        """See `Store`."""
        found = await _ours(obstore.get_async(self._store, _inside(name)))
        pieces = aiter(found.stream(min_chunk_size=PIECE_BYTES))
        while (piece := await _ours(_next(pieces))) is not None:
            yield bytes(piece)

    async def sizes(self, folder: str) -> dict[str, int]:
        """See `Store`."""
        found: dict[str, int] = {}
        pages = aiter(obstore.list(self._store, prefix=_inside(folder)))
        while (page := await _ours(_next(pages))) is not None:
            found |= {each["path"]: each["size"] for each in page}
        return found

    async def remove(self, names: list[str]) -> None:
        """See `Store`."""
        for name in names:
            try:
                await _ours(obstore.delete_async(self._store, _inside(name)), missing=True)
            except FileNotFoundError:
                continue

    def url(self, name: str) -> str:
        """See `Store`."""
        return f"{self._url}/{_inside(name)}"


class FolderStore(ObjectStore):
    """The same in a folder, local or of a network drive, where the library reads and lists, and `folder` writes."""

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root = root.resolve()
        super().__init__(LocalStore(self._root), self._root.as_uri())

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> Stored:
        """See `Store`, and `ObjectStore.put` on cancelling."""
        draft, source = Draft(self._root, self._root / _inside(name)), _Counted(chunks)
        writer = ThreadPoolExecutor(1)  # one thread: what is discarded is not being written any more
        try:
            async with aclosing(source.parts()) as parts:
                await _on_disk(draft.begin, writer)
                async for part in parts:
                    await _on_disk(partial(draft.write, part), writer)
                await _on_disk(draft.finish, writer)
        except BaseException:
            await asyncio.wait({asyncio.wrap_future(writer.submit(draft.discard))}, timeout=TIDY_S)
            raise
        finally:
            writer.shutdown(wait=False)
        return Stored(source.size, source.digest.hexdigest())

    async def sizes(self, folder: str) -> dict[str, int]:
        """See `Store`. With what a killed process was writing, so that it can be removed."""
        return await super().sizes(folder) | await _on_disk(partial(staged, self._root, self._root / _inside(folder)))

    async def remove(self, names: list[str]) -> None:
        """See `Store`. Folders that are empty now go, too."""
        await _on_disk(partial(unlink, self._root, [self._root / _inside(name) for name in names]))


class _Counted:
    """Chunks of any size as parts of one size, counted and digested on their way."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self.size, self.digest = 0, sha256()
        self.failure: BaseException | None = None
        self._pulling: asyncio.Task[Any] | None = None
        self._stopped = False

    def stop(self) -> None:
        """Whoever waits for a part, now or later, is cancelled."""
        self._stopped = True
        if self._pulling is not None:
            self._pulling.cancel()

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """At least one; all but the last have `PART_BYTES` or more. Most files are one part, and one request."""
        waiting = bytearray()
        try:
            while (chunk := await self._next()) is not None:
                self.size += len(chunk)
                self.digest.update(chunk)
                waiting += chunk
                if len(waiting) >= PART_BYTES:
                    yield bytes(waiting)
                    waiting.clear()
        except BaseException as error:
            self.failure = error
            raise
        if waiting or not self.size:
            yield bytes(waiting)

    async def _next(self) -> bytes | None:
        if self._stopped:
            raise asyncio.CancelledError
        self._pulling = asyncio.current_task()
        try:
            return await _next(self._chunks)
        finally:
            self._pulling = None


async def _with(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part


def _inside(name: str) -> str:
    """The name, if it stays inside the store. `ValueError`: a bug of ours."""
    if not name or name.startswith("/") or ".." in name.split("/"):
        raise ValueError("a name that leaves the store")
    return name


async def _next(items: AsyncIterator[T]) -> T | None:
    return await anext(items, None)


async def _ours(step: Coroutine[Any, Any, T], *, missing: bool = False) -> T:
    """The library's errors as ours, with nothing of their text."""
    try:
        return await step
    except FileNotFoundError:
        if missing:
            raise
    except (BaseError, OSError):
        pass  # raised below and not here
    raise StoreFailed


async def _on_disk(step: Callable[[], T], thread: Executor | None = None) -> T:
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, step)
    except OSError:
        pass  # raised below and not here: its text has the path
    raise StoreFailed
