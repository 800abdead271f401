"""The inventory of one project: which fields hold which kinds of personal data, from all windows scanned so far.

Frozen: a merge gives a new inventory, so a transaction that fails leaves the old one as it was. Counters are the
scanner's, grades are judged anew over the merged counters of every field that a window touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from zlib import crc32

from consumer.domain.discovery.outcome import FieldChange
from consumer.domain.hours import Hour, Span, Spans, joined
from consumer.domain.subject import ProjectId
from scanner.column import Row, judged
from scanner.evidence import Evidence, Field, Key, Origin
from scanner.findings import Grade
from scanner.report.model import KINDS
from scanner.rules.model import RuleSet
from scanner.summary import Summary, Tally

BUCKETS = 256
"""Records that the counters of a project's fields are spread over, so that none grows beyond a megabyte. For good: a
field that moved to another bucket would be read back from both."""

CLEAN_AFTER_HOURS = 24
"""A field is clean again when it was seen in so many upload hours after its last finding, without another."""


class Mark(NamedTuple):
    """What is remembered of a data type in a field beside its counters.

    `expected`: Amplitude's own field for it (`ip_address`), which is no discovery. `clean_hours`: upload hours after
    `last_hit` in which the field was seen without it.
    """

    grade: Grade
    expected: bool
    last_hit: Hour | None = None
    clean_hours: int = 0

    @property
    def dirty(self) -> bool:
        """Whether the field holds it now, as far as anybody knows."""
        return self.grade >= Grade.LIKELY and self.clean_hours < CLEAN_AFTER_HOURS


class DataType(NamedTuple):
    """One line of the inventory."""

    project: ProjectId
    row: Row
    evidence: Evidence
    mark: Mark
    origin: Origin | None
    rules: str
    fingerprints: str


class Window(NamedTuple):
    """What was found in the events uploaded in a span of hours. `fingerprints` names the key of the fingerprints."""

    span: Span
    tally: Tally
    rules: str
    fingerprints: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """`covered` are the hours in it, each counted once."""

    project: ProjectId
    covered: Spans = ()
    fingerprints: str = ""
    tally: Tally = field(default_factory=Tally)
    marks: Mapping[Key, Mark] = field(default_factory=dict)

    def cover(self, span: Span) -> Inventory:
        """The same, with hours in which there was nothing."""
        return replace(self, covered=joined((*self.covered, span)))

    @property
    def dirty_fields(self) -> int:
        """How many fields hold personal data that is not expected there."""
        return len({key.field for key, mark in self.marks.items() if mark.dirty and not mark.expected})

    def bucket(self, number: int) -> dict[Field, int]:
        """The counters of the fields in one bucket."""
        return {place: seen for place, seen in self.tally.seen.items() if bucket_of(place) == number}


class Merged(NamedTuple):
    """An inventory with one more window: the lines that are new or differ, those that are gone, what else to write."""

    inventory: Inventory
    lines: tuple[DataType, ...]
    gone: tuple[Key, ...]
    buckets: frozenset[int]
    changes: tuple[FieldChange, ...]


def bucket_of(place: Field) -> int:
    """Where the counter of a field is kept."""
    return crc32(f"{place.event_type}\0{place.path}".encode("utf-8", "surrogatepass")) % BUCKETS


def merge(inventory: Inventory, window: Window, rules: RuleSet) -> Merged:
    """With a window's counters added. `ScanError` never: keys were compared, and hours are disjoint by then."""
    before, tally = inventory.tally, inventory.tally + window.tally
    touched = window.tally.seen.keys() | {key.field for key in window.tally.rows}
    kept = tally.rows.keys() | {key for key in inventory.marks if key.field in tally.seen}
    gone = tuple(key for key in inventory.marks if key not in kept)
    rows = judged(Summary(tally=_part(tally, touched | _moved(before, tally))), rules)
    marks = {key: mark for key, mark in inventory.marks.items() if key in kept}
    marks |= {row.key: _marked(row, inventory.marks.get(row.key), window, rules) for row in rows}
    merged = replace(
        inventory.cover(window.span),
        tally=tally,
        marks=marks,
        fingerprints=inventory.fingerprints or window.fingerprints,
    )
    lines = tuple(_line(merged, row, window) for row in rows)
    return Merged(merged, lines, gone, _buckets(before, window.tally, tally), tuple(_changes(inventory, merged, rows)))


