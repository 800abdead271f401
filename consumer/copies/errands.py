"""What is done about one errand: asked, looked after, fetched; and what each answer means for the ledger.

Every method is one step and returns when its result is durable. What it could not do it raises; the desk waits then,
and asks for the same step again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson

from consumer.copies.fetching import Fetched, name_of
from consumer.copies.ground import Change, Ground
from consumer.copies.lines import Damaged
from consumer.copies.packing import Packing
from consumer.copies.purse import Fare
from consumer.copy_ports import DsarAsk, DsarStatus, Gone
from consumer.domain import copies
from consumer.domain.command import IdentityKind
from consumer.domain.copying import Copy, Errand, Source
from consumer.domain.entry import RequestEntry
from consumer.domain.errors import CallFailed, Fault, LeaseLost, Reason
from consumer.domain.subject import AmplitudeId, Millis, Subject
from consumer.ports import Access

Pay = Callable[[], Awaitable[Fare]]
"""Waits for the purse's next turn, and takes it."""


class Errands:
    """Of one org. `packing` clears the store of a copy that ends without a package."""

    def __init__(self, ground: Ground, packing: Packing) -> None:
        self._ground, self._packing, self._world = ground, packing, ground.world

    async def begin(self, entry: RequestEntry) -> None:
        """Choose where the copy comes from: Amplitude's own where there are org keys."""
        world, copy = self._world, _copy(entry)
        start, end = copies.window(world.clock.now(), world.keeping.months)
        projects = self._ground.projects()
        named = copy.projects or tuple(sorted(projects))
        told_apart = all(name in projects and projects[name].app is not None for name in copy.projects)
        by_org = not isinstance(world.org_access(self._ground.org), Reason) and told_apart
        source = Source.DSAR if by_org else Source.ACTIVITY
        how = copies.Start(source, named, start, end, world.sealer.new_seal())
        await self._ground.change(entry.key, lambda e, now: copies.begin(e, how, now))

    async def lost(self, entry: RequestEntry, index: int) -> None:
        """A POST was written ahead by somebody who did not live to hear the answer."""
        await self._settle(entry, lambda e, _: copies.lost(e, index))

    async def ask(self, entry: RequestEntry, index: int, access: Access, fare: Fare) -> None:
        """POST. What is not known to have been refused counts as lost."""
        after = await self._ground.change(entry.key, lambda e, now: copies.intend(e, index, now))
        errand = _errand(after, index)
        if after is None or errand is None or errand.asked is None or errand.job is not None:
            return
        ask = _ask(after, errand)
        if ask is None:
            return
        try:
            job = await self._world.dsar.request(access, ask, fare.gate)
        except LeaseLost:
            await self._ground.change(entry.key, lambda e, _: copies.unsent(e, index))
            raise
        except CallFailed as failed:
            await self._not_asked(after, index, failed.fault)
            raise
        await self._ground.change(entry.key, lambda e, _: copies.requested(e, index, job))

    async def _not_asked(self, entry: RequestEntry, index: int, fault: Fault) -> None:
        if fault is Fault.LOST:
            await self.lost(entry, index)
        else:
            await self._ground.change(entry.key, lambda e, _: copies.unsent(e, index))

    async def poll(self, entry: RequestEntry, index: int, access: Access, fare: Fare) -> bool:
        """GET. Whether there is an answer at last."""
        errand = _copy(entry).errands[index]
        if errand.job is None:
            return True
        try:
            seen = await self._world.dsar.job(access, errand.job, fare.gate)
        except Gone:
            await self._again(entry, index, Reason.RESULTS_EXPIRED)
            return True
        if seen.status is DsarStatus.DONE:
            await self._ground.change(entry.key, lambda e, _: copies.ready(e, index, seen.outputs, seen.expires))
        elif seen.status is DsarStatus.FAILED:
            await self._again(entry, index, seen.reason or Reason.COPY_FAILED)
        return seen.status in {DsarStatus.DONE, DsarStatus.FAILED}

    async def _again(self, entry: RequestEntry, index: int, reason: Reason) -> None:
        errand = _copy(entry).errands[index]
        if reason is Reason.TOO_MANY_EVENTS:
            await self._settle(entry, lambda e, _: copies.fail(e, errand.position, reason))
        else:
            await self._settle(entry, lambda e, _: copies.again(e, index, errand.job, reason))

    async def fetch(self, entry: RequestEntry, index: int, output: int, access: Access, fare: Fare) -> None:
        """One file of a job."""
        errand = _copy(entry).errands[index]
        if errand.job is None:
            return
        try:
            async with self._world.dsar.output(access, errand.job, output, fare.gate) as archive:
                await self._store(entry, index, output, Fetched(archive.chunks, self._keep(_copy(entry))))
        except Gone:
            await self._again(entry, index, Reason.RESULTS_EXPIRED)

    def _keep(self, copy: Copy) -> Callable[[dict[str, Any]], bool]:
        """Of a copy of the whole org everything; else what is of the projects that were asked for."""
        if not copy.projects:
            return lambda _: True
        projects = self._ground.projects()
        apps = {str(projects[name].app) for name in copy.projects if name in projects}
        return lambda event: str(event.get("app")) in apps

    async def _store(self, entry: RequestEntry, index: int, output: int, fetched: Fetched) -> None:
        copy = _copy(entry)
        errand = copy.errands[index]
        number = (errand.outputs or ()).index(output)
        name = name_of(entry, f"events/{errand.position}-{index}-{number:03}.jsonl.gz", copy.seal)
        try:
            file = await fetched.store(self._world, name, output, copy.seal)
        except Damaged:
            await self._settle(entry, lambda e, _: copies.damaged(e, index))
            return
        await self._ground.change(entry.key, lambda e, _: copies.stored(e, index, file, errand.job))

    async def rejected(self, entry: RequestEntry, index: int) -> None:
        """400, or another 4xx: repeating the question would change nothing."""
        position = _copy(entry).errands[index].position
        await self._settle(entry, lambda e, _: copies.fail(e, position, Reason.REJECTED_BY_AMPLITUDE))

    async def search(self, entry: RequestEntry, index: int, access: Access, pay: Pay) -> None:
        """Without org keys: the Amplitude IDs of exactly this user id. An Amplitude ID needs no search."""
        identity = entry.identities[_copy(entry).errands[index].position]
        if identity.value is None:
            return
        if identity.kind is IdentityKind.AMPLITUDE_ID:
            found: tuple[int, ...] = (int(identity.value.reveal()),)
        else:
            found = await self._search(access, identity.value, pay)
        await self._ground.change(entry.key, lambda e, _: copies.ready(e, index, found))

    async def _search(self, access: Access, who: Subject, pay: Pay) -> tuple[AmplitudeId, ...]:
        fare = await pay()
        try:
            return await self._world.activity.search(access, who, fare.gate)
        finally:
            fare.home()

    async def page_through(self, entry: RequestEntry, index: int, output: int, access: Access, pay: Pay) -> None:
        """Without org keys: all events of one Amplitude ID since the window's start, and what is known of the user."""
        copy = _copy(entry)
        start = str(copy.start)
        lines = self._pages(access, AmplitudeId(output), pay)
        fetched = Fetched(lines, lambda event: str(event.get("event_time") or start) >= start, plain=True)
        await self._store(entry, index, output, fetched)

    async def _pages(self, access: Access, amplitude_id: AmplitudeId, pay: Pay) -> AsyncIterator[bytes]:
        offset, more = 0, True
        while more:
            fare = await pay()
            try:
                page = await self._world.activity.page(access, amplitude_id, offset, fare.gate)
            finally:
                fare.home()
            if offset == 0 and (page.events or page.user.get("user_id")):
                yield orjson.dumps({"userData": page.user}) + b"\n"
            yield b"".join(orjson.dumps(event) + b"\n" for event in page.events)
            offset, more = offset + len(page.events), page.more

    async def _settle(self, entry: RequestEntry, change: Change) -> None:
        """As `Ground.change`, for changes that may end the copy: then nothing of it may stay in the store.

        Whether it ends is decided on the copy as it then is: several files of it may be on their way.
        """
        ends: list[bool] = []

        def unless_over(found: RequestEntry, now: Millis) -> RequestEntry:
            after = change(found, now)
            ends.append(after.ended and not found.ended)
            return found if ends[-1] else after

        await self._ground.change(entry.key, unless_over)
        if ends and ends[-1]:
            await self._packing.clear(entry)
            await self._ground.change(entry.key, change)


def _copy(entry: RequestEntry) -> Copy:
    assert entry.copy is not None  # only copies come here
    return entry.copy


def _errand(entry: RequestEntry | None, index: int) -> Errand | None:
    return entry.copy.errands[index] if entry and entry.copy and index < len(entry.copy.errands) else None


def _ask(entry: RequestEntry, errand: Errand) -> DsarAsk | None:
    identity, copy = entry.identities[errand.position], _copy(entry)
    if identity.value is None or copy.start is None or copy.end is None:
        return None
    return DsarAsk(identity.kind, identity.value, copy.start, copy.end)
