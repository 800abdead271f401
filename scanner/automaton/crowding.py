"""How much does an anchor add to what the main automaton must tell apart? An estimate; the truth needs all anchors at
once.

A state of the main automaton is the set of anchors that are still alive. Anchors that are made of a few plain classes
live and die together, so they add only as many states as they have by themselves. A label that is not plain makes a
distinction: from there on, whatever else is alive comes in two kinds, with this anchor and without it. That costs the
more the more texts reach it and the longer the anchor stays alive after it. So a rare first character followed by
plain ones is cheap, and a run of letters without I, O and Q is dear.
"""

from __future__ import annotations

from scanner.automaton.layout import EVERYTHING
from scanner.automaton.nodes import Node, byte_set
from scanner.automaton.positions import Positions, bits

_DEPTH = 28
_USUAL = byte_set([(48, 58), (65, 90), (97, 122)]) | byte_set((ord(c), ord(c)) for c in " -./_")
_PLAIN = frozenset(EVERYTHING)


def distinctions(tree: Node) -> float:
    """The distinctions made up to each place, times the share of texts in which the anchor is alive there, summed."""
    positions = Positions()
    now = dict.fromkeys(bits(positions.add(tree).first), (1.0, 0.0))
    total = 0.0
    for depth in range(_DEPTH):
        coming: dict[int, tuple[float, float]] = {}
        for position, (reached, before) in now.items():
            label = positions.labels[position]
            share = (label & _USUAL).bit_count() / _USUAL.bit_count() if depth else 1.0
            alive, made = reached * share, before * share
            made += 0.0 if label in _PLAIN else alive
            total += made
            for after in bits(positions.follow[position]):
                others = coming.get(after, (0.0, 0.0))
                coming[after] = others[0] + alive, others[1] + made
        now = coming
    return total
