"""Position automata as the one table that runs: byte classes, subset construction, minimisation.

*Byte classes* (`classes_of`): two bytes that no label tells apart are one column of the table.

*Subset construction* (`determinise`): a state is the set of positions that have just read a byte. Because what is
sought may begin anywhere, the first positions of every tree are always among the next ones. A state's output is the
union of what its positions say; outputs are collected while running, so a state need not remember what was found
before it.

*Minimisation* (`minimise`, Moore's): begin with one block of states for each output and split blocks whose members
lead to different blocks, until no block splits. Each round is one pass over the table; the number of rounds is the
length of the longest distinction, about that of the longest anchor, which is why Hopcroft's better bound buys nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from operator import itemgetter
from typing import NamedTuple

from scanner.automaton.nodes import BYTES, Node
from scanner.automaton.positions import Positions, bits, union


class Dfa(NamedTuple):
    """A table automaton: `rows[state][classes[byte]]` is the next state, `outputs[state]` what is found on arrival."""

    classes: bytes
    rows: list[tuple[int, ...]]
    outputs: list[int]
    start: int = 0

    def step(self, state: int, byte: int) -> int:
        """The state after one more byte."""
        return self.rows[state][self.classes[byte]]


class TooManyStates(Exception):
    """The subset construction was stopped at its limit."""


def compile_trees(trees: Mapping[int, Iterable[Node]], limit: int = 1 << 18) -> Dfa:
    """The minimal automaton that says, while it runs, which trees have just been read.

    `trees` maps an output (a mask that is OR-ed) to the trees that give it. Raises TooManyStates.
    """
    positions, first, outputs = Positions(), 0, dict[int, int]()
    for output, nodes in trees.items():
        for node in nodes:
            ends = positions.add(node)
            first |= ends.first
            for position in bits(ends.last):
                outputs[position] = outputs.get(position, 0) | output
    return minimise(determinise(positions, first, outputs, limit))


def classes_of(labels: Iterable[int]) -> tuple[bytes, list[int]]:
    """(class of each byte, one byte of each class)."""
    parts = [BYTES]
    for label in set(labels):
        parts = [half for part in parts for half in (part & label, part & ~label) if half]
    parts.sort(key=lambda part: part & -part)
    classes = bytearray(256)
    for number, part in enumerate(parts):
        for byte in bits(part):
            classes[byte] = number
    return bytes(classes), [(part & -part).bit_length() - 1 for part in parts]


def readers(labels: list[int], byte: int) -> int:
    """The positions that read this byte."""
    return union(1 << position for position, label in enumerate(labels) if label >> byte & 1)


def determinise(positions: Positions, first: int, outputs: Mapping[int, int], limit: int) -> Dfa:
    """The subset automaton. `outputs`: what a position says once it has read. Raises TooManyStates."""
    classes, bytes_ = classes_of(positions.labels)
    read = [readers(positions.labels, byte) for byte in bytes_]
    speaking = union(1 << position for position in outputs)
    numbers, rows, says = {0: 0}, list[tuple[int, ...]](), list[int]()
    for state in (order := [0]):
        says.append(union(outputs[position] for position in bits(state & speaking)))
        expected = positions.after(state) | first
        row = []
        for column in read:
            following = expected & column
            number = numbers.setdefault(following, len(order))
            if number == len(order):
                order.append(following)
            row.append(number)
        rows.append(tuple(row))
        if len(order) > limit:
            raise TooManyStates
    return Dfa(classes, rows, says)


def product(one: Dfa, other: Dfa) -> Dfa:
    """Both at once: says what either says."""
    pairs = sorted(set(zip(one.classes, other.classes, strict=True)))
    numbers, order = {(one.start, other.start): 0}, [(one.start, other.start)]
    rows, outputs = list[tuple[int, ...]](), list[int]()
    for left, right in order:
        outputs.append(one.outputs[left] | other.outputs[right])
        row = []
        for a, b in pairs:
            following = one.rows[left][a], other.rows[right][b]
            number = numbers.setdefault(following, len(order))
            if number == len(order):
                order.append(following)
            row.append(number)
        rows.append(tuple(row))
    classes = bytes(pairs.index(both) for both in zip(one.classes, other.classes, strict=True))
    return Dfa(classes, rows, outputs)


def minimise(dfa: Dfa) -> Dfa:
    """The automaton with the fewest states and byte classes that says the same; the start stays state 0."""
    leads = [itemgetter(row[0], *row) for row in dfa.rows]  # of one argument it would not return a tuple
    blocks, count = _numbered(dfa.outputs), 0
    while count != max(blocks) + 1:
        count = max(blocks) + 1
        blocks = _numbered((block, lead(blocks)) for block, lead in zip(blocks, leads, strict=True))
    one = {block: state for state, block in reversed(list(enumerate(blocks)))}  # a state of each block
    rows = [tuple(blocks[following] for following in dfa.rows[one[block]]) for block in range(count)]
    return _narrowed(dfa.classes, rows, [dfa.outputs[one[block]] for block in range(count)])


def _narrowed(classes: bytes, rows: list[tuple[int, ...]], outputs: list[int]) -> Dfa:
    """Equal columns become one byte class."""
    columns = list(zip(*rows, strict=True))
    numbers = _numbered(columns)
    distinct = list(dict.fromkeys(columns))
    return Dfa(bytes(numbers[old] for old in classes), list(zip(*distinct, strict=True)), outputs)


def _numbered(keys: Iterable[Hashable]) -> list[int]:
    """Each key's number in the order of first appearance."""
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(key, len(numbers)) for key in keys]
