"""The topics as they should be: a table. Nothing here talks to Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from consumer.domain.deadline import DAY_MS

COMMAND_BYTES = 1_048_588
"""Kafka's own default of `max.message.bytes`."""
DEAD_LETTER_ROOM_BYTES = 65_536
"""What the error headers may add to a command that is dead-lettered."""
LEDGER_BYTES = 4 * COMMAND_BYTES
"""An entry repeats the command's identities and adds each one's stage, batch and jobs."""


class Role(StrEnum):
    """What a topic is for; the value is its default name."""

    COMMANDS = "dsr.commands"
    OUTCOMES = "dsr.outcomes"
    DEAD_LETTERS = "dsr.commands.dlq"
    LEDGER = "dsr.ledger"
    DISCOVERY_COMMANDS = "dsr.discovery.commands"
    DISCOVERY_TASKS = "dsr.discovery.tasks"
    DISCOVERY_RESULTS = "dsr.discovery.results"
    DISCOVERY_LEDGER = "dsr.discovery.ledger"
    DISCOVERY_OUTCOMES = "dsr.discovery.outcomes"
    INVENTORY = "dsr.inventory"


class Cleanup(StrEnum):
    """`cleanup.policy`."""

    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it should be. `retention_ms` is None for a compacted topic; `settings` are only used to make it."""

    role: Role
    name: str
    partitions: int
    cleanup: Cleanup
    retention_ms: int | None = None
    max_message_bytes: int = COMMAND_BYTES
    settings: tuple[tuple[str, str], ...] = ()

    def config(self) -> dict[str, str]:
        """The topic's settings in Kafka's words."""
        own = {"cleanup.policy": self.cleanup.value, "max.message.bytes": str(self.max_message_bytes)}
        if self.retention_ms is not None:
            own["retention.ms"] = str(self.retention_ms)
        return own | dict(self.settings)


# Ledger: personal data must not outlive its tombstone for long, so compaction may lag a week at most; a tombstone stays
# readable for a day, far longer than a restore takes.
_COMPACTION = (
    ("max.compaction.lag.ms", str(7 * DAY_MS)),
    ("min.cleanable.dirty.ratio", "0.1"),
    ("segment.ms", str(DAY_MS)),
    ("delete.retention.ms", str(DAY_MS)),
)


REQUESTS = frozenset({Role.COMMANDS, Role.OUTCOMES, Role.DEAD_LETTERS, Role.LEDGER})
"""The topics of the requests stage."""
DISCOVERY = frozenset(Role) - REQUESTS | {Role.DEAD_LETTERS}
"""The topics of the discovery stage."""

_Row = tuple[Cleanup, int | None, int]
_COMPACTED, _DELETED = Cleanup.COMPACT, Cleanup.DELETE

_ROWS: dict[Role, _Row] = {
    Role.COMMANDS: (_DELETED, 14 * DAY_MS, COMMAND_BYTES),
    Role.OUTCOMES: (_DELETED, 90 * DAY_MS, COMMAND_BYTES),
    Role.DEAD_LETTERS: (_DELETED, 14 * DAY_MS, COMMAND_BYTES + DEAD_LETTER_ROOM_BYTES),
    Role.LEDGER: (_COMPACTED, None, LEDGER_BYTES),
    Role.DISCOVERY_COMMANDS: (_DELETED, 14 * DAY_MS, COMMAND_BYTES),
    Role.DISCOVERY_TASKS: (_DELETED, 14 * DAY_MS, COMMAND_BYTES),
    Role.DISCOVERY_RESULTS: (_DELETED, 7 * DAY_MS, COMMAND_BYTES),
    Role.DISCOVERY_LEDGER: (_COMPACTED, None, COMMAND_BYTES),
    Role.DISCOVERY_OUTCOMES: (_DELETED, 90 * DAY_MS, COMMAND_BYTES),
    Role.INVENTORY: (_COMPACTED, None, COMMAND_BYTES),
}

EQUAL = {
    Role.LEDGER: Role.COMMANDS,
    Role.DISCOVERY_RESULTS: Role.DISCOVERY_COMMANDS,
    Role.DISCOVERY_LEDGER: Role.DISCOVERY_COMMANDS,
    Role.INVENTORY: Role.DISCOVERY_COMMANDS,
}
"""Topics that must have as many partitions as another one: what is in both belongs to one owner."""

FIXED = frozenset({Role.COMMANDS, Role.DISCOVERY_COMMANDS})
"""Topics whose partitions must be those of the settings: they decide where a project is."""


def table(partitions: int, names: Mapping[Role, str] | None = None) -> tuple[TopicSpec, ...]:
    """The design's topics. `partitions` is fixed for life; `names` replaces default names."""
    named = {role: role.value for role in Role} | dict(names or {})
    return tuple(
        TopicSpec(
            role, named[role], partitions, cleanup, retention_ms, size, _COMPACTION if retention_ms is None else ()
        )
        for role, (cleanup, retention_ms, size) in _ROWS.items()
    )
