"""Upload hours, and sets of them as spans. An hour is a number: hours since 1970-01-01T00 UTC.

Amplitude's Export API selects by the hour in which an event arrived there (`server_upload_time`), both bounds of a
window inclusive. What arrives in an hour can be exported two hours after it has ended; three are safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple, NewType

from consumer.domain.subject import Millis

Hour = NewType("Hour", int)

HOUR_MS = 3_600_000
DAY_HOURS = 24
FINAL_AFTER_MS = 3 * HOUR_MS
"""An hour is final so long after its end (Amplitude, "Export API": two hours; integrators wait three)."""
FIRST_HOUR = Hour(16_386 * 24)
"""2014-11-12T00: older events are grouped by day and cannot be asked for by hour."""


class Span(NamedTuple):
    """The hours `first` to `last`, both inclusive; never empty."""

    first: Hour
    last: Hour

    @property
    def hours(self) -> int:
        """How many they are."""
        return self.last - self.first + 1

    def halves(self) -> tuple[Span, Span]:
        """Two spans that make this one up. `ValueError` for a single hour."""
        if self.hours < 2:
            raise ValueError("one hour has no halves")
        middle = self.first + self.hours // 2
        return Span(self.first, Hour(middle - 1)), Span(Hour(middle), self.last)

    def __str__(self) -> str:
        return text(self.first) if self.first == self.last else f"{text(self.first)} to {text(self.last)}"


Spans = tuple[Span, ...]
"""Disjoint, in ascending order, with a gap between any two."""


def joined(spans: Iterable[Span]) -> Spans:
    """The same hours as a tuple of the fewest spans."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.first <= merged[-1].last + 1:
            merged[-1] = Span(merged[-1].first, max(merged[-1].last, span.last))
        else:
            merged.append(span)
    return tuple(merged)


def without(spans: Iterable[Span], others: Iterable[Span]) -> Spans:
    """The hours of `spans` that are in none of `others`."""
    left = list(joined(spans))
    for other in joined(others):
        left = [part for span in left for part in _cut(span, other)]
    return tuple(left)


def _cut(span: Span, other: Span) -> Iterator[Span]:
    if other.last < span.first or span.last < other.first:
        yield span
        return
    if span.first < other.first:
        yield Span(span.first, Hour(other.first - 1))
    if other.last < span.last:
        yield Span(Hour(other.last + 1), span.last)


def count(spans: Iterable[Span]) -> int:
    """How many hours the disjoint spans hold."""
    return sum(span.hours for span in spans)


def hour_of(instant: Millis) -> Hour:
    """The hour in which the instant lies."""
    return Hour(instant // HOUR_MS)


def start_of(hour: Hour) -> Millis:
    """When it begins."""
    return Millis(hour * HOUR_MS)


def newest_final(now: Millis, final_after_ms: int = FINAL_AFTER_MS) -> Hour:
    """The newest hour whose export is complete."""
    return Hour(hour_of(Millis(now - final_after_ms)) - 1)


def newest_final_day(now: Millis, final_after_ms: int = FINAL_AFTER_MS) -> Span:
    """The newest day in UTC all of whose hours are final: yesterday, but for the first hours after midnight."""
    end = (newest_final(now, final_after_ms) + 1) // DAY_HOURS * DAY_HOURS
    return Span(Hour(end - DAY_HOURS), Hour(end - 1))


def final_from(hour: Hour, final_after_ms: int = FINAL_AFTER_MS) -> Millis:
    """From when on the hour's export is complete."""
    return Millis(start_of(hour) + HOUR_MS + final_after_ms)


def text(hour: Hour) -> str:
    """The hour in UTC as people write it, `2026-06-16T09`."""
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H")


def parameter(hour: Hour) -> str:
    """The hour as the Export API wants it, `20260616T09`."""
    return text(hour).replace("-", "")


def parse(given: str) -> Hour | None:
    """`2026-06-16T09`, or a day, `2026-06-16`, as its first hour; None for anything else."""
    try:
        moment = datetime.strptime(given, "%Y-%m-%dT%H" if "T" in given else "%Y-%m-%d")  # noqa: DTZ007 (UTC below)
    except ValueError:
        return None
    return Hour(int(moment.replace(tzinfo=UTC).timestamp()) // 3600)
