"""Reading a topic from outside the group: to its end, or on and on. Commits nothing, takes no partition away.

Only committed records are read. Every method may block; `Fatal(BROKER_UNREACHABLE)` when Kafka does not answer and
`Fatal(TOPIC_MISSING)` when there is no such topic.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, cast

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.domain.errors import Fatal, Reason
from consumer.domain.subject import Millis
from consumer.turn import Partition, Record

PROBE_S = 8
ANSWER_S = 10.0
PATIENCE_S = 20.0
"""How long an open transaction may hide the end of a partition before what is committed is taken for everything."""
BATCH = 1_000

EMBEDDED = "mockCluster"
"""How the id of librdkafka's mock cluster begins."""

Positions = Mapping[Partition, int]


def probe(config: Mapping[str, Any]) -> None:
    """Returns when Kafka answers; `Fatal(BROKER_UNREACHABLE)` after `PROBE_S` without an answer. Blocks until then.

    To be called before anything is produced: afterwards, what a lost connection means is less certain.
    """
    try:
        AdminClient({**config, "log_level": 0}).list_topics(timeout=PROBE_S)
    except KafkaException:
        where = config["bootstrap.servers"]
        unsent = f"no connection to {where} within {PROBE_S} s; nothing was sent"
        raise Fatal(Reason.BROKER_UNREACHABLE, unsent) from None


_LOST = {
    KafkaError._TRANSPORT,  # noqa: SLF001 (librdkafka's public constants)
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
    KafkaError._WAIT_COORD,  # noqa: SLF001
    KafkaError.REQUEST_TIMED_OUT,
}


def lost(error: KafkaError) -> str:
    """What went wrong with a broker that had answered before, in words, or in the broker's own code."""
    if error.code() in _LOST:
        return "the connection to Kafka was lost"
    return f"Kafka refuses: {error.name().lstrip('_').lower()}"


@contextmanager
def reaching(topic: str) -> Iterator[None]:
    """Turns the client library's errors into ours: by their code, never by their text."""
    try:
        yield
    except KafkaException as error:
        code = error.args[0]
        if code.code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}:  # noqa: SLF001 (public)
            raise _missing(topic) from None
        raise Fatal(Reason.BROKER_UNREACHABLE, f"{topic}: {lost(code)}") from None


def _missing(topic: str) -> Fatal:
    return Fatal(Reason.TOPIC_MISSING, f"{topic} does not exist; `dsr topics create` makes it")


class TopicReader:
    """One topic, all partitions. Use as a context manager, in one thread. `config` is any librdkafka client's."""

    def __init__(self, config: Mapping[str, Any], topic: str) -> None:
        own = {"group.id": "dsr-reader", "enable.auto.commit": False, "fetch.queue.backoff.ms": 20, "log_level": 0}
        self._config = own | dict(config) | {"isolation.level": "read_committed", "enable.partition.eof": True}
        self._topic = topic
        self._consumer: Consumer | None = None

    def __enter__(self) -> Self:
        self._consumer = Consumer(self._config)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def partitions(self) -> list[Partition]:
        """The topic's partitions, in order."""
        with reaching(self._topic):
            found = self._client.list_topics(self._topic, timeout=ANSWER_S).topics[self._topic]
        if found.error is not None:
            raise _missing(self._topic)
        return sorted(Partition(number) for number in found.partitions)

    def ends(self) -> dict[Partition, int]:
        """Where each partition ends now, open transactions included: what is said from here on comes after."""
        with reaching(self._topic), _uncommitted(self._config) as marks:
            return {
                partition: marks.get_watermark_offsets(TopicPartition(self._topic, partition), ANSWER_S)[1]
                for partition in self.partitions()
            }

    def since(self, instant: Millis) -> dict[Partition, int]:
        """The first offset of each partition that was written at `instant` or later; its end if there is none.

        The embedded broker cannot be asked by time: there it is the beginning.
        """
        with reaching(self._topic):
            if (self._client.list_topics(self._topic, timeout=ANSWER_S).cluster_id or "").startswith(EMBEDDED):
                return dict.fromkeys(self.partitions(), OFFSET_BEGINNING)
            asked = [TopicPartition(self._topic, partition, instant) for partition in self.partitions()]
            found = self._client.offsets_for_times(asked, timeout=ANSWER_S)
        return {Partition(place.partition): place.offset if place.offset >= 0 else OFFSET_END for place in found}

    def to_end(self, start: Positions | None = None) -> Iterator[Record]:
        """Every record that is committed now, in each partition's order, from `start` (default: the beginning)."""
        marks = self.ends()
        left = {partition for partition, mark in marks.items() if mark > 0}
        self._assign(start or dict.fromkeys(marks, OFFSET_BEGINNING))
        until = time.monotonic() + PATIENCE_S
        while left and time.monotonic() < until:
            for message in self._consume(0.2):
                partition = Partition(cast("int", message.partition()))
                if message.error() is None:
                    until = time.monotonic() + PATIENCE_S
                    yield record_of(message)
                elif (message.offset() or 0) >= marks[partition]:
                    left.discard(partition)

    def follow(self, start: Positions | None = None) -> Iterator[Record | None]:
        """Every committed record from `start` (default: the end), for ever; None after each while without any."""
        self._assign(start or self.ends())
        while True:
            found = [message for message in self._consume(0.2) if message.error() is None]
            yield from map(record_of, found)
            if not found:
                yield None

    def _assign(self, start: Positions) -> None:
        with reaching(self._topic):
            self._client.assign([TopicPartition(self._topic, partition, offset) for partition, offset in start.items()])

    def _consume(self, timeout_s: float) -> list[Message]:
        """At most a batch; of errors only "end of partition", the rest is raised when it is no passing one."""
        with reaching(self._topic):
            first = self._client.poll(timeout_s)
            messages = [] if first is None else [first, *self._client.consume(BATCH - 1, 0)]
        return [message for message in messages if _usable(message)]

    @property
    def _client(self) -> Consumer:
        if self._consumer is None:
            raise RuntimeError("the reader is not open")
        return self._consumer


def _usable(message: Message) -> bool:
    error = message.error()
    if error is None or error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 (librdkafka's public constant)
        return True
    if error.fatal():
        raise Fatal(Reason.BROKER_UNREACHABLE, lost(error))
    return False


@contextmanager
def _uncommitted(config: Mapping[str, Any]) -> Iterator[Consumer]:
    marks = Consumer({**config, "isolation.level": "read_uncommitted"})
    try:
        yield marks
    finally:
        marks.close()


def record_of(message: Message) -> Record:
    """The message as a value that does not print its content."""
    headers = cast("tuple[tuple[str, bytes | None], ...]", tuple(message.headers() or ()))
    place = Partition(cast("int", message.partition()))
    return Record(place, cast("int", message.offset()), message.key(), message.value(), headers)
