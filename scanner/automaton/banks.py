"""The anchors of two hundred rules do not fit into one automaton: where they differ in detail their states multiply.
So they are shared out to *banks*, and the main automaton is a *gate* (`gate`), which says of each text which banks
are worth running over it. Most texts pass no gate, so how many banks there are hardly matters.

Rules go into banks by what their anchors begin with, because those that begin alike share states. A list of rules whose
automaton is too large is halved until each half fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from scanner.automaton.anchors import Anchors
from scanner.automaton.positions import Positions, bits
from scanner.automaton.subset import Dfa, TooManyStates, compile_trees
from scanner.automaton.syntax import Node

SUBSETS = 12_000
"""The largest bank before it is minimised; of a single rule five times that."""


class Bank(NamedTuple):
    """Some rules, by number, and the automaton of their anchors."""

    rules: tuple[int, ...]
    dfa: Dfa


class RuleTooLarge(Exception):
    """The anchors of this rule alone have too many states."""

    def __init__(self, rule: int) -> None:
        super().__init__(rule)
        self.rule = rule


def banks_of(anchors: Anchors, rules: int) -> list[Bank]:
    """The banks for the first `rules` bits. Raises RuleTooLarge."""
    numbers = [number for number in range(rules) if anchors.get(number)]
    families = {number: _family(anchors[number]) for number in numbers}
    return _banks(anchors, sorted(numbers, key=lambda number: (families[number], number)))


def _banks(anchors: Anchors, numbers: Sequence[int]) -> list[Bank]:
    with suppress(TooManyStates):
        single = len(numbers) == 1
        outputs = {1 << number: anchors[number] for number in numbers}
        return [Bank(tuple(numbers), compile_trees(outputs, SUBSETS * 5 if single else SUBSETS))]
    if len(numbers) == 1:
        raise RuleTooLarge(numbers[0])
    middle = len(numbers) // 2
    return _banks(anchors, numbers[:middle]) + _banks(anchors, numbers[middle:])


def _family(trees: Sequence[Node]) -> tuple[int, ...]:
    """The smallest bytes that the anchors' first two elements can be: a digit, a capital, a small letter, others."""
    positions, firsts = Positions(), 0
    for tree in trees:
        firsts |= positions.add(tree).first
    seconds = 0
    for first in bits(firsts):
        seconds |= positions.follow[first]
    labels = [positions.labels[place] for place in bits(seconds)]
    return (min((label.bit_count() for label in labels), default=0), -max(labels, default=0).bit_length())
