"""Counting in bounded memory: the first keys that come each have their own value, the others share one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from consumer.package.brief import brief

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST_LEFT_OUT = 1_000
"""So many different keys without room are told apart; beyond that it is only known that they are more."""


class Bounded(Generic[K, V]):
    """At most `most` keys with a value each, in the order they came. `rest` is the value of all the others."""

    __slots__ = ("_left_out", "_make", "_most", "kept", "rest")

    def __init__(self, most: int, make: Callable[[], V]) -> None:
        self.kept: dict[K, V] = {}
        self.rest = make()
        self._most, self._make = most, make
        self._left_out: set[int] = set()

    def at(self, key: K) -> V:
        """The key's own value, made when it is new; `rest` once there is no room."""
        found = self.kept.get(key)
        if found is not None:
            return found
        if len(self.kept) < self._most:
            return self.kept.setdefault(key, self._make())
        if len(self._left_out) < MOST_LEFT_OUT:
            self._left_out.add(hash(key))
        return self.rest

    @property
    def left_out(self) -> int:
        """How many different keys had no room; `MOST_LEFT_OUT` if as many or more."""
        return len(self._left_out)


class Span:
    """How many events, and the first and the last time among them: `YYYY-MM-DD HH:MM:SS`, or empty."""

    __slots__ = ("count", "first", "last")

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = ""

    def add(self, time: str) -> None:
        """One more. Without a time, only the count moves."""
        self.count += 1
        if not self.first:
            self.first = self.last = time
        elif time > self.last:
            self.last = time
        elif time and time < self.first:
            self.first = time


class Property:
    """In how many events a property stands, and examples of its values. `more`: there were other values, too."""

    __slots__ = ("count", "examples", "more")

    MOST_EXAMPLES = 3
    LONGEST = 80

    def __init__(self) -> None:
        self.count = 0
        self.examples: list[str] = []
        self.more = False

    def add(self, value: Any) -> None:
        """One more event with it. Null and the empty text are no examples."""
        self.count += 1
        if self.more:
            return
        short = brief(value, self.LONGEST)
        if not short or short in self.examples:
            return
        if len(self.examples) < self.MOST_EXAMPLES:
            self.examples.append(short)
        else:
            self.more = True


class Kind(Span):
    """The events of one type, and their properties by name."""

    __slots__ = ("properties",)

    MOST_PROPERTIES = 100

    def __init__(self) -> None:
        super().__init__()
        self.properties: Bounded[str, Property] = Bounded(self.MOST_PROPERTIES, Property)


class Latest:
    """The value with the latest time, of equal times the one that came last."""

    __slots__ = ("text", "time")

    LONGEST = 500

    def __init__(self) -> None:
        self.time = self.text = ""

    def add(self, value: Any, time: str) -> None:
        """A value as it was at the time; without a time it is older than any."""
        if time >= self.time:
            self.time, self.text = time, brief(value, self.LONGEST)


Spans = Bounded[K, Span]
