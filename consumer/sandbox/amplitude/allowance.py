"""Amplitude's hourly allowances, as a window that slides: the strictest reading of "an hour"."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Allowance:
    """`units` in any `hour_s` real seconds. `spent` keeps every call that was admitted, for assertions."""

    units: int
    hour_s: float
    spent: list[tuple[float, int]] = field(default_factory=list)
    _window: deque[tuple[float, int]] = field(default_factory=deque)
    _sum: int = 0

    def spend(self, cost: int, now_s: float) -> bool:
        """Whether a call that arrives now is admitted. A refused one costs nothing."""
        while self._window and self._window[0][0] <= now_s - self.hour_s:
            self._sum -= self._window.popleft()[1]
        if self._sum + cost > self.units:
            return False
        self._window.append((now_s, cost))
        self._sum += cost
        self.spent.append((now_s, cost))
        return True

    def most_in_an_hour(self) -> int:
        """The most that was ever spent in a sliding hour."""
        first, total, most = 0, 0, 0
        for stamp, cost in self.spent:
            total += cost
            while self.spent[first][0] <= stamp - self.hour_s:
                total -= self.spent[first][1]
                first += 1
            most = max(most, total)
        return most
