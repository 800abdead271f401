"""The rehearsal of one project against a pocket Amplitude in the same event loop."""

from consumer.domain.command import ProjectRule
from consumer.domain.errors import Fault
from consumer.domain.retry import Schedule
from consumer.lanes import LanePolicy
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.clock import ManualClock
from tests.fakes.commands import NOW
from tests.fakes.rehearsal import P, Rehearsal

__all__ = ["FAST", "QUICK", "P", "Service"]

QUICK = {fault: Schedule(0.05, 0.05, 0.02) for fault in Fault}
FAST = LanePolicy(
    linger_s=0.05,
    requester="dsr",
    least_interval_s=0.02,
    schedules=QUICK,
    access_check_s=0.05,
    calendar_check_s=0.01,
)


class Service(Rehearsal):
    """`access` is what the project's lane is given: keys, or a reason. `seen` is what Amplitude saw of it."""

    def __init__(self, policy=FAST, gate_s=0.0, meter=None, **rule):
        rules = {"shop": ProjectRule("shop", "acme", **rule)}
        super().__init__(ManualClock(NOW), policy, rules, lambda project: self.access, meter)
        self.pocket = PocketAmplitude(self.clock, Knobs(gate_s=gate_s))

    async def __aenter__(self):
        await self.pocket.start()
        self.access = self.pocket.access("829000")
        return await super().__aenter__()

    async def __aexit__(self, *raised):
        await super().__aexit__(*raised)
        await self.pocket.stop()

    @property
    def seen(self):
        return self.pocket.seen("829000")
