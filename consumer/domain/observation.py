"""What Amplitude's job list, and the answers to DELETEs, say about a request that is scheduled.

One list answers for every request of a project. An absence counts only when it is seen twice: a list may be read
in the moment in which Amplitude moves a job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from consumer.domain.deadline import plus_days
from consumer.domain.entry import IdentityState, JobRef, RequestEntry
from consumer.domain.errors import Reason
from consumer.domain.jobs import Job, JobStatus
from consumer.domain.lifecycle import Stage
from consumer.domain.reply import bears
from consumer.domain.subject import AmplitudeId, BatchId, Day, Millis

MISSING_POLLS = 2
FREEZE_DAYS = 3
"""A job can be revoked until three days before its day (Amplitude, "User Privacy API")."""

_ORDER = (JobStatus.STAGING, JobStatus.SUBMITTED, JobStatus.DONE)


@dataclass(frozen=True, slots=True)
class Window:
    """The jobs scheduled from `start` to `end` (both inclusive), and the requester name our markers begin with."""

    start: Day
    end: Day
    requester: str
    jobs: Mapping[Day, Job] = field(repr=False)
    members: Mapping[Day, Mapping[AmplitudeId, str]] = field(repr=False)

    @classmethod
    def of(cls, jobs: list[Job], start: Day, end: Day, requester: str) -> Window:
        """Index a list once for all the requests it is held against."""
        members = {job.day: {m.amplitude_id: m.requester for m in job.members} for job in jobs}
        return cls(start, end, requester, {job.day: job for job in jobs}, members)

    def marked(self, batch: BatchId) -> Day | None:
        """The first day on which the batch's marker stands, if any."""
        for day in sorted(self.members):
            if any(bears(seen, self.requester, batch) for seen in self.members[day].values()):
                return day
        return None

    def holds(self, ref: JobRef) -> bool:
        """Whether the list shows this place."""
        listed = self.members.get(ref.day, {})
        if ref.amplitude_id is not None:
            return ref.amplitude_id in listed
        return ref.batch is not None and any(bears(seen, self.requester, ref.batch) for seen in listed.values())


class Revoked(StrEnum):
    """What a revocation came to, after a re-read where the DELETE was refused."""

    REVOKED = "revoked"
    GONE = "gone"
    FROZEN = "frozen"
    SHARED = "shared"


def observe(entry: RequestEntry, window: Window, now: Millis) -> RequestEntry:
    """The entry after one job list: statuses, late-applied batches, and what has been absent twice."""
    seen = tuple(_observed(identity, entry, window) for identity in entry.identities)
    after = entry._replace(identities=seen)
    reached = after.reached in {Stage.ERASED, Stage.DONE}
    return after._replace(erased=now) if reached and entry.erased is None else after


def _observed(identity: IdentityState, entry: RequestEntry, window: Window) -> IdentityState:
    if identity.ended or not identity.jobs:
        return identity
    refs = tuple(_seen(ref, window) for ref in (*identity.jobs, *_late(identity, entry, window)))
    identity = replace(identity, jobs=refs)
    if identity.stage not in {Stage.SCHEDULED, Stage.SUBMITTED, Stage.ERASED}:
        return identity
    if lost := _lost(refs):
        reason = Reason.REVOKED_ELSEWHERE if lost.day in window.jobs else Reason.JOB_DISAPPEARED
        return identity.moved(Stage.FAILED, reason)
    return identity.moved(_stage(refs), identity.reason)


def _late(identity: IdentityState, entry: RequestEntry, window: Window) -> tuple[JobRef, ...]:
    """Places that hold a known Amplitude ID under one of our markers and are not tracked yet."""
    ids = {ref.amplitude_id for ref in identity.jobs if ref.amplitude_id is not None}
    tracked = {(ref.day, ref.amplitude_id) for ref in identity.jobs}
    return tuple(
        JobRef(day, amplitude_id)
        for day, listed in window.members.items()
        for amplitude_id in ids & listed.keys()
        if (day, amplitude_id) not in tracked
        and any(bears(listed[amplitude_id], window.requester, batch) for batch in entry.batches)
    )


def _seen(ref: JobRef, window: Window) -> JobRef:
    if ref.revoked or not window.start <= ref.day <= window.end:
        return ref
    if not window.holds(ref):
        return ref if ref.unreachable else replace(ref, missing=ref.missing + 1)
    job = window.jobs[ref.day]
    status = max(ref.status, job.status, key=_ORDER.index)
    return replace(ref, missing=0, status=status, scrubbed_on=ref.scrubbed_on or job.scrubbed_on)


def _lost(refs: tuple[JobRef, ...]) -> JobRef | None:
    """A place absent twice whose Amplitude ID stands nowhere else."""
    standing = {ref.amplitude_id for ref in refs if ref.missing < MISSING_POLLS}
    return next((r for r in refs if r.missing >= MISSING_POLLS and r.amplitude_id not in standing), None)


def _stage(refs: tuple[JobRef, ...]) -> Stage:
    present = [ref for ref in refs if ref.missing < MISSING_POLLS]
    if all(ref.status is JobStatus.DONE for ref in present):
        return Stage.DONE
    if all(ref.unreachable for ref in present):
        return Stage.ERASED
    if any(ref.status is JobStatus.STAGING for ref in present):
        return Stage.SCHEDULED
    return Stage.SUBMITTED


def revoked(entry: RequestEntry, results: Mapping[tuple[AmplitudeId, Day], Revoked]) -> RequestEntry:
    """The entry after the DELETEs of a cancel, one result for each (Amplitude ID, day) that was tried."""
    after = entry._replace(identities=tuple(_revoked(identity, results) for identity in entry.identities))
    frozen = [r.day for i in after.identities if i.stage is Stage.TOO_LATE for r in i.jobs if not r.revoked]
    return after._replace(frozen_since=plus_days(min(frozen), -FREEZE_DAYS)) if frozen else after


def _revoked(identity: IdentityState, results: Mapping[tuple[AmplitudeId, Day], Revoked]) -> IdentityState:
    if identity.stage is not Stage.CANCELLING:
        return identity
    said = {ref: _result(ref, results) for ref in identity.jobs}
    gone = {Revoked.REVOKED, Revoked.GONE}
    identity = replace(identity, jobs=tuple(replace(r, revoked=r.revoked or said[r] in gone) for r in identity.jobs))
    if any(ref.amplitude_id is None for ref in identity.jobs):
        return identity.moved(Stage.TOO_LATE, Reason.NOT_ATTRIBUTABLE)
    if Revoked.FROZEN in said.values():
        return identity.moved(Stage.TOO_LATE, Reason.FROZEN)
    if None in said.values():
        return identity
    shared = Reason.SHARED_WITH_OTHER_REQUEST if Revoked.SHARED in said.values() else None
    return identity.moved(Stage.CANCELLED, shared)


def _result(ref: JobRef, results: Mapping[tuple[AmplitudeId, Day], Revoked]) -> Revoked | None:
    if ref.revoked:
        return Revoked.REVOKED
    return results.get((ref.amplitude_id, ref.day)) if ref.amplitude_id is not None else None
