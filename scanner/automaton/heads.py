"""How anchors of words begin, byte by byte: `gh`, then one of `pousr`, then `_`.

Where few texts hold even the first bytes of a rule's anchors, those bytes are the best gate: exact, and small.
"""

from __future__ import annotations

from collections.abc import Sequence

from scanner.automaton.positions import Positions, bits
from scanner.automaton.selectivity import arrivals, hits_per_event
from scanner.automaton.syntax import Alt, Chars, Node, sequence

LENGTHS = range(3, 7)
"""So many bytes are tried, the fewest first."""
HITS_AT_MOST = 0.02
"""Values of one event that may hold a head for nothing."""


def heads(anchors: Sequence[Node]) -> list[Node] | None:
    """What the anchors begin with, if that is rare; None if it is not."""
    for length in LENGTHS:
        found = [_head(anchor, length) for anchor in anchors]
        if sum(map(_hits, found)) <= HITS_AT_MOST:
            return found
    return None


def _hits(tree: Node) -> float:
    positions = Positions()
    ends = positions.add(tree)
    return hits_per_event(arrivals(positions, ends.first), ends.last)


def _head(anchor: Node, length: int) -> Node:
    """The first bytes of all that an anchor reads, so many or as few as it may have."""
    positions, known = Positions(), dict[tuple[int, int], Node]()
    ends = positions.add(anchor)

    def after(now: int, left: int) -> Node:
        if (now, left) not in known:
            of_label: dict[int, int] = {}
            for place in bits(now):
                label = positions.labels[place]
                of_label[label] = of_label.get(label, 0) | 1 << place
            branches = [
                Chars(label)
                if left == 1 or reached & ends.last
                else sequence((Chars(label), after(positions.after(reached), left - 1)))
                for label, reached in of_label.items()
            ]
            known[now, left] = branches[0] if len(branches) == 1 else Alt(tuple(branches))
        return known[now, left]

    return after(ends.first, length)
