"""Counts the findings of one part of a source as they come, and gives a `Tally`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from scanner.evidence import Evidence, Field, Hits, Key, Shape, earliest, smallest
from scanner.findings import Reason, Via
from scanner.sketch import EXACT, Sketch
from scanner.summary import Limits, Tally

_SPILL = 8 * EXACT
"""Fingerprints gathered before they are folded into a sketch: folding costs as much as a hundred of them."""


@dataclass(slots=True)
class _Row:
    hits: Hits = Hits()
    reasons: Reason = Reason(0)
    via: Via = Via(0)
    first_hour: str = ""
    last_hour: str = ""
    shapes: tuple[Shape, ...] = ()
    distinct: Sketch = Sketch()
    fresh: set[int] = field(default_factory=set)

    def spill(self) -> None:
        self.distinct |= Sketch.of(self.fresh)
        self.fresh.clear()

    def evidence(self) -> Evidence:
        self.spill()
        return Evidence(self.hits, self.reasons, self.via, self.distinct, self.shapes, self.first_hour, self.last_hour)


class Recorder:
    """Mutable; one for each scanner process. Events and values are told apart because a value that was judged once is
    only counted when it comes again."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._seen: defaultdict[Field, int] = defaultdict(int)
        self._rows: defaultdict[Key, _Row] = defaultdict(_Row)
        self._account: defaultdict[str, int] = defaultdict(int)

    def saw(self, place: Field, events: int = 1) -> None:
        """In so many events the field held a number or a non-empty string."""
        self._seen[place] += events

    def hit(self, key: Key, hits: Hits, first_hour: str = "", last_hour: str = "") -> None:
        """So many events held the data type there; each is in `hits` once, at its best grade."""
        row = self._rows[key]
        row.hits = row.hits.plus(hits)
        row.first_hour = earliest(row.first_hour, first_hour)
        row.last_hour = max(row.last_hour, last_hour or first_hour)

    def value(self, key: Key, reasons: Reason, via: Via, fingerprint: int, masked: str) -> None:
        """A value of that type was there. Telling it again changes nothing."""
        row = self._rows[key]
        row.reasons |= reasons
        row.via |= via
        row.shapes = smallest((*row.shapes, Shape(fingerprint, masked)))
        row.fresh.add(fingerprint)
        if len(row.fresh) >= _SPILL:
            row.spill()

    def read(self, name: str, amount: int) -> None:
        """Adds to a counter of the account."""
        self._account[name] += amount

    def tally(self) -> Tally:
        """All that was told so far."""
        rows = {key: row.evidence() for key, row in self._rows.items()}
        return Tally.of(dict(self._seen), rows, dict(self._account), self._limits)
