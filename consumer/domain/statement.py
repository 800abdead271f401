"""What is said about a request, and when: outcomes follow from the entry before and after, never from the flow.

`outcome_id` is a UUIDv5 of what is said, so a statement made again after a crash is the same statement.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha1
from typing import NamedTuple
from uuid import UUID

from consumer.domain.command import Asked
from consumer.domain.copies import expected_delivery
from consumer.domain.deadline import AT_RISK_BELOW_MS, scrub_expected
from consumer.domain.entry import RequestEntry
from consumer.domain.errors import Reason
from consumer.domain.lifecycle import OPENDSR_STATUS, Stage
from consumer.domain.subject import CommandId, Millis, ProjectId, RequestId

NAMESPACE = UUID("6f0c6a52-5d0e-5c1c-9a0b-3b6f2f0a7d11")


class Kind(StrEnum):
    """What sort of statement an outcome is."""

    STAGE = "stage"
    NOTICE = "notice"
    REPLY = "reply"


class Notice(StrEnum):
    """Something to know beside the stage."""

    AT_RISK = "at_risk"
    BREACHED = "breached"
    WAITING = "waiting"
    RESURFACED = "resurfaced"


class Outcome(NamedTuple):
    """One statement. `entry` is the request as it then is (None for a reply about no known request)."""

    outcome_id: str
    kind: Kind
    stage: Stage
    sequence: int
    occurred: Millis
    command_id: CommandId | None
    entry: RequestEntry | None = None
    asked: Asked | None = None
    project: ProjectId | None = None
    reason: Reason | None = None
    notice: Notice | None = None
    duplicate_of: CommandId | None = None
    expected: Millis | None = None

    @property
    def request_id(self) -> RequestId | None:
        """The request it is about, if it is about one."""
        about = self.entry or self.asked
        return about.request_id if about else None

    @property
    def traceparent(self) -> str | None:
        """The trace context to send on: of the command that is answered, else of the one that began the run."""
        return (self.asked and self.asked.traceparent) or (self.entry and self.entry.traceparent) or None

    @property
    def status(self) -> str:
        """OpenDSR's word for where the request stands; a refused command about it does not change that."""
        stands = self.entry.stage if self.kind is Kind.REPLY and self.entry else None
        return OPENDSR_STATUS[stands or self.stage]

    @property
    def slack_ms(self) -> int | None:
        """Deadline minus expected (or actual) erasure; negative is late."""
        return self.entry.deadline - self.expected if self.entry and self.expected is not None else None


def expected_erasure(entry: RequestEntry, now: Millis, estimate_ms: int) -> Millis:
    """When the data is (or was) unreachable: seen, else read off the jobs' days, else estimated. A copy's delivery.

    An estimate that has already passed is moved up to now: it cannot come true in the past.
    """
    if entry.copy is not None:
        return expected_delivery(entry, now)
    if entry.erased is not None:
        return entry.erased
    days = [ref.day for identity in entry.identities for ref in identity.jobs if not ref.revoked]
    if days:
        return scrub_expected(max(days))
    return max(now, Millis(entry.accepted + estimate_ms))


def speak(
    before: RequestEntry | None, after: RequestEntry, command: CommandId | None, now: Millis, estimate_ms: int
) -> tuple[RequestEntry, Outcome | None]:
    """The stage outcome that leads from one entry to the other, if the stage changed, and the entry that said it."""
    stage = after.reached
    if before is not None and before.run == after.run and before.stage == stage:
        return after, None
    reason = _shared_reason(after, stage)
    said = after._replace(stage=stage, reason=reason, stage_sequence=after.stage_sequence + 1)
    return said, Outcome(
        outcome_id=_id(said, Kind.STAGE, stage, said.stage_sequence),
        kind=Kind.STAGE,
        stage=stage,
        sequence=said.stage_sequence,
        occurred=now,
        command_id=command,
        entry=said,
        project=said.project,
        reason=reason,
        expected=None if stage in _NOTHING_TO_COME else expected_erasure(said, now, estimate_ms),
    )


