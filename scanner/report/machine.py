"""Reports for programs: JSON (one document), JSONL (a row a line), CSV. JSON is pure ASCII: no name can break a line.

The JSON document:

    {"format": "scan-report/1",
     "origin":   {"version", "started", "inputs": [name], "sources": [SHA-256], "engine", "processes", "seconds",
                  "rules": SHA-256, "rule_count", "window": [first hour, last hour] of events with findings},
     "totals":   {"findings": {"confirmed", "likely", "possible"}, "hidden", "fields_seen", "lines", "input_bytes",
                  "text_bytes" (unpacked), "text_scanned", "megabytes_per_second" (of text), "unaccounted_bytes",
                  "skipped": [{"fault", "lines", "text_bytes", "input_bytes"}], "account"},
     "incidents": [{"source", "fault", "message"}],
     "types":    {data type: {"name", "group", "country"}},
     "rows":     [ROW], "allowed": [ROW + {"allowed": reason}]}

    ROW = {"event_type", "field", "data_type", "grade", "events": {"confirmed", "likely", "possible"}, "events_hit",
           "events_seen" or null, "share" (0 to 1) or null, "reasons": [word], "via": [word], "distinct" or null,
           "distinct_margin" (two standard deviations), "shapes": [masked], "first_hour", "last_hour",
           "expected" (no discovery: the field holds it in every export), "new" (with a baseline: whether it counts)
           or null}

An event type and a field `{other}` stand for everything beyond the limits of a summary.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from scanner.column import Row
from scanner.findings import Grade
from scanner.report.model import INPUT, LINES, SCANNED, TEXT, Report

FORMAT = "scan-report/1"

COLUMNS = (
    *("grade", "data_type", "event_type", "field", "events_hit", "events_seen", "share", "distinct"),
    *("distinct_margin", "reasons", "via", "shapes", "first_hour", "last_hour", "new"),
)
"""Of the CSV, in this order. Lists are joined by blanks, shapes by ` | `."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet may take for the start of a formula, in full width too."""


def document(report: Report) -> dict[str, Any]:
    """The JSON document of a report."""
    return {
        "format": FORMAT,
        "origin": _origin(report),
        "totals": _totals(report),
        "incidents": [incident._asdict() for incident in report.scanned.incidents],
        "types": {name: data_type._asdict() for name, data_type in report.types.items()},
        "rows": [record(report, row) for row in report.rows],
        "allowed": [{**record(report, one.row), "allowed": one.reason} for one in report.allowed],
    }


def as_json(report: Report) -> str:
    """One document, indented."""
    return json.dumps(document(report), indent=1) + "\n"


def as_jsonl(report: Report) -> str:
    """One row a line; no rows, no lines."""
    return "".join(json.dumps(record(report, row)) + "\n" for row in report.rows)


def as_csv(report: Report) -> str:
    """RFC 4180, with a header. A cell that a spreadsheet could take for a formula starts with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(_cells(record(report, row)) for row in report.rows)
    return text.getvalue()


def record(report: Report, row: Row) -> dict[str, Any]:
    """A row as JSON."""
    share = row.share
    return {
        "event_type": row.key.event_type,
        "field": row.key.path,
        "data_type": row.key.data_type,
        "grade": row.grade.word,
        "events": {grade.word: row.hits[grade - 1] for grade in reversed(Grade)},
        "events_hit": row.hits.total,
        "events_seen": row.seen,
        "share": None if share is None else round(share, 4),
        "reasons": list(row.reasons.words),
        "via": list(row.via.words),
        "distinct": row.distinct.estimate if row.distinct else None,
        "distinct_margin": row.distinct.margin if row.distinct else 0,
        "shapes": list(row.shapes),
        "first_hour": row.first_hour,
        "last_hour": row.last_hour,
        "expected": row.key in report.expected,
        "new": None if report.new is None else row.key in report.new,
    }


def _origin(report: Report) -> dict[str, Any]:
    origin, scanned = report.origin, report.scanned
    return {
        "version": origin.version,
        "started": origin.started.isoformat(timespec="seconds"),
        "inputs": list(origin.inputs),
        "sources": sorted(scanned.summary.sources),
        "engine": scanned.engine,
        "processes": scanned.processes,
        "seconds": round(scanned.seconds, 3),
        "rules": scanned.summary.rules,
        "rule_count": report.rule_count,
        "window": list(report.window),
    }


def _totals(report: Report) -> dict[str, Any]:
    return {
        "findings": {grade.word: count for grade, count in report.per_grade.items()},
        "hidden": report.hidden,
        "fields_seen": report.fields_seen,
        "lines": report.account.get(LINES, 0),
        "input_bytes": report.account.get(INPUT, 0),
        "text_bytes": report.account.get(TEXT, 0),
        "text_scanned": report.account.get(SCANNED, 0),
        "megabytes_per_second": round(report.rate, 1),
        "skipped": [skipped._asdict() for skipped in report.skipped],
        "unaccounted_bytes": report.unaccounted,
        "account": dict(sorted(report.account.items())),
    }


def _cells(told: dict[str, Any]) -> Iterator[str]:
    for column in COLUMNS:
        joint = " | " if column == "shapes" else " "
        value = told[column]
        yield _safe(joint.join(value) if isinstance(value, list) else "" if value is None else str(value))


def _safe(cell: str) -> str:
    whole = cell.encode("utf-8", "backslashreplace").decode()
    return f"'{whole}" if whole.lstrip(" ").startswith(_FORMULA) else whole
