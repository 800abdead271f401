"""The life cycles of an erasure and of a copy, as tables. Everything about the order of stages is in this file.

One identity walks the table; a request's stage is that of its least advanced identity. A stage never moves
backwards: only a `resubmit` starts again, as a new run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Stage(StrEnum):
    """Our stages, finer than OpenDSR's status."""

    ACCEPTED = "accepted"
    HELD = "held"
    DISPATCHING = "dispatching"
    SCHEDULED = "scheduled"
    CANCELLING = "cancelling"
    SUBMITTED = "submitted"
    ERASED = "erased"
    DONE = "done"
    NOT_FOUND = "not_found"
    CANCELLED = "cancelled"
    TOO_LATE = "too_late"
    REFUSED = "refused"
    FAILED = "failed"
    REQUESTED = "requested"
    READY = "ready"
    DELIVERED = "delivered"
    EXPIRED = "expired"

    __hash__ = str.__hash__
    """Stages are looked up a dozen times for every command, and Enum's own hash is a call into Python."""


_S = Stage

NEXT: dict[Stage, frozenset[Stage]] = {
    _S.ACCEPTED: frozenset({_S.HELD, _S.DISPATCHING, _S.CANCELLED}),
    _S.HELD: frozenset({_S.DISPATCHING, _S.CANCELLED}),
    _S.DISPATCHING: frozenset({_S.SCHEDULED, _S.CANCELLING, _S.CANCELLED, _S.NOT_FOUND, _S.FAILED}),
    _S.SCHEDULED: frozenset({_S.SUBMITTED, _S.ERASED, _S.DONE, _S.CANCELLING, _S.CANCELLED, _S.TOO_LATE, _S.FAILED}),
    _S.CANCELLING: frozenset({_S.CANCELLED, _S.TOO_LATE, _S.NOT_FOUND, _S.FAILED}),
    _S.SUBMITTED: frozenset({_S.ERASED, _S.DONE, _S.TOO_LATE, _S.FAILED}),
    _S.ERASED: frozenset({_S.DONE}),
    _S.DONE: frozenset(),
    _S.NOT_FOUND: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.TOO_LATE: frozenset(),
    _S.REFUSED: frozenset(),
    _S.FAILED: frozenset(),
}
"""From each stage of an erasure, where one identity may go next. No successors: an end."""

COPY_NEXT: dict[Stage, frozenset[Stage]] = {
    _S.ACCEPTED: frozenset({_S.REQUESTED, _S.READY, _S.CANCELLING, _S.CANCELLED, _S.FAILED, _S.REFUSED}),
    _S.REQUESTED: frozenset({_S.READY, _S.CANCELLING, _S.FAILED, _S.REFUSED}),
    _S.READY: frozenset({_S.DELIVERED, _S.NOT_FOUND, _S.CANCELLING, _S.FAILED, _S.REFUSED}),
    _S.CANCELLING: frozenset({_S.CANCELLED}),
    _S.DELIVERED: frozenset({_S.EXPIRED}),
    _S.EXPIRED: frozenset(),
    _S.NOT_FOUND: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.REFUSED: frozenset(),
    _S.FAILED: frozenset(),
}
"""The same of a copy. A copy whose files have to be asked for again stays `ready` meanwhile."""

_ADVANCE = (
    *(_S.ACCEPTED, _S.HELD, _S.DISPATCHING, _S.CANCELLING, _S.REQUESTED, _S.READY),
    *(_S.SCHEDULED, _S.SUBMITTED, _S.ERASED, _S.DELIVERED),
)
_SEVERITY = (_S.EXPIRED, _S.FAILED, _S.TOO_LATE, _S.REFUSED, _S.CANCELLED, _S.DONE, _S.NOT_FOUND)
"""`expired` comes first, because a package was delivered whatever became of the other identities."""

ENDS = frozenset(_SEVERITY)
UNDISPATCHED = frozenset({_S.ACCEPTED, _S.HELD})

OPENDSR_STATUS: dict[Stage, str] = {
    _S.ACCEPTED: "pending",
    _S.HELD: "pending",
    _S.DISPATCHING: "pending",
    _S.SCHEDULED: "pending",
    _S.CANCELLING: "pending",
    _S.SUBMITTED: "in_progress",
    _S.ERASED: "in_progress",
    _S.DONE: "completed",
    _S.NOT_FOUND: "completed",
    _S.CANCELLED: "cancelled",
    _S.TOO_LATE: "in_progress",
    _S.REFUSED: "failed",
    _S.FAILED: "failed",
    _S.REQUESTED: "in_progress",
    _S.READY: "in_progress",
    _S.DELIVERED: "completed",
    _S.EXPIRED: "completed",
}
"""OpenDSR 2.0's `request_status` for each stage. OpenDSR has no failed state; `failed` is our extension."""


def may_follow(before: Stage, after: Stage, table: Mapping[Stage, frozenset[Stage]] = NEXT) -> bool:
    """Whether an identity may go from one stage to the other. Staying is always allowed."""
    return before == after or after in table[before]


def overall(stages: Iterable[Stage]) -> Stage:
    """A request's stage from its identities' stages: the least advanced; once all have ended, the gravest end.

    `ValueError` without any identity: a request about nobody cannot exist.
    """
    present = set(stages)
    for stage in (*_ADVANCE, *_SEVERITY):
        if stage in present:
            return stage
    raise ValueError("a request needs at least one identity")


def mermaid(table: Mapping[Stage, frozenset[Stage]] = NEXT) -> str:
    """A life cycle as a Mermaid state diagram; the pictures of docs/life-cycle.md and the README are these texts."""
    lines = ["stateDiagram-v2", "    [*] --> accepted", "    [*] --> refused"]
    lines += [f"    {before} --> {after}" for before, follow in table.items() for after in sorted(follow)]
    lines += [f"    {end} --> [*]" for end in sorted(end for end, follow in table.items() if not follow)]
    return "\n".join(lines)
