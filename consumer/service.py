"""The requests stage, wired: one Kafka thread, one event loop, and what passes between them.

The only module, beside the command line, that constructs adapters.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack, suppress
from typing import Any

import aiohttp
import structlog
from confluent_kafka import KafkaException
from prometheus_client import CollectorRegistry

import schemas
from consumer.adapters.admin_server import AdminServer
from consumer.adapters.amplitude.client import AmplitudeClient
from consumer.adapters.amplitude.v2 import EitherVersion
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.registry import RegistryClient, RegistrySource
from consumer.adapters.avro.source import DirectorySource, SchemaSource
from consumer.adapters.gauges import Gauges
from consumer.adapters.kafka import admin, topics
from consumer.adapters.kafka.stream import Stream
from consumer.adapters.kafka.transaction import Encoders, Topics, Transactor
from consumer.adapters.ledger_codec import ledger_codec
from consumer.adapters.logs import KafkaLog
from consumer.adapters.meters import Meters
from consumer.adapters.metrics import PrometheusMeter
from consumer.adapters.probes import Probes
from consumer.adapters.status_source import StatusSource
from consumer.adapters.tracing import open_tracer
from consumer.adapters.wire import halt_out, outcome_out, project_out
from consumer.copies import Copies, CopyPolicy
from consumer.copy_service import copy_world
from consumer.desk import Followers, RequestDesk
from consumer.domain.deadline import DAY_MS
from consumer.domain.errors import Fatal, Reason
from consumer.domain.subject import Millis, Secret
from consumer.following import Following
from consumer.lanes import LanePolicy, Lanes
from consumer.ledger import Shard
from consumer.ports import Clock, CopyReport, Meter
from consumer.projects import Projects
from consumer.requests import Intake
from consumer.settings import Settings
from consumer.trace_ports import Tracer

STUCK_S = 60.0
"""Every call into the Kafka client returns within 30 s, or is known to be stuck: then only a restart helps."""
LEAVE_S, LEAVE_STUCK_S = 30.0, 1.0
"""How long the Kafka thread may take to settle and leave, and if it is known not to come back."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Millis:
        """Calendar time."""
        return Millis(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()


class RequestsStage:
    """`run` until `stop`. Construct and run it in one event loop. `policy` and `clock` are for rehearsals.

    `meter` counts beside the metrics, into a log for instance.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        policy: LanePolicy | None = None,
        *,
        meter: Meter | None = None,
        copy_policy: CopyPolicy | None = None,
        stuck_s: float = STUCK_S,
    ) -> None:
        self._settings, self._clock, self._stuck_s = settings, clock or SystemClock(), stuck_s
        self._policy = policy or LanePolicy(settings.linger_s, int(settings.poll_minutes * 60_000), settings.requester)
        self._copy_policy = copy_policy or CopyPolicy(first_poll_s=settings.copies.poll_minutes * 60)
        self._ledger_codec = Codec(DirectorySource())
        self._ledger = ledger_codec(self._ledger_codec)
        self._projects = Projects(settings)
        self._metrics = PrometheusMeter(self._projects.names)
        self._meter: Meter = Meters(self._metrics, meter) if meter else self._metrics
        self._stopping, self._stream_ended = asyncio.Event(), asyncio.Event()
        self._leave_s = LEAVE_S

    @property
    def registry(self) -> CollectorRegistry:
        """What `/metrics` shows, for whoever counts in the same process."""
        return self._metrics.registry

    def stop(self) -> None:
        """Finish the turn, wait a few seconds for answers that are on their way, leave the group, end."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve. Raises `Fatal` when the process must be restarted, and whatever a bug raised."""
        if self._settings.kafka.verify_topics:
            await asyncio.to_thread(verify_topics, self._settings, topics.REQUESTS)
        async with AsyncExitStack() as stack:
            tracer = open_tracer(os.environ, self._settings.kafka.group_id)
            stack.push_async_callback(asyncio.to_thread, tracer.close)
            client = await stack.enter_async_context(AmplitudeClient(self._clock, tracer=tracer))
            codec = Codec(await schema_source(self._settings, stack))
            lease_s = self._settings.kafka.session_timeout_ms / 2000
            lanes = Lanes(
                ledger=lambda: stream,
                access=self._projects.access,
                privacy=EitherVersion(client),
                clock=self._clock,
                policy=self._policy,
                lease_s=lease_s,
                meter=self._meter,
            )
            stack.push_async_callback(lanes.close)
            world = await copy_world(
                stack, self._projects, client, clock=self._clock, meter=self._meter, policy=self._copy_policy
            )
            copies = Copies(ledger=lambda: stream, world=world, lease_s=lease_s) if world else None
            if copies:
                stack.push_async_callback(copies.close)
            stream = self._stream(Following(lanes, copies), codec, tracer)
            probes = Probes(lambda: stream.report, lanes.report, self._clock)
            await self._open_admin_port(stack, probes, copies.report if copies else list)
            stream.start()
            stack.push_async_callback(lambda: asyncio.to_thread(stream.join, self._leave_s))
            stack.callback(stream.stop)
            stack.callback(probes.drain)
            await self._serve(stream, *([lanes.failed, copies.failed] if copies else [lanes.failed]))

    async def _open_admin_port(
        self, stack: AsyncExitStack, probes: Probes, copies: Callable[[], list[CopyReport]]
    ) -> None:
        admin, registry = self._settings.admin, self._metrics.registry
        if admin.port is None:
            return
        replica, projects = self._settings.kafka.replica, self._projects.names
        status = StatusSource(replica, self._clock, registry, projects, probes=probes, copies=copies)
        gauges = Gauges(probes, copies)
        await stack.enter_async_context(
            AdminServer(registry, probes, admin.host, admin.port, gauges=gauges, status=status)
        )

    async def _serve(self, stream: Stream, *failed: asyncio.Future[None]) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        ended = asyncio.create_task(self._stream_ended.wait())
        waiting: list[asyncio.Future[Any]] = [stopping, ended, *failed]
        while not any(waited.done() for waited in waiting):
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=self._stuck_s / 10)
            if self._clock.monotonic() - stream.stirred_at > self._stuck_s:
                self._leave_s = LEAVE_STUCK_S
                raise Fatal(Reason.BROKER_UNREACHABLE, "a call of the Kafka client does not return")
        for waited in (stopping, ended):
            waited.cancel()
        for bug in failed:
            if bug.done():
                await bug
        if isinstance(stream.failure, KafkaException):
            raise Fatal(Reason.BROKER_UNREACHABLE)
        if stream.failure is not None:
            raise stream.failure
        if not self._stopping.is_set():
            raise Fatal(Reason.BROKER_UNREACHABLE, "the Kafka thread has ended unasked")

    def _stream(self, followers: Followers, codec: Codec, tracer: Tracer) -> Stream:
        kafka, ledger, loop = self._settings.kafka, self._ledger_codec, asyncio.get_running_loop()
        names = Topics(kafka.commands, kafka.outcomes, kafka.dead_letters, kafka.ledger)
        encoders = Encoders(
            entry=self._ledger.encode,
            project=lambda state: ledger.encode(schemas.LEDGER, project_out(state)),
            halt=lambda halt: ledger.encode(schemas.LEDGER, halt_out(halt)),
            outcome=lambda outcome: codec.encode(schemas.OUTCOMES, outcome_out(outcome)),
        )
        intake = Intake(codec.decode_command, self._projects.rules, kafka.partitions)
        return Stream(
            config=consumer_config(self._settings),
            producer_config=producer_config(self._settings),
            transactor=lambda config: Transactor(config, names, encoders, tracer),
            desk=RequestDesk(intake, followers, self._settings.most_undispatched),
            shard_of=self._shard,
            clock=self._clock,
            topics=names,
            meter=self._meter,
            tracer=tracer,
            prepare=lambda: prepare_encoder(codec),
            ended=lambda: self._tell_ended(loop),
        )

    def _tell_ended(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._stream_ended.set)

    def _shard(self) -> Shard:
        return Shard(self._ledger, self._settings.dedupe_days * DAY_MS)


