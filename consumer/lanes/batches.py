"""The POSTs of a lane: when a batch goes, what is written ahead of it, and what its answer means for the ledger."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from secrets import token_hex
from typing import ClassVar

from consumer.domain import erasure
from consumer.domain.deadline import AT_RISK_BELOW_MS
from consumer.domain.entry import RequestEntry
from consumer.domain.errors import Fault
from consumer.domain.jobs import ScheduleReply
from consumer.domain.lifecycle import Stage
from consumer.domain.plan import Batch, Place, ask_for
from consumer.domain.reply import Ask, classify, marker
from consumer.domain.statement import expected_erasure
from consumer.domain.subject import BatchId
from consumer.lanes.ground import Ground
from consumer.ports import Access, Gate
from consumer.trace_ports import on_behalf
from consumer.turn import Turn


class Batches:
    """`under_way`: every batch from its plan until its answer is durable; its id counts as not lost until then."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.under_way: dict[BatchId, Batch] = {}
        self.splits: deque[Batch] = deque()
        """Parts of rejected batches. Nothing else is taken from the backlog before they are gone."""
        self._waiting_since: float | None = None

    def asks(self, wanted: Collection[Ask]) -> bool:
        """Whether one of these ids is in a batch that is under way, or in a part that is about to be."""
        return any(ask in batch.asks for batch in (*self.under_way.values(), *self.splits) for ask in wanted)

    def due(self, but: Collection[Ask]) -> BatchCall | None:
        """The next batch, if one may go now. It must be abandoned or prepared. Without the ids in `but`."""
        ground = self._ground
        if ground.state.paused:
            self._waiting_since = None
            return None
        if self.splits:
            return BatchCall(ground, self, self.splits.popleft(), part=True)
        batch = ground.backlog.take(ground.clock.now(), ground.state.approved, but)
        if not batch:
            self._waiting_since = None
            return None
        if self._waiting_since is None:
            self._waiting_since = ground.clock.monotonic()
        if self._lingers(batch):
            ground.backlog.give_back(batch)
            return None
        self._waiting_since = None
        return BatchCall(ground, self, batch)

    def linger_s(self) -> float | None:
        """Seconds until the batch that waits for company has waited long enough; None without one."""
        if self._waiting_since is None:
            return None
        return max(0.0, self._waiting_since + self._ground.policy.linger_s - self._ground.clock.monotonic())

    def _lingers(self, batch: Batch) -> bool:
        if batch.full or not self.linger_s():
            return False
        found = ((self._ground.backlog.get(key), positions) for key, positions in batch.places.items())
        return not any(self._hurries(entry, positions) for entry, positions in found if entry)

    def _hurries(self, entry: RequestEntry, positions: Collection[int]) -> bool:
        """Whether company is not worth the wait: the deadline is close, or it has waited for company before."""
        expected = expected_erasure(entry, self._ground.clock.now(), self._ground.state.estimate_ms)
        before = any(i.stage is Stage.DISPATCHING for i in entry.identities if i.position in positions)
        return before or entry.deadline - expected < AT_RISK_BELOW_MS


class BatchCall:
    """One POST. `part`: it is a part of a rejected batch, and stays one until it is answered."""

    verb: ClassVar[str] = "POST"

    def __init__(self, ground: Ground, batches: Batches, planned: Batch, *, part: bool = False) -> None:
        self._ground, self._batches, self._batch, self._part = ground, batches, planned, part
        self._again = 0
        self._contexts: set[str] = set()
        self._reply = ScheduleReply()
        self._id = BatchId(token_hex(8))
        batches.under_way[self._id] = planned

    def _over(self) -> None:
        del self._batches.under_way[self._id]

    def abandon(self) -> None:
        """The identities may go into another batch."""
        self._over()
        if self._part:
            self._batches.splits.appendleft(self._batch)
        else:
            self._ground.backlog.give_back(self._batch)

    async def prepare(self) -> bool:
        """`dispatching` is durable before the POST leaves. What was cancelled since the plan stays out of it."""
        planned, going = self._batch, await self._ground.tenure.decide(self._write_ahead)
        self._ground.backlog.give_back(planned)
        self._batch = planned.without(going or ())
        if not self._batch:
            self._over()
        return bool(self._batch)

    def _write_ahead(self, turn: Turn) -> set[Place]:
        going: set[Place] = set()
        again: set[Ask] = set()
        contexts: set[str] = set()
        ground, partition = self._ground, self._ground.tenure.partition
        state = turn.project(partition, ground.project)
        for key, positions in self._batch.places.items():
            entry = ground.get(turn, key)
            if entry is None or state.paused:
                continue
            after = erasure.dispatch(entry, positions, self._id, turn.now, state.approved)
            turn.settle(partition, entry, after)
            sent = [i for i in after.identities if i.batch == self._id]
            if sent and after.traceparent:
                contexts.add(after.traceparent)
            going |= {(key, i.position) for i in sent}
            again |= {ask_for(i) for i in sent if i.marker_seen}
        self._again, self._contexts = len(again), contexts
        return going

    async def unsent(self) -> None:
        """The identities may go into another batch; a part of a rejected batch stays together."""
        await self._take_back([self._batch] if self._part else [])

    async def _take_back(self, parts: list[Batch]) -> None:
        """The parts are there before their identities are free again, so that no other batch takes them."""
        self._batches.splits.extendleft(reversed(parts))
        await self._ground.change(self._batch.places, lambda e: erasure.unsent(e, self._id))
        self._over()

    async def ask(self, access: Access, gate: Gate) -> None:
        """The batch id travels as the requester: that is how a lost answer is found again."""
        call = self._batch.call(marker(self._ground.policy.requester, self._id))
        with on_behalf(self._contexts):
            self._reply = await self._ground.privacy.schedule(access, call, lambda: self._leave(gate))

    def _leave(self, gate: Gate) -> None:
        gate()
        self._ground.meter.batched(self._ground.project, len(self._batch))
        if self._again:
            self._ground.meter.resubmitted(self._ground.project, self._again)

    async def settle(self) -> None:
        """A verdict for each identity."""
        asks = list(self._batch.asks)
        said = classify(asks, self._reply, self._ground.policy.requester, self._id)
        verdicts = self._batch.verdicts(said)
        await self._ground.change(verdicts, lambda e: erasure.answered(e, self._id, verdicts[e.key]))
        self._over()

    async def failed(self, fault: Fault) -> None:
        """A lost answer stays written ahead: the next list reconciles it. Any other fault was certainly not applied;
        what was rejected in company is split until the odd id is alone."""
        if fault is Fault.LOST:
            self._over()
        elif fault is not Fault.REJECTED:
            await self.unsent()
        elif len(self._batch) == 1:
            await self._ground.change(self._batch.places, lambda e: erasure.rejected(e, self._id))
            self._over()
        else:
            await self._take_back(list(self._batch.halves()))
