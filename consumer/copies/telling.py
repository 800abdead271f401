"""Saying that an org's copies wait, and why: once in each parking to every copy that waits with it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from consumer.copies.ground import Ground
from consumer.domain.copies import expected_delivery, wanted
from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.errors import Reason
from consumer.domain.statement import Notice, notice
from consumer.lanes.ground import SLICE
from consumer.lanes.parking import waits_told
from consumer.turn import Turn


class Telling:
    """`reason` is why they wait. After a takeover, copies that were told before are not told again in the first
    parking: it is most likely the same one."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.reason: Reason | None = None
        self._told: set[LedgerKey] = set()
        self._first = True

    def park(self, reason: Reason) -> None:
        """They wait. Nothing happens if they do already, for whatever reason."""
        self.reason = self.reason or reason

    def leave(self) -> None:
        """They go on."""
        if self.reason is not None:
            self.reason, self._told, self._first = None, set(), False

    async def say(self, entries: Mapping[LedgerKey, RequestEntry]) -> None:
        """Tell the next slice of those that have not been told."""
        if self.reason is None:
            return
        if self._first:
            self._told.update(key for key, entry in entries.items() if waits_told(entry))
            self._first = False
        untold = (key for key, entry in entries.items() if key not in self._told and wanted(entry))
        if keys := list(islice(untold, SLICE)):
            self._told.update(keys)
            reason = self.reason
            await self._ground.tenure.decide(lambda turn: self._write(turn, reason, keys))

    def _write(self, turn: Turn, reason: Reason, keys: list[LedgerKey]) -> bool:
        partition = self._ground.tenure.partition
        for key in keys:
            entry = turn.get(partition, key)
            if entry is not None and wanted(entry):
                expected = expected_delivery(entry, turn.now)
                after, outcome = notice(entry, Notice.WAITING, reason, turn.now, expected)
                turn.settle(partition, entry, after)
                turn.outcomes.append(outcome)
        return True
