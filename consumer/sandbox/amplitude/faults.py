"""Misbehaviour on demand: a script of rules, each good for so many requests.

A request passes three stages (arrival, application, reply), and at each it uses up the first rule that fits, so that
"marker missing" and "applied, then dropped" can hit the same request.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """When a fault strikes."""

    ARRIVAL = "arrival"
    APPLICATION = "application"
    REPLY = "reply"


class Kind(StrEnum):
    """What goes wrong."""

    STATUS = "status"  # answered with `status`, nothing applied
    LATENCY = "latency"  # `seconds` late, otherwise normal
    DROP = "drop"  # connection closed, nothing applied
    HTML = "html"  # 200 with a login page, nothing applied
    LATE = "late"  # connection closed, applied `seconds` later
    MARKER_MISSING = "marker_missing"  # stored with the default requester
    MARKER_TRUNCATED = "marker_truncated"  # stored with the first `characters` characters of the requester
    APPLIED_DROP = "applied_drop"  # applied, then connection closed
    APPLIED_STATUS = "applied_status"  # applied, then answered with `status`
    TRUNCATED = "truncated"  # applied; half of the body, then closed
    HALF_CLOSED = "half_closed"  # applied; half of the body, then only the sending side closed
    NO_USER_ID = "no_user_id"  # entries without user_id although it was asked for
    INVALID_ON_TOP = "invalid_on_top"  # invalid_ids beside the jobs instead of in them
    AS_OBJECT = "as_object"  # one job as an object instead of an array
    MESSAGE_OBJECT = "message_object"  # the bare message in an object instead of a string
    CUT = "cut"  # half of an archive, ended as if it were whole
    CORRUPT = "corrupt"  # an archive with one byte changed
    JOB_FAILS = "job_fails"  # accepted, and failed in the end


STAGE_OF: dict[Kind, Stage] = {
    Kind.STATUS: Stage.ARRIVAL,
    Kind.LATENCY: Stage.ARRIVAL,
    Kind.DROP: Stage.ARRIVAL,
    Kind.HTML: Stage.ARRIVAL,
    Kind.LATE: Stage.APPLICATION,
    Kind.MARKER_MISSING: Stage.APPLICATION,
    Kind.MARKER_TRUNCATED: Stage.APPLICATION,
    Kind.APPLIED_DROP: Stage.REPLY,
    Kind.APPLIED_STATUS: Stage.REPLY,
    Kind.TRUNCATED: Stage.REPLY,
    Kind.HALF_CLOSED: Stage.REPLY,
    Kind.NO_USER_ID: Stage.REPLY,
    Kind.INVALID_ON_TOP: Stage.REPLY,
    Kind.AS_OBJECT: Stage.REPLY,
    Kind.MESSAGE_OBJECT: Stage.REPLY,
    Kind.CUT: Stage.REPLY,
    Kind.CORRUPT: Stage.REPLY,
    Kind.JOB_FAILS: Stage.APPLICATION,
}


@dataclass(slots=True)
class Fault:
    """One rule. `count` None is without end; `for_s` ends it that many real seconds after it was added. The method of
    exports is `EXPORT`; those of copies are `DSAR`, `DSAR_GET`, `DSAR_OUTPUT` and `LINK`, with the org as `app`; search
    and activity are `ACTIVITY`."""

    kind: Kind
    method: str | None = None
    app: str | None = None
    count: int | None = 1
    for_s: float | None = None
    status: int = 500
    seconds: float = 0.0
    characters: int = 8
    retry_after: str | None = None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Fault:
        """From the body of `POST /fake/faults`. Raises ValueError or TypeError on a wrong kind or name."""
        names = {each.name for each in fields(cls)}
        if not data.keys() <= names:
            raise ValueError("unknown field of a fault")
        return cls(**{**data, "kind": Kind(str(data.get("kind")))})


class FaultScript:
    """The rules still to come, in order."""

    def __init__(self) -> None:
        self._rules: list[tuple[Fault, float]] = []

    def add(self, *faults: Fault) -> None:
        """Append rules."""
        now_s = time.monotonic()
        self._rules += [(replace(fault), now_s + (fault.for_s or float("inf"))) for fault in faults]

    def clear(self) -> None:
        """Behave well from now on."""
        self._rules.clear()

    def __len__(self) -> int:
        self._expire()
        return len(self._rules)

    def take(self, stage: Stage, method: str, app: str) -> Fault | None:
        """The fault that strikes this request at this stage; its rule is used up by one."""
        self._expire()
        for fault, _ in self._rules:
            if STAGE_OF[fault.kind] is stage and fault.method in {None, method} and fault.app in {None, app}:
                if fault.count is not None:
                    fault.count -= 1
                return fault
        return None

    def _expire(self) -> None:
        now_s = time.monotonic()
        self._rules = [rule for rule in self._rules if rule[0].count != 0 and now_s < rule[1]]
