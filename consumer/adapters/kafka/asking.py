"""Asking a broker that may not be ready yet: a leader that has just moved, a coordinator that loads its state."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaException

Answer = TypeVar("Answer")

ASK_S = 30.0
AGAIN_S = 0.2


def patiently(ask: Callable[[], Answer]) -> Answer:
    """The answer, asked for again for up to `ASK_S` while there is an error; then the error. Blocks.

    For questions only (offsets, watermarks). Which errors pass by themselves librdkafka does not tell outside of
    transactions, and a question that is asked once too often does no harm.
    """
    until = time.monotonic() + ASK_S
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].fatal() or time.monotonic() > until:
                raise
        time.sleep(AGAIN_S)
