"""The requests stage without Kafka: every turn is committed at once. Desk, lanes, ledger and client are real."""

import asyncio
import time

from consumer.adapters.amplitude.client import AmplitudeClient
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.ledger_codec import ledger_codec
from consumer.desk import RequestDesk
from consumer.domain.command import ProjectRule
from consumer.domain.errors import Fault
from consumer.domain.retry import Schedule
from consumer.lane import LanePolicy
from consumer.lanes import Lanes
from consumer.ledger import Shard
from consumer.requests import Intake
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.clock import ManualClock
from consumer.turn import Partition, Record, Turn
from tests.fakes.commands import NOW, fields

P = Partition(0)
QUICK = {fault: Schedule(0.05, 0.05, 0.02) for fault in Fault}
LEDGER = ledger_codec(Codec(DirectorySource()))
FAST = LanePolicy(linger_s=0.05, requester="dsr", least_interval_s=0.02, schedules=QUICK)


class Service:
    """Use as an async context manager. `tell` takes a command in; `outcomes` is everything that was said."""

    def __init__(self, policy=FAST, gate_s=0.0, **rule):
        self.clock = ManualClock(NOW)
        self.pocket = PocketAmplitude(self.clock, Knobs(gate_s=gate_s))
        self.rules = {"shop": ProjectRule("shop", "acme", **rule)}
        self.policy, self.outcomes, self.owned, self.lease_s = policy, [], True, 1e9
        self.shard = Shard(LEDGER, 10**12)

    @property
    def proven_at(self):
        return time.monotonic() - (0 if self.lease_s > 1 else 5)

    def owns(self, partition, epoch):
        return self.owned

    def propose(self, proposal):
        if not self.owned:
            proposal.done(False)
            return
        self._commit(proposal.decide)
        proposal.done(True)

    def _commit(self, decide):
        turn = Turn({P: self.shard}, self.clock.now())
        decide(turn)
        turn.keep()
        self.outcomes += turn.outcomes
        self.desk.kept(turn)

    def tell(self, *names, **changed):
        record = fields(*names, **changed)
        self._commit(lambda turn: self.desk.take(turn, Record(P, 0, None, record)))
        return record

    def about(self, record):
        request = record["subject_request_id"]
        return [o for o in self.outcomes if o.entry and o.entry.request_id == request]

    def stages(self, record):
        return [o.stage.value for o in self.about(record) if o.kind == "stage"]

    async def until(self, true, seconds=8):
        until = time.monotonic() + seconds
        while not true():
            if self.lanes.failed.done():
                await self.lanes.failed
            assert time.monotonic() < until, [(o.kind, o.stage, o.reason) for o in self.outcomes]
            await asyncio.sleep(0.01)

    async def reach(self, record, *stages):
        await self.until(lambda: self.stages(record)[-1:] and self.stages(record)[-1] in stages)

    async def __aenter__(self):
        await self.pocket.start()
        self.access = self.pocket.access("829000")
        self.client = AmplitudeClient(self.clock)
        self.lanes = Lanes(
            ledger=lambda: self,
            access=lambda project: self.access,
            privacy=self.client,
            clock=self.clock,
            policy=self.policy,
            lease_s=self.lease_s,
        )
        intake = Intake(lambda value: value, lambda: self.rules, 1)
        self.desk = RequestDesk(intake, self.lanes)
        self.desk.opened(P, 1, self.shard)
        return self

    async def __aexit__(self, *_):
        await self.lanes.close()
        await self.client.close()
        await self.pocket.stop()
        self.shard.close()

    @property
    def seen(self):
        return self.pocket.seen("829000")
