"""Which banks are worth running over a text, told by the kinds of its characters alone.

There are seven kinds: digits, letters, separators, `@`, `+`, `:`, and everything else. An anchor begins with one of a
few strings of kinds, so a text that holds the anchor holds one of them. The automaton of all those strings is bounded
by their length, however many rules there are, because kinds do not overlap: it is a dictionary's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scanner.automaton.positions import Positions, bits
from scanner.automaton.syntax import BYTES, Alt, Chars, Node, byte_set, sequence

LONGEST = 5
"""Kinds of characters in a string. One more makes the gate closer and its automaton two or three times as large."""

_DIGIT, _LETTER = byte_set([(48, 57)]), byte_set([(65, 90), (97, 122)])
_SEPARATOR = byte_set((ord(c), ord(c)) for c in " -./_")
_ALONE = tuple(byte_set([(ord(c), ord(c))]) for c in "@+:")
_NAMED = (_DIGIT, _LETTER, _SEPARATOR, *_ALONE)
KINDS = (*_NAMED, BYTES & ~(_DIGIT | _LETTER | _SEPARATOR | _ALONE[0] | _ALONE[1] | _ALONE[2]))


def beginnings(anchor: Node) -> Node:
    """All strings of kinds that the anchor can begin with, `LONGEST` or as short as the anchor can be."""
    positions = Positions()
    ends = positions.add(anchor)
    return _after(positions, ends.first, ends.last, LONGEST, {})


def _after(positions: Positions, now: int, last: int, left: int, known: dict[tuple[int, int], Node]) -> Node:
    """The strings that begin with one of the positions in `now`."""
    if (now, left) not in known:
        branches = tuple(
            sequence((Chars(kind), *rest))
            for kind in KINDS
            if (reached := _of_kind(positions, now, kind))
            for rest in (_rest(positions, reached, last, left, known),)
        )
        known[now, left] = branches[0] if len(branches) == 1 else Alt(branches)
    return known[now, left]


def _rest(
    positions: Positions, reached: int, last: int, left: int, known: dict[tuple[int, int], Node]
) -> tuple[Node, ...]:
    if left == 1 or reached & last:
        return ()
    return (_after(positions, positions.after(reached), last, left - 1, known),)


def _of_kind(positions: Positions, now: int, kind: int) -> int:
    return sum(1 << place for place in bits(now) if positions.labels[place] & kind)


def gate_of(anchors: Iterable[Node]) -> Iterator[Node]:
    """What a text must hold to be worth a run of these anchors' automaton."""
    return iter(dict.fromkeys(map(beginnings, anchors)))
