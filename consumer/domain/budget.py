"""How much of an hourly allowance may be spent now: a bucket of tokens, as a frozen value.

Amplitude counts the DSAR API's costs by the hour and does not say whether its hour is fixed or rolling. A bucket that
holds `burst` and fills at `rate` never gives more than `burst` + 3,600 `rate` in any hour, so both hours are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Budget:
    """`tokens` at the instant `at`, in seconds on a clock that never jumps."""

    rate: float
    burst: float
    tokens: float
    at: float

    @classmethod
    def of_new_owner(cls, units: float, hour_s: float, burst: float, now: float) -> Budget:
        """For `units` in any `hour_s`, empty: what the last owner spent is not known."""
        if not 0 < burst < units:
            raise ValueError("a burst is a part of the hour's units")
        return cls((units - burst) / hour_s, burst, 0.0, now)

    def wait_s(self, cost: float, now: float) -> float:
        """Seconds until so much may be spent. `ValueError` for what can never be."""
        if cost > self.burst:
            raise ValueError("costs more than the bucket holds")
        return max(0.0, (cost - self._at(now)) / self.rate)

    def spent(self, cost: float, now: float) -> Budget:
        """So much less. It may go below nothing: what was spent is spent."""
        return replace(self, tokens=self._at(now) - cost, at=now)

    def refunded(self, cost: float) -> Budget:
        """A call that was paid for certainly did not leave."""
        return replace(self, tokens=min(self.burst, self.tokens + cost))

    def drained(self, now: float) -> Budget:
        """Amplitude says that the hour is spent: somebody else spends from it, too."""
        return replace(self, tokens=min(0.0, self._at(now)), at=now)

    def _at(self, now: float) -> float:
        return min(self.burst, self.tokens + (now - self.at) * self.rate)
