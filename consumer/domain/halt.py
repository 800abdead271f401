"""When intake must stop: so many dead letters in so short a time that a producer, and not a record, is broken.

A bad deploy must not drain the commands' topic into the dead letters. The halt is the partition's, stands in its
ledger, and ends only when a person says so (`dsr resume`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from consumer.domain.errors import Reason
from consumer.domain.subject import Millis

WINDOW_MS = 60_000
MOST_IN_WINDOW = 100
SHARE_RECORDS = 1_000
MOST_SHARE = 0.05
HALT_KEY = "halt"
"""The ledger's key of a partition's halt."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Intake of one partition is halted. `dead_letters`: how many the window held that tripped it."""

    reason: Reason
    since: Millis
    dead_letters: int


class DeadLetterRate:
    """The dead letters of one partition, counted: more than 100 in a minute, or in more than 5 % of 1,000 records."""

    def __init__(self) -> None:
        self._buried: deque[Millis] = deque()
        self._last: deque[bool] = deque(maxlen=SHARE_RECORDS)
        self._dead_of_last = 0

    def seen(self, buried: bool, now: Millis) -> Halt | None:
        """One more record, read at `now`; the halt that it trips, if it does."""
        if len(self._last) == SHARE_RECORDS:
            self._dead_of_last -= self._last[0]
        self._last.append(buried)
        self._dead_of_last += buried
        if not buried:
            return None
        self._buried.append(now)
        while self._buried[0] <= now - WINDOW_MS:
            self._buried.popleft()
        if len(self._buried) > MOST_IN_WINDOW:
            return Halt(Reason.TOO_MANY_DEAD_LETTERS, now, len(self._buried))
        if len(self._last) == SHARE_RECORDS and self._dead_of_last > MOST_SHARE * SHARE_RECORDS:
            return Halt(Reason.TOO_MANY_DEAD_LETTERS, now, self._dead_of_last)
        return None
