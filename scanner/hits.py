"""A finding together with its value, and which of several over the same characters counts."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple

from scanner.findings import Finding, Grade, Reason, Via


class Hit(NamedTuple):
    """A finding before it is counted: `rule` is its rule's index, `value` what was found, as read through `via`.

    It holds personal data and so never leaves the process, nor reaches a log.
    """

    rule: int
    data_type: str
    start: int
    end: int
    grade: Grade
    reasons: Reason
    via: Via
    path: str
    value: str

    @property
    def finding(self) -> Finding:
        """The same without the value."""
        return Finding(self.data_type, self.start, self.end, self.grade, self.reasons, self.via, self.path)

    def through(self, via: Via, start: int, end: int, path: str = "") -> Hit:
        """The same, read through one more wrapping that holds it from `start` to `end`."""
        rule, data_type, _, _, grade, reasons, inner, own, value = self
        return Hit(rule, data_type, start, end, grade, reasons, inner | via if inner else via, path or own, value)


_place = itemgetter(2, 3, 0)  # start, end, rule


class Spans:
    """Half-open ranges in order; those that overlap are one."""

    __slots__ = ("_spans",)

    def __init__(self) -> None:
        self._spans: list[tuple[int, int]] = []

    def touch(self, start: int, end: int) -> bool:
        """Whether the range shares a position with one of ours."""
        if not self._spans:
            return False
        place = bisect_right(self._spans, (start, start))
        before = place > 0 and self._spans[place - 1][1] > start
        return before or (place < len(self._spans) and self._spans[place][0] < end)

    def add(self, start: int, end: int) -> None:
        """Add a range."""
        while self.touch(start, end):
            place = max(0, bisect_right(self._spans, (start, start)) - 1)
            while not (self._spans[place][0] < end and start < self._spans[place][1]):
                place += 1
            other = self._spans.pop(place)
            start, end = min(start, other[0]), max(end, other[1])
        insort(self._spans, (start, end))


def resolve(hits: list[Hit], priorities: Sequence[int]) -> list[Hit]:
    """The findings of one reading of one text, by place. `priorities` by rule index.

    They are taken by grade, priority, length, place and rule. One that touches an earlier one of its type is dropped.
    One that touches any that kept its grade and is of a higher grade or priority becomes possible, and is dropped if it
    was no more than that. Where both are equal nobody can say which of the two it is, and both stay.
    """
    if len(hits) < 2:
        return hits
    hits = sorted(hits, key=_place)
    if _are_apart(hits):
        return hits
    kept: list[Hit] = []
    strong = Spans()
    equals: list[tuple[int, int]] = []
    rank: tuple[int, int] | None = None
    of_type: defaultdict[str, Spans] = defaultdict(Spans)
    for grade, priority, _, _, _, number in _by_strength(hits, priorities):
        hit = hits[number]
        _, data_type, start, end, *_ = hit
        if rank != (grade, priority):
            rank = grade, priority
            for span in equals:
                strong.add(*span)
            equals.clear()
        own = of_type[data_type]
        covered = strong.touch(start, end)
        if own.touch(start, end) or (covered and hit.grade is Grade.POSSIBLE):
            continue
        own.add(start, end)
        if covered:
            hit = hit._replace(grade=Grade.POSSIBLE, reasons=hit.reasons | Reason.OVERLAP)
        else:
            equals.append((start, end))
        kept.append(hit)
    return sorted(kept, key=_place)


def _are_apart(by_place: list[Hit]) -> bool:
    """Whether no two of these share a character."""
    last = 0
    for hit in by_place:
        if hit.start < last:
            return False
        last = hit.end
    return True


def _by_strength(hits: list[Hit], priorities: Sequence[int]) -> list[tuple[int, int, int, int, int, int]]:
    """Grade and priority (negative, so that the best come first), length, place and rule, and which hit it is."""
    return sorted(
        [
            (-grade, -priorities[rule], start - end, start, rule, number)
            for number, (rule, _, start, end, grade, *_) in enumerate(hits)
        ]
    )


class Found:
    """The findings of a text, reading after reading: one that says nothing new is left out."""

    def __init__(self, plain: list[Hit]) -> None:
        self.hits = plain
        self._plain = tuple(plain)

    def add(self, hits: list[Hit]) -> None:
        """Those of another reading, unless one that is no less sure found the same value, or found the type at the same
        place of the text as it stands (which says nothing of a document's values: their place is the whole text)."""
        if self.hits and hits:
            hits = [hit for hit in hits if not self._is_known(hit)]
            _note(self._grades, hits)
        self.hits += hits

    def _is_known(self, hit: Hit) -> bool:
        if self._grades.get((hit.data_type, hit.value), 0) >= hit.grade:
            return True
        no_less_sure = (self._places.get((hit.data_type, grade)) for grade in Grade if grade >= hit.grade)
        return Via.JSON not in hit.via and any(spans and spans.touch(hit.start, hit.end) for spans in no_less_sure)

    @cached_property
    def _grades(self) -> dict[tuple[str, str], Grade]:
        """Best grade by type and value, of all hits."""
        grades: dict[tuple[str, str], Grade] = {}
        _note(grades, self.hits)
        return grades

    @cached_property
    def _places(self) -> dict[tuple[str, Grade], Spans]:
        places: defaultdict[tuple[str, Grade], Spans] = defaultdict(Spans)
        for hit in self._plain:
            places[hit.data_type, hit.grade].add(hit.start, hit.end)
        return places


def _note(grades: dict[tuple[str, str], Grade], hits: Iterable[Hit]) -> None:
    for hit in hits:
        known = grades.get((hit.data_type, hit.value), hit.grade)
        grades[hit.data_type, hit.value] = max(known, hit.grade)
