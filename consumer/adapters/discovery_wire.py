"""Between discovery's values and the records of its wire contracts. No decisions: one field beside the other.

Names of fields and event types come from other people's JSON and may hold lone surrogates, which no UTF-8 has: they
are written as escapes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from consumer.discovery.draft import Task
from consumer.discovery.inventory import DataType
from consumer.discovery.results import Result
from consumer.domain.discovery.command import DiscoveryId
from consumer.domain.discovery.discovery import Answer, State
from consumer.domain.discovery.outcome import FieldChange, Outcome
from consumer.domain.errors import Reason
from consumer.domain.hours import Span, hour_of, start_of
from consumer.domain.subject import Millis, ProjectId
from scanner.evidence import Evidence, Field, Key, Origin
from scanner.findings import Reason as Why
from scanner.summary import Tally

Record = dict[str, Any]

PART_BYTES = 700_000
"""Of one record of a result, by estimate; a record may have a megabyte."""
_ROW_BYTES, _FIELD_BYTES = 1_500, 24


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
    parts = list(_parts(result.tally)) or [([], [])]
    return [
        common
        | {"part": number, "parts": len(parts), "seen": seen, "rows": rows}
        | {"account": dict(result.answer.account) if number == 1 else {}}
        for number, (seen, rows) in enumerate(parts, 1)
    ]


def _parts(tally: Tally) -> Iterator[tuple[list[Record], list[Record]]]:
    seen: list[Record] = []
    rows: list[Record] = []
    size = 0
    for place, events in tally.seen.items():
        seen.append(_seen_out(place, events))
        size += _FIELD_BYTES + 4 * (len(place.event_type) + len(place.path))
        if size >= PART_BYTES:
            yield seen, rows
            seen, rows, size = [], [], 0
    for key, evidence in tally.rows.items():
        rows.append(_row_out(key, evidence, tally.origins.get(key)))
        size += _ROW_BYTES + 4 * (len(key.event_type) + len(key.path))
        if size >= PART_BYTES:
            yield seen, rows
            seen, rows, size = [], [], 0
    if seen or rows:
        yield seen, rows


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
        tally=_tally(record["seen"], record["rows"]),
        rules=record["rules"] or "",
        fingerprints=record["key"] or "",
        engine=record["engine"] or "",
        seconds=record["seconds"],
        part=record["part"],
        parts=record["parts"],
    )


def _tally(seen: Iterable[Record], rows: Iterable[Record]) -> Tally:
    """Names that differed in lone surrogates only may have become the same: then they are counted together."""
    total = Tally(seen_in(seen))
    for row in rows:
        key = _key(row)
        origin = origin_in(row)
        one = Tally(rows={key: evidence_in(row, row["distinct"])}, origins={key: origin} if origin else {})
        total = (
            total + one
            if key in total.rows
            else replace(total, rows={**total.rows, **one.rows}, origins={**total.origins, **one.origins})
        )
    return total


def seen_in(records: Iterable[Record]) -> dict[Field, int]:
    """Counters of fields."""
    seen: dict[Field, int] = {}
    for each in records:
        place = Field(each["event_type"], each["path"])
        seen[place] = seen.get(place, 0) + each["events"]
    return seen


def seen_out(seen: Mapping[Field, int]) -> list[Record]:
    """Counters of fields, in a fixed order."""
    return [_seen_out(place, events) for place, events in sorted(seen.items())]


def _seen_out(place: Field, events: int) -> Record:
    return {"event_type": _text(place.event_type), "path": _text(place.path), "events": events}


def _row_out(key: Key, evidence: Evidence, origin: Origin | None) -> Record:
    return _evidence_out(key, evidence, origin) | {
        "hits": list(evidence.hits),
        "distinct": evidence.distinct.to_bytes(),
    }


def _evidence_out(key: Key, evidence: Evidence, origin: Origin | None) -> Record:
    return {
        "event_type": _text(key.event_type),
        "path": _text(key.path),
        "data_type": key.data_type,
        "reasons": list(evidence.reasons.words),
        "via": list(evidence.via.words),
        "shapes": [
            {"fingerprint": _signed(shape.fingerprint), "masked": _text(shape.masked)} for shape in evidence.shapes
        ],
        "first_hour": evidence.first_hour,
        "last_hour": evidence.last_hour,
        "app_version": origin.app_version if origin else "",
        "library": origin.library if origin else "",
    }


def _key(record: Record) -> Key:
    return Key(record["event_type"], record["path"], record["data_type"])


def evidence_in(record: Record, sketch: bytes) -> Evidence:
    """The counters of a row or a line, without what was concluded from its column."""
    told = {
        "hits": record["hits"],
        "reasons": record["reasons"],
        "via": record["via"],
        "distinct": base64.b64encode(sketch).decode(),
        "shapes": [[f"{each['fingerprint'] & _ALL:x}", each["masked"]] for each in record["shapes"]],
        "hours": [record["first_hour"], record["last_hour"]],
    }
    evidence = Evidence.from_json(told)
    return replace(evidence, reasons=evidence.reasons & ~(Why.COLUMN | Why.FIELD))


def origin_in(record: Record) -> Origin | None:
    """Version and library of an event with it, if an event told them."""
    told = Origin(record["first_hour"], record["app_version"], record["library"])
    return told if told.app_version or told.library else None


def inventory_key(project: ProjectId, key: Key) -> bytes:
    """The key of a line of the inventory: a JSON array of project, event type, path and data type."""
    return json.dumps([project, _text(key.event_type), _text(key.path), key.data_type], ensure_ascii=False).encode()


def inventory_out(line: DataType, now: Millis) -> Record:
    """A `DataType`."""
    row, mark = line.row, line.mark
    return _evidence_out(row.key, line.evidence, line.origin) | {
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
        "event_type": _text(change.event_type),
        "path": _text(change.path),
        "state": "dirty" if change.dirty else "clean",
        "data_types": list(change.data_types),
        "grade": change.grade,
        "first_hour": change.first_hour or None,
        "app_version": change.app_version or None,
        "library": change.library or None,
    }


_ALL = (1 << 64) - 1


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