async def schema_source(settings: Settings, stack: AsyncExitStack) -> SchemaSource:
    """Where the ids of the public schemas come from: the registry of the settings, else the schemas themselves."""
    registry = settings.schema_registry
    if registry is None:
        return DirectorySource()
    session = await stack.enter_async_context(aiohttp.ClientSession())
    client = RegistryClient(session, registry.url, registry.user, registry.secret())
    names = public_subjects(settings)
    return RegistrySource(client, asyncio.get_running_loop(), names, register=registry.register_schemas)


def public_subjects(settings: Settings) -> dict[str, str]:
    """The subjects that others write or read, as a registry knows them: by the topics' names."""
    kafka = settings.kafka
    topic_of = {
        schemas.COMMANDS: kafka.commands,
        schemas.OUTCOMES: kafka.outcomes,
        schemas.DISCOVERY_COMMANDS: kafka.discovery_commands,
        schemas.DISCOVERY_OUTCOMES: kafka.discovery_outcomes,
        schemas.INVENTORY: kafka.inventory,
    }
    return {subject: f"{topic}-value" for subject, topic in topic_of.items()}


def prepare_encoder(codec: Codec) -> None:
    """Have the id that outcomes are written with before the first of them is due. `Deferred`: the registry is down."""
    codec.encoder(schemas.OUTCOMES)


