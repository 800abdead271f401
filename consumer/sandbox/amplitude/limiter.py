"""Amplitude's limits, on the real clock: so many seconds between the requests of a project, so many at a time.

Source: "User Privacy API": 1 request/s on the endpoint and 8 in parallel per project. That POST, GET and DELETE share
the one second is our reading. A refused request does not count against the next one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Project:
    last_s: float = float("-inf")
    in_flight: int = 0


class Limiter:
    """`gate_s` seconds between admitted requests of a project; 0.95 instead of 1 forgives the network's jitter."""

    def __init__(self, gate_s: float = 0.95, most_in_flight: int = 8) -> None:
        self._gate_s = gate_s
        self._most_in_flight = most_in_flight
        self._projects: dict[str, _Project] = {}

    def enter(self, app: str, now_s: float) -> bool:
        """Whether a request that arrives now is admitted. If so, `leave` must follow."""
        project = self._projects.setdefault(app, _Project())
        if now_s - project.last_s < self._gate_s or project.in_flight >= self._most_in_flight:
            return False
        project.last_s = now_s
        project.in_flight += 1
        return True

    def leave(self, app: str) -> None:
        """An admitted request has been answered or dropped."""
        self._projects[app].in_flight -= 1
