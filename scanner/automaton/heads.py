"""Gates that read bytes: how anchors of words begin (`gh`, then one of `pousr`, then `_`), and long runs.

Where few texts hold even the first bytes of an anchor, those bytes are the best gate: exact, and small. And many
anchors are long runs of letters and digits, as few texts have them.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from scanner.automaton.gate import let_in, size_of
from scanner.automaton.inclusion import escape
from scanner.automaton.nodes import Alt, Chars, Node, sequence
from scanner.automaton.positions import Positions, bits
from scanner.automaton.selectivity import arrivals, hits_per_event, sample
from scanner.automaton.subset import TooManyStates, compile_trees
from scanner.automaton.syntax import parse_bytes

RARE = 0.01
"""Share of all texts: a gate of kinds that lets in no more is good enough."""
LENGTHS = range(3, 7)
"""So many bytes of an anchor's head are tried, the fewest first."""
HITS_AT_MOST = 0.02
"""Values of one event that may hold a head for nothing."""
STATES_PER_ANCHOR = 400
RUN = parse_bytes("[0-9A-Za-z]{14}")
"""One more than the digits of a time in milliseconds."""


class Gate(NamedTuple):
    """What lets a text in to an anchor: these bytes, or else its kinds; and which texts of the sample that are."""

    head: Node | None
    texts: frozenset[int]


def gate_of(anchor: Node) -> Gate:
    """The best gate for one anchor."""
    by_kinds = let_in([anchor], STATES_PER_ANCHOR)
    if size_of(by_kinds) > RARE:
        if (found := head(anchor)) is not None:
            return Gate(found, frozenset())
        if size_of(_with_a_run()) < size_of(by_kinds) and _holds_a_run(anchor):
            return Gate(RUN, _with_a_run())
    return Gate(None, by_kinds)


def head(anchor: Node) -> Node | None:
    """What the anchor begins with, if that is rare; None if it is not."""
    tried = (_head(anchor, length) for length in LENGTHS)
    return next((found for found in tried if _hits(found) <= HITS_AT_MOST), None)


@cache
def _with_a_run() -> frozenset[int]:
    run = compile_trees({1: [RUN]})
    found = set()
    for number, text in enumerate(sample()):
        state = run.start
        for byte in text:
            state = run.step(state, byte)
            if run.outputs[state]:
                found.add(number)
    return frozenset(found)


def _holds_a_run(anchor: Node) -> bool:
    try:
        return escape(anchor, [RUN]) is None
    except TooManyStates:
        return False


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
