"""How one request moves: each function takes an entry and what happened, and returns the entry after it.

Nothing here calls, waits or publishes. `IdentityState.moved` is the only way to another stage and holds to the
life-cycle table: an event that comes too late to matter (a second answer, an old list) leaves the entry as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from consumer.domain import copies
from consumer.domain.command import Command, Identity, ProjectRule
from consumer.domain.entry import IdentityState, JobRef, RequestEntry
from consumer.domain.errors import Reason
from consumer.domain.lifecycle import Stage
from consumer.domain.reply import NotFound, Scheduled, Unclear, Verdict
from consumer.domain.subject import BatchId, CommandId, Day, Millis

FORGOTTEN_DIGEST_BYTES = 2
"""Enough to tell a duplicate from a conflict, too little to test who it was."""


def accept(
    command: Command,
    identities: tuple[Identity, ...],
    rule: ProjectRule,
    now: Millis,
    *,
    over_cap: bool,
    after_copy: bool = False,
    traceparent: str | None = None,
) -> RequestEntry:
    """A new run of a request. Above the project's cap, within its hold period, or behind a copy, it is held."""
    if command.request_id is None or command.request_type is None:
        raise ValueError("only a submit or a resubmit starts a run")
    held = Reason.DAILY_CAP if over_cap else Reason.HOLD_PERIOD if rule.hold_ms else None
    waiting = Stage.HELD if held or after_copy else Stage.ACCEPTED
    return RequestEntry(
        request_id=command.request_id,
        project=rule.project,
        org=rule.org,
        request_type=command.request_type,
        regulation=command.regulation,
        requested_by=command.requested_by,
        commands=(command.command_id,),
        body_digest=command.body_digest,
        submitted=command.submitted,
        accepted=now,
        deadline=command.deadline,
        identities=tuple(
            IdentityState(i.position, i.kind, i.value, Stage.REFUSED if i.refused else waiting, i.refused)
            for i in identities
        ),
        held=held,
        release=Millis(now + rule.hold_ms) if held is Reason.HOLD_PERIOD else None,
        traceparent=traceparent,
        after_copy=after_copy,
    )


def resubmitted(ended: RequestEntry, fresh: RequestEntry) -> RequestEntry:
    """The next run of a request that has ended: the new body under the old request id."""
    return fresh._replace(run=ended.run + 1, commands=(*ended.commands, *fresh.commands))


def approve(entry: RequestEntry, command: CommandId) -> RequestEntry:
    """Release it from whatever holds it, a copy of the same person's data too."""
    return entry._replace(approved=True, after_copy=False, commands=(*entry.commands, command))


def dispatch(
    entry: RequestEntry, positions: Collection[int], batch: BatchId, now: Millis, released: Millis | None = None
) -> RequestEntry:
    """The write ahead of a POST: from here on the call may have happened.

    Identities that are no longer ready (cancelled since the batch was planned) stay out of it; if none is left the
    entry is returned as it is.
    """
    going = {identity.position for identity in entry.ready(now, released)} & set(positions)
    if not going:
        return entry
    after = _each(entry, lambda i: replace(i.moved(Stage.DISPATCHING), batch=batch) if i.position in going else i)
    return after._replace(
        attempt=entry.attempt + 1, dispatched=entry.dispatched or now, batches=(*entry.batches, batch)
    )


def unsent(entry: RequestEntry, batch: BatchId) -> RequestEntry:
    """The batch certainly did not reach Amplitude: its identities may go into another, or be cancelled."""
    return _each(entry, lambda i: _settle(replace(i, batch=None), entry) if i.batch == batch else i)


def sighted(entry: RequestEntry, batch: BatchId, day: Day | None) -> RequestEntry:
    """Reconciliation of a lost answer: the batch's marker stands in the job of `day`, or nowhere (None)."""
    if day is None:
        return unsent(entry, batch)
    evidence = JobRef(day, None, batch)
    return _each(
        entry,
        lambda i: (
            replace(i, batch=None, marker_seen=True, jobs=_merged(i.jobs, (evidence,))) if i.batch == batch else i
        ),
    )


