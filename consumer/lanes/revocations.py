"""The DELETEs of a lane: one for each Amplitude ID of a cancelled request that no other request needs."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from consumer.domain.command import IdentityKind
from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.errors import CallFailed, Fault
from consumer.domain.jobs import Revocation
from consumer.domain.lifecycle import Stage
from consumer.domain.observation import Revoked, revoked
from consumer.domain.plan import ask_for
from consumer.domain.reply import Ask
from consumer.domain.subject import Subject
from consumer.lanes.batches import Batches
from consumer.lanes.ground import Ground
from consumer.lanes.lists import JobPlace, Lists
from consumer.ports import Access, Gate
from consumer.trace_ports import on_behalf
from consumer.turn import Turn

MOST_LOOKED_AT = 100

Results = dict[JobPlace, Revoked]


class Revocations:
    """A request is revoked place by place, and told what became of it when every place is known.

    No DELETE leaves while a batch with one of the same ids is under way, nor the other way round: which of the two
    Amplitude would carry out first is not known.
    """

    def __init__(self, ground: Ground, lists: Lists, batches: Batches) -> None:
        self._ground, self._lists, self._batches = ground, lists, batches
        self.results: dict[LedgerKey, Results] = {}
        self._busy: set[LedgerKey] = set()
        self.under_way: dict[LedgerKey, frozenset[Ask]] = {}

    @property
    def asks(self) -> frozenset[Ask]:
        """The ids that DELETEs under way are about."""
        return frozenset[Ask]().union(*self.under_way.values())

    def due(self) -> RevocationCall | None:
        """The next revocation, if there is one. It must be abandoned or prepared."""
        found: list[LedgerKey] = []
        passed: list[LedgerKey] = []
        while len(found) + len(passed) < MOST_LOOKED_AT and (key := self._ground.backlog.cancelling()) is not None:
            if key in self._busy:
                continue  # `free` offers it again
            entry = self._ground.backlog.get(key)
            shut_out = entry is None or self._batches.asks(asks_of(entry))
            (passed if shut_out else found).append(key)
        for key in passed:
            self._ground.backlog.reconsider_cancel(key)
        self._busy.update(found)
        return RevocationCall(self._ground, self, found) if found else None

    def free(self, key: LedgerKey) -> None:
        """The request may be looked at again."""
        self._busy.discard(key)
        self.under_way.pop(key, None)
        if key not in self._ground.backlog:
            self.results.pop(key, None)
        self._ground.backlog.reconsider_cancel(key)

    def known(self, key: LedgerKey, place: JobPlace, result: Revoked) -> None:
        """What became of one place."""
        self.results.setdefault(key, {})[place] = result
        self.free(key)

    def refused(self, key: LedgerKey, place: JobPlace) -> None:
        """Frozen, or gone already: only a list can tell. The request waits for it."""
        self.under_way.pop(key, None)
        self._lists.look_up(place, partial(self.known, key, place))


class RevocationCall:
    """One DELETE. Until it is prepared it is about the first of `keys` that still has something to revoke."""

    verb: ClassVar[str] = "DELETE"

    def __init__(self, ground: Ground, revocations: Revocations, keys: list[LedgerKey]) -> None:
        self._ground, self._revocations, self._keys = ground, revocations, keys
        self._answer = Revocation.REFUSED
        self._contexts: tuple[str, ...] = ()

    def abandon(self) -> None:
        """They may be looked at again."""
        for key in self._keys:
            self._revocations.free(key)

    async def prepare(self) -> bool:
        """Close what needs no DELETE (any more), and find the first place that does. Decided right before it leaves,
        because another request may come to need the same place at any time."""
        found = await self._ground.tenure.decide(self._find)
        for key in self._keys:
            if found is None or key != found[0]:
                self._revocations.free(key)
        if found is None:
            return False
        (self._key, self._place), self._keys = found, [found[0]]
        if (entry := self._ground.backlog.get(self._key)) is not None:
            self._revocations.under_way[self._key] = asks_of(entry)
            self._contexts = (entry.traceparent,) if entry.traceparent else ()
        return True

    def _find(self, turn: Turn) -> tuple[LedgerKey, JobPlace] | None:
        for key in self._keys:
            place, shared = self._next_place(turn, key)
            if place is not None:
                return key, place
            if shared:  # whoever shares its places must not see it there any more, should they be cancelled too
                return None
        return None

    def _next_place(self, turn: Turn, key: LedgerKey) -> tuple[JobPlace | None, bool]:
        """The next place to revoke, and whether others need one. Without a place the request is told its end."""
        entry = self._ground.get(turn, key)
        if entry is None:
            return None, False
        shared = self._shared(turn, entry)
        results = shared | self._revocations.results.get(key, {})
        place = next((p for p in places_of(entry) if p not in results), None)
        if place is None:
            turn.settle(self._ground.tenure.partition, entry, revoked(entry, results))
        return place, bool(shared)

    def _shared(self, turn: Turn, entry: RequestEntry) -> Results:
        partition = self._ground.tenure.partition
        return {p: Revoked.SHARED for p in places_of(entry) if turn.sharing(partition, entry, *p)}

    async def unsent(self) -> None:
        """It may be looked at again."""
        self._revocations.free(self._key)

    async def ask(self, access: Access, gate: Gate) -> None:
        """A refusal, however it is worded, is an answer: the list will tell what it means."""
        try:
            with on_behalf(self._contexts):
                self._answer = await self._ground.privacy.revoke(access, *self._place, gate)
        except CallFailed as failed:
            if failed.fault is not Fault.REJECTED:
                raise
            self._answer = Revocation.REFUSED

    async def failed(self, _fault: Fault) -> None:
        """Another DELETE does no harm: it is refused if this one was carried out."""
        self._revocations.free(self._key)

    async def settle(self) -> None:
        """Durable as soon as every place of the request is known."""
        if self._answer is Revocation.REFUSED:
            self._revocations.refused(self._key, self._place)
            return
        self._revocations.results.setdefault(self._key, {})[self._place] = Revoked.REVOKED
        await self._ground.tenure.decide(lambda turn: self._next_place(turn, self._key))
        self._revocations.free(self._key)


def places_of(entry: RequestEntry) -> list[JobPlace]:
    """Where a cancelled request stands, as far as an Amplitude ID is known."""
    cancelling = [i for i in entry.identities if i.stage is Stage.CANCELLING]
    refs = [ref for i in cancelling for ref in i.jobs if not ref.revoked]
    return list(dict.fromkeys((ref.amplitude_id, ref.day) for ref in refs if ref.amplitude_id is not None))


def asks_of(entry: RequestEntry) -> frozenset[Ask]:
    """Every id by which a batch could name the people whom the request takes out of their jobs."""
    named = {ask_for(i) for i in entry.identities if i.stage is Stage.CANCELLING}
    listed = {(IdentityKind.AMPLITUDE_ID, Subject(str(amplitude_id))) for amplitude_id, _ in places_of(entry)}
    return frozenset(named | listed)
