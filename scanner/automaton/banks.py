"""The anchors of two hundred rules do not fit into one automaton: where they differ in detail their states multiply.
So they are shared out to *banks*, and the main automaton is a *gate*, which says of each text which banks are worth
running over it.

A bank is run where any of its anchors may be, so rules go together that the same texts let in. Each anchor has the gate
that suits it (`heads`). A list of rules whose automaton is too large is halved until each half fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from scanner.automaton.anchors import Anchors
from scanner.automaton.gate import size_of
from scanner.automaton.heads import gate_of
from scanner.automaton.nodes import Node
from scanner.automaton.subset import Dfa, TooManyStates, compile_trees

SUBSETS = 12_000
"""The largest bank before it is minimised; of a single rule five times that."""


class Bank(NamedTuple):
    """Some rules, by number, the automaton of their anchors, and its gate: bytes, and anchors told by kinds."""

    rules: tuple[int, ...]
    dfa: Dfa
    heads: tuple[Node, ...]
    by_kinds: tuple[Node, ...]


class RuleTooLarge(Exception):
    """The anchors of this rule alone have too many states."""

    def __init__(self, rule: int) -> None:
        super().__init__(rule)
        self.rule = rule


def banks_of(anchors: Anchors, rules: int) -> list[Bank]:
    """The banks for the first `rules` bits. Raises RuleTooLarge."""
    gates = {
        number: [(tree, gate_of(tree)) for tree in anchors[number]] for number in range(rules) if anchors.get(number)
    }
    texts = {number: frozenset().union(*(gate.texts for _, gate in of)) for number, of in gates.items()}
    banks = []
    for numbers, dfa in _halved(anchors, _chained(texts)):
        of = [pair for number in numbers for pair in gates[number]]
        heads = tuple(dict.fromkeys(gate.head for _, gate in of if gate.head is not None))
        banks.append(Bank(tuple(numbers), dfa, heads, tuple(tree for tree, gate in of if gate.head is None)))
    return banks


def _chained(texts: Mapping[int, frozenset[int]]) -> list[int]:
    """From the rule that most texts let in, ever on to the one that is let in by the most similar texts."""
    left, chain = set(texts), list[int]()
    everywhere = frozenset[int]().union(*texts.values())
    while left:
        last = texts[chain[-1]] if chain else everywhere
        chain.append(min(left, key=lambda number: (size_of(texts[number] ^ last), number)))
        left.discard(chain[-1])
    return chain


def _halved(anchors: Anchors, numbers: Sequence[int]) -> list[tuple[Sequence[int], Dfa]]:
    with suppress(TooManyStates):
        single = len(numbers) == 1
        outputs = {1 << number: anchors[number] for number in numbers}
        return [(numbers, compile_trees(outputs, SUBSETS * 5 if single else SUBSETS))] if numbers else []
    if len(numbers) == 1:
        raise RuleTooLarge(numbers[0])
    middle = len(numbers) // 2
    return _halved(anchors, numbers[:middle]) + _halved(anchors, numbers[middle:])
