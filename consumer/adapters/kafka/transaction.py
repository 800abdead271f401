"""One turn, one transaction: ledger entries, outcomes, dead letters, re-routed records and offsets, or none of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, Producer, TopicPartition

from consumer.adapters.cloudevents import headers as cloudevent
from consumer.domain.entry import LedgerKey
from consumer.domain.errors import Fatal, Reason
from consumer.domain.halt import HALT_KEY
from consumer.ledger import headers_of
from consumer.requests import REROUTED
from consumer.turn import Partition, Record, Turn

ATTEMPTS = "dsr.attempts"
"""Header that counts how often a record was dead-lettered; a re-driven record keeps it."""
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
    halt: Callable[[Any], bytes]
    outcome: Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = -1
    headers: tuple[tuple[str, bytes | None], ...] = ()


Written = dict[tuple[Partition, LedgerKey], bytes]
"""The ledger entries of one turn as they were encoded."""


class Aborted(Exception):
    """The transaction left nothing behind; the turn must be decided again."""


class Transactor:
    """Owns the transactional producer. Only the Kafka thread calls it; every method may block."""

    def __init__(self, config: Mapping[str, Any], topics: Topics, encoders: Encoders) -> None:
        self._producer = Producer(dict(config))
        self._topics, self._encoders = topics, encoders
        self.returned_at = time.monotonic()
        """When a call into librdkafka last returned: `send_offsets_to_transaction` has been seen never to (2.16.0, a
        broker killed in the middle), whatever its time-out, and then somebody else must notice."""
        self._persist(lambda: self._producer.init_transactions(CALL_S * 3))

    def commit(self, turn: Turn, offsets: Mapping[Partition, int], group: Any) -> Written:
        """Write the turn; returns the encoded ledger entries, so that memory need not encode them again.

        Raises `Aborted` when nothing was written, `Fatal(FENCED)` when another took our place.

        `offsets` name every partition the turn touched, moved or not: the broker then checks that this member still
        has its place in the group, which is what stops a process that was frozen (the zombie fence).
        """
        written = self._encoded(turn)
        self._producer.poll(0)  # what librdkafka has to log waits for this
        try:
            self._producer.begin_transaction()
            for message in self._messages(turn, written):
                self._produce(message)
            commands = [TopicPartition(self._topics.commands, p, offset) for p, offset in offsets.items()]
            self._persist(lambda: self._producer.send_offsets_to_transaction(commands, group, CALL_S))
            self._persist(lambda: self._producer.commit_transaction(CALL_S))
        except KafkaException as error:
            _raise_if_fatal(error)
            self._persist(lambda: self._producer.abort_transaction(CALL_S))
            raise Aborted from None
        return written

    def _encoded(self, turn: Turn) -> Written:
        encode = self._encoders.entry
        return {place: encode(entry) for place, entry in turn.entries.items() if entry is not None}

    def _persist(self, call: Callable[[], None]) -> None:
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
            finally:
                self.returned_at = time.monotonic()

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

    def _messages(self, turn: Turn, written: Written) -> Iterator[_Message]:
        encode, topics = self._encoders, self._topics
        for place, entry in turn.entries.items():
            partition, key = place
            yield _Message(topics.ledger, key.encode(), written.get(place), partition, headers_of(entry))
        for (partition, project), state in turn.projects.items():
            yield _Message(topics.ledger, f"project/{project}".encode(), encode.project(state), partition)
        for partition, halt in turn.halts.items():
            yield _Message(topics.ledger, HALT_KEY.encode(), encode.halt(halt), partition)
        for outcome in turn.outcomes:
            about = outcome.request_id or outcome.command_id or ""
            yield _Message(topics.outcomes, about.encode(), encode.outcome(outcome), headers=cloudevent(outcome))
        for letter in turn.dead:
            headers = _why(letter.record, topics.commands, letter.reason, turn.now)
            yield _Message(topics.dead_letters, letter.record.key, letter.record.value, headers=headers)
        for reroute in turn.rerouted:
            headers = (*reroute.record.headers, (REROUTED, str(reroute.record.partition).encode()))
            yield _Message(topics.commands, reroute.record.key, reroute.record.value, reroute.partition, headers)


def _why(record: Record, topic: str, reason: Reason, now: int) -> tuple[tuple[str, bytes | None], ...]:
    """The record's headers, Kafka Connect's (KIP-298) and ours; never an exception's message: it can quote a value."""
    kept = tuple(header for header in record.headers if header[0] != ATTEMPTS)
    told = {
        "__connect.errors.topic": topic,
        "__connect.errors.partition": record.partition,
        "__connect.errors.offset": record.offset,
        "__connect.errors.connector.name": "amplitude-dsr",
        "__connect.errors.stage": "VALUE_CONVERTER",
        "dsr.reason": reason.value,
        ATTEMPTS: 1 + _attempts(record),
        "dsr.failed_at": now,
    }
    return (*kept, *((name, str(value).encode()) for name, value in told.items()))


def _attempts(record: Record) -> int:
    """How often it was dead-lettered before. A header that is no number was not ours."""
    given = next((value for name, value in record.headers if name == ATTEMPTS), None) or b"0"
    return int(given) if given.isdigit() and len(given) < 6 else 0


def _raise_if_fatal(error: KafkaException) -> None:
    if error.args[0].fatal() or not error.args[0].txn_requires_abort():
        raise Fatal(Reason.FENCED, error.args[0].name()) from None
