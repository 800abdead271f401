"""The rehearsal of one org's copies: a pocket Amplitude and a real folder, in the same event loop."""

import tempfile
from pathlib import Path

from consumer.adapters.amplitude.activity import ActivityClient
from consumer.adapters.amplitude.dsar import DsarClient
from consumer.adapters.sealing import AgeSealer
from consumer.adapters.store import open_store
from consumer.copies import Copies, CopyPolicy, Keeping, World
from consumer.desk import RequestDesk
from consumer.domain.command import ProjectRule
from consumer.domain.errors import Fault, Reason
from consumer.domain.retry import Schedule
from consumer.following import Following
from consumer.requests import Intake
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.clock import ManualClock
from tests.fakes.commands import NOW
from tests.fakes.rehearsal import P, Rehearsal
from tests.fakes.service import FAST

SHOP, APP = "829000", "829001"
QUICK = {fault: Schedule(0.05, 0.05, 0.02) for fault in Fault}
COPYING = CopyPolicy(
    hour_s=36.0,
    first_poll_s=0.05,
    longest_poll_s=0.2,
    schedules=QUICK,
    file_schedule=Schedule(0.05, 0.05, 0.02),
    access_check_s=0.05,
    calendar_check_s=0.02,
)


class Copying(Rehearsal):
    """Projects `shop` and `app` of org `acme`. `org_access` and `access` are what is found; `folder` is the store."""

    def __init__(self, *, knobs=None, recipients=(), org_keys=True, policy=COPYING, store=None, keep_days=30):
        rules = {
            name: ProjectRule(name, "acme", app=int(number), org_keys=org_keys, copies=True)
            for name, number in (("shop", SHOP), ("app", APP))
        }
        super().__init__(ManualClock(NOW), FAST, rules, lambda project: self.accesses[project])
        self.pocket = PocketAmplitude(self.clock, knobs or Knobs(gate_s=0.0, hour_s=36.0))
        self.org_keys, self.copy_policy, self.sealer = org_keys, policy, AgeSealer(recipients)
        self.kept = Keeping(13, keep_days, True)
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        self.store = store or open_store(self.folder.as_uri())

    async def __aenter__(self):
        await self.pocket.start()
        self.accesses = {"shop": self.pocket.access(SHOP, "acme"), "app": self.pocket.access(APP, "acme")}
        self.org_access = self.pocket.org_access("acme") if self.org_keys else None
        await super().__aenter__()
        self.dsar = await DsarClient(self.client).__aenter__()
        await self.open()
        return self

    async def open(self):
        self.world = world = World(
            dsar=self.dsar,
            activity=ActivityClient(self.client),
            store=self.store,
            sealer=self.sealer,
            org_access=lambda org: self.org_access or Reason.CREDENTIALS_MISSING,
            access=lambda project: self.accesses[project],
            rules=lambda: self.rules,
            clock=self.clock,
            meter=self.meter,
            policy=self.copy_policy,
            keeping=self.kept,
        )
        self.copies = Copies(ledger=lambda: self, world=world, lease_s=self.lease_s)
        self.desk = RequestDesk(Intake(lambda value: value, lambda: self.rules, 1), Following(self.lanes, self.copies))
        self.desk.opened(P, 1, self.shard)

    async def restart(self):
        """Another owner: nothing is kept but the ledger and the store."""
        await self.copies.close()
        await self.open()

    async def __aexit__(self, *raised):
        await self.copies.close()
        await self.dsar.__aexit__(None, None, None)
        await super().__aexit__(*raised)
        await self.pocket.stop()
        self._folder.cleanup()

    async def until(self, true, seconds=8):
        def seen():
            if self.copies.failed.done():
                self.copies.failed.result()
            return true()

        await super().until(seen, seconds)

    def ask(self, *names, **changed):
        """A copy of the org, or of `project=`."""
        scope = {} if "project" in changed else {"project": None, "scope": "org", "org": "acme"}
        return self.tell(*names, subject_request_type="access", **scope, **changed)

    @property
    def seen(self):
        return self.pocket.world.counters.org("acme")

    def files(self):
        return {p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file()}
