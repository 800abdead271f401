"""What a run need not complain about: what somebody answers for (allow-list), and what was there before (baseline).

An allow-list is TOML; every entry says why, and may say until when:

    [[allow]]
    type = "EMAIL"                       # the data type; these three narrow the entry, at least one is needed
    event_type = "support_*"             # `*` stands for anything; nothing else is special, brackets neither
    field = "/event_properties/agent*"
    reason = "staff addresses, see the record of processing"
    until = 2027-01-31                   # after that day the entry no longer holds

A baseline is the JSON report of an earlier run.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from scanner.column import Row
from scanner.errors import BadInput, Fault
from scanner.evidence import Key
from scanner.findings import Grade

_WORDS = ("type", "event_type", "field", "reason", "until")
_LITERAL = str.maketrans({"[": "[[]", "?": "[?]"})
"""Amplitude's own names begin with `[Amplitude]`: that must not be a class of characters."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """One entry of an allow-list. Empty patterns fit everything."""

    reason: str
    data_type: str = ""
    event_type: str = ""
    path: str = ""
    until: date | None = None

    def covers(self, key: Key) -> bool:
        """Whether the entry is about this finding, whatever the day."""
        return (
            self.data_type in {"", key.data_type}
            and _fits(self.event_type, key.event_type)
            and _fits(self.path, key.path)
        )

    def holds(self, today: date) -> bool:
        """Whether the entry still applies."""
        return self.until is None or today <= self.until


@dataclass(frozen=True, slots=True)
class Allowed:
    """A row that an entry answers for."""

    row: Row
    reason: str


@dataclass(frozen=True, slots=True)
class AllowList:
    """The entries of one or more files."""

    entries: tuple[Allowance, ...] = ()

    def split(self, rows: Iterable[Row], today: date) -> tuple[tuple[Row, ...], tuple[Allowed, ...]]:
        """The rows that remain, and those that an entry answers for; the first entry that covers a row speaks."""
        holding = [entry for entry in self.entries if entry.holds(today)]
        remaining: list[Row] = []
        allowed: list[Allowed] = []
        for row in rows:
            if entry := next((entry for entry in holding if entry.covers(row.key)), None):
                allowed.append(Allowed(row, entry.reason))
            else:
                remaining.append(row)
        return tuple(remaining), tuple(allowed)

    def expired(self, today: date) -> int:
        """How many entries no longer hold."""
        return sum(not entry.holds(today) for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The grades of an earlier run."""

    grades: Mapping[Key, Grade]

    def is_new(self, row: Row) -> bool:
        """Whether the finding was not there, or with a lower grade."""
        return row.grade > self.grades.get(row.key, 0)


def read_allow_list(path: Path) -> AllowList:
    """The allow-list in a file. Raises BadInput for a file that is not one."""
    try:
        document = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError:
        raise BadInput(Fault.BAD_ALLOW_LIST, f"allow-list {path.name}: this is not TOML") from None
    entries = document.get("allow", [])
    if document.keys() != {"allow"} or not _are_tables(entries):
        raise BadInput(Fault.BAD_ALLOW_LIST, f"allow-list {path.name}: it has [[allow]] tables and nothing else")
    return AllowList(tuple(_allowance(entry, f"{path.name}, entry {n}") for n, entry in enumerate(entries, 1)))


def read_baseline(path: Path) -> Baseline:
    """The baseline in a file. Raises BadInput for a file that is not a JSON report of ours."""
    try:
        return Baseline(_grades(json.loads(_text(path))))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadInput(Fault.BAD_BASELINE, f"baseline {path.name}: this is not a report of --format json") from None


def _grades(report: Any) -> dict[Key, Grade]:
    rows = [*report["rows"], *report["allowed"]]
    return {Key(row["event_type"], row["field"], row["data_type"]): Grade[row["grade"].upper()] for row in rows}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        raise BadInput(Fault.UNREADABLE, f"{path.name} cannot be read") from None
    except UnicodeDecodeError:
        raise BadInput(Fault.WRONG_TYPE, f"{path.name} is not UTF-8") from None


def _allowance(entry: Mapping[str, Any], where: str) -> Allowance:
    _check(entry, where)
    return Allowance(
        reason=entry["reason"],
        data_type=entry.get("type", ""),
        event_type=entry.get("event_type", ""),
        path=entry.get("field", ""),
        until=entry.get("until"),
    )


def _check(entry: Mapping[str, Any], where: str) -> None:
    faults = {
        f"it may say {', '.join(_WORDS)}, and nothing else": not entry.keys() <= {*_WORDS},
        "it says no reason": not _said(entry, "reason"),
        "it says neither type, event_type nor field": not any(_said(entry, word) for word in _WORDS[:3]),
        f"{', '.join(_WORDS[:4])} are texts": not all(isinstance(entry.get(word, ""), str) for word in _WORDS[:4]),
        "until is a date like 2027-01-31, without quotes": not _is_day(entry.get("until")),
    }
    if fault := next((text for text, is_so in faults.items() if is_so), None):
        raise BadInput(Fault.BAD_ALLOW_LIST, f"allow-list {where}: {fault}")


def _are_tables(entries: object) -> bool:
    return isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)


def _said(entry: Mapping[str, Any], word: str) -> bool:
    return bool(entry.get(word))


def _is_day(value: object) -> bool:
    return value is None or (isinstance(value, date) and not isinstance(value, datetime))


def _fits(pattern: str, text: str) -> bool:
    return not pattern or fnmatchcase(text, pattern.translate(_LITERAL))
