"""The requests stage without Kafka: every turn is committed at once. Desk, lanes, ledger and client are real."""

import asyncio
import time

from consumer.adapters.amplitude.client import AmplitudeClient
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.ledger_codec import ledger_codec
from consumer.desk import RequestDesk
from consumer.lanes import Lanes
from consumer.ledger import Shard
from consumer.ports import NoMeter
from consumer.requests import Intake
from consumer.turn import Partition, Record, Turn
from tests.fakes.commands import fields

P = Partition(0)
LEDGER = ledger_codec(Codec(DirectorySource()))


class Rehearsal:
    """Use as an async context manager. `tell` takes a command in; `outcomes` is everything that was said.

    `access` is the lanes'; `owned` and `stuck` play a partition that is lost, and a broker that does not answer.
    `tracer` may be set before it is entered; `trace` is the context of a command.
    """

    tracer = None

    def __init__(self, clock, policy, rules, access, meter=None):
        self.clock, self.policy, self.rules, self.access_of = clock, policy, rules, access
        self.meter = meter or NoMeter()
        self.outcomes, self.owned, self.lease_s, self.stuck = [], True, 1e9, None
        self.shard = Shard(LEDGER, 10**12)

    @property
    def proven_at(self):
        return time.monotonic() - (0 if self.lease_s > 1 else 5)

    def owns(self, partition, epoch):
        return self.owned

    def propose(self, proposal):
        if self.stuck is not None:
            self.stuck.append(proposal)
        elif self.owned:
            self._commit(proposal.decide)
            proposal.done(True)
        else:
            proposal.done(False)

    def _commit(self, decide):
        turn = Turn({P: self.shard}, self.clock.now())
        decide(turn)
        turn.keep()
        self.outcomes += turn.outcomes
        self.desk.kept(turn)

    def tell(self, *names, trace=None, **changed):
        record = fields(*names, **changed)
        self._commit(lambda turn: self.desk.take(turn, Record(P, 0, None, record, context=trace)))
        return record

    def cancel(self, record):
        return self.tell(
            command="cancel",
            subject_request_id=record["subject_request_id"],
            subject_identities=[],
            project=record["project"],
        )

    def about(self, record):
        request = record["subject_request_id"]
        return [o for o in self.outcomes if o.entry and o.entry.request_id == request]

    def stages(self, record):
        return [o.stage.value for o in self.about(record) if o.kind == "stage"]

    def waits(self, record):
        return [o.reason for o in self.about(record) if o.notice == "waiting"]

    async def until(self, true, seconds=8):
        until = time.monotonic() + seconds
        while not true():
            if self.lanes.failed.done():
                await self.lanes.failed
            assert time.monotonic() < until, [(o.kind, o.stage, o.reason) for o in self.outcomes[-40:]]
            await asyncio.sleep(0.01)

    async def reach(self, record, *stages, seconds=8):
        await self.until(lambda: self.stages(record)[-1:] and self.stages(record)[-1] in stages, seconds)

    async def __aenter__(self):
        self.client = AmplitudeClient(self.clock, tracer=self.tracer)
        self.lanes = Lanes(
            ledger=lambda: self,
            access=self.access_of,
            privacy=self.client,
            clock=self.clock,
            policy=self.policy,
            lease_s=self.lease_s,
            meter=self.meter,
        )
        self.desk = RequestDesk(Intake(lambda value: value, lambda: self.rules, 1), self.lanes)
        self.desk.opened(P, 1, self.shard)
        return self

    async def __aexit__(self, *_):
        await self.lanes.close()
        await self.client.close()
        self.shard.close()
