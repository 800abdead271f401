"""What speaks for one data type in one field of one event type, counted over many events. Frozen; sums in any order."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from scanner.findings import Grade, Reason, Via
from scanner.sketch import Sketch

SHAPES = 3
"""So many masked shapes are kept: those with the smallest fingerprints, which no order of merging can change."""


class Field(NamedTuple):
    """Where: an event type and a JSON pointer. Both generalised by the engine: no personal data, no array positions."""

    event_type: str
    path: str


class Key(NamedTuple):
    """Where, and what: the unit of result."""

    event_type: str
    path: str
    data_type: str

    @property
    def field(self) -> Field:
        """Where it stands."""
        return Field(self.event_type, self.path)


class Hits(NamedTuple):
    """Events per grade; an event counts once, at its best grade."""

    possible: int = 0
    likely: int = 0
    confirmed: int = 0

    @classmethod
    def at(cls, grade: Grade, events: int = 1) -> Hits:
        """So many events of one grade."""
        return cls(**{grade.word: events})

    @property
    def total(self) -> int:
        """Events of any grade."""
        return sum(self)

    @property
    def best(self) -> Grade:
        """The highest grade that any event reached."""
        return max((grade for grade, events in zip(Grade, self, strict=True) if events), default=Grade.POSSIBLE)

    def plus(self, other: Hits) -> Hits:
        """Both counts together."""
        return Hits(*map(sum, zip(self, other, strict=True)))


class Shape(NamedTuple):
    """A value with its characters masked, and the fingerprint of that value."""

    fingerprint: int
    masked: str


class Origin(NamedTuple):
    """An event that held something: its hour (`YYYY-MM-DD HH`), app version and library; empty where not told."""

    hour: str = ""
    app_version: str = ""
    library: str = ""

    @property
    def rank(self) -> tuple[bool, Origin]:
        """Sorts the earliest first, and those that tell no hour last."""
        return not self.hour, self


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is kept of the values of one `Key`. Hours are `YYYY-MM-DD HH` of the event time, or empty."""

    hits: Hits = Hits()
    reasons: Reason = Reason(0)
    via: Via = Via(0)
    distinct: Sketch = Sketch()
    shapes: tuple[Shape, ...] = ()
    first_hour: str = ""
    last_hour: str = ""

    def __add__(self, other: Evidence) -> Evidence:
        """The evidence of other events added. Associative and commutative; `Evidence()` is neutral."""
        return Evidence(
            hits=self.hits.plus(other.hits),
            reasons=self.reasons | other.reasons,
            via=self.via | other.via,
            distinct=self.distinct | other.distinct,
            shapes=smallest((*self.shapes, *other.shapes)),
            first_hour=earliest(self.first_hour, other.first_hour),
            last_hour=max(self.last_hour, other.last_hour),
        )

    def __reduce__(self) -> tuple[type[Evidence], tuple[Any, ...]]:
        """Pickled as a call, which is quicker than field by field: each scanner process sends thousands back."""
        return Evidence, _fields(self)

    def to_json(self) -> dict[str, Any]:
        """As JSON: flags by name, fingerprints in hexadecimal, the sketch in base64. Equal evidence, equal JSON."""
        return {
            "hits": list(self.hits),
            "reasons": list(self.reasons.words),
            "via": list(self.via.words),
            "distinct": base64.b64encode(self.distinct.to_bytes()).decode(),
            "shapes": [[f"{shape.fingerprint:016x}", shape.masked] for shape in self.shapes],
            "hours": [self.first_hour, self.last_hour],
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Evidence:
        """What `to_json` gave. Raises KeyError, TypeError, ValueError or BadInput for anything else."""
        first_hour, last_hour = map(str, told["hours"])
        return cls(
            hits=Hits(*map(int, told["hits"])),
            reasons=_flags(Reason, told["reasons"]),
            via=_flags(Via, told["via"]),
            distinct=Sketch.from_bytes(base64.b64decode(told["distinct"], validate=True)),
            shapes=smallest(Shape(int(fingerprint, 16), str(masked)) for fingerprint, masked in told["shapes"]),
            first_hour=first_hour,
            last_hour=last_hour,
        )


_fields = attrgetter(*Evidence.__slots__)
_Flags = TypeVar("_Flags", Reason, Via)


def _flags(kind: type[_Flags], words: Sequence[str]) -> _Flags:
    flags = kind(0)
    for word in words:
        flags |= kind[word.upper()]
    return flags


def smallest(shapes: Iterable[Shape]) -> tuple[Shape, ...]:
    """The `SHAPES` of them with the smallest fingerprints. Two may look alike: dropping one would mean making the shape
    of every value to know which others stay."""
    return tuple(sorted(set(shapes))[:SHAPES])


def earliest(one: str, other: str) -> str:
    """The earlier hour; an empty one is no hour."""
    return min(one, other) if one and other else one or other
