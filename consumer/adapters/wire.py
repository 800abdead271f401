"""Between domain values and the records of the wire contracts. No decisions: one field beside the other.

Enum values that a newer version wrote and this one does not know raise `ValueError` from the enum: a ledger that
cannot be read must stop the service, not be guessed at.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from consumer.adapters.copy_wire import copy_in, copy_out
from consumer.domain.command import IdentityKind, RequestType
from consumer.domain.deadline import Regulation
from consumer.domain.entry import IdentityState, JobRef, RequestEntry
from consumer.domain.errors import Fatal, Reason
from consumer.domain.halt import Halt
from consumer.domain.jobs import JobStatus
from consumer.domain.lifecycle import Stage
from consumer.domain.project import ProjectState
from consumer.domain.statement import Outcome
from consumer.domain.subject import Subject

Record = dict[str, Any]


def _job_out(ref: JobRef) -> Record:
    return {
        "day": ref.day,
        "amplitude_id": ref.amplitude_id,
        "batch": ref.batch,
        "status": ref.status.value,
        "scrubbed_on": ref.scrubbed_on,
        "missing": ref.missing,
        "revoked": ref.revoked,
    }


def _job_in(record: Record) -> JobRef:
    return JobRef(**record | {"status": JobStatus(record["status"])})


def _identity_out(identity: IdentityState) -> Record:
    return {
        "position": identity.position,
        "identity_type": identity.kind.value,
        "identity_value": identity.value.reveal() if identity.value is not None else None,
        "stage": identity.stage.value,
        "reason": identity.reason,
        "batch": identity.batch,
        "alone": identity.alone,
        "marker_seen": identity.marker_seen,
        "jobs": [_job_out(ref) for ref in identity.jobs],
    }


def _identity_in(record: Record) -> IdentityState:
    value = record["identity_value"]
    return IdentityState(
        position=record["position"],
        kind=IdentityKind(record["identity_type"]),
        value=Subject(value) if value is not None else None,
        stage=Stage(record["stage"]),
        reason=_reason(record["reason"]),
        batch=record["batch"],
        alone=record["alone"],
        marker_seen=record["marker_seen"],
        jobs=tuple(_job_in(job) for job in record["jobs"]),
    )


def _reason(text: str | None) -> Reason | None:
    return Reason(text) if text is not None else None


def entry_out(entry: RequestEntry) -> Record:
    """The `LedgerEntry` record of a request."""
    request = {
        "subject_request_id": entry.request_id,
        "project": entry.project,
        "org": entry.org,
        "subject_request_type": entry.request_type.value,
        "regulation": entry.regulation,
        "requested_by": entry.requested_by,
        "traceparent": entry.traceparent,
        "commands": list(entry.commands),
        "body_digest": entry.body_digest,
        "submitted_time": entry.submitted,
        "accepted_time": entry.accepted,
        "deadline": entry.deadline,
        "run": entry.run,
        "stage_sequence": entry.stage_sequence,
        "notice_sequence": entry.notice_sequence,
        "stage": (entry.stage or entry.reached).value,
        "reason": entry.reason,
        "held": entry.held,
        "release_time": entry.release,
        "approved": entry.approved,
        "attempt": entry.attempt,
        "dispatched_time": entry.dispatched,
        "cancel_command": entry.cancel_command,
        "frozen_since": entry.frozen_since,
        "batches": list(entry.batches),
        "at_risk_said": entry.at_risk_said,
        "breached_said": entry.breached_said,
        "erased_time": entry.erased,
        "closed_time": entry.closed,
        "identities": [_identity_out(identity) for identity in entry.identities],
        "after_copy": entry.after_copy,
        "copy": copy_out(entry.copy) if entry.copy is not None else None,
    }
    return {"request": (_REQUEST, request), "project": None, "halt": None}


_REQUEST = "dsr.ledger.RequestState"
"""Naming the union's branch halves the time of encoding: fastavro would try the whole record against each branch."""


def entry_in(record: Record) -> RequestEntry | None:
    """The request of a `LedgerEntry` record; None if the record is about something else."""
    request = record["request"]
    if request is None:
        return None
    return RequestEntry(
        request_id=request["subject_request_id"],
        project=request["project"],
        org=request["org"],
        request_type=RequestType(request["subject_request_type"]),
        regulation=Regulation(request["regulation"]) if request["regulation"] is not None else None,
        requested_by=request["requested_by"],
        traceparent=request["traceparent"],
        commands=tuple(request["commands"]),
        body_digest=request["body_digest"],
        submitted=request["submitted_time"],
        accepted=request["accepted_time"],
        deadline=request["deadline"],
        identities=tuple(_identity_in(identity) for identity in request["identities"]),
        run=request["run"],
        stage_sequence=request["stage_sequence"],
        notice_sequence=request["notice_sequence"],
        stage=Stage(request["stage"]),
        reason=_reason(request["reason"]),
        held=_reason(request["held"]),
        release=request["release_time"],
        approved=request["approved"],
        attempt=request["attempt"],
        dispatched=request["dispatched_time"],
        cancel_command=request["cancel_command"],
        frozen_since=request["frozen_since"],
        batches=tuple(request["batches"]),
        at_risk_said=request["at_risk_said"],
        breached_said=request["breached_said"],
        erased=request["erased_time"],
        closed=request["closed_time"],
        after_copy=request["after_copy"],
        copy=copy_in(request["copy"]) if request["copy"] is not None else None,
    )


