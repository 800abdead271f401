"""One turn, one transaction: ledger entries, outcomes, dead letters, re-routed records and offsets, or none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import TopicPartition

from consumer.adapters.cloudevents import headers as cloudevent
from consumer.adapters.kafka.producing import Message, TransactionalProducer, why_dead
from consumer.domain.entry import LedgerKey
from consumer.domain.halt import HALT_KEY
from consumer.ledger import headers_of
from consumer.requests import REROUTED
from consumer.trace_ports import NoTracer, Tracer
from consumer.turn import Partition, Turn


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


Written = dict[tuple[Partition, LedgerKey], bytes]
"""The ledger entries of one turn as they were encoded."""


class Transactor(TransactionalProducer):
    """Writes turns. Only the Kafka thread calls it; every method may block."""

    def __init__(
        self, config: Mapping[str, Any], topics: Topics, encoders: Encoders, tracer: Tracer | None = None
    ) -> None:
        self._topics, self._encoders, self._tracer = topics, encoders, tracer or NoTracer()
        super().__init__(config)

    def commit(self, turn: Turn, offsets: Mapping[Partition, int], group: Any) -> Written:
        """Write the turn; returns the encoded ledger entries, so that memory need not encode them again.

        Raises as `write`. `offsets` name every partition the turn touched, moved or not.
        """
        written = self._encoded(turn)
        commands = [TopicPartition(self._topics.commands, p, offset) for p, offset in offsets.items()]
        self.write(self._messages(turn, written), commands, group)
        return written

    def _encoded(self, turn: Turn) -> Written:
        encode = self._encoders.entry
        return {place: encode(entry) for place, entry in turn.entries.items() if entry is not None}

    def _messages(self, turn: Turn, written: Written) -> Iterator[Message]:
        encode, topics = self._encoders, self._topics
        for place, entry in turn.entries.items():
            partition, key = place
            yield Message(topics.ledger, key.encode(), written.get(place), partition, headers_of(entry))
        for (partition, project), state in turn.projects.items():
            yield Message(topics.ledger, f"project/{project}".encode(), encode.project(state), partition)
        for partition, halt in turn.halts.items():
            yield Message(topics.ledger, HALT_KEY.encode(), encode.halt(halt), partition)
        for outcome in turn.outcomes:
            about = outcome.request_id or outcome.command_id or ""
            headers = cloudevent(outcome, self._tracer.telling(topics.outcomes, outcome.traceparent))
            yield Message(topics.outcomes, about.encode(), encode.outcome(outcome), headers=headers)
        for letter in turn.dead:
            why = why_dead(letter.record, topics.commands, letter.reason, turn.now)
            yield Message(topics.dead_letters, letter.record.key, letter.record.value, headers=why)
        for reroute in turn.rerouted:
            again = (*reroute.record.headers, (REROUTED, str(reroute.record.partition).encode()))
            yield Message(topics.commands, reroute.record.key, reroute.record.value, reroute.partition, again)
