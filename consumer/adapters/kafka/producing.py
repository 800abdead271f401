"""The transactional producer: messages and offsets, all of them or none. And the headers of a dead letter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, Producer, TopicPartition

from consumer.domain.errors import Fatal, Reason
from consumer.domain.letter import ATTEMPTS
from consumer.turn import Record

CALL_S = 10.0
RETRY_FOR_S = 120.0


@dataclass(frozen=True, slots=True)
class Message:
    """A record to be written. `partition` -1: whichever the key belongs to. Prints without key, value and headers."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = -1
    headers: tuple[tuple[str, bytes | None], ...] = ()

    def __repr__(self) -> str:
        return f"Message({self.topic!r})"


class Aborted(Exception):
    """The transaction left nothing behind; what it was to write must be decided again."""


class TransactionalProducer:
    """One producer with a transactional id. Only its thread calls it; every method may block."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._producer = Producer(dict(config))
        self.returned_at = time.monotonic()
        """When a call into librdkafka last returned: `send_offsets_to_transaction` has been seen never to (2.16.0, a
        broker killed in the middle), whatever its time-out, and then somebody else must notice."""
        self._persist(lambda: self._producer.init_transactions(CALL_S * 3))

    def write(self, messages: Iterable[Message], offsets: list[TopicPartition], group: Any) -> None:
        """Write the messages and the offsets of the consumer `group` (its metadata, taken anew for each transaction).

        Raises `Aborted` when nothing was written, `Fatal(FENCED)` when another took our place. `offsets` should name
        every partition that is owned, moved or not: the broker then checks that this member still has its place in
        the group, which is what stops a process that was frozen (the zombie fence).
        """
        self._producer.poll(0)  # what librdkafka has to log waits for this
        try:
            self._producer.begin_transaction()
            for message in messages:
                self._produce(message)
            self._persist(lambda: self._producer.send_offsets_to_transaction(offsets, group, CALL_S))
            self._persist(lambda: self._producer.commit_transaction(CALL_S))
        except KafkaException as error:
            _raise_if_fatal(error)
            self._persist(lambda: self._producer.abort_transaction(CALL_S))
            raise Aborted from None

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

    def _produce(self, message: Message) -> None:
        headers: Any = list(message.headers)
        place: dict[str, Any] = {"partition": message.partition} if message.partition >= 0 else {}
        while True:
            try:
                self._producer.produce(message.topic, message.value, message.key, headers=headers, **place)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return


def why_dead(record: Record, topic: str, reason: Reason, now: int) -> tuple[tuple[str, bytes | None], ...]:
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
