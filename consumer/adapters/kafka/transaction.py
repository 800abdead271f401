"""One turn, one transaction: ledger entries, outcomes, dead letters, re-routed records and offsets, or none of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, Producer, TopicPartition

from consumer.domain.errors import Fatal, Reason
from consumer.requests import REROUTED
from consumer.turn import Partition, Record, Turn

CALL_S = 10.0
RETRY_FOR_S = 120.0


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics' names."""

    commands: str = "dsr.commands"
    outcomes: str = "dsr.outcomes"
    dead_letters: str = "dsr.commands.dlq"
    ledger: str = "dsr.ledger"


@dataclass(frozen=True, slots=True)
class Encoders:
    """How a turn's values become bytes."""

    entry: Callable[[Any], bytes]
    project: Callable[[Any], bytes]
    outcome: Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = -1
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Aborted(Exception):
    """The transaction left nothing behind; the turn must be decided again."""


class Transactor:
    """Owns the transactional producer. Only the Kafka thread calls it; every method may block."""

    def __init__(self, config: Mapping[str, Any], topics: Topics, encoders: Encoders) -> None:
        self._producer = Producer(dict(config))
        self._topics, self._encoders = topics, encoders
        _persist(lambda: self._producer.init_transactions(CALL_S * 3))

    def commit(self, turn: Turn, offsets: Mapping[Partition, int], group: Any) -> None:
        """Write the turn. Raises `Aborted` when nothing was written, `Fatal(FENCED)` when another took our place.

        `offsets` name every partition the turn touched, moved or not: the broker then checks that this member still
        has its place in the group, which is what stops a process that was frozen (the zombie fence).
        """
        try:
            self._producer.begin_transaction()
            for message in self._messages(turn):
                self._produce(message)
            commands = [TopicPartition(self._topics.commands, p, offset) for p, offset in offsets.items()]
            _persist(lambda: self._producer.send_offsets_to_transaction(commands, group, CALL_S))
            _persist(lambda: self._producer.commit_transaction(CALL_S))
        except KafkaException as error:
            _raise_if_fatal(error)
            _persist(lambda: self._producer.abort_transaction(CALL_S))
            raise Aborted from None

    def _produce(self, message: _Message) -> None:
        headers: Any = list(message.headers)
        place: dict[str, Any] = {"partition": message.partition} if message.partition >= 0 else {}
        while True:
            try:
                self._producer.produce(message.topic, message.value, message.key, headers=headers, **place)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _messages(self, turn: Turn) -> Iterator[_Message]:
        encode, topics = self._encoders, self._topics
        for (partition, key), entry in turn.entries.items():
            value = encode.entry(entry) if entry is not None else None
            yield _Message(topics.ledger, key.encode(), value, partition)
        for (partition, project), state in turn.projects.items():
            yield _Message(topics.ledger, f"project/{project}".encode(), encode.project(state), partition)
        for outcome in turn.outcomes:
            request = outcome.entry.request_id if outcome.entry else outcome.asked and outcome.asked.request_id
            about = request or outcome.command_id or ""
            yield _Message(topics.outcomes, about.encode(), encode.outcome(outcome))
        for letter in turn.dead:
            headers = (*letter.record.headers, *_why(letter.record, topics.commands, letter.reason, turn.now))
            yield _Message(topics.dead_letters, letter.record.key, letter.record.value, headers=headers)
        for reroute in turn.rerouted:
            headers = (*reroute.record.headers, (REROUTED, str(reroute.record.partition).encode()))
            yield _Message(topics.commands, reroute.record.key, reroute.record.value, reroute.partition, headers)


def _why(record: Record, topic: str, reason: Reason, now: int) -> tuple[tuple[str, bytes], ...]:
    """Kafka Connect's header names (KIP-298) and ours; never an exception's message, which can quote a value."""
    told = {
        "__connect.errors.topic": topic,
        "__connect.errors.partition": record.partition,
        "__connect.errors.offset": record.offset,
        "__connect.errors.connector.name": "amplitude-dsr",
        "__connect.errors.stage": "VALUE_CONVERTER",
        "dsr.reason": reason.value,
        "dsr.attempts": 1,
        "dsr.failed_at": now,
    }
    return tuple((name, str(value).encode()) for name, value in told.items())


def _persist(call: Callable[[], None]) -> None:
    """Retry what librdkafka calls retriable: a commit that timed out must be asked for again, never aborted."""
    until = time.monotonic() + RETRY_FOR_S
    while True:
        try:
            call()
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > until:
                raise
        else:
            return


def _raise_if_fatal(error: KafkaException) -> None:
    if error.args[0].fatal() or not error.args[0].txn_requires_abort():
        raise Fatal(Reason.FENCED, error.args[0].name()) from None
