"""A draft of the coordinator as the records of one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import schemas
from consumer.adapters.cloudevents import discovery_headers
from consumer.adapters.discovery_ledger import (
    coverage_key,
    coverage_out,
    discovery_key,
    discovery_out,
    fields_key,
    fields_out,
)
from consumer.adapters.discovery_wire import inventory_key, inventory_out, outcome_out, task_out
from consumer.adapters.kafka.producing import Message, why_dead
from consumer.discovery.draft import Draft
from consumer.requests import REROUTED

PUBLIC = frozenset({schemas.DISCOVERY_OUTCOMES, schemas.INVENTORY})
"""Subjects of the coordinator's that others read."""

Encode = Callable[[str, dict[str, Any]], bytes]
"""Subject and record to bytes."""


@dataclass(frozen=True, slots=True)
class DiscoveryTopics:
    """The topics' names."""

    commands: str = "dsr.discovery.commands"
    tasks: str = "dsr.discovery.tasks"
    results: str = "dsr.discovery.results"
    ledger: str = "dsr.discovery.ledger"
    outcomes: str = "dsr.discovery.outcomes"
    inventory: str = "dsr.inventory"
    dead_letters: str = "dsr.commands.dlq"


def messages_of(draft: Draft, topics: DiscoveryTopics, encode: Encode) -> Iterator[Message]:
    """Everything the draft writes."""
    yield from _memory(draft, topics, encode)
    for task in draft.tasks:
        value = encode(schemas.DISCOVERY_TASKS, task_out(task))
        yield Message(topics.tasks, f"{task.project}#{task.slot}".encode(), value)
    for outcome in draft.outcomes:
        value = encode(schemas.DISCOVERY_OUTCOMES, outcome_out(outcome))
        about = outcome.project or outcome.command_id or ""
        yield Message(topics.outcomes, about.encode(), value, headers=discovery_headers(outcome))
    for topic, letter in draft.dead:
        why = why_dead(letter.record, topic, letter.reason, draft.now)
        yield Message(topics.dead_letters, letter.record.key, letter.record.value, headers=why)
    for reroute in draft.rerouted:
        headers = (*reroute.record.headers, (REROUTED, str(reroute.record.partition).encode()))
        yield Message(topics.commands, reroute.record.key, reroute.record.value, reroute.partition, headers)


def _memory(draft: Draft, topics: DiscoveryTopics, encode: Encode) -> Iterator[Message]:
    """What is read back after a restart: each in the partition of its project."""

    def entry(told: dict[str, Any] | None) -> bytes | None:
        return encode(schemas.DISCOVERY_LEDGER, told) if told else None

    for (partition, (project, name)), discovery in draft.discoveries.items():
        told = discovery_out(discovery) if discovery else None
        yield Message(topics.ledger, discovery_key(project, name), entry(told), partition)
    for (partition, project), inventory in draft.inventories.items():
        yield Message(topics.ledger, coverage_key(project), entry(coverage_out(inventory)), partition)
    for partition, project, bucket in sorted(draft.buckets):
        told = fields_out(draft.inventory(partition, project), bucket)
        yield Message(topics.ledger, fields_key(project, bucket), entry(told), partition)
    for (partition, project, key), line in draft.lines.items():
        value = encode(schemas.INVENTORY, inventory_out(line, draft.now)) if line else None
        yield Message(topics.inventory, inventory_key(project, key), value, partition)