def _part(tally: Tally, places: Iterable[Field]) -> Tally:
    wanted = set(places)
    return Tally(
        {place: tally.seen[place] for place in wanted if place in tally.seen},
        {key: evidence for key, evidence in tally.rows.items() if key.field in wanted},
    )


def _moved(before: Tally, after: Tally) -> set[Field]:
    """The fields of rows that a limit has moved elsewhere, and where they went."""
    return {key.field for key in after.rows.keys() - before.rows.keys()}


def _marked(row: Row, old: Mark | None, window: Window, rules: RuleSet) -> Mark:
    known = rules.fields.get(row.key.path)
    expected = known is not None and row.key.data_type in {known, *KINDS.get(known, ())}
    last_hit, clean_hours = (old.last_hit, old.clean_hours) if old else (None, 0)
    if row.key in window.tally.rows or row.key.data_type == known:
        newest = last_hit is None or window.span.last >= last_hit
        return Mark(row.grade, expected, window.span.last if newest else last_hit, 0 if newest else clean_hours)
    if window.tally.seen.get(row.key.field) and (last_hit is None or window.span.first > last_hit):
        clean_hours += window.span.hours
    return Mark(row.grade, expected, last_hit, clean_hours)


def _line(inventory: Inventory, row: Row, window: Window) -> DataType:
    evidence = inventory.tally.rows.get(row.key, Evidence())
    origin = inventory.tally.origins.get(row.key)
    mark = inventory.marks[row.key]
    return DataType(inventory.project, row, evidence, mark, origin, window.rules, inventory.fingerprints)


def _buckets(before: Tally, added: Tally, after: Tally) -> frozenset[int]:
    if len(after.seen) != len(before.seen.keys() | added.seen.keys()):
        return frozenset(range(BUCKETS))  # a limit was reached: counters of any field may have moved
    return frozenset(map(bucket_of, added.seen))


def _changes(before: Inventory, after: Inventory, rows: Iterable[Row]) -> Iterable[FieldChange]:
    """The fields that began to hold personal data where none is expected, and those that no longer do."""
    was, now = _dirty(before.marks), _dirty(after.marks)
    of_field: defaultdict[Field, list[Row]] = defaultdict(list)
    for row in rows:
        of_field[row.key.field].append(row)
    for place, found in sorted(of_field.items()):
        speaking = [row for row in found if row.key in (now.get(place) or was.get(place) or ())]
        if (place in was) is not (place in now) and speaking:
            yield _change(after, place, speaking)


def _dirty(marks: Mapping[Key, Mark]) -> dict[Field, set[Key]]:
    found: defaultdict[Field, set[Key]] = defaultdict(set)
    for key, mark in marks.items():
        if mark.dirty and not mark.expected:
            found[key.field].add(key)
    return dict(found)


def _change(after: Inventory, place: Field, rows: list[Row]) -> FieldChange:
    surest = sorted(rows, key=lambda row: row.place)
    origins = [origin for row in surest if (origin := after.tally.origins.get(row.key))]
    first = min(origins, default=None)
    hours = [row.first_hour for row in surest if row.first_hour]
    return FieldChange(
        event_type=place.event_type,
        path=place.path,
        dirty=any(after.marks[row.key].dirty for row in surest),
        data_types=tuple(row.key.data_type for row in surest),
        grade=max(row.grade for row in surest).word,
        first_hour=min(hours, default=""),
        app_version=first.app_version if first else "",
        library=first.library if first else "",
    )
