"""What every member of a consumer group needs: callbacks whose exceptions arrive, and messages that are messages."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from consumer.adapters.kafka.asking import ASK_S, patiently
from consumer.domain.errors import Fatal, Reason

Rebalanced = Callable[[Consumer, list[TopicPartition]], None]


class Guard:
    """Keeps what a rebalance callback raises until `check`: confluent-kafka 2.16.1 turns a `KafkaException` that leaves
    a callback into an object that is no exception, which no `except` catches and which ends the thread unseen."""

    def __init__(self) -> None:
        self._trouble: Exception | None = None

    def __call__(self, callback: Rebalanced) -> Rebalanced:
        """The callback, guarded."""

        def guarded(consumer: Consumer, places: list[TopicPartition]) -> None:
            try:
                callback(consumer, places)
            except Exception as error:  # noqa: BLE001 (raised by `check`)
                self._trouble = self._trouble or error

        return guarded

    def check(self) -> None:
        """Raise what a callback has raised. Call it after each poll."""
        if self._trouble is not None:
            raise self._trouble


def usable(message: Message) -> bool:
    """Whether it is a message, and no passing error. `Fatal(FENCED)` when this member has lost its place."""
    error = message.error()
    if error is None:
        return True
    if error.fatal() or error.code() == KafkaError._MAX_POLL_EXCEEDED:  # noqa: SLF001 (a public constant)
        raise Fatal(Reason.FENCED, error.name())
    return False


def committed(consumer: Consumer, places: list[TopicPartition]) -> list[TopicPartition]:
    """Where the group left off in each place; its beginning if nobody was there. Blocks while the broker is not ready.

    It waits for offsets in pending transactions, so what belongs to them can be read afterwards.
    """
    found = patiently(lambda: consumer.committed(places, timeout=ASK_S)) if places else []
    for place in found:
        if place.offset < 0:
            place.offset = _beginning(consumer, place)
    return found


def _beginning(consumer: Consumer, place: TopicPartition) -> int:
    return patiently(lambda: consumer.get_watermark_offsets(place, timeout=ASK_S))[0]
