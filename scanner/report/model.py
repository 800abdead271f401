"""What every report says: rows, totals that account for every byte, and where all of it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from scanner.baseline import Allowed, AllowList, Baseline
from scanner.column import Row, judged
from scanner.evidence import Key
from scanner.findings import Grade, Reason
from scanner.ports import Scanned
from scanner.rules.model import RuleSet

LINES, TEXT, SCANNED = "lines", "text_bytes", "text_scanned"
"""Names in an account: lines that were scanned, bytes that came out of all unpacking, and those that were scanned."""

INPUT, OVERHEAD, UNPACKED = "input_bytes", "input_overhead", "input_unpacked"
"""Bytes that went in, those of them that are headers and directories of containers, and those that were read."""

LINES_SKIPPED, TEXT_SKIPPED, INPUT_SKIPPED = "lines_skipped.", "text_skipped.", "input_skipped."
"""Prefixes of names in an account; a `Fault` follows."""


KINDS = {"IP_ADDRESS": ("IPV4", "IPV6")}
"""Types of known fields, and the types that rules find in the values of such a field."""


class Skipped(NamedTuple):
    """What was not scanned for one reason. Bytes are counted where they were given up: unpacked, or as they came in."""

    fault: str
    lines: int
    text_bytes: int
    input_bytes: int


def skipped(account: Mapping[str, int]) -> tuple[Skipped, ...]:
    """What was not scanned, by reason."""
    prefixes = (LINES_SKIPPED, TEXT_SKIPPED, INPUT_SKIPPED)
    faults = {name.removeprefix(prefix) for name in account for prefix in prefixes if name.startswith(prefix)}
    amounts = (Skipped(fault, *(account.get(prefix + fault, 0) for prefix in prefixes)) for fault in faults)
    return tuple(sorted(each for each in amounts if any(each[1:])))


def unaccounted(account: Mapping[str, int]) -> int:
    """Bytes, unpacked or as they came in, that went nowhere. Other than 0 is a bug."""

    def left(whole: str, *parts: str) -> int:
        return account.get(whole, 0) - sum(account.get(part, 0) for part in parts)

    lost = skipped(account)
    text = left(TEXT, SCANNED) - sum(each.text_bytes for each in lost)
    raw = left(INPUT, OVERHEAD, UNPACKED) - sum(each.input_bytes for each in lost)
    return abs(text) + abs(raw)


class DataType(NamedTuple):
    """What the rules say of a data type."""

    name: str
    group: str
    country: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a report comes from. `inputs` are file names without folders, `started` is in UTC."""

    version: str
    started: datetime
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the reader of a report has said beforehand: what to leave out, and what is already known."""

    allow: AllowList = AllowList()  # noqa: RUF009 (immutable)
    baseline: Baseline | None = None
    least: Grade = Grade.POSSIBLE


@dataclass(frozen=True)
class Report:
    """Everything that is written, in whatever format. `hidden` counts the rows below the least grade, not shown."""

    rows: tuple[Row, ...]
    hidden: int
    allowed: tuple[Allowed, ...]
    new: frozenset[Key] | None
    types: Mapping[str, DataType]
    scanned: Scanned
    rule_count: int
    origin: Origin

    @property
    def account(self) -> Mapping[str, int]:
        """The counters of what was read."""
        return self.scanned.summary.tally.account

    @cached_property
    def skipped(self) -> tuple[Skipped, ...]:
        """What was not scanned, by reason."""
        return skipped(self.account)

    @property
    def unaccounted(self) -> int:
        """Bytes, unpacked or as they came in, that went nowhere. Other than 0 is a bug."""
        return unaccounted(self.account)

    @property
    def rate(self) -> float:
        """Megabytes (10^6) of uncompressed input a second."""
        return self.account.get(TEXT, 0) / 1e6 / self.scanned.seconds if self.scanned.seconds > 0 else 0.0

    @property
    def fields_seen(self) -> int:
        """Fields, by event type, that held anything."""
        return len(self.scanned.summary.tally.seen)

    @property
    def window(self) -> tuple[str, str]:
        """The first and the last hour of events with findings, or empty texts."""
        hours = [hour for row in self.rows for hour in (row.first_hour, row.last_hour) if hour]
        return min(hours, default=""), max(hours, default="")

    @cached_property
    def per_grade(self) -> Mapping[Grade, int]:
        """How many rows of each grade are shown."""
        counts = Counter(row.grade for row in self.rows)
        return {grade: counts[grade] for grade in reversed(Grade)}

    @cached_property
    def expected(self) -> frozenset[Key]:
        """The findings that are no discovery: what a known field always holds, and what the rules call its values."""
        known = {row.key.field: row.key.data_type for row in self.rows if Reason.FIELD in row.reasons}
        return frozenset(
            row.key
            for row in self.rows
            if (data_type := known.get(row.key.field)) and row.key.data_type in {data_type, *KINDS.get(data_type, ())}
        )

    def failing(self, grade: Grade) -> int:
        """How many findings of that grade or a higher one count: with a baseline only the new ones do."""
        return sum(row.grade >= grade and (self.new is None or row.key in self.new) for row in self.rows)


def report(scanned: Scanned, rules: RuleSet, judgement: Judgement, origin: Origin) -> Report:
    """The report of a scan. The allow-list is read as of the day on which the scan started."""
    everything = judged(scanned.summary, rules)
    remaining, allowed = judgement.allow.split(everything, origin.started.date())
    shown = tuple(row for row in remaining if row.grade >= judgement.least)
    known = judgement.baseline
    return Report(
        rows=shown,
        hidden=len(remaining) - len(shown),
        allowed=allowed,
        new=frozenset(row.key for row in shown if known.is_new(row)) if known else None,
        types=_types(rules, everything),
        scanned=scanned,
        rule_count=len(rules.rules),
        origin=origin,
    )


def _types(rules: RuleSet, rows: list[Row]) -> dict[str, DataType]:
    named = {rule.data_type: DataType(rule.name, rule.group, rule.country) for rule in reversed(rules.rules)}
    wanted = sorted({row.key.data_type for row in rows})
    return {data_type: named.get(data_type, DataType(data_type, "", "")) for data_type in wanted}
