"""The discovery stage, wired: a coordinator and a worker with a Kafka thread each, one event loop for the exports."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any

import structlog
from confluent_kafka import KafkaException
from prometheus_client import CollectorRegistry

import schemas
from consumer.adapters.admin_server import AdminServer
from consumer.adapters.amplitude.export import ExportClient
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource, SchemaSource
from consumer.adapters.discovery_log import LoggedDiscovery
from consumer.adapters.discovery_messages import DiscoveryTopics
from consumer.adapters.discovery_metrics import DiscoveryMetrics
from consumer.adapters.kafka import topics
from consumer.adapters.kafka.coordinating import Coordinator
from consumer.adapters.kafka.thread import MemberProbes, MemberThread
from consumer.adapters.kafka.working import Worker
from consumer.adapters.status_source import StatusSource
from consumer.discovery.desk import Conditions, DiscoveryDesk
from consumer.discovery.draft import Task
from consumer.discovery.results import Result
from consumer.discovery.scanning import Later, Scanning
from consumer.domain.deadline import DAY_MS
from consumer.domain.discovery.planning import Policy
from consumer.domain.errors import Fatal, Fault, Reason
from consumer.domain.retry import SCHEDULES, Schedule
from consumer.domain.subject import ProjectId
from consumer.ports import Clock
from consumer.projects import Projects
from consumer.service import (
    LEAVE_S,
    STUCK_S,
    SystemClock,
    consumer_config,
    producer_config,
    schema_source,
    verify_topics,
)
from consumer.settings import Settings
from scanner.errors import ScanError
from scanner.hosted import HostSettings, ScannerHost
from scanner.rules import load as load_rules

CLOSE_S = 10.0
"""How long a cancelled scan may take to close its connection."""


class LoopScan:
    """Implements `Scan`: a coroutine on the event loop, started and looked at from the worker's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, run: Callable[[], Coroutine[Any, Any, Result | Later]]) -> None:
        self._loop, self._done = loop, threading.Event()
        self._told: Result | Later | None = None
        self._failure: BaseException | None = None
        self._task: asyncio.Task[Result | Later] | None = None
        loop.call_soon_threadsafe(self._start, run)

    def _start(self, run: Callable[[], Coroutine[Any, Any, Result | Later]]) -> None:
        self._task = self._loop.create_task(run())
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[Result | Later]) -> None:
        if not task.cancelled():
            self._failure = task.exception()
            self._told = task.result() if self._failure is None else None
        self._done.set()

    @property
    def outcome(self) -> Result | Later | None:
        """See `Scan`."""
        if self._failure is not None:
            raise self._failure
        return self._told

    def cancel(self) -> None:
        """See `Scan`."""
        self._loop.call_soon_threadsafe(lambda: self._task.cancel() if self._task else None)
        self._done.wait(CLOSE_S)


