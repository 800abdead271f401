"""When a failed call is tried again: a pure schedule of full jitter.

    wait = random() * min(cap_s, base_s * 2 ** (attempt - 1))        attempt counts from 1
    wait = max(wait, hint)                                           when the server named a time

Full jitter spreads the retries of many lanes over the whole interval, which clears a backlog faster than a fixed
wait with a little noise (Brooker, "Exponential Backoff And Jitter").
"""

from __future__ import annotations

from dataclasses import dataclass

from consumer.domain.errors import Fault


@dataclass(frozen=True, slots=True)
class Schedule:
    """`base_s` and `cap_s` bound one wait; `floor_s` is the least there is between two tries."""

    base_s: float
    cap_s: float
    floor_s: float = 1.0

    def wait_s(self, attempt: int, random: float, hint_s: float | None = None) -> float:
        """Seconds until the next try after the `attempt`-th failure, for a `random` drawn from [0, 1)."""
        ceiling = min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 32))
        return max(self.floor_s, random * ceiling, hint_s or 0.0)


SCHEDULES: dict[Fault, Schedule] = {
    Fault.THROTTLED: Schedule(base_s=30, cap_s=600),
    Fault.UNREACHABLE: Schedule(base_s=2, cap_s=300),
    Fault.LOST: Schedule(base_s=2, cap_s=300),
    Fault.CREDENTIALS: Schedule(base_s=60, cap_s=900, floor_s=15),
}
"""One policy for each fault that may be tried again. A rejected call is not: it is split or given up."""