def answered(entry: RequestEntry, batch: BatchId, verdicts: Mapping[int, Verdict]) -> RequestEntry:
    """The reply to the batch's POST, as a verdict for each position. Answers to an older batch change nothing."""
    return _each(
        entry,
        lambda i: (
            _answered(replace(i, batch=None), verdicts[i.position], entry)
            if i.batch == batch and i.position in verdicts
            else i
        ),
    )


def _answered(identity: IdentityState, verdict: Verdict, entry: RequestEntry) -> IdentityState:
    match verdict:
        case Scheduled(jobs):
            return _scheduled(replace(identity, jobs=_merged(_attributed(identity.jobs, jobs), jobs)), entry, None)
        case NotFound() if identity.marker_seen:
            return _scheduled(identity, entry, Reason.BATCH_EVIDENCE)
        case NotFound():
            return identity.moved(Stage.NOT_FOUND, Reason.NOTHING_HELD)
        case Unclear():
            return replace(identity, alone=True)


def _scheduled(identity: IdentityState, entry: RequestEntry, reason: Reason | None) -> IdentityState:
    return identity.moved(Stage.CANCELLING if entry.cancel_command else Stage.SCHEDULED, reason)


def rejected(entry: RequestEntry, batch: BatchId) -> RequestEntry:
    """A 400 to a call for one identity alone. A batch that is rejected in company was `unsent`, and is split."""
    return _each(
        entry,
        lambda i: replace(i, batch=None).moved(Stage.FAILED, Reason.REJECTED_BY_AMPLITUDE) if i.batch == batch else i,
    )


def cancel(entry: RequestEntry, command: CommandId) -> RequestEntry:
    """A cancel command, at intake. What was never sent is cancelled; what is frozen is too late."""
    asked = entry._replace(cancel_command=command, commands=(*entry.commands, command))

    def after(identity: IdentityState) -> IdentityState:
        if identity.never_sent:
            return identity.moved(Stage.CANCELLED)
        if identity.stage is Stage.SCHEDULED:
            return identity.moved(Stage.CANCELLING)
        if identity.stage is Stage.SUBMITTED:
            return identity.moved(Stage.TOO_LATE, Reason.FROZEN)
        return identity

    return _each(asked, after)


def forget(entry: RequestEntry, now: Millis) -> RequestEntry:
    """An ended request without anything that could tell who it was."""
    if entry.copy is not None:
        entry = copies.forget(entry)
    bare = _each(entry, lambda i: replace(i, value=None, jobs=tuple(replace(j, amplitude_id=None) for j in i.jobs)))
    return bare._replace(closed=now, batches=(), body_digest=entry.body_digest[:FORGOTTEN_DIGEST_BYTES])


def _settle(identity: IdentityState, entry: RequestEntry) -> IdentityState:
    """An identity out of a batch again: if its request is being cancelled and nothing was sent, it is cancelled."""
    return identity.moved(Stage.CANCELLED) if entry.cancel_command and identity.never_sent else identity


def _attributed(known: tuple[JobRef, ...], seen: tuple[JobRef, ...]) -> tuple[JobRef, ...]:
    """What was known, now that an answer tells which Amplitude IDs the identity has.

    A lost call's batch stands in a job that need not be the one its repetition was put into: the identity stands in
    both, and by the same ids. Where the answer names the very job, the answer is what is known of it.
    """
    ids = sorted({ref.amplitude_id for ref in seen if ref.amplitude_id is not None})
    days = {ref.day for ref in seen}
    by_marker = [ref for ref in known if ref.amplitude_id is None and ref.day not in days]
    named = [replace(ref, amplitude_id=each, batch=None) for ref in by_marker for each in ids]
    return (*(ref for ref in known if ref.amplitude_id is not None), *(named if ids else by_marker))


def _merged(known: tuple[JobRef, ...], seen: tuple[JobRef, ...]) -> tuple[JobRef, ...]:
    """Both, each (day, Amplitude ID, batch) once and oldest day first; what was known of one is kept."""
    places = {(ref.day, ref.amplitude_id, ref.batch): ref for ref in (*seen, *known)}
    return tuple(sorted(places.values(), key=lambda ref: (ref.day, ref.amplitude_id or 0)))


def _each(entry: RequestEntry, change: Callable[[IdentityState], IdentityState]) -> RequestEntry:
    return entry._replace(identities=tuple(change(identity) for identity in entry.identities))