def topic_specs(
    settings: Settings, roles: Collection[topics.Role] = frozenset(topics.Role)
) -> tuple[topics.TopicSpec, ...]:
    """The topics as these settings want them."""
    kafka = settings.kafka
    names = {
        topics.Role.COMMANDS: kafka.commands,
        topics.Role.OUTCOMES: kafka.outcomes,
        topics.Role.DEAD_LETTERS: kafka.dead_letters,
        topics.Role.LEDGER: kafka.ledger,
        topics.Role.DISCOVERY_COMMANDS: kafka.discovery_commands,
        topics.Role.DISCOVERY_TASKS: kafka.discovery_tasks,
        topics.Role.DISCOVERY_RESULTS: kafka.discovery_results,
        topics.Role.DISCOVERY_LEDGER: kafka.discovery_ledger,
        topics.Role.DISCOVERY_OUTCOMES: kafka.discovery_outcomes,
        topics.Role.INVENTORY: kafka.inventory,
    }
    return tuple(spec for spec in topics.table(kafka.partitions, names) if spec.role in roles)


def verify_topics(settings: Settings, roles: Collection[topics.Role]) -> None:
    """Refuse to start on topics that would lose or repeat a command: `Fatal`. Lesser flaws are logged. Blocks."""
    dedupe_ms = settings.dedupe_days * DAY_MS
    for finding in admin.check(client_config(settings), topic_specs(settings, roles), dedupe_ms):
        if reason := admin.FATAL.get(finding.flaw):
            raise Fatal(reason, f"{finding.topic}: wanted {finding.wanted or '-'}, found {finding.found or '-'}")
        structlog.get_logger().warning("topic_flaw", topic=finding.topic, flaw=finding.flaw.value)


def client_config(settings: Settings) -> dict[str, Any]:
    """librdkafka's settings for any client."""
    extra = settings.kafka.extra
    secrets = [Secret(value) for name, value in extra.items() if "password" in name or "secret" in name]
    return {"bootstrap.servers": settings.kafka.bootstrap_servers, "logger": KafkaLog(secrets), **extra}


def consumer_config(settings: Settings) -> dict[str, Any]:
    """For the group's consumer."""
    return client_config(settings) | {
        "group.id": settings.kafka.group_id,
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": settings.kafka.session_timeout_ms,
        "heartbeat.interval.ms": min(3_000, settings.kafka.session_timeout_ms // 10),
        "fetch.queue.backoff.ms": 20,
    }


def producer_config(settings: Settings) -> dict[str, Any]:
    """For the transactional producer: one stable id for each replica, so that a restart fences its predecessor."""
    return client_config(settings) | {
        "transactional.id": f"{settings.kafka.group_id}-{settings.kafka.replica}",
        "transaction.timeout.ms": 15_000,
        "partitioner": "murmur2_random",
        "message.max.bytes": topics.LEDGER_BYTES,
        "linger.ms": 1,
    }