class DiscoveryStage:
    """`run` until `stop`. Construct and run it in one event loop. `clock` and `schedules` are for rehearsals;
    `registry` is where another stage of the same process counts."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        registry: CollectorRegistry | None = None,
        *,
        schedules: Mapping[Fault, Schedule] = SCHEDULES,
    ) -> None:
        self._schedules = schedules
        self._settings, self._clock = settings, clock or SystemClock()
        self._projects = Projects(settings)
        self._metrics = DiscoveryMetrics(self._projects.rules, registry)
        self._meter = LoggedDiscovery(self._metrics, structlog.get_logger())
        self._stopping, self._ended = asyncio.Event(), asyncio.Event()
        self._threads: list[MemberThread] = []

    def stop(self) -> None:
        """Stop the scan that runs, leave both groups, end."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve. Raises `Fatal` when the process must be restarted, and whatever a bug raised."""
        discovery = self._settings.discovery
        if self._settings.kafka.verify_topics:
            await asyncio.to_thread(verify_topics, self._settings, topics.DISCOVERY)
        host = HostSettings(tuple(discovery.rules), discovery.engine, discovery.processes, discovery.key())
        async with AsyncExitStack() as stack:
            try:
                rules, scanner = load_rules(discovery.rules), await ScannerHost.start(host)
            except ScanError as error:  # its text is ours
                raise Fatal(Reason.INVALID_SETTINGS, f"discovery: {error}") from None
            stack.push_async_callback(scanner.close)
            export = await stack.enter_async_context(ExportClient())
            source, loop = await schema_source(self._settings, stack), asyncio.get_running_loop()
            scanning = Scanning(
                export, self._projects.access, scanner, self._clock, self._meter, schedules=self._schedules
            )
            conditions = Conditions(
                slots=self._slots,
                rules=rules,
                partitions=self._settings.kafka.partitions,
                policy=Policy(discovery.target_mb * 1_000_000, discovery.longest_window_hours),
                final_after_ms=discovery.final_after_ms,
                remember_ms=self._settings.dedupe_days * DAY_MS,
            )
            self._threads = [
                self._thread("coordinator", lambda: self._coordinator(conditions, source), loop),
                self._thread("worker", lambda: self._worker(scanning, loop), loop),
            ]
            await self._open_admin_port(stack)
            for thread in self._threads:
                thread.start()
                stack.push_async_callback(asyncio.to_thread, thread.join, LEAVE_S)
                stack.callback(thread.stop)
            await self._serve()

    async def _open_admin_port(self, stack: AsyncExitStack) -> None:
        admin = self._settings.admin
        if admin.port is not None:
            probes = MemberProbes(self._threads, self._clock)
            stack.callback(probes.drain)
            registry, projects = self._metrics.registry, self._projects.names
            status = StatusSource(self._settings.kafka.replica, self._clock, registry, projects)
            await stack.enter_async_context(AdminServer(registry, probes, admin.host, admin.port, status=status))

    async def _serve(self) -> None:
        waiting = [asyncio.create_task(event.wait()) for event in (self._stopping, self._ended)]
        while not any(waited.done() for waited in waiting):
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=STUCK_S / 10)
            if any(self._clock.monotonic() - thread.turned_at > 3 * STUCK_S for thread in self._threads):
                raise Fatal(Reason.BROKER_UNREACHABLE, "a call of the Kafka client does not return")
        for waited in waiting:
            waited.cancel()
        for thread in self._threads:
            if isinstance(thread.failure, KafkaException):
                raise Fatal(Reason.BROKER_UNREACHABLE)
            if thread.failure is not None:
                raise thread.failure

    def _slots(self) -> dict[ProjectId, int]:
        settings = self._projects.settings
        return {ProjectId(name): project.export_slots for name, project in settings.projects.items()}

    def _thread(self, name: str, make: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> MemberThread:
        def ended() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._ended.set)

        return MemberThread(name, make, self._clock, ended)

    def _coordinator(self, conditions: Conditions, source: SchemaSource) -> Coordinator:
        public = Codec(source)
        return Coordinator(
            config=self._config("coordinate"),
            producer_config=self._producer("coordinate"),
            topics=topics_of(self._settings),
            codec=Codec(DirectorySource()),
            public=public,
            desk=DiscoveryDesk(lambda value: public.decode(schemas.DISCOVERY_COMMANDS, value), conditions),
            clock=self._clock,
            told=self._meter,
        )

    def _worker(self, scanning: Scanning, loop: asyncio.AbstractEventLoop) -> Worker:
        def scan(task: Task) -> LoopScan:
            return LoopScan(loop, lambda: scanning.scan(task))

        return Worker(
            config=self._config("scan"),
            producer_config=self._producer("scan"),
            topics=topics_of(self._settings),
            codec=Codec(DirectorySource()),
            scan=scan,
            clock=self._clock,
            partitions=self._settings.kafka.partitions,
            grace_s=self._settings.discovery.grace_s,
        )

    def _config(self, role: str) -> dict[str, Any]:
        own = consumer_config(self._settings)
        del own["partition.assignment.strategy"]
        return own | {"group.id": f"{self._settings.kafka.group_id}-{role}"}

    def _producer(self, role: str) -> dict[str, Any]:
        own = producer_config(self._settings)
        return own | {"transactional.id": f"{own['transactional.id']}-{role}"}


def topics_of(settings: Settings) -> DiscoveryTopics:
    """The topics as these settings name them."""
    kafka = settings.kafka
    return DiscoveryTopics(
        kafka.discovery_commands,
        kafka.discovery_tasks,
        kafka.discovery_results,
        kafka.discovery_ledger,
        kafka.discovery_outcomes,
        kafka.inventory,
        kafka.dead_letters,
    )
