"""Counts the findings of one part of a source as they come, and gives a `Tally`."""

from __future__ import annotations

from collections import defaultdict

from scanner.evidence import SHAPES, Evidence, Field, Hits, Key, Origin, Shape, earliest, smallest
from scanner.findings import Reason, Via
from scanner.mask import shape
from scanner.sketch import EXACT, Sketch
from scanner.summary import Limits, Tally

_SPILL = 8 * EXACT
"""Fingerprints gathered before they are folded into a sketch: folding costs as much as a hundred of them."""


class Values:
    """The values of one data type in one place: what they have in common, how many differ, three of their shapes.

    Telling a value again changes nothing. Called once for each distinct value, so it does the least that is possible:
    a shape is only made for a fingerprint that is among the three smallest so far.
    """

    __slots__ = ("_distinct", "_fresh", "_least", "_shapes", "reasons", "via")

    def __init__(self) -> None:
        self.reasons, self.via = Reason(0), Via(0)
        self._fresh: set[int] = set()
        self._distinct = Sketch()
        self._shapes: tuple[Shape, ...] = ()
        self._least = 1 << 64

    def add(self, reasons: Reason, via: Via, fingerprint: int, value: str) -> None:
        """A value of that type was there."""
        if reasons is not self.reasons:
            self.reasons |= reasons
        if via is not self.via:
            self.via |= via
        if fingerprint < self._least:
            self._shapes = smallest((*self._shapes, Shape(fingerprint, shape(value))))
            if len(self._shapes) == SHAPES:
                self._least = self._shapes[-1].fingerprint
        self._fresh.add(fingerprint)
        if len(self._fresh) >= _SPILL:
            self._spill()

    def evidence(self, hits: Hits, first_hour: str, last_hour: str) -> Evidence:
        """Together with the events in which they were."""
        self._spill()
        return Evidence(hits, self.reasons, self.via, self._distinct, self._shapes, first_hour, last_hour)

    def _spill(self) -> None:
        self._distinct |= Sketch.of(self._fresh)
        self._fresh.clear()


class Recorder:
    """Mutable; one for each scanner process. Events and values are told apart because a value that was decided once is
    only counted when it comes again."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._seen: defaultdict[Field, int] = defaultdict(int)
        self._hits: dict[Key, tuple[Hits, str, str]] = {}
        self._values: defaultdict[Key, Values] = defaultdict(Values)
        self._added: defaultdict[Key, Evidence] = defaultdict(Evidence)
        self._account: defaultdict[str, int] = defaultdict(int)
        self.origins: dict[Key, Origin] = {}
        """An event that held the data type there, of each key: whoever records it may put one here."""

    def saw(self, place: Field, events: int = 1) -> None:
        """In so many events the field held a number or a non-empty string."""
        self._seen[place] += events

    def hit(self, key: Key, hits: Hits, first_hour: str = "", last_hour: str = "") -> None:
        """So many events held the data type there; each is in `hits` once, at its best grade."""
        before, first, last = self._hits.get(key, (Hits(), "", ""))
        hours = earliest(first, first_hour), max(last, last_hour or first_hour)
        self._hits[key] = (before.plus(hits), *hours)

    def value(self, key: Key, reasons: Reason, via: Via, fingerprint: int, value: str) -> None:
        """A value of that type was there. Telling it again changes nothing. Only its shape is kept."""
        self._values[key].add(reasons, via, fingerprint, value)

    def add(self, key: Key, evidence: Evidence) -> None:
        """What somebody else counted of other events."""
        self._added[key] += evidence

    def read(self, name: str, amount: int) -> None:
        """Adds to a counter of the account."""
        self._account[name] += amount

    def tally(self) -> Tally:
        """All that was told so far."""
        rows = self._added | {
            key: self._values[key].evidence(*told) + self._added.get(key, Evidence())
            for key, told in self._hits.items()
        }
        return Tally.of(dict(self._seen), rows, dict(self._account), self._limits, self.origins)
