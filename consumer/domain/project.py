"""What must survive about a project as a whole: pause, approval, the day's count, and how long its erasures take."""

from __future__ import annotations

from typing import NamedTuple

from consumer.domain.deadline import day_of, estimate_ms
from consumer.domain.errors import Reason
from consumer.domain.subject import CommandId, Day, Millis, ProjectId

REMEMBERED_COMMANDS = 32
OBSERVATIONS = 64


class ProjectState(NamedTuple):
    """`approved`: what was accepted until then is held no more. `parked`: why the lane waits, if it does."""

    project: ProjectId
    commands: tuple[CommandId, ...] = ()
    paused: bool = False
    parked: Reason | None = None
    approved: Millis | None = None
    counted_day: Day | None = None
    counted: int = 0
    observed_ms: tuple[int, ...] = ()

    @property
    def estimate_ms(self) -> int:
        """Expected time from acceptance to scrub."""
        return estimate_ms(self.observed_ms)

    def over_cap(self, daily_cap: int, now: Millis) -> bool:
        """Whether one more request accepted at `now` would exceed the cap."""
        return self.counted_day == day_of(now) and self.counted >= daily_cap

    def accepted(self, now: Millis) -> ProjectState:
        """One more request."""
        today = day_of(now)
        return self._replace(counted_day=today, counted=self.counted + 1 if self.counted_day == today else 1)

    def approve(self, now: Millis) -> ProjectState:
        """Everything held so far may go, and the day's count starts again: the next burst needs its own approval."""
        return self._replace(approved=now, counted=0)

    def observed(self, took_ms: int) -> ProjectState:
        """One more request whose data became unreachable."""
        return self._replace(observed_ms=(*self.observed_ms, took_ms)[-OBSERVATIONS:])

    def carried_out(self, command: CommandId) -> ProjectState:
        """Remember the command, so that it is not carried out again."""
        return self._replace(commands=(*self.commands, command)[-REMEMBERED_COMMANDS:])
