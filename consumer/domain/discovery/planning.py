"""Which windows are issued next: hours in their order, a few windows a slot, each as heavy as the target if it can be.

Nobody knows what an hour weighs before it was exported. So the first window is one hour, and each may be twice as long
as the one before, up to what the target holds at the weight that the last window had. A window that turned out too
large for Amplitude is halved, and the following ones are as short.
"""

from __future__ import annotations

from typing import NamedTuple

from consumer.domain.deadline import DAY_MS
from consumer.domain.discovery.discovery import Discovery, Issued, next_own
from consumer.domain.hours import Hour, Span, Spans
from consumer.domain.subject import Millis

DEPTH = 2
"""Windows of one slot that are issued at a time: one that is scanned and one that waits."""
REISSUE_MS = 15 * DAY_MS
"""A window without an answer for so long is issued again. Tasks are kept for fourteen days: one that only waits for its
turn in a long queue is still there, and is not issued twice."""


class Policy(NamedTuple):
    """`target_bytes` is the compressed size a window aims at, `longest` its hours at most."""

    target_bytes: int = 256_000_000
    longest: int = 168


def plan(discovery: Discovery, slots: int, newest: Hour, policy: Policy, now: Millis) -> tuple[Discovery, list[Issued]]:
    """With the next windows issued, and what is to be written as tasks: those, and windows that are overdue.

    `newest` is the newest hour that is final: younger ones wait.
    """
    issued = [each for each in discovery.issued if now - each.since <= REISSUE_MS]
    fresh = [each._replace(since=now) for each in discovery.issued if now - each.since > REISSUE_MS]
    issued += fresh
    planned, length = discovery.planned, discovery.length
    while (slot := _idlest(issued, slots)) is not None:
        hours = _hours(discovery.bytes_per_hour, length, policy)
        if (span := _next(discovery.own, planned, newest, hours)) is None:
            break
        issued.append(Issued(span, slot, now))
        fresh.append(issued[-1])
        planned, length = span.last, span.hours
    return discovery._replace(issued=tuple(issued), planned=planned, length=length), fresh


def _idlest(issued: list[Issued], slots: int) -> int | None:
    """The slot with the fewest windows, if one has room."""
    loads = [sum(each.slot == slot for each in issued) for slot in range(slots)]
    slot = min(range(slots), key=lambda each: (loads[each], each))
    return slot if loads[slot] < DEPTH else None


def _hours(bytes_per_hour: float | None, before: int, policy: Policy) -> int:
    if bytes_per_hour is None:
        return max(1, before)
    fitting = policy.target_bytes / bytes_per_hour if bytes_per_hour > 0 else policy.longest
    return max(1, min(int(fitting), 2 * before, policy.longest))


def _next(own: Spans, planned: Hour | None, newest: Hour, hours: int) -> Span | None:
    first = next_own(own, planned)
    if first is None or first > newest:
        return None
    last = next(span.last for span in own if span.first <= first <= span.last)
    return Span(first, min(last, newest, Hour(first + hours - 1)))
