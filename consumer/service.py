"""The requests stage, wired: one Kafka thread, one event loop, and what passes between them.

The only module, beside the command line, that constructs adapters.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from typing import Any

import aiohttp
import structlog
from confluent_kafka import KafkaException

import schemas
from consumer.adapters.admin_server import AdminServer
from consumer.adapters.amplitude.client import AmplitudeClient
from consumer.adapters.amplitude.v2 import EitherVersion
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.registry import RegistryClient, RegistrySource
from consumer.adapters.avro.source import DirectorySource, SchemaSource
from consumer.adapters.kafka import admin
from consumer.adapters.kafka.stream import Stream
from consumer.adapters.kafka.transaction import Encoders, Topics, Transactor
from consumer.adapters.ledger_codec import ledger_codec
from consumer.adapters.logs import KafkaLog
from consumer.adapters.meters import Meters
from consumer.adapters.metrics import PrometheusMeter
from consumer.adapters.probes import Probes
from consumer.adapters.wire import halt_out, outcome_out, project_out
from consumer.desk import RequestDesk
from consumer.domain.deadline import DAY_MS
from consumer.domain.errors import Fatal, Reason
from consumer.domain.subject import Millis, Secret
from consumer.lanes import LanePolicy, Lanes
from consumer.ledger import Shard
from consumer.ports import Clock, Meter
from consumer.projects import Projects
from consumer.requests import Intake
from consumer.settings import Settings

STUCK_S = 90.0
"""Every call into the Kafka client returns within 30 s, or is known to be stuck: then only a restart helps."""
LEAVE_S = 30.0
"""How long the Kafka thread may take to settle and leave."""


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
        stuck_s: float = STUCK_S,
    ) -> None:
        self._settings, self._clock, self._stuck_s = settings, clock or SystemClock(), stuck_s
        self._policy = policy or LanePolicy(settings.linger_s, int(settings.poll_minutes * 60_000), settings.requester)
        self._ledger_codec = Codec(DirectorySource())
        self._ledger = ledger_codec(self._ledger_codec)
        self._projects = Projects(settings)
        self._metrics = PrometheusMeter(self._projects.rules)
        self._meter: Meter = Meters(self._metrics, meter) if meter else self._metrics
        self._stopping, self._stream_ended = asyncio.Event(), asyncio.Event()

    def stop(self) -> None:
        """Finish the turn, wait a few seconds for answers that are on their way, leave the group, end."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve. Raises `Fatal` when the process must be restarted, and whatever a bug raised."""
        if self._settings.kafka.verify_topics:
            await asyncio.to_thread(verify_topics, self._settings)
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(AmplitudeClient(self._clock))
            codec = Codec(await self._schemas(stack))
            lanes = Lanes(
                ledger=lambda: stream,
                access=self._projects.access,
                privacy=EitherVersion(client),
                clock=self._clock,
                policy=self._policy,
                lease_s=self._settings.kafka.session_timeout_ms / 2000,
                meter=self._meter,
            )
            stack.push_async_callback(lanes.close)
            stream = self._stream(lanes, codec)
            probes = Probes(lambda: stream.report, lanes.report, self._clock)
            await self._open_admin_port(stack, probes)
            stream.start()
            stack.push_async_callback(asyncio.to_thread, stream.join, LEAVE_S)
            stack.callback(stream.stop)
            stack.callback(probes.drain)
            await self._serve(stream, lanes)

    async def _open_admin_port(self, stack: AsyncExitStack, probes: Probes) -> None:
        admin = self._settings.admin
        if admin.port is not None:
            await stack.enter_async_context(AdminServer(self._metrics.registry, probes, admin.host, admin.port))

    async def _schemas(self, stack: AsyncExitStack) -> SchemaSource:
        registry = self._settings.schema_registry
        if registry is None:
            return DirectorySource()
        session = await stack.enter_async_context(aiohttp.ClientSession())
        kafka, loop = self._settings.kafka, asyncio.get_running_loop()
        names = {schemas.COMMANDS: f"{kafka.commands}-value", schemas.OUTCOMES: f"{kafka.outcomes}-value"}
        client = RegistryClient(session, registry.url, registry.user, registry.secret())
        return RegistrySource(client, loop, names, register=registry.register_schemas)

    async def _serve(self, stream: Stream, lanes: Lanes) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        ended = asyncio.create_task(self._stream_ended.wait())
        waiting: list[asyncio.Future[Any]] = [stopping, ended, lanes.failed]
        while not any(waited.done() for waited in waiting):
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=self._stuck_s / 10)
            if self._clock.monotonic() - stream.stirred_at > self._stuck_s:
                raise Fatal(Reason.BROKER_UNREACHABLE, "a call of the Kafka client does not return")
        for waited in (stopping, ended):
            waited.cancel()
        if lanes.failed.done():
            await lanes.failed
        if isinstance(stream.failure, KafkaException):
            raise Fatal(Reason.BROKER_UNREACHABLE)
        if stream.failure is not None:
            raise stream.failure
        if not self._stopping.is_set():
            raise Fatal(Reason.BROKER_UNREACHABLE, "the Kafka thread has ended unasked")

    def _stream(self, lanes: Lanes, codec: Codec) -> Stream:
        kafka, ledger, loop = self._settings.kafka, self._ledger_codec, asyncio.get_running_loop()
        topics = Topics(kafka.commands, kafka.outcomes, kafka.dead_letters, kafka.ledger)
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
            transactor=lambda config: Transactor(config, topics, encoders),
            desk=RequestDesk(intake, lanes, self._settings.most_undispatched),
            shard_of=self._shard,
            clock=self._clock,
            topics=topics,
            meter=self._meter,
            prepare=lambda: prepare_encoder(codec),
            ended=lambda: self._tell_ended(loop),
        )

    def _tell_ended(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._stream_ended.set)

    def _shard(self) -> Shard:
        return Shard(self._ledger, self._settings.dedupe_days * DAY_MS)


def prepare_encoder(codec: Codec) -> None:
    """Have the id that outcomes are written with before the first of them is due. `Deferred`: the registry is down."""
    codec.encoder(schemas.OUTCOMES)


def topic_specs(settings: Settings) -> tuple[admin.TopicSpec, ...]:
    """The topics as these settings want them."""
    kafka = settings.kafka
    names = {
        admin.Role.COMMANDS: kafka.commands,
        admin.Role.OUTCOMES: kafka.outcomes,
        admin.Role.DEAD_LETTERS: kafka.dead_letters,
        admin.Role.LEDGER: kafka.ledger,
    }
    return admin.table(kafka.partitions, names)


def verify_topics(settings: Settings) -> None:
    """Refuse to start on topics that would lose or repeat a command: `Fatal`. Lesser flaws are logged. Blocks."""
    dedupe_ms = settings.dedupe_days * DAY_MS
    for finding in admin.check(client_config(settings), topic_specs(settings), dedupe_ms):
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
        "message.max.bytes": admin.LEDGER_BYTES,
        "linger.ms": 1,
    }
