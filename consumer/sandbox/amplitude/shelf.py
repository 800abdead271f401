"""What was uploaded to the stand-in, by project and hour: lines that were put there, and made-up events."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from consumer.domain.hours import Hour, Span
from consumer.sandbox.amplitude.events import Truth, made_up

CACHED_HOURS = 4_096
LEVEL = 1
"""Of gzip: speed counts more than size."""


class Part(NamedTuple):
    """One member of an archive."""

    name: str
    content: bytes


class MadeUp(NamedTuple):
    """How a project's hours are filled: so many events in each but every `empty_every`-th one (0: none is empty)."""

    events: int
    seed: int = 0
    empty_every: int = 0


class Shelf:
    """Hours that were never filled are empty. `parts` is the number of members of an hour."""

    def __init__(self, parts: int = 1) -> None:
        self._parts = parts
        self._put: dict[tuple[str, Hour], list[bytes]] = {}
        self._rules: dict[str, MadeUp] = {}
        self._cache: OrderedDict[tuple[str, Hour], list[Part]] = OrderedDict()

    def put(self, app: str, hour: Hour, lines: Iterable[bytes]) -> None:
        """Upload these lines, each with its newline, in that hour, beside what is there."""
        self._put.setdefault((app, hour), []).extend(lines)
        self._cache.pop((app, hour), None)

    def make_up(self, app: str, rule: MadeUp) -> None:
        """Fill every hour of the project."""
        self._rules[app] = rule
        self._cache.clear()

    def truth(self, app: str, span: Span) -> Truth:
        """What the made-up events of these hours hold."""
        total = Truth()
        for number in range(span.first, span.last + 1):
            total.add(self._made(app, Hour(number))[1])
        return total

    def hour(self, app: str, hour: Hour) -> list[Part]:
        """The members of one hour's archive; none if nothing was uploaded."""
        known = self._cache.get((app, hour))
        if known is None:
            known = self._cache[app, hour] = self._members(app, hour)
            if len(self._cache) > CACHED_HOURS:
                self._cache.popitem(last=False)
        return known

    def _made(self, app: str, hour: Hour) -> tuple[list[bytes], Truth]:
        rule = self._rules.get(app)
        if rule is None or (rule.empty_every and hour % rule.empty_every == 0):
            return [], Truth()
        return made_up(app, hour, rule.events, rule.seed)

    def _members(self, app: str, hour: Hour) -> list[Part]:
        lines = [*self._put.get((app, hour), []), *self._made(app, hour)[0]]
        moment = datetime.fromtimestamp(hour * 3600, UTC)
        name = f"{app}/{app}_{moment:%Y-%m-%d}_{moment.hour}"
        parts = [lines[number :: self._parts] for number in range(self._parts)]
        return [
            Part(f"{name}#{number}.json.gz", gzip.compress(b"".join(part), LEVEL, mtime=0))
            for number, part in enumerate(parts)
            if part
        ]