_NOTHING_TO_COME = frozenset({Stage.CANCELLED, Stage.NOT_FOUND, Stage.REFUSED, Stage.FAILED})
"""Ends in which nobody will be erased by this request: there is no time to name, and no slack."""


def notices(entry: RequestEntry, now: Millis, estimate_ms: int) -> tuple[RequestEntry, list[Outcome]]:
    """The deadline notices that are due, each said once in a run, and the entry that said them."""
    if entry.ended or entry.erased is not None:
        return entry, []
    said: list[Outcome] = []
    expected = expected_erasure(entry, now, estimate_ms)
    if not entry.at_risk_said and entry.deadline - expected < AT_RISK_BELOW_MS:
        entry, outcome = notice(entry._replace(at_risk_said=True), Notice.AT_RISK, None, now, expected)
        said.append(outcome)
    if not entry.breached_said and now > entry.deadline:
        entry, outcome = notice(entry._replace(breached_said=True), Notice.BREACHED, None, now, expected)
        said.append(outcome)
    return entry, said


def next_notice(entry: RequestEntry) -> Millis | None:
    """When to look at the deadline again, if there is still something to say.

    Once a job's day is known the expectation no longer moves with the clock, so only the breach is left to wait for.
    """
    if entry.ended or entry.erased is not None or entry.breached_said:
        return None
    settled = entry.at_risk_said or any(identity.jobs for identity in entry.identities)
    return Millis(entry.deadline + 1 if settled else entry.deadline - AT_RISK_BELOW_MS + 1)


def notice(
    entry: RequestEntry, what: Notice, reason: Reason | None, now: Millis, expected: Millis
) -> tuple[RequestEntry, Outcome]:
    """One notice about a request, and the entry that said it."""
    said = entry._replace(notice_sequence=entry.notice_sequence + 1)
    return said, Outcome(
        outcome_id=_id(said, Kind.NOTICE, what, said.notice_sequence),
        kind=Kind.NOTICE,
        stage=said.stage or said.reached,
        sequence=said.notice_sequence,
        occurred=now,
        command_id=None,
        entry=said,
        project=said.project,
        reason=reason,
        notice=what,
        expected=expected,
    )


def reply(
    to: Asked,
    stage: Stage,
    now: Millis,
    *,
    reason: Reason | None = None,
    entry: RequestEntry | None = None,
    duplicate_of: CommandId | None = None,
) -> Outcome:
    """The answer to a command that moves nothing: a duplicate, a refusal, a pause. `entry` as it stands, if any."""
    name = f"{to.command_id}/{to.request_id}/{to.project}/{Kind.REPLY}/{stage}/{reason}/{duplicate_of}"
    return Outcome(
        outcome_id=_uuid5(name),
        kind=Kind.REPLY,
        stage=stage,
        sequence=0,
        occurred=now,
        command_id=to.command_id,
        entry=entry,
        asked=to,
        project=to.project,
        reason=reason,
        duplicate_of=duplicate_of,
    )


def refusal(to: Asked, reason: Reason, now: Millis) -> Outcome:
    """The end of a request that never began: the command was understood and will not be done."""
    return reply(to, Stage.REFUSED, now, reason=reason)._replace(kind=Kind.STAGE, sequence=1)


def _id(entry: RequestEntry, kind: Kind, what: str, sequence: int) -> str:
    return _uuid5(f"{entry.key}/{entry.run}/{kind}/{what}/{sequence}")


def _uuid5(name: str) -> str:
    """`str(uuid.uuid5(NAMESPACE, name))`, without an object for each half."""
    digest = bytearray(sha1(NAMESPACE.bytes + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _shared_reason(entry: RequestEntry, stage: Stage) -> Reason | None:
    """What it waits for, or the reason that the identities in the request's stage have in common."""
    if stage is Stage.HELD:
        return Reason.COPY_FIRST if entry.after_copy else entry.held
    reasons = {identity.reason for identity in entry.identities if identity.stage is stage}
    return reasons.pop() if len(reasons) == 1 else None
