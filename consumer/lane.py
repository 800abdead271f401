"""One project's calls to Amplitude: what to send next, and what the answer means for the ledger.

A lane makes one call after another: a list when an answer was lost or a poll is due, a revocation, or a batch of up
to 100 ids. What a call may do is written ahead of it; what it did is proposed to the ledger and decided there, on the
entries as they then are. Losing the lane (a rebalance, a kill) at any await is safe for that reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex
from typing import TypeVar

from consumer.domain import erasure
from consumer.domain.deadline import day_of, plus_days
from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.errors import CallFailed, Fault, Reason
from consumer.domain.jobs import Revocation
from consumer.domain.lifecycle import Stage
from consumer.domain.observation import Revoked, Window, observe, revoked
from consumer.domain.pace import INTERVAL_S
from consumer.domain.plan import MOST_IDS, Batch, plan
from consumer.domain.project import ProjectState
from consumer.domain.reply import classify, marker
from consumer.domain.retry import SCHEDULES, Schedule
from consumer.domain.statement import Notice, expected_erasure, notice
from consumer.domain.subject import AmplitudeId, BatchId, Day, Millis, ProjectId
from consumer.pacer import Pacer
from consumer.ports import Access, Clock, Privacy
from consumer.turn import Partition, Turn

LIST_BACK_DAYS, LIST_AHEAD_DAYS = 120, 60
"""Together within the six months that one list may span (Amplitude, "User Privacy API")."""
SLICE = 1_000


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """`linger_s`: how long a batch that is not full waits for company, in real seconds; `poll_every_ms`: calendar."""

    linger_s: float = 60.0
    poll_every_ms: int = 15 * 60_000
    requester: str = "amplitude-dsr"
    least_interval_s: float = INTERVAL_S
    schedules: Mapping[Fault, Schedule] = field(default_factory=lambda: SCHEDULES)


Write = Callable[[Callable[[Turn], None]], Awaitable[bool]]
Call = Callable[[Access], Awaitable[None]]
Decided = TypeVar("Decided")


class Lane:
    """`write` commits a decision about this lane's partition; False means that the partition is no longer ours."""

    def __init__(
        self,
        *,
        partition: Partition,
        state: ProjectState,
        access: Callable[[], Access | None],
        write: Write,
        privacy: Privacy,
        pacer: Pacer,
        clock: Clock,
        policy: LanePolicy,
    ) -> None:
        self.partition, self.state, self.watching = partition, state, False
        self._access, self._write, self._privacy, self._pacer = access, write, privacy, pacer
        self._clock, self._policy = clock, policy
        self._entries: dict[LedgerKey, RequestEntry] = {}
        self._splits: deque[Batch] = deque()
        self._in_flight: set[BatchId] = set()
        self._waiting_since: float | None = None
        self._next_poll = Millis(0)
        self._last: Callable[[], Call | None] | None = None

    @property
    def project(self) -> ProjectId:
        """The project whose lane this is."""
        return self.state.project

    def changed(self, entry: RequestEntry) -> None:
        """The request as it is now durable. Only what a lane can do something about is kept."""
        self.watching = self.watching or any(i.jobs and not i.ended for i in entry.identities)
        if entry.wants_lane:
            self._entries[entry.key] = entry
        else:
            self._entries.pop(entry.key, None)

    async def step(self) -> bool:
        """Make one call, if there is one to make. Waits for the lane's slot; raises what the call raised.

        The kind of call that was made last comes last: a flood of cancels takes half of the slots, not all.
        """
        access = self._access()
        if access is None:
            return False
        for due in sorted((self._list_due, self._revocation_due, self._batch_due), key=lambda d: d == self._last):
            if call := due():
                self._last = due
                await call(access)
                self._pacer.succeeded()
                return True
        return False

    def _lost(self) -> set[BatchId]:
        return {i.batch for e in self._entries.values() for i in e.identities if i.batch} - self._in_flight

    def _list_due(self) -> Call | None:
        polling = self.watching and self._clock.now() >= self._next_poll
        return self._list if polling or self._lost() else None

    async def _list(self, access: Access) -> None:
        """One list answers for every open job of the project, and for every batch whose answer was lost."""
        lost, window = self._lost(), await self._window(access)
        sightings = {batch: window.marked(batch) for batch in lost}
        await self._decide(lambda turn: self._sight(turn, sightings))
        cursor, found, more = 0, 0, True
        while more:
            observed = await self._decide(partial(self._observe, window=window, cursor=cursor))
            if observed is None:
                return
            cursor, found = observed[0], found + observed[1]
            more = cursor > 0
        self.watching = found > 0
        self._next_poll = Millis(self._clock.now() + self._policy.poll_every_ms)

    async def _window(self, access: Access) -> Window:
        today = day_of(self._clock.now())
        start, end = plus_days(today, -LIST_BACK_DAYS), plus_days(today, LIST_AHEAD_DAYS)
        await self._pacer.slot()
        jobs = await self._privacy.jobs(access, start, end, self._pacer.gate)
        return Window.of(jobs, start, end, self._policy.requester)

    def _sight(self, turn: Turn, sightings: dict[BatchId, Day | None]) -> None:
        for key in list(self._entries):
            before = after = turn.get(self.partition, key)
            for batch, day in sightings.items():
                after = erasure.sighted(after, batch, day) if after else None
            if after is not None:
                turn.settle(self.partition, before, after)

    def _observe(self, turn: Turn, window: Window, cursor: int) -> tuple[int, int]:
        entries, cursor = turn.scheduled(self.partition, self.project, cursor, SLICE)
        for entry in entries:
            turn.settle(self.partition, entry, observe(entry, window, turn.now))
        return cursor, len(entries)

    def _revocation_due(self) -> Call | None:
        for entry in self._entries.values():
            if any(i.stage is Stage.CANCELLING for i in entry.identities):
                return partial(self._revoke, entry=entry)
        return None

    async def _revoke(self, access: Access, entry: RequestEntry) -> None:
        """One DELETE for each Amplitude ID that no other request needs; a refused one is looked up in the list."""
        results = await self._decide(lambda turn: self._shared(turn, entry))
        if results is None:
            return
        for place in [p for p in _places(entry) if p not in results]:
            await self._pacer.slot()
            answer = await self._privacy.revoke(access, *place, self._pacer.gate)
            results[place] = Revoked.REVOKED if answer is Revocation.REVOKED else await self._looked_up(access, place)
        await self._decide(lambda turn: self._settle(turn, [entry.key], lambda e: revoked(e, results)))

    async def _looked_up(self, access: Access, place: tuple[AmplitudeId, Day]) -> Revoked:
        amplitude_id, day = place
        window = await self._window(access)
        return Revoked.FROZEN if amplitude_id in window.members.get(day, {}) else Revoked.GONE

    def _shared(self, turn: Turn, entry: RequestEntry) -> dict[tuple[AmplitudeId, Day], Revoked]:
        return {p: Revoked.SHARED for p in _places(entry) if turn.sharing(self.partition, entry, *p)}

    def _batch_due(self) -> Call | None:
        if self.state.paused:
            return None
        if self._splits:
            return lambda access: self._post(access, self._splits.popleft())
        batch = plan(self._entries.values(), self._clock.now(), self.state.approved)
        now = self._clock.monotonic()
        if not batch:
            self._waiting_since = None
            return None
        self._waiting_since = now if self._waiting_since is None else self._waiting_since
        if len(batch) < MOST_IDS and now - self._waiting_since < self._policy.linger_s:
            return None
        self._waiting_since = None
        return lambda access: self._post(access, batch)

    async def _post(self, access: Access, planned: Batch) -> None:
        batch_id = BatchId(token_hex(8))
        self._in_flight.add(batch_id)
        try:
            going = await self._decide(lambda turn: self._write_ahead(turn, planned, batch_id))
            if going and (batch := planned.without(going)):
                await self._send(access, batch, batch_id)
        finally:
            self._in_flight.discard(batch_id)

    def _write_ahead(self, turn: Turn, batch: Batch, batch_id: BatchId) -> set[tuple[LedgerKey, int]]:
        going: set[tuple[LedgerKey, int]] = set()
        state = turn.project(self.partition, self.project)
        for key, positions in batch.places.items():
            entry = turn.get(self.partition, key)
            if entry is None or state.paused:
                continue
            after = erasure.dispatch(entry, positions, batch_id, turn.now, state.approved)
            turn.settle(self.partition, entry, after)
            going |= {(key, i.position) for i in after.identities if i.batch == batch_id}
        return going

    async def _send(self, access: Access, batch: Batch, batch_id: BatchId) -> None:
        requester = self._policy.requester
        await self._pacer.slot()
        try:
            reply = await self._privacy.schedule(access, batch.call(marker(requester, batch_id)), self._pacer.gate)
        except CallFailed as failed:
            await self._not_answered(batch, batch_id, failed.fault, failed.reason)
            raise
        verdicts = batch.verdicts(classify(list(batch.asks), reply, requester, batch_id))
        await self._decide(
            lambda turn: self._settle(turn, verdicts, lambda e: erasure.answered(e, batch_id, verdicts[e.key]))
        )
        if self.state.parked:
            await self._decide(lambda turn: self._park(turn, None))

    async def _not_answered(self, batch: Batch, batch_id: BatchId, fault: Fault, reason: Reason) -> None:
        """A lost answer stays written ahead: the next list reconciles it. Any other fault was certainly not applied."""
        if fault is Fault.LOST:
            return
        alone = fault is Fault.REJECTED and len(batch) == 1
        change = erasure.rejected if alone else erasure.unsent
        await self._decide(lambda turn: self._settle(turn, batch.places, lambda e: change(e, batch_id)))
        if fault is Fault.REJECTED and not alone:
            self._splits.extend(batch.halves())
        if fault is Fault.CREDENTIALS and not self.state.parked:
            await self._decide(lambda turn: self._wait_all(turn, batch, reason))

    def _wait_all(self, turn: Turn, batch: Batch, reason: Reason) -> None:
        self._park(turn, reason)
        self._settle(turn, batch.places, lambda e: self._waits(turn, e, reason))

    def _park(self, turn: Turn, reason: Reason | None) -> None:
        turn.put_project(self.partition, turn.project(self.partition, self.project)._replace(parked=reason))

    def _waits(self, turn: Turn, entry: RequestEntry, reason: Reason) -> RequestEntry:
        expected = expected_erasure(entry, turn.now, self.state.estimate_ms)
        after, outcome = notice(entry, Notice.WAITING, reason, turn.now, expected)
        turn.outcomes.append(outcome)
        return after

    def _settle(self, turn: Turn, keys: Iterable[LedgerKey], change: Callable[[RequestEntry], RequestEntry]) -> None:
        for key in keys:
            if (entry := turn.get(self.partition, key)) is not None:
                turn.settle(self.partition, entry, change(entry))

    async def _decide(self, decide: Callable[[Turn], Decided]) -> Decided | None:
        """Commit a decision and return what it came to; None when the partition is no longer ours.

        An aborted transaction is decided again, so only the last decision counts.
        """
        last: list[Decided] = []
        ours = await self._write(lambda turn: last.append(decide(turn)))
        return last[-1] if ours else None


def _places(entry: RequestEntry) -> list[tuple[AmplitudeId, Day]]:
    """Where a cancelled request stands, as far as an Amplitude ID is known."""
    cancelling = [i for i in entry.identities if i.stage is Stage.CANCELLING]
    refs = [ref for i in cancelling for ref in i.jobs if not ref.revoked]
    return list(dict.fromkeys((ref.amplitude_id, ref.day) for ref in refs if ref.amplitude_id is not None))
