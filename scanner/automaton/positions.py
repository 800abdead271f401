"""Trees as position automata (Glushkov's construction).

Every leaf of a tree gets a number, its *position*. A position automaton knows of each position which bytes it reads
(`labels`) and which positions may come next (`follow`). It has no empty moves, and its sets of positions are plain
integers, bit p for position p. That makes one step of a whole set two operations: unite the followers of its members,
then keep those whose label holds the byte. The first does not depend on the byte, so it is done once for all 256.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from scanner.automaton.nodes import Alt, Chars, Node, Repeat, Seq


class Ends(NamedTuple):
    """Where a piece of the automaton begins and ends, as sets of positions."""

    first: int
    last: int
    nullable: bool
    """The piece also matches the empty string."""


class Positions:
    """One automaton into which any number of trees is put side by side."""

    def __init__(self) -> None:
        self.labels: list[int] = []
        self.follow: list[int] = []

    def add(self, node: Node) -> Ends:
        """Add a tree; a word of its language leads from a position in `first` to one in `last`."""
        match node:
            case Chars(members):
                return self._leaf(members)
            case Seq(items):
                return self._seq(items)
            case Alt(branches):
                ends = [self.add(branch) for branch in branches]
                first, last = union(each.first for each in ends), union(each.last for each in ends)
                return Ends(first, last, any(each.nullable for each in ends))
            case Repeat(inner, least, most):
                return self._repeat(inner, least, most)

    def join(self, before: Ends, after: Ends) -> Ends:
        """The two pieces one after the other."""
        for position in bits(before.last):
            self.follow[position] |= after.first
        return Ends(
            before.first | (after.first if before.nullable else 0),
            after.last | (before.last if after.nullable else 0),
            before.nullable and after.nullable,
        )

    def after(self, positions: int) -> int:
        """All positions that may follow one of these."""
        return union(self.follow[position] for position in bits(positions))

    def _leaf(self, members: int) -> Ends:
        bit = 1 << len(self.labels)
        self.labels.append(members)
        self.follow.append(0)
        return Ends(bit, bit, False)

    def _seq(self, items: tuple[Node, ...]) -> Ends:
        ends = NOTHING
        for item in items:
            ends = self.join(ends, self.add(item))
        return ends

    def _repeat(self, node: Node, least: int, most: int | None) -> Ends:
        ends = NOTHING
        for _ in range(least):
            ends = self.join(ends, self.add(node))
        if most is None:
            loop = self.add(node)
            self.join(loop, loop)
            return self.join(ends, loop._replace(nullable=True))
        for _ in range(most - least):
            ends = self.join(ends, self.add(node)._replace(nullable=True))
        return ends


NOTHING = Ends(0, 0, nullable=True)


def bits(members: int) -> Iterator[int]:
    """The members of a set of small integers, ascending."""
    while members:
        lowest = members & -members
        yield lowest.bit_length() - 1
        members ^= lowest


def union(sets: Iterator[int]) -> int:
    """All members of all these sets."""
    members = 0
    for each in sets:
        members |= each
    return members
