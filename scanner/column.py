"""The final grade of a data type in a field, from counters over its events: what one value cannot tell, a column can.

- A known field (`RuleSet.fields`) holds its type in every event, whatever the values look like.
- A type whose rules are `noisy` is lowered to `possible` where few events pass, unless key or text name it: one in ten
  random numbers passes a check digit. A column that names the type is no noise, even if it also holds other things.
- A type with a check digit is raised by one where nearly all events pass: chance does not do that fifty times. Not
  where something speaks against it, a veto or a stronger finding over the same characters: so it does for the column.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scanner.evidence import Evidence, Hits, Key
from scanner.findings import Grade, Reason, Via
from scanner.rules.model import RuleSet
from scanner.sketch import Sketch
from scanner.summary import OTHER, Summary, Tally

NOISE_BELOW, NOISE_SEEN = 0.5, 20
SURE_FROM, SURE_SEEN = 0.9, 50


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a report. `seen` is None where it is not known (`OTHER`), `distinct` where no value was looked at."""

    key: Key
    grade: Grade
    hits: Hits
    seen: int | None
    reasons: Reason
    via: Via
    distinct: Sketch | None
    shapes: tuple[str, ...]
    first_hour: str
    last_hour: str

    @property
    def share(self) -> float | None:
        """Of the events in which the field held something, those that held this type: 0 to 1."""
        return min(1.0, self.hits.total / self.seen) if self.seen else None

    @property
    def place(self) -> tuple[int, int, Key]:
        """Sorts the surest and most frequent first."""
        return -self.grade, -self.hits.total, self.key


def judged(summary: Summary, rules: RuleSet) -> list[Row]:
    """One row for each (event type, path, data type), the surest and most frequent first."""
    tally = summary.tally
    known = _known(tally, rules)
    noisy = _noisy(rules)
    found = (_row(tally, key, evidence, noisy) for key, evidence in tally.rows.items() if key not in known)
    return sorted([*found, *known.values()], key=lambda row: row.place)


def _known(tally: Tally, rules: RuleSet) -> dict[Key, Row]:
    places = ((place, rules.fields[place.path]) for place in tally.seen if place.path in rules.fields)
    return {(key := Key(*place, data_type)): _known_row(tally, key) for place, data_type in places}


def _known_row(tally: Tally, key: Key) -> Row:
    seen, evidence = tally.seen[key.field], tally.rows.get(key)
    base = _row(tally, key, evidence or Evidence(), frozenset())
    return replace(
        base,
        grade=Grade.CONFIRMED,
        hits=Hits(confirmed=seen),
        reasons=(base.reasons & ~Reason.COLUMN) | Reason.FIELD,
        distinct=evidence.distinct if evidence else None,
    )


def _row(tally: Tally, key: Key, evidence: Evidence, noisy: frozenset[str]) -> Row:
    seen = tally.seen.get(key.field) if key.field != OTHER else None
    grade = _final(evidence, seen or 0, key.data_type in noisy)
    return Row(
        key=key,
        grade=grade,
        hits=evidence.hits,
        seen=seen,
        reasons=evidence.reasons if grade is evidence.hits.best else evidence.reasons | Reason.COLUMN,
        via=evidence.via,
        distinct=evidence.distinct,
        shapes=tuple(dict.fromkeys(shape.masked for shape in evidence.shapes)),
        first_hour=evidence.first_hour,
        last_hour=evidence.last_hour,
    )


def _final(evidence: Evidence, seen: int, noisy: bool) -> Grade:
    grade = evidence.hits.best
    share = evidence.hits.total / seen if seen else 0.0
    named = evidence.reasons & (Reason.KEY | Reason.NEARBY)
    opposed = evidence.reasons & (Reason.VETO | Reason.OVERLAP)
    if noisy and seen >= NOISE_SEEN and share < NOISE_BELOW and not named:
        return Grade.POSSIBLE
    if seen >= SURE_SEEN and share >= SURE_FROM and Reason.CHECKSUM in evidence.reasons and not opposed:
        return Grade(min(grade + 1, Grade.CONFIRMED))
    return grade


def _noisy(rules: RuleSet) -> frozenset[str]:
    """The types all of whose rules are noisy: a row does not tell which rule it comes from."""
    return _types(rules, noisy=True) - _types(rules, noisy=False)


def _types(rules: RuleSet, *, noisy: bool) -> frozenset[str]:
    return frozenset(rule.data_type for rule in rules.rules if (rule.column == "noisy") is noisy)
