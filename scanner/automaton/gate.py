"""Which banks are worth running over a text, told by the kinds of its characters alone.

The fifteen kinds do not overlap, so a set of strings of kinds is a dictionary, and its automaton (Aho and Corasick's)
has as many states as the dictionary has beginnings, however many rules there are. The dictionary of a bank holds, for
each of its anchors, beginnings of what the anchor reads: a text that holds the anchor holds one of them.

How long a beginning must be depends on what texts look like. So beginnings grow where it pays: the one that lets in
most of a sample of texts for nothing is replaced by all its continuations, again and again, until nothing of the sample
gets in but what runs through a whole anchor, or the dictionary is full.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from heapq import heappop, heappush
from typing import NamedTuple

from scanner.automaton.nodes import BYTES, HIGH, PAD, Chars, Node, byte_set
from scanner.automaton.positions import Positions, union
from scanner.automaton.selectivity import sample
from scanner.automaton.subset import Dfa, minimise

STATES_PER_BANK = 6_000
"""Beginnings in the dictionary of a bank, all their beginnings included."""
SHORTEST = 3
"""Kinds that every beginning has, unless the anchor is shorter."""

_NAMED = (
    byte_set([(48, 57)]),
    byte_set([(65, 90)]),
    byte_set([(97, 122)]),
    *(byte_set((ord(c), ord(c)) for c in alike) for alike in (" ", "-", ".", "/", "_", ":", "@", "+", ",")),
    byte_set([(PAD, PAD)]),
    HIGH,
)
KINDS = (*_NAMED, BYTES & ~sum(_NAMED))
KIND_OF = bytes(next(number for number, kind in enumerate(KINDS) if kind >> byte & 1) for byte in range(256))

DIGIT, LETTER = Chars(KINDS[0]), Chars(KINDS[1] | KINDS[2])

Beginning = tuple[int, ...]
"""Kinds, by number."""
_Place = tuple[int, int]
"""(number of a text of the sample, how much of it was read)"""


class _Open(NamedTuple):
    """A beginning that may grow, and where its anchors are."""

    beginning: Beginning
    now: int


def gate(banks: Mapping[int, Sequence[Node]]) -> Dfa:
    """Says, while it runs, which outputs are worth asking for: `banks` maps each to its anchors."""
    words: dict[Beginning, int] = {}
    for output, anchors in banks.items():
        for beginning in _Growth(anchors).beginnings(STATES_PER_BANK):
            words[beginning] = words.get(beginning, 0) | output
    return minimise(_dictionary(words))


def let_in(anchors: Sequence[Node], most: int) -> frozenset[int]:
    """The texts of the sample, by number, that a gate for these anchors alone lets in."""
    growth = _Growth(anchors)
    return frozenset(number for beginning in growth.beginnings(most) for number in _having(beginning))


def size_of(texts: Iterable[int]) -> float:
    """The share of the sample's bytes in these of its texts."""
    return _bytes(texts) / _bytes(range(len(_texts())))


@cache
def _texts() -> tuple[bytes, ...]:
    """The sample in kinds."""
    return tuple(text.translate(KIND_OF) for text in sample())


@cache
def _places(beginning: Beginning) -> list[_Place]:
    """Where in the sample a beginning has been read."""
    if not beginning:
        return [(number, at) for number, text in enumerate(_texts()) for at in range(len(text))]
    return _continued(beginning[:-1])[beginning[-1]]


@cache
def _continued(beginning: Beginning) -> defaultdict[int, list[_Place]]:
    """The places by the kind that was read next."""
    texts, found = _texts(), defaultdict[int, list[_Place]](list)
    for number, at in _places(beginning):
        if at < len(texts[number]):
            found[texts[number][at]].append((number, at + 1))
    return found


@cache
def _having(beginning: Beginning) -> frozenset[int]:
    """The texts of the sample that hold a beginning."""
    return frozenset(number for number, _ in _places(beginning))


def _bytes(numbers: Iterable[int]) -> int:
    lengths = _lengths()
    return sum(lengths[number] for number in numbers)


@cache
def _lengths() -> tuple[int, ...]:
    return tuple(map(len, _texts()))


class _Growth:
    """The beginnings of some anchors, while they grow."""

    def __init__(self, anchors: Sequence[Node]) -> None:
        self._positions = Positions()
        ends = [self._positions.add(anchor) for anchor in anchors]
        self._first, self._last = union(end.first for end in ends), union(end.last for end in ends)
        self._of_kind = [
            union(1 << place for place, label in enumerate(self._positions.labels) if label & kind) for kind in KINDS
        ]
        self._let_in: set[int] = set()
        self._done: list[Beginning] = []
        self._growing: list[tuple[int, Beginning, _Open]] = []

    def beginnings(self, most: int) -> list[Beginning]:
        size = self._replace(_Open((), self._first))
        while self._growing and size < most:
            cost, beginning, grown = heappop(self._growing)
            if -cost > (now := self._cost(grown)) and len(beginning) >= SHORTEST:
                if now:
                    heappush(self._growing, (-now, beginning, grown))
                else:
                    self._done.append(beginning)
                continue
            size += self._replace(grown)
        return self._done + [beginning for _, beginning, _ in self._growing]

    def _replace(self, grown: _Open) -> int:
        """By its continuations; how many they are."""
        following, count = self._positions.after(grown.now) if grown.beginning else grown.now, 0
        for kind, of_kind in enumerate(self._of_kind):
            if not (now := following & of_kind):
                continue
            count += 1
            beginning = (*grown.beginning, kind)
            if now & self._last:
                self._done.append(beginning)
                self._let_in |= _having(beginning)
            else:
                self._keep(_Open(beginning, now))
        return count

    def _keep(self, grown: _Open) -> None:
        cost = self._cost(grown)
        if len(grown.beginning) < SHORTEST:
            cost += 1 << 40
        if cost:
            heappush(self._growing, (-cost, grown.beginning, grown))
        else:
            self._done.append(grown.beginning)

    def _cost(self, grown: _Open) -> int:
        """Bytes of the sample that it lets in and nothing else has let in for good."""
        return _bytes(_having(grown.beginning) - self._let_in)


def _dictionary(words: Mapping[Beginning, int]) -> Dfa:
    """The automaton of Aho and Corasick: says which of the words have just been read."""
    numbers, outputs, children = dict[Beginning, int]({(): 0}), [0], [dict[int, int]()]
    for word, output in words.items():
        for length in range(1, len(word) + 1):
            if word[:length] not in numbers:
                numbers[word[:length]] = len(outputs)
                children[numbers[word[: length - 1]]][word[length - 1]] = len(outputs)
                outputs.append(0)
                children.append({})
        outputs[numbers[word]] |= output
    rows: list[tuple[int, ...]] = [()] * len(outputs)
    waiting = [(0, 0)]  # (a state, the state of its longest proper ending)
    for state, ending in waiting:
        outputs[state] |= outputs[ending] if state else 0
        begun = children[state]
        elsewhere = rows[ending] if state else (0,) * len(KINDS)
        rows[state] = tuple(begun.get(kind, elsewhere[kind]) for kind in range(len(KINDS)))
        waiting.extend((child, elsewhere[kind]) for kind, child in begun.items())
    return Dfa(KIND_OF, rows, outputs)
