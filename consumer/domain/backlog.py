"""The requests that a lane has something to do about, kept so that the next batch is found without looking at all.

Which identities go next: the most urgent first (deadline, then acceptance), each id once for everybody who wants it,
at most 100. One that must be asked for alone gets a batch of its own when its turn has come. What a hold keeps back
is known by its release and by its acceptance, so that neither time nor an approval needs a scan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import partial
from heapq import nsmallest

from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.lifecycle import Stage
from consumer.domain.plan import MOST_IDS, MOST_PLACES, Batch, Place, ask_for
from consumer.domain.ranking import Ranking
from consumer.domain.reply import Ask
from consumer.domain.subject import BatchId, Millis

Rank = tuple[Millis, Millis, LedgerKey, int]


@dataclass(frozen=True, slots=True)
class _Open:
    """An identity that may be put into a POST, as far as nothing holds its request."""

    ask: Ask = field(repr=False)
    rank: Rank
    alone: bool


class Backlog:
    """`put` every request as it became durable; `take` batches. Pure: time is an argument, in epoch milliseconds.

    A change costs O(log n) for each identity of the request, a batch O(100 log n). Holds no request that has ended or
    only waits for Amplitude. Not for sharing between threads.
    """

    def __init__(self) -> None:
        self._entries: dict[LedgerKey, RequestEntry] = {}
        self._open: dict[LedgerKey, dict[int, _Open]] = {}
        self._wanted: dict[Ask, set[Place]] = {}
        self._claimed: set[Place] = set()
        self._company: Ranking[Place] = Ranking()
        self._alone: Ranking[Place] = Ranking()
        self._by_release: Ranking[LedgerKey] = Ranking()
        self._by_acceptance: Ranking[LedgerKey] = Ranking()
        self._arrivals: Ranking[LedgerKey] = Ranking()
        self._cancelling: Ranking[LedgerKey] = Ranking()
        self._batches: dict[LedgerKey, frozenset[BatchId]] = {}
        self._awaiting: dict[BatchId, set[LedgerKey]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: LedgerKey) -> bool:
        return key in self._entries

    def keys(self) -> list[LedgerKey]:
        """Every request in it, in no particular order."""
        return list(self._entries)

    def get(self, key: LedgerKey) -> RequestEntry | None:
        """The request as last put."""
        return self._entries.get(key)

    @property
    def oldest(self) -> Millis | None:
        """When the request that is in it for the longest was accepted."""
        accepted: Millis | None = self._arrivals.least()
        return accepted

    @property
    def next_release(self) -> Millis | None:
        """When the next hold ends by itself."""
        release: Millis | None = self._by_release.least()
        return release

    def put(self, entry: RequestEntry) -> None:
        """The request as it is now durable; one that no lane can do anything about is dropped."""
        key = entry.key
        self._close(key)
        self._await(key, frozenset(i.batch for i in entry.identities if i.batch))
        if not entry.wants_lane:
            self._entries.pop(key, None)
            self._arrivals.withdraw(key)
            self._cancelling.withdraw(key)
            return
        self._entries[key] = entry
        self._arrivals.put(key, entry.accepted)
        self.reconsider_cancel(key)
        self._reopen(entry)

    def _await(self, key: LedgerKey, batches: frozenset[BatchId]) -> None:
        for batch in self._batches.pop(key, frozenset()) - batches:
            self._awaiting[batch].discard(key)
            if not self._awaiting[batch]:
                del self._awaiting[batch]
        for batch in batches:
            self._awaiting.setdefault(batch, set()).add(key)
        if batches:
            self._batches[key] = batches

    def unanswered(self, but: Collection[BatchId] = ()) -> dict[BatchId, list[LedgerKey]]:
        """The batches whose answer is not known, with their requests; without those in `but`, which are in flight."""
        return {batch: sorted(keys) for batch, keys in self._awaiting.items() if batch not in but}

    def has_unanswered(self, but: Collection[BatchId] = ()) -> bool:
        """Whether there is such a batch. O(batches), of which few are ever open."""
        return any(batch not in but for batch in self._awaiting)

    def cancelling(self) -> LedgerKey | None:
        """Take out the most urgent request with something to revoke; `reconsider_cancel` puts it back."""
        return self._cancelling.pop()

    def reconsider_cancel(self, key: LedgerKey) -> None:
        """Offer the request to `cancelling` if it has something to revoke."""
        entry = self._entries.get(key)
        if entry is not None and any(i.stage is Stage.CANCELLING for i in entry.identities):
            self._cancelling.put(key, (entry.deadline, entry.accepted))
        else:
            self._cancelling.withdraw(key)

    @property
    def to_cancel(self) -> int:
        """How many requests `cancelling` has to offer."""
        return len(self._cancelling)

    def take(self, now: Millis, released: Millis | None = None, but: Collection[Ask] = ()) -> Batch:
        """The next batch, full or as full as there are ids; empty if nothing may go. Nobody gets its identities again
        before `give_back`. Ids in `but` stay where they are.

        `released`: what was accepted until then is held no more.
        """
        self._let_go(now, released)
        skipped: list[Place] = []
        eligible = partial(self._eligible, skipped=skipped, now=now, released=released, but=but)
        lone, place = eligible(self._alone), eligible(self._company)
        if lone is not None and (place is None or self._at(lone).rank < self._at(place).rank):
            batch = Batch({self._at(lone).ask: self._claim([lone])}, alone=True)
        else:
            asks: dict[Ask, tuple[Place, ...]] = {}
            room = MOST_PLACES
            while place is not None and len(asks) < MOST_IDS and room > 0:
                ask = self._at(place).ask
                asks[ask] = self._claim(self._wanting(ask, room, now, released))
                room -= len(asks[ask])
                place = eligible(self._company)
            batch = Batch(asks)
        for place in skipped:
            self._enter(place)
        return batch

    def give_back(self, batch: Batch) -> None:
        """End the batch's claim: what is still to be sent may be taken again."""
        for places in batch.asks.values():
            self._claimed.difference_update(places)
        for key in batch.places:
            self._close(key)
            if (entry := self._entries.get(key)) is not None:
                self._reopen(entry)

    def _at(self, place: Place) -> _Open:
        return self._open[place[0]][place[1]]

    def _eligible(
        self,
        ranking: Ranking[Place],
        skipped: list[Place],
        now: Millis,
        released: Millis | None,
        but: Collection[Ask],
    ) -> Place | None:
        """The most urgent that may go now. What a calendar that was set back holds again leaves the ranking."""
        while (place := ranking.first()) is not None:
            entry = self._entries[place[0]]
            if entry.waits(now, released):
                self._close(entry.key)
                self._reopen(entry)
            elif self._at(place).ask in but:
                ranking.withdraw(place)
                skipped.append(place)
            else:
                return place
        return None

    def _wanting(self, ask: Ask, room: int, now: Millis, released: Millis | None) -> list[Place]:
        """Everybody who wants this id and is not held, the most urgent first."""
        wanted = self._wanted[ask]
        if len(wanted) == 1:
            return list(wanted)  # it is the eligible one
        free = (place for place in wanted if not self._entries[place[0]].waits(now, released))
        return nsmallest(room, free, key=lambda place: self._at(place).rank)

    def _claim(self, places: Iterable[Place]) -> tuple[Place, ...]:
        claimed = tuple(places)
        for place in claimed:
            self._shut(place)
        self._claimed.update(claimed)
        return claimed

    def _reopen(self, entry: RequestEntry) -> None:
        """Everything of the request that is to be sent and not claimed, into the rankings or into the holds."""
        key = entry.key
        ready = [i for i in entry.ready(entry.accepted, entry.accepted) if (key, i.position) not in self._claimed]
        if not ready:
            return
        for i in ready:
            opened = _Open(ask_for(i), (entry.deadline, entry.accepted, key, i.position), i.alone)
            self._open.setdefault(key, {})[i.position] = opened
            if not i.alone:
                self._wanted.setdefault(opened.ask, set()).add((key, i.position))
        if entry.held is None or entry.approved:
            self._enter_all(key)
            return
        self._by_acceptance.put(key, entry.accepted)
        if entry.release is not None:
            self._by_release.put(key, entry.release)

    def _enter_all(self, key: LedgerKey) -> None:
        for position in self._open[key]:
            self._enter((key, position))

    def _enter(self, place: Place) -> None:
        opened = self._at(place)
        (self._alone if opened.alone else self._company).put(place, opened.rank)

    def _close(self, key: LedgerKey) -> None:
        for position in list(self._open.get(key, ())):
            self._shut((key, position))
        self._by_acceptance.withdraw(key)
        self._by_release.withdraw(key)

    def _shut(self, place: Place) -> None:
        """The identity is not to be sent, or is claimed."""
        key, position = place
        opens = self._open.get(key)
        opened = opens.pop(position, None) if opens else None
        if opened is None:
            return
        if not opens:
            del self._open[key]
        if opened.alone:
            self._alone.withdraw(place)
            return
        self._company.withdraw(place)
        self._wanted[opened.ask].discard(place)
        if not self._wanted[opened.ask]:
            del self._wanted[opened.ask]

    def _let_go(self, now: Millis, released: Millis | None) -> None:
        """End the holds whose time has come, and those that an approval of the whole project ends."""
        for holds, until in ((self._by_release, now), (self._by_acceptance, released)):
            while until is not None and (key := holds.first()) is not None and holds.least() <= until:
                self._by_release.withdraw(key)
                self._by_acceptance.withdraw(key)
                if key in self._open:
                    self._enter_all(key)
