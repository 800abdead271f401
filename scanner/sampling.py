"""Scanning a share of the events: the same ones whenever they are read, by whomever, and however many others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from scanner.kernel import keyed_hash
from scanner.summary import Tally

_KEY = b"sample of events"
"""No secret: which events are looked at may be known to anybody."""
_UUID = b'"uuid":"'

LINES, TEXT = "lines_skipped.sampled", "text_skipped.sampled"
"""Names in an account: lines and bytes that were left out because only a sample was wanted."""


class Lines(Protocol):
    """An engine that counts whole lines."""

    def feed(self, data: bytes, start: int, end: int) -> int:
        """See `scanner.worker.Engine`."""
        ...

    def take(self) -> Tally:
        """What was counted."""
        ...


class Sampled:
    """Feeds an engine with the lines of a sample: above 0 and below 1.

    An event is known by its `uuid`, which stands near the end of a line, where it is searched from; a line without one
    by all of it. So a smaller sample is a part of every larger one.
    """

    def __init__(self, engine: Lines, share: float) -> None:
        self._engine, self._below = engine, int(share * (1 << 64))
        self._left_out = {LINES: 0, TEXT: 0}

    def feed(self, data: bytes, start: int, end: int) -> int:
        """Count the lines of the sample in `data[start:end]`, whole lines each with its newline; how many they are."""
        lines = 0
        run = at = start
        while at < end:
            after = data.index(b"\n", at, end) + 1
            if not self._wanted(data, at, after):
                lines += self._engine.feed(data, run, at) if run < at else 0
                self._left_out[LINES] += 1
                self._left_out[TEXT] += after - at
                run = after
            at = after
        return lines + (self._engine.feed(data, run, end) if run < end else 0)

    def take(self) -> Tally:
        """What was counted, and in its account what was left out."""
        tally = self._engine.take()
        left_out, self._left_out = self._left_out, {LINES: 0, TEXT: 0}
        return tally + Tally(account={name: amount for name, amount in left_out.items() if amount})

    def _wanted(self, data: bytes, start: int, end: int) -> bool:
        at = data.rfind(_UUID, start, end)
        if at < 0:
            return keyed_hash(_KEY, data[start : end - 1]) < self._below
        first = at + len(_UUID)
        last = data.find(b'"', first, end)
        return keyed_hash(_KEY, data[first : last if last >= 0 else end]) < self._below


def without_sample(account: Mapping[str, int], sampled: Mapping[str, int]) -> dict[str, int]:
    """Both accounts as one: what was left out of the sample was delivered, and is not scanned."""
    scanned = account.get("text_scanned", 0) - sampled.get(TEXT, 0)
    return {name: amount for name, amount in {**sampled, **account, "text_scanned": scanned}.items() if amount}
