"""What is said about a discovery. The same statement always has the same id, so readers can deduplicate on it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID, uuid5

from consumer.domain.discovery.command import Caller, DiscoveryId
from consumer.domain.discovery.discovery import ENDS, Discovery, Stage
from consumer.domain.errors import Reason
from consumer.domain.hours import Hour
from consumer.domain.subject import CommandId, Millis, ProjectId

_NAMES = UUID("6f2d5c0e-8f0b-5d0a-9a57-0d6f9b1f5b11")
PROGRESS_STEPS = 20
"""Statements of progress about one discovery at most: one each time a twentieth of its hours is answered."""


class Kind(StrEnum):
    """What sort of statement it is."""

    STAGE = "stage"
    PROGRESS = "progress"
    FIELD = "field"
    REPLY = "reply"


class FieldChange(NamedTuple):
    """A field began to hold personal data, or stopped. `data_types` are those that speak for it, the surest first.

    `first_hour` is the hour of the first event seen with it; version and library are of one such event.
    """

    event_type: str
    path: str
    dirty: bool
    data_types: tuple[str, ...]
    grade: str
    first_hour: str = ""
    app_version: str = ""
    library: str = ""


class Hours(NamedTuple):
    """What became of the hours that were asked for: total = scanned + empty + known + refused + open."""

    total: int
    scanned: int
    empty: int
    known: int
    refused: int
    open: int


class Outcome(NamedTuple):
    """One statement."""

    outcome_id: str
    kind: Kind
    discovery_id: DiscoveryId | None
    command_id: CommandId | None
    project: ProjectId | None
    stage: Stage
    occurred: Millis
    sequence: int = 0
    reason: Reason | None = None
    duplicate_of: CommandId | None = None
    first: Hour | None = None
    last: Hour | None = None
    continuous: bool = False
    sample: float = 1.0
    hours: Hours | None = None
    refused: Mapping[Reason, int] = {}
    account: Mapping[str, int] = {}
    rules: str | None = None
    evidence: str = ""
    dirty_fields: int | None = None
    field: FieldChange | None = None
    requested_by: str | None = None
    traceparent: str | None = None


def hours_of(discovery: Discovery) -> Hours:
    """The reconciliation."""
    refused = sum(discovery.refused.values())
    return Hours(discovery.total, discovery.scanned, discovery.empty, discovery.known, refused, discovery.open)


def say(
    discovery: Discovery, kind: Kind, now: Millis, *, dirty: int | None = None, field: FieldChange | None = None
) -> tuple[Discovery, Outcome]:
    """The next statement about a discovery, and the discovery that has made it."""
    sequence = discovery.sequence + 1
    outcome = Outcome(
        outcome_id=str(uuid5(_NAMES, f"{discovery.project}/{discovery.id}/{sequence}")),
        kind=kind,
        discovery_id=discovery.id,
        command_id=discovery.commands[-1] if kind is Kind.STAGE else None,
        project=discovery.project,
        stage=discovery.stage,
        occurred=now,
        sequence=sequence,
        first=discovery.first,
        last=None if discovery.continuous else discovery.upto,
        continuous=discovery.continuous,
        sample=discovery.sample,
        hours=hours_of(discovery),
        refused=discovery.refused,
        account=discovery.account,
        rules=discovery.rules,
        evidence=discovery.evidence,
        dirty_fields=dirty,
        field=field,
        requested_by=discovery.requested_by,
        traceparent=discovery.traceparent,
    )
    return discovery._replace(sequence=sequence), outcome


def reply(
    to: Caller, stage: Stage, now: Millis, *, reason: Reason | None = None, duplicate_of: CommandId | None = None
) -> Outcome:
    """The answer to a command that moved nothing."""
    told = f"reply/{to.command_id}/{stage}/{reason}/{duplicate_of}/{now}"
    return Outcome(
        outcome_id=str(uuid5(_NAMES, told)),
        kind=Kind.REPLY,
        discovery_id=to.discovery_id,
        command_id=to.command_id,
        project=to.project,
        stage=stage,
        occurred=now,
        reason=reason,
        duplicate_of=duplicate_of,
        traceparent=to.traceparent,
    )


def refusal(to: Caller, stage: Stage, now: Millis, *, reason: Reason | None = None) -> Outcome:
    """A discovery that never began: that it was refused is its stage."""
    return reply(to, stage, now, reason=reason)._replace(kind=Kind.STAGE)


def step(discovery: Discovery) -> int:
    """How many twentieths of its hours have an answer; for one that never ends, how many days."""
    if discovery.continuous:
        return discovery.answered // 24
    own = discovery.answered + discovery.open
    return PROGRESS_STEPS * discovery.answered // own if own else PROGRESS_STEPS


def ended(discovery: Discovery) -> bool:
    """Whether nothing more will be said of it, but of its last windows."""
    return discovery.stage in ENDS
