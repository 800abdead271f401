"""Saying that a lane waits, and why: to the project, and once in each parking to every request that waits with it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import islice

from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.errors import Reason
from consumer.domain.statement import Notice, expected_erasure, notice
from consumer.lanes.ground import SLICE, Ground
from consumer.turn import Turn

WITHOUT_KEYS = frozenset({Reason.CREDENTIALS_MISSING, Reason.PROJECT_REMOVED})


class Parking:
    """`reason` is what is true; `say` makes it durable. A parking that was taken over with the lane goes on.

    The requests of a parking taken over are not told again: each is asked whether it was ever told that it waits.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.reason: Reason | None = ground.state.parked
        self._taken_over = self.reason is not None
        self._told: set[LedgerKey] = set()
        self._untold: dict[LedgerKey, None] = {}

    def park(self, reason: Reason) -> None:
        """The lane waits. Nothing happens if it waits for this reason already."""
        if reason is self.reason:
            return
        self.reason, self._taken_over, self._told = reason, False, set()
        self._untold = dict.fromkeys(self._ground.backlog.keys())

    def leave(self, reasons: Iterable[Reason] | None = None) -> None:
        """The lane goes on; or only if it waited for one of these reasons."""
        if self.reason is not None and (reasons is None or self.reason in reasons):
            self.reason, self._told, self._untold = None, set(), {}

    def joined(self, entry: RequestEntry) -> None:
        """A request that the lane has something to do about."""
        if self.reason is None or entry.key in self._told or entry.key in self._untold:
            return
        if self._taken_over and waits_told(entry):
            self._told.add(entry.key)
        else:
            self._untold[entry.key] = None

    async def say(self) -> None:
        """Make it durable, a slice of requests at a time."""
        while self._untold or self.reason is not self._ground.state.parked:
            keys = list(islice(self._untold, SLICE))
            for key in keys:
                del self._untold[key]
            self._told.update(keys)
            if not await self._ground.tenure.decide(partial(self._write, reason=self.reason, keys=keys)):
                return

    def _write(self, turn: Turn, reason: Reason | None, keys: list[LedgerKey]) -> bool:
        partition = self._ground.tenure.partition
        state = turn.project(partition, self._ground.project)
        if state.parked is not reason:
            turn.put_project(partition, state._replace(parked=reason))
        for key in keys if reason else ():
            entry = self._ground.get(turn, key)
            if entry is not None and entry.wants_lane:
                expected = expected_erasure(entry, turn.now, state.estimate_ms)
                after, outcome = notice(entry, Notice.WAITING, reason, turn.now, expected)
                turn.settle(partition, entry, after)
                turn.outcomes.append(outcome)
        return True


def waits_told(entry: RequestEntry) -> int:
    """How often this run of the request was told that it waits: every notice that is not about its deadline."""
    return entry.notice_sequence - entry.at_risk_said - entry.breached_said
