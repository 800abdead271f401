"""The HTTP port for people, probes and Prometheus, in the service's own event loop: a status page, /metrics, /healthz,
/readyz.

On the loopback unless told otherwise: it has no authentication. It knows no person, but it does name projects.
"""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from consumer.adapters.probes import Verdict
from consumer.domain.errors import Fatal, Reason
from consumer.statuspage.page import page
from consumer.statuspage.status import Status

LOOPBACK = "127.0.0.1"
SHUTDOWN_S = 1.0
INDEX = """amplitude-dsr
/         how everything stands, for a browser
/metrics  counters, histograms and gauges for Prometheus
/healthz  200 while the event loop and the Kafka thread turn
/readyz   200 when this member has its place in its groups and has restored its partitions
"""
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_SENTENCES = {
    errno.EADDRINUSE: "is in use; give another one, or 0 for any that is free",
    errno.EACCES: "may not be opened by this user; give one above 1023",
    errno.EADDRNOTAVAIL: "is on an address that this machine does not have",
}


class Asked(Protocol):
    """Who knows how the process is. Asked in the event loop; never blocks."""

    def alive(self) -> Verdict:
        """Whether it should be left running."""
        ...

    def ready(self) -> Verdict:
        """Whether it does its share."""
        ...


class AdminServer:
    """`start` and `stop` in one event loop, or use as an async context manager.

    /metrics shows the registry, and `gauges` that must be collected in the event loop; so must `status`, which is told
    what /readyz finds wanting.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        probes: Asked,
        host: str = LOOPBACK,
        port: int = 0,
        *,
        gauges: Collector | None = None,
        status: Callable[[tuple[str, ...]], Status] | None = None,
    ) -> None:
        self._registry, self._probes, self._host, self._wanted = registry, probes, host, port
        self._gauges, self._status = gauges, status
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)

    @property
    def port(self) -> int:
        """The port it listens on. Only after `start`."""
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Listen, and log where. `Fatal(INVALID_SETTINGS)` with a sentence when that address cannot be had."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._wanted).start()
        except OSError as error:
            await self._runner.cleanup()
            why = _SENTENCES.get(error.errno or 0, "cannot be listened on")
            raise Fatal(Reason.INVALID_SETTINGS, f"the admin port {self._wanted} {why}") from None
        structlog.get_logger().info(
            "admin port open", host=self._host, port=self.port, status_page=f"http://{self._host}:{self.port}/"
        )

    async def stop(self) -> None:
        """Close the port. Repeatable."""
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _index(self, request: web.Request) -> web.Response:
        """The status page for whoever reads HTML. It is made in a thread, as metrics are."""
        if self._status is None or "text/html" not in request.headers.get("Accept", ""):
            return web.Response(text=INDEX)
        made = await asyncio.to_thread(page, self._status(self._probes.ready().failed))
        headers = {"Content-Security-Policy": made.policy, **_HEADERS}
        return web.Response(text=made.html, content_type="text/html", charset="utf-8", headers=headers)

    async def _metrics(self, request: web.Request) -> web.Response:
        """In the text format or in OpenMetrics, whichever the scraper prefers.

        The lanes are asked here, where they live; the text is made in a thread: a thousand projects take it a third
        of a second, and other lanes' calls must not wait for that.
        """
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        scrape = CollectorRegistry(auto_describe=False)
        scrape.register(_Collected(list(self._gauges.collect() if self._gauges else ())))
        scrape.register(self._registry)
        body = await asyncio.to_thread(encode, scrape)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _healthz(self, _: web.Request) -> web.Response:
        return _answer("alive", self._probes.alive())

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer("ready", self._probes.ready())


@dataclass(frozen=True, slots=True, eq=False)
class _Collected(Collector):
    """What was collected a moment ago."""

    families: list[Metric]

    def collect(self) -> list[Metric]:
        """The same again."""
        return self.families


def _answer(question: str, verdict: Verdict) -> web.Response:
    body = {question: verdict.good, "failed": list(verdict.failed), **verdict.said}
    return web.json_response(text=json.dumps(body) + "\n", status=200 if verdict.good else 503)
