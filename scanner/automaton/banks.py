"""The anchors of two hundred rules do not fit into one automaton: where they differ in detail their states multiply.
So they are shared out to *banks*, and the main automaton is a *gate*, which says of each text which banks are worth
running over it.

A bank is run where any of its rules may be, so rules go together that the same texts let in. Those that begin with rare
bytes have banks whose gates read bytes (`heads`); the gates of all others read kinds of characters (`gate`). A list of
rules whose automaton is too large is halved until each half fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from scanner.automaton.anchors import Anchors
from scanner.automaton.gate import STATES_PER_RULE, let_in, size_of
from scanner.automaton.heads import heads
from scanner.automaton.subset import Dfa, TooManyStates, compile_trees
from scanner.automaton.syntax import Node

RARE = 0.01
"""Share of all texts: a gate of kinds that lets in no more is good enough."""
SUBSETS = 12_000
"""The largest bank before it is minimised; of a single rule five times that."""


class Bank(NamedTuple):
    """Some rules, by number, and the automaton of their anchors. `heads`: how these begin, if that is the gate."""

    rules: tuple[int, ...]
    dfa: Dfa
    heads: tuple[Node, ...] = ()


class RuleTooLarge(Exception):
    """The anchors of this rule alone have too many states."""

    def __init__(self, rule: int) -> None:
        super().__init__(rule)
        self.rule = rule


def banks_of(anchors: Anchors, rules: int) -> list[Bank]:
    """The banks for the first `rules` bits. Raises RuleTooLarge."""
    numbers = [number for number in range(rules) if anchors.get(number)]
    texts = {number: let_in(anchors[number], STATES_PER_RULE) for number in numbers}
    crowded = [number for number in numbers if size_of(texts[number]) > RARE]
    begins = {number: tuple(found) for number in crowded if (found := heads(anchors[number])) is not None}
    by_kinds = [number for number in numbers if number not in begins]
    by_bytes = _banks(anchors, list(begins)) if begins else []
    return _banks(anchors, _chained(by_kinds, texts)) + [
        bank._replace(heads=tuple(head for rule in bank.rules for head in begins[rule])) for bank in by_bytes
    ]


def _chained(numbers: Sequence[int], texts: dict[int, frozenset[int]]) -> list[int]:
    """From the rule that most texts let in, ever on to the one that is let in by the most similar texts."""
    left, chain = set(numbers), list[int]()
    everywhere = frozenset[int]().union(*texts.values())
    while left:
        last = texts[chain[-1]] if chain else everywhere
        chain.append(min(left, key=lambda number: (size_of(texts[number] ^ last), number)))
        left.discard(chain[-1])
    return chain


def _banks(anchors: Anchors, numbers: Sequence[int]) -> list[Bank]:
    with suppress(TooManyStates):
        single = len(numbers) == 1
        outputs = {1 << number: anchors[number] for number in numbers}
        return [Bank(tuple(numbers), compile_trees(outputs, SUBSETS * 5 if single else SUBSETS))]
    if len(numbers) == 1:
        raise RuleTooLarge(numbers[0])
    middle = len(numbers) // 2
    return _banks(anchors, numbers[:middle]) + _banks(anchors, numbers[middle:])
