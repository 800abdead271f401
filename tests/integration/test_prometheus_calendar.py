"""Alerts whose cause takes days: a real Prometheus scrapes a whole member on a calendar that the test moves."""

import asyncio

import pytest

import schemas
from consumer.sandbox.amplitude.faults import Fault, Kind
from consumer.settings import AdminSettings, CopySettings, OrgSettings
from tests.fakes.commands import fields
from tests.fakes.copying import COPYING
from tests.integration.intake_worker import codec
from tests.integration.prometheus import PROGRAM, Prometheus, free_port, wait_for
from tests.integration.test_rule_blast_radius import STALLED
from tests.integration.whole import APP, HOME, Whole

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed")


class Watched(Whole):
    """A member with copies that takes two requests at most, and Prometheus beside it."""

    def __init__(self, bootstrap, monkeypatch, folder):
        self._folder, self._port = folder, free_port()
        limits = {"admin": AdminSettings(port=self._port), "most_undispatched": 2}
        super().__init__(bootstrap, monkeypatch, limits=limits, app_id=int(APP))

    async def __aenter__(self):
        await super().__aenter__()
        access = self.pocket.org_access("acme")
        keys = {"api_key": access.keys.api_key.reveal(), "secret_key": access.keys.secret_key.reveal()}
        self._limits["orgs"] = {"acme": OrgSettings(base_url=access.base_url, **keys)}
        self._limits["copies"] = CopySettings(store=(self._folder / "packages").as_uri())
        self.start(policy=STALLED, copy_policy=COPYING)
        self._prometheus = Prometheus(self._folder, free_port(), self._port)
        await asyncio.to_thread(self._prometheus.__enter__)
        return self

    async def __aexit__(self, *raised):
        await asyncio.to_thread(self._prometheus.__exit__)
        await super().__aexit__(*raised)

    async def fires(self, *names):
        await asyncio.to_thread(wait_for, lambda: set(names) <= self._prometheus.firing())

    async def ends(self, *names):
        await asyncio.to_thread(wait_for, lambda: not set(names) & self._prometheus.firing())


async def test_what_waits_for_days_is_said_and_ends_when_it_is_done(kafka_bootstrap, monkeypatch, tmp_path):
    """For six days nothing is sent: requests wait, intake is paused, a copy is late. Then another member takes over."""
    async with Watched(kafka_bootstrap, monkeypatch, tmp_path) as member:
        member.pocket.misbehave(Fault(Kind.STATUS, method="DSAR", count=None, status=429))
        await member.tell("u-7", subject_request_type="access", scope="org", project=None, org="acme")
        for number in range(4):
            await member.tell(f"u-{number}")
        late = [fields(f"late-{n}", submitted_time=member.clock.now()) for n in range(2_600)]
        await asyncio.to_thread(member.send, [codec.encode(schemas.COMMANDS, one) for one in late], HOME)
        await member.fires("DsrIntakePaused", "DsrCommandsWait")
        member.clock.advance(days=6)
        await member.fires("DsrRequestsWaitLong", "DsrCopiesLate", "DsrIntakePaused")
        member.pocket.world.faults.clear()
        await member.end()
        member.start(copy_policy=COPYING)
        await member.ends("DsrRequestsWaitLong", "DsrCopiesLate", "DsrIntakePaused", "DsrCommandsWait")
