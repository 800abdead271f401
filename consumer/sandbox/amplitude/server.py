"""The pocket Amplitude: an HTTP server on the loopback that keeps Amplitude's rules, limits and oddities.

It listens twice, once as each region's host, on one shared world, and once more as the host of copies' files. Its
calendar may run fast; its limits are real.
"""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import Self

from aiohttp import web

from consumer.domain.subject import OrgId, ProjectId, Secret
from consumer.ports import Access, Clock, KeyPair, Region
from consumer.sandbox.amplitude import activity, control, deletions, dsar, export
from consumer.sandbox.amplitude.counters import AppCounters, Counters
from consumer.sandbox.amplitude.faults import Fault
from consumer.sandbox.amplitude.keys import Holder, Level
from consumer.sandbox.amplitude.knobs import Knobs
from consumer.sandbox.amplitude.world import World

BODY_LIMIT_BYTES = 16 << 20
SHUTDOWN_S = 0.2


class PocketAmplitude:
    """One stand-in. `start` and `stop` on the same event loop, or use as an async context manager."""

    def __init__(self, clock: Clock, knobs: Knobs | None = None) -> None:
        self.world = World.create(clock, knobs or Knobs())
        self._runners: list[web.AppRunner] = []
        self._urls: dict[Region, str] = {}

    async def start(self, host: str = "127.0.0.1", port: int = 0, eu_port: int = 0) -> str:
        """Listen, and return `base_url`. Port 0 is any free one."""
        for region, wanted in ((Region.US, port), (Region.EU, eu_port)):
            app = web.Application(client_max_size=BODY_LIMIT_BYTES)
            own = [*deletions.routes(self.world, region), *export.routes(self.world, region)]
            own += [
                *dsar.routes(self.world, region, partial(self.url_of, region)),
                *activity.routes(self.world, region),
            ]
            app.add_routes([*own, *control.routes(self.world)])
            self._urls[region] = await self._listen(app, host, wanted)
        links = web.Application()
        links.add_routes(dsar.link_routes(self.world))
        self.world.links_url = await self._listen(links, host, 0)
        return self.base_url

    async def _listen(self, app: web.Application, host: str, port: int) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        self._runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        return f"http://{host}:{runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close both sockets; what was to be applied later is not."""
        self.world.cancel_late()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def base_url(self) -> str:
        """Where it answers as the US host."""
        return self.url_of(Region.US)

    def url_of(self, region: Region) -> str:
        """Where it answers as a region's host."""
        return self._urls[region]

    @property
    def counters(self) -> Counters:
        """What it has seen so far."""
        return self.world.counters

    def seen(self, app: str) -> AppCounters:
        """What it has seen of one project."""
        return self.world.counters.app(app)

    def misbehave(self, *faults: Fault) -> None:
        """Append to the script of faults."""
        self.world.faults.add(*faults)

    def org_access(self, org: str = "36001", region: Region = Region.US) -> Access:
        """Let an org's own keys in and return what its copies need. Repeatable."""
        api_key, secret_key = self.world.keys.add(Holder(region, Level.ORG, org, None))
        keys = KeyPair(Secret(api_key), Secret(secret_key))
        return Access(ProjectId(org), OrgId(org), region, keys, self.url_of(region))

    def access(self, app: str, org: str = "36001", region: Region = Region.US) -> Access:
        """Let a project in and return what its calls need, with this server as the host. Repeatable."""
        api_key, secret_key = self.world.keys.add(Holder(region, Level.PROJECT, org, app))
        keys = KeyPair(Secret(api_key), Secret(secret_key))
        return Access(ProjectId(app), OrgId(org), region, keys, self.url_of(region))
