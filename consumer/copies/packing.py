"""The package: what is stored is read back and checked, told in a page for the person, and closed with a manifest.

The manifest is written last and makes the package; it follows from the ledger alone, so that a member that takes over
in between writes the very same bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from hashlib import sha256

from consumer.copies.fetching import name_of, sealed
from consumer.copies.ground import Ground, Unsealed, folder
from consumer.copies.lines import Damaged, Unpacking, event_of
from consumer.copies.manifest import facts, files_of, manifest
from consumer.domain import copies
from consumer.domain.copying import Copy, CopyFile, CopyPage, Package
from consumer.domain.deadline import DAY_MS
from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.errors import LeaseLost
from consumer.domain.subject import Millis, Secret
from consumer.package.account import Account
from consumer.package.page import page

MANIFEST = "manifest.json"


class Packing:
    """Of one org. Raises `StoreFailed`, nothing else of the store's, and `LeaseLost`. `quiet` ends all other steps of a
    copy."""

    def __init__(self, ground: Ground, quiet: Callable[[LedgerKey], Awaitable[None]]) -> None:
        self._ground, self._world, self._store, self._quiet = ground, ground.world, ground.world.store, quiet

    async def close(self, entry: RequestEntry) -> None:
        """Deliver a copy that is complete; or find that there was nothing to deliver, or that a file must come anew."""
        if sum(errand.lines for errand in _copy(entry).errands) == 0:
            await self.clear(entry)
            await self._ground.change(entry.key, lambda e, _: copies.empty(e) if copies.complete(e) else e)
            return
        if _copy(entry).page is None:
            page_stored = await self._write_page(entry)
            if page_stored is None:
                return
            settled = await self._ground.change(entry.key, lambda e, _: copies.paged(e, page_stored))
            if settled is None or settled.copy is None or settled.copy.page is None or not copies.complete(settled):
                return
            entry = settled
        await self._deliver(entry)

    async def _write_page(self, entry: RequestEntry) -> CopyPage | None:
        """The page, stored; None if a file turned out not to be what it was, and is given up."""
        account, copy = Account(), _copy(entry)
        sizes = await self._store.sizes(folder(entry))
        for index, file in files_of(copy):
            if sizes.get(file.name) != file.size or not await self._read_back(account, file, copy.seal):
                await self._ground.change(entry.key, partial(_dropped, index=index, output=file.output))
                return None
        told = facts(entry, self._ground, self._world.clock.now())
        text = await asyncio.to_thread(page, account, told)
        name = name_of(entry, "index.html", copy.seal)
        stored = await self._store.put(name, sealed(self._world, _once(text.encode()), copy.seal))
        return CopyPage(name, stored.size, stored.sha256)

    async def _read_back(self, account: Account, file: CopyFile, seal: Secret | None) -> bool:
        """Add a stored file's events to the account; whether it is still what was stored."""
        digest, unpacking = sha256(), Unpacking()

        def add(piece: bytes) -> None:
            for line in unpacking.feed(piece):
                account.add(event_of(line))

        async def digested() -> AsyncIterator[bytes]:
            async for chunk in self._store.get(file.name):
                digest.update(chunk)
                yield chunk

        chunks = digested()
        try:
            async for piece in chunks if seal is None else self._world.sealer.opening(chunks, seal):
                await asyncio.to_thread(add, piece)
            list(unpacking.finish())
        except (Damaged, Unsealed):
            return False
        return digest.hexdigest() == file.sha256

    async def _deliver(self, entry: RequestEntry) -> None:
        text = manifest(entry)
        name = f"{folder(entry)}/{MANIFEST}"
        stored = await self._store.put(name, _once(text))
        kept = [file for _, file in files_of(_copy(entry))]
        page_stored = _copy(entry).page
        size = sum(file.size for file in kept) + stored.size + (page_stored.size if page_stored else 0)
        lines, url = sum(file.lines for file in kept), self._store.url(name)
        keep_ms = self._world.keeping.keep_days * DAY_MS

        def deliver(found: RequestEntry, now: Millis) -> RequestEntry:
            package = Package(url, stored.sha256, len(kept) + 1, lines, size, Millis(now + keep_ms))
            return copies.delivered(found, package, now)

        counted = {name, *(file.name for file in kept), page_stored.name if page_stored else ""}
        await self._sweep(entry, counted)  # first: whatever fails after the delivery, nobody would come back for
        await self._ground.change(entry.key, deliver)

    async def _sweep(self, entry: RequestEntry, kept: set[str]) -> None:
        """Files that nobody counts: of jobs that were given up, of members that did not live to write them down.

        Raises `LeaseLost`: a process that was frozen must not delete what its successor has stored.
        """
        found = await self._store.sizes(folder(entry))
        if not self._ground.tenure.holds_lease():
            raise LeaseLost
        if left := [name for name in found if name not in kept]:
            await self._store.remove(left)

    async def clear(self, entry: RequestEntry) -> None:
        """Nothing of the copy stays in the store, nor what is on its way there."""
        await self._quiet(entry.key)
        await self._sweep(entry, set())

    async def cancel(self, entry: RequestEntry) -> None:
        """End a copy that is being cancelled."""
        await self.clear(entry)
        await self._ground.change(entry.key, lambda e, _: copies.cleared(e))

    async def expire(self, entry: RequestEntry) -> None:
        """End a delivered copy whose time is over."""
        if self._world.keeping.delete_expired:
            await self.clear(entry)
        await self._ground.change(entry.key, lambda e, _: copies.expired(e))


def _copy(entry: RequestEntry) -> Copy:
    assert entry.copy is not None  # only copies come here
    return entry.copy


def _dropped(entry: RequestEntry, _: Millis, *, index: int, output: int) -> RequestEntry:
    return copies.dropped(entry, index, output)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
