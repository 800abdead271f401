"""The requests stage, wired: one Kafka thread, one event loop, and what passes between them.

The only module, beside the command line, that constructs adapters.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from confluent_kafka import KafkaException

import schemas
from consumer.adapters.amplitude.client import AmplitudeClient
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.kafka.admin import LEDGER_BYTES
from consumer.adapters.kafka.stream import Stream
from consumer.adapters.kafka.transaction import Encoders, Topics, Transactor
from consumer.adapters.ledger_codec import ledger_codec
from consumer.adapters.wire import outcome_out, project_out
from consumer.desk import RequestDesk
from consumer.domain.deadline import DAY_MS
from consumer.domain.errors import Fatal, Reason
from consumer.domain.subject import Millis
from consumer.lane import LanePolicy
from consumer.lanes import Lanes
from consumer.ledger import Shard
from consumer.ports import Clock
from consumer.requests import Intake
from consumer.settings import Settings


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Millis:
        """Calendar time."""
        return Millis(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()


class RequestsStage:
    """`run` until `stop`. Construct and run it in one event loop. `policy` and `clock` are for rehearsals."""

    def __init__(self, settings: Settings, clock: Clock | None = None, policy: LanePolicy | None = None) -> None:
        self._settings, self._clock = settings, clock or SystemClock()
        self._policy = policy or LanePolicy(settings.linger_s, int(settings.poll_minutes * 60_000), settings.requester)
        self._codec = Codec(DirectorySource())
        self._ledger = ledger_codec(self._codec)
        self._rules = settings.rules()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Finish the turn, leave the group, end. Calls in flight are reconciled by the next owner."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve. Raises `Fatal` when the process must be restarted, and whatever a bug raised."""
        client = AmplitudeClient(self._clock)
        lanes = Lanes(
            ledger=lambda: stream,
            access=self._settings.access,
            privacy=client,
            clock=self._clock,
            policy=self._policy,
            lease_s=self._settings.kafka.session_timeout_ms / 2000,
        )
        stream = self._stream(lanes)
        stream.start()
        try:
            await self._serve(stream, lanes)
        finally:
            stream.stop()
            await asyncio.to_thread(stream.join, 30)
            await lanes.close()
            await client.close()

    async def _serve(self, stream: Stream, lanes: Lanes) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        ended = asyncio.create_task(asyncio.to_thread(stream.join))
        waiting: list[asyncio.Future[Any]] = [stopping, ended, lanes.failed]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if lanes.failed.done():
            await lanes.failed
        if isinstance(stream.failure, KafkaException):
            raise Fatal(Reason.BROKER_UNREACHABLE)
        if stream.failure is not None:
            raise stream.failure

    def _stream(self, lanes: Lanes) -> Stream:
        kafka, codec = self._settings.kafka, self._codec
        topics = Topics(kafka.commands, kafka.outcomes, kafka.dead_letters, kafka.ledger)
        encoders = Encoders(
            entry=self._ledger.encode,
            project=lambda state: codec.encode(schemas.LEDGER, project_out(state)),
            outcome=lambda outcome: codec.encode(schemas.OUTCOMES, outcome_out(outcome)),
        )
        intake = Intake(codec.decode_command, lambda: self._rules, kafka.partitions)
        return Stream(
            config=consumer_config(self._settings),
            producer_config=producer_config(self._settings),
            transactor=lambda config: Transactor(config, topics, encoders),
            desk=RequestDesk(intake, lanes, self._settings.most_undispatched),
            shard_of=self._shard,
            clock=self._clock,
            topics=topics,
        )

    def _shard(self) -> Shard:
        return Shard(self._ledger, self._settings.dedupe_days * DAY_MS)


def client_config(settings: Settings) -> dict[str, Any]:
    """librdkafka's settings for any client."""
    return {"bootstrap.servers": settings.kafka.bootstrap_servers, **settings.kafka.extra}


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
        "message.max.bytes": LEDGER_BYTES,
        "linger.ms": 1,
    }