def project_out(state: ProjectState) -> Record:
    """The `LedgerEntry` record of a project."""
    project = {
        "project": state.project,
        "commands": list(state.commands),
        "paused": state.paused,
        "parked": state.parked,
        "approved_time": state.approved,
        "counted_day": state.counted_day,
        "counted": state.counted,
        "observed_ms": list(state.observed_ms),
    }
    return {"request": None, "project": project, "halt": None}


def project_in(record: Record) -> ProjectState | None:
    """The project of a `LedgerEntry` record; None if the record is about something else."""
    project = record["project"]
    if project is None:
        return None
    return ProjectState(
        project=project["project"],
        commands=tuple(project["commands"]),
        paused=project["paused"],
        parked=_reason(project["parked"]),
        approved=project["approved_time"],
        counted_day=project["counted_day"],
        counted=project["counted"],
        observed_ms=tuple(project["observed_ms"]),
    )


def halt_out(halt: Halt) -> Record:
    """The `LedgerEntry` record of a halted partition."""
    return {"request": None, "project": None, "halt": {**asdict(halt), "reason": halt.reason.value}}


def ledger_in(record: Record) -> RequestEntry | ProjectState | Halt:
    """Whatever a `LedgerEntry` record is about. `Fatal(UNDECODABLE)` if it is about nothing this version knows."""
    if (found := entry_in(record) or project_in(record)) is not None:
        return found
    if (halt := record["halt"]) is not None:
        return Halt(Reason(halt["reason"]), halt["since"], halt["dead_letters"])
    raise Fatal(Reason.UNDECODABLE, "a ledger record about nothing that this version knows")


def outcome_out(outcome: Outcome) -> Record:
    """The `DsrOutcome` record of a statement. Identities appear by position only."""
    entry = outcome.entry
    about = entry or outcome.asked
    slack_ms = outcome.slack_ms
    package = entry.copy.package if entry and entry.copy else None
    return {
        "outcome_id": outcome.outcome_id,
        "kind": outcome.kind.value,
        "subject_request_id": about.request_id if about else None,
        "command_id": outcome.command_id,
        "project": outcome.project or None,
        "org": about.org if about else None,
        "run": entry.run if entry else 1,
        "sequence": outcome.sequence,
        "stage": outcome.stage.value,
        "reason": outcome.reason,
        "notice": outcome.notice,
        "request_status": outcome.status,
        "subject_request_type": entry.request_type if entry else None,
        "regulation": entry.regulation if entry else None,
        "requested_by": entry.requested_by if entry else None,
        "submitted_time": entry.submitted if entry else None,
        "deadline": entry.deadline if entry else None,
        "slack_seconds": slack_ms // 1000 if slack_ms is not None else None,
        "expected_completion_time": outcome.expected,
        "results": [_result_out(identity) for identity in entry.identities] if entry else [],
        "scheduled_day": _latest(entry, "day"),
        "scrub_date": _latest(entry, "scrubbed_on"),
        "frozen_since": entry.frozen_since if entry else None,
        "duplicate_of": outcome.duplicate_of,
        "results_url": package.manifest if package else None,
        "results_count": package.lines if package else 0 if outcome.stage is Stage.NOT_FOUND else None,
        "sha256": package.sha256 if package else None,
        "occurred_time": outcome.occurred,
    }


def _result_out(identity: IdentityState) -> Record:
    jobs = [{"day": j.day, "status": j.status.value, "scrubbed_on": j.scrubbed_on} for j in identity.jobs]
    return {
        "position": identity.position,
        "stage": identity.stage.value,
        "reason": identity.reason,
        "jobs": jobs,
    }


def _latest(entry: RequestEntry | None, name: str) -> str | None:
    """The latest of a date over all jobs; None unless every job has it: the last one decides when it is over."""
    dates = [getattr(ref, name) for i in entry.identities for ref in i.jobs if not ref.revoked] if entry else []
    return max(dates) if dates and all(dates) else None
