"""What the ledger remembers about one request in one project: plain frozen values, no behaviour beyond reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, NewType

from consumer.domain.command import IdentityKind, RequestType
from consumer.domain.copying import Copy
from consumer.domain.deadline import Regulation
from consumer.domain.errors import Reason
from consumer.domain.jobs import JobStatus
from consumer.domain.lifecycle import COPY_NEXT, ENDS, NEXT, UNDISPATCHED, Stage, may_follow, overall
from consumer.domain.subject import AmplitudeId, BatchId, CommandId, Day, Millis, OrgId, ProjectId, RequestId, Subject

LedgerKey = NewType("LedgerKey", str)


def ledger_key(request: RequestId, project: ProjectId) -> LedgerKey:
    """The ledger's key of one erasure in one project."""
    return LedgerKey(f"{request}/{project}")


COPY_KEY = "copy/"
"""What the ledger's keys of copies begin with. A request id cannot: it is a UUID."""


def copy_key(request: RequestId, org: OrgId) -> LedgerKey:
    """The ledger's key of one copy: it is of a whole org, whichever of its projects are delivered."""
    return LedgerKey(f"{COPY_KEY}{request}/{org}")


@dataclass(frozen=True, slots=True)
class JobRef:
    """One place where (an Amplitude ID of) an identity is scheduled.

    `amplitude_id` is None when only a batch marker in Amplitude's list proves the scheduling; `batch` then names it.
    `missing` counts polls in a row in which it was absent.
    """

    day: Day
    amplitude_id: AmplitudeId | None = field(repr=False)
    batch: BatchId | None = None
    status: JobStatus = JobStatus.STAGING
    scrubbed_on: Day | None = None
    missing: int = 0
    revoked: bool = False

    @property
    def unreachable(self) -> bool:
        """Amplitude said that the data cannot be reached any more."""
        return self.scrubbed_on is not None or self.status is JobStatus.DONE


@dataclass(frozen=True, slots=True)
class IdentityState:
    """One identity and what became of it. `value` is None once forgotten.

    `batch` is set while the answer to a POST is not known; `alone` after a reply that did not mention it;
    `marker_seen` after a lost answer whose batch marker was found in Amplitude's list.
    """

    position: int
    kind: IdentityKind
    value: Subject | None
    stage: Stage
    reason: Reason | None = None
    batch: BatchId | None = None
    alone: bool = False
    marker_seen: bool = False
    jobs: tuple[JobRef, ...] = ()

    @property
    def ended(self) -> bool:
        """Nothing more will happen to it in this run."""
        return self.stage in ENDS

    def moved(self, stage: Stage, reason: Reason | None = None) -> IdentityState:
        """The identity in another stage, if the life-cycle table allows the step; otherwise unchanged."""
        return self._moved(stage, reason, NEXT)

    def copied(self, stage: Stage, reason: Reason | None = None) -> IdentityState:
        """The same by the table of copies."""
        return self._moved(stage, reason, COPY_NEXT)

    def _moved(self, stage: Stage, reason: Reason | None, table: Mapping[Stage, frozenset[Stage]]) -> IdentityState:
        if self.stage == stage or not may_follow(self.stage, stage, table):
            return self
        return replace(self, stage=stage, reason=reason)

    @property
    def never_sent(self) -> bool:
        """No call that names it can have reached Amplitude."""
        return self.stage in UNDISPATCHED or (
            self.stage is Stage.DISPATCHING and self.batch is None and not self.alone and not self.marker_seen
        )


class RequestEntry(NamedTuple):
    """One request in one project. `stage` and `reason` are what was last said; `reached` is what is true now.

    `copy` is set for a copy, whose `project` is the one it is about, or empty for several. `after_copy`: an erasure
    that waits for copies of the same person. `erased`: when the deadline was met, for a copy by its delivery.

    A named tuple and no dataclass: every command makes several, and `_replace` is ten times as fast on one.
    """

    request_id: RequestId
    project: ProjectId
    org: OrgId
    request_type: RequestType
    regulation: Regulation | None
    requested_by: str | None
    commands: tuple[CommandId, ...]
    body_digest: bytes
    submitted: Millis
    accepted: Millis
    deadline: Millis
    identities: tuple[IdentityState, ...]
    run: int = 1
    stage_sequence: int = 0
    notice_sequence: int = 0
    stage: Stage | None = None
    reason: Reason | None = None
    held: Reason | None = None
    release: Millis | None = None
    approved: bool = False
    attempt: int = 0
    dispatched: Millis | None = None
    cancel_command: CommandId | None = None
    frozen_since: Day | None = None
    batches: tuple[BatchId, ...] = ()
    at_risk_said: bool = False
    breached_said: bool = False
    erased: Millis | None = None
    closed: Millis | None = None
    traceparent: str | None = None
    after_copy: bool = False
    copy: Copy | None = None

    @property
    def key(self) -> LedgerKey:
        """Where it stands in the ledger."""
        if self.copy is not None:
            return copy_key(self.request_id, self.org)
        return ledger_key(self.request_id, self.project)

    @property
    def place(self) -> str:
        """Where it is, for people: the project, or the org of a copy of several."""
        return self.project or f"{self.org} (org)"

    @property
    def reached(self) -> Stage:
        """The stage of the least advanced identity."""
        return overall(identity.stage for identity in self.identities)

    @property
    def ended(self) -> bool:
        """Every identity has ended."""
        return all(identity.stage in ENDS for identity in self.identities)

    @property
    def wants_lane(self) -> bool:
        """A lane, or whoever makes copies, has something to do about it; otherwise it waits for Amplitude, or has
        ended."""
        return any(identity.stage in _FOR_LANES for identity in self.identities)

    def waits(self, now: Millis, released: Millis | None = None) -> bool:
        """Whether a hold keeps it from being dispatched at `now`.

        `released` is the instant up to which the project's accepted requests were approved as a whole.
        """
        if self.after_copy:
            return True
        if self.held is None or self.approved or (released is not None and self.accepted <= released):
            return False
        return self.release is None or now < self.release

    def ready(self, now: Millis, released: Millis | None = None) -> tuple[IdentityState, ...]:
        """The identities that may be put into a POST now.

        While a cancel is being carried out these are only the ones that may already stand in a job unseen: they are
        asked for once more to learn what to revoke.
        """
        if self.waits(now, released):
            return ()
        return tuple(
            i
            for i in self.identities
            if i.stage in _TO_SEND and i.batch is None and not (self.cancel_command and i.never_sent)
        )


_TO_SEND = UNDISPATCHED | {Stage.DISPATCHING}
_FOR_LANES = _TO_SEND | {Stage.CANCELLING, Stage.REQUESTED, Stage.READY, Stage.DELIVERED}
