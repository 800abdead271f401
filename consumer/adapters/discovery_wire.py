"""Between discovery's values and the records of its wire contracts. No decisions: one field beside the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from consumer.adapters.tally_wire import evidence_out, parts_out, plain_text, tally_in
from consumer.discovery.draft import Task
from consumer.discovery.inventory import DataType
from consumer.discovery.results import Result
from consumer.domain.discovery.command import DiscoveryId
from consumer.domain.discovery.discovery import Answer, State
from consumer.domain.discovery.outcome import FieldChange, Outcome
from consumer.domain.errors import Reason
from consumer.domain.hours import Span, hour_of, start_of
from consumer.domain.subject import Millis, ProjectId
from scanner.evidence import Key

Record = dict[str, Any]


def _window(span: Span) -> Record:
    return {"from_hour": start_of(span.first), "to_hour": start_of(span.last)}


def _span(record: Record) -> Span:
    return Span(hour_of(record["from_hour"]), hour_of(record["to_hour"]))


def task_out(task: Task) -> Record:
    """A `ScanTask`."""
    return _window(task.span) | {
        "task_id": task.task_id,
        "discovery_id": task.discovery_id,
        "project": task.project,
        "slot": task.slot,
        "sample": task.sample,
        "rules": task.rules,
        "traceparent": task.traceparent,
        "issued_time": task.issued,
    }


def task_in(record: Record) -> Task:
    """From a `ScanTask`."""
    return Task(
        record["task_id"],
        DiscoveryId(record["discovery_id"]),
        ProjectId(record["project"]),
        record["slot"],
        _span(record),
        record["sample"],
        record["rules"],
        record["traceparent"],
        Millis(record["issued_time"]),
    )


def results_out(result: Result, now: Millis) -> list[Record]:
    """The `ScanResult`s that carry one result, each below a megabyte; the account goes with the first."""
    common = _window(result.answer.span) | {
        "task_id": result.task_id,
        "discovery_id": result.discovery_id,
        "project": result.project,
        "slot": result.slot,
        "state": result.answer.state.value,
        "reason": result.answer.reason,
        "archive_sha256": result.answer.archive or None,
        "rules": result.rules or None,
        "key": result.fingerprints or None,
        "engine": result.engine or None,
        "seconds": result.seconds,
        "occurred_time": now,
    }
    parts = list(parts_out(result.tally)) or [([], [])]
    return [
        common
        | {"part": number, "parts": len(parts), "seen": seen, "rows": rows}
        | {"account": dict(result.answer.account) if number == 1 else {}}
        for number, (seen, rows) in enumerate(parts, 1)
    ]


def result_in(record: Record) -> Result:
    """From one `ScanResult`; `ValueError` where a newer version wrote a state that this one does not know."""
    reason = Reason(record["reason"]) if record["reason"] else None
    account, archive = record["account"], record["archive_sha256"] or ""
    return Result(
        task_id=record["task_id"],
        discovery_id=DiscoveryId(record["discovery_id"]),
        project=ProjectId(record["project"]),
        slot=record["slot"],
        answer=Answer(_span(record), State(record["state"]), reason, archive, account),
        tally=tally_in(record["seen"], record["rows"]),
        rules=record["rules"] or "",
        fingerprints=record["key"] or "",
        engine=record["engine"] or "",
        seconds=record["seconds"],
        part=record["part"],
        parts=record["parts"],
    )


def inventory_key(project: ProjectId, key: Key) -> bytes:
    """The key of a line of the inventory: a JSON array of project, event type, path and data type."""
    return json.dumps(
        [project, plain_text(key.event_type), plain_text(key.path), key.data_type], ensure_ascii=False
    ).encode()


def inventory_out(line: DataType, now: Millis) -> Record:
    """A `DataType`."""
    row, mark = line.row, line.mark
    return evidence_out(row.key, line.evidence, line.origin) | {
        "project": line.project,
        "grade": row.grade.word,
        "state": "dirty" if mark.dirty else "clean",
        "expected": mark.expected,
        "events_seen": row.seen or 0,
        "hits": list(row.hits),
        "distinct": line.evidence.distinct.estimate,
        "sketch": line.evidence.distinct.to_bytes(),
        "reasons": list(row.reasons.words),
        "clean_hours": mark.clean_hours,
        "last_hit": start_of(mark.last_hit) if mark.last_hit is not None else None,
        "rules": line.rules or None,
        "key": line.fingerprints or None,
        "updated_time": now,
    }


def outcome_out(outcome: Outcome) -> Record:
    """A `DiscoveryOutcome`."""
    return {
        "outcome_id": outcome.outcome_id,
        "kind": outcome.kind.value,
        "discovery_id": outcome.discovery_id,
        "command_id": outcome.command_id,
        "project": outcome.project,
        "sequence": outcome.sequence,
        "stage": outcome.stage.value,
        "reason": outcome.reason,
        "duplicate_of": outcome.duplicate_of,
        "from_hour": start_of(outcome.first) if outcome.first is not None else None,
        "to_hour": start_of(outcome.last) if outcome.last is not None else None,
        "continuous": outcome.continuous,
        "sample": outcome.sample,
        "hours": outcome.hours._asdict() if outcome.hours else None,
        "refused": refused_out(outcome.refused),
        "account": dict(outcome.account),
        "rules": outcome.rules,
        "evidence": outcome.evidence or None,
        "dirty_fields": outcome.dirty_fields,
        "field": _field_out(outcome.field) if outcome.field else None,
        "requested_by": outcome.requested_by,
        "occurred_time": outcome.occurred,
    }


def refused_out(refused: Mapping[Reason, int]) -> list[Record]:
    """Hours by reason, in a fixed order."""
    return [{"reason": reason.value, "hours": hours} for reason, hours in sorted(refused.items())]


def _field_out(change: FieldChange) -> Record:
    return {
        "event_type": plain_text(change.event_type),
        "path": plain_text(change.path),
        "state": "dirty" if change.dirty else "clean",
        "data_types": list(change.data_types),
        "grade": change.grade,
        "first_hour": change.first_hour or None,
        "app_version": change.app_version or None,
        "library": change.library or None,
    }
