"""One output of Amplitude becomes one file in the store: streamed, never whole in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from secrets import token_hex
from typing import Any

from consumer.copies.ground import World, folder
from consumer.copies.lines import Repacking
from consumer.domain.copying import CopyFile
from consumer.domain.entry import RequestEntry
from consumer.domain.subject import Secret

SEALED = ".age"


def sealed(world: World, chunks: AsyncIterator[bytes], seal: Secret | None) -> AsyncIterator[bytes]:
    """The chunks as they are to be stored."""
    return chunks if seal is None else world.sealer.closing(chunks, seal)


def name_of(entry: RequestEntry, what: str, seal: Secret | None) -> str:
    """A name in the copy's folder that nobody has had. A process that was frozen may wake up and go on writing what
    another one has fetched meanwhile: each writes under a name of its own, and the ledger says which one counts."""
    stem, dot, kinds = what.partition(".")
    return f"{folder(entry)}/{stem}-{token_hex(4)}{dot}{kinds}{SEALED if seal else ''}"


class Fetched:
    """A file on its way from `source` into the store. `keep` says which events belong to the package."""

    def __init__(
        self, source: AsyncIterator[bytes], keep: Callable[[dict[str, Any]], bool], *, plain: bool = False
    ) -> None:
        self._source, self._repacking = source, Repacking(keep, plain=plain)

    async def store(self, world: World, name: str, output: int, seal: Secret | None) -> CopyFile:
        """Store it. Without one event to keep nothing is stored, and the file has no name.

        Raises `Damaged`, `StoreFailed` and what the source raises; then nothing is left under the name.
        """
        chunks = self._chunks()
        try:
            first = await anext(chunks, None)
            if first is None:
                return CopyFile(output, "", 0, "", 0, self._repacking.left_out)
            stored = await world.store.put(name, sealed(world, _with(first, chunks), seal))
        finally:
            await chunks.aclose()
        packing = self._repacking
        return CopyFile(output, name, stored.size, stored.sha256, packing.lines, packing.left_out)

    async def _chunks(self) -> AsyncGenerator[bytes]:
        async for piece in self._source:
            if packed := await asyncio.to_thread(self._repacking.feed, piece):
                yield packed
        if packed := await asyncio.to_thread(self._repacking.finish):
            yield packed


async def _with(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
