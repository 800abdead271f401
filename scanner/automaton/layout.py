"""Patterns laid out as rows of elements, from which windows are cut; and made plainer, so that windows resemble each
other.

Everything here may only widen: what matches the pattern contains what matches a window of one of its rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from scanner.automaton.nodes import BYTES, Alt, Chars, Node, Repeat, Seq, byte_set, sequence

LONGEST = 28
"""Elements that a row can have."""

_LARGEST = 250  # positions of a row
_ROWS_AT_MOST = 24  # of one pattern
_WIDE = 4  # an alternative with a longer branch is pulled apart, or else cut to such branches

_DIGIT, _LETTER = byte_set([(48, 57)]), byte_set([(65, 90), (97, 122)])
_SEPARATOR = byte_set((ord(c), ord(c)) for c in " -./_")
_OUTSIDE = BYTES & ~(_DIGIT | _LETTER)

ALPHANUMERIC = (_DIGIT, _LETTER, _DIGIT | _LETTER)
EVERYTHING = (*ALPHANUMERIC, _SEPARATOR, _OUTSIDE, BYTES & ~_DIGIT, BYTES)

_COUNTED = 8  # a longer optional run is without end


def rows(tree: Node) -> list[list[Node]]:
    """The forms of a pattern. (abcde|fghij)k is two rows, because a window cannot end inside an alternative."""
    done: list[list[Node]] = []
    waiting = [_elements(tree)[:LONGEST]]
    while waiting:
        row = waiting.pop()
        wide = next((i for i, node in enumerate(row) if _is_wide(node)), None)
        branches = _branches(row[wide]) if wide is not None else ()
        if wide is None:
            done.append(_bounded(row))
        elif len(done) + len(waiting) + len(branches) > _ROWS_AT_MOST:
            done.append(_bounded(row[:wide] + _cut_short(branches)))
        else:
            waiting += [(row[:wide] + _elements(branch) + row[wide + 1 :])[:LONGEST] for branch in branches]
    return done


def plain(node: Node, palette: tuple[int, ...]) -> Node:
    """The tree with each set of bytes replaced by the first of the palette that covers it, if any does.

    Plain anchors of different rules share their states: what they tell apart is only where digits and letters stand.
    """
    match node:
        case Chars(members):
            return Chars(next((cover for cover in palette if members & ~cover == 0), members))
        case Seq(items):
            return sequence(plain(item, palette) for item in items)
        case Alt(branches):
            distinct = tuple(dict.fromkeys(plain(branch, palette) for branch in branches))
            return distinct[0] if len(distinct) == 1 else _one_run(distinct) or Alt(distinct)
        case Repeat(inner, least, most):
            return Repeat(plain(inner, palette), least, most)


def is_literal(node: Node) -> bool:
    """One letter, in one case or both. Literal anchors share no states with others, but need only few."""
    return isinstance(node, Chars) and node.members & ~_LETTER == 0 and node.members.bit_count() <= 2


@lru_cache(maxsize=1 << 14)
def size(node: Node) -> int:
    """How many positions the tree has."""
    match node:
        case Chars():
            return 1
        case Seq(nodes) | Alt(nodes):
            return sum(size(each) for each in nodes)
        case Repeat(inner, least, most):
            return size(inner) * (least + 1 if most is None else most)


@lru_cache(maxsize=1 << 14)
def is_optional(node: Node) -> bool:
    """Does the empty string match?"""
    match node:
        case Chars():
            return False
        case Seq(items):
            return all(is_optional(item) for item in items)
        case Alt(branches):
            return any(is_optional(branch) for branch in branches)
        case Repeat(inner, least, _):
            return least == 0 or is_optional(inner)


def _elements(node: Node) -> list[Node]:
    """A tree as a row; repetitions are written out as far as a row can reach."""
    match node:
        case Seq(items):
            return [element for item in items for element in _elements(item)]
        case Repeat(inner, least, most):
            once = _elements(inner)
            copies = min(least, LONGEST // max(len(once), 1) + 1)
            more = None if most is None or most - copies > _COUNTED else most - copies
            return once * copies if more == 0 else [*once * copies, Repeat(inner, 0, more)]
    return [node]


def _branches(node: Node) -> tuple[Node, ...]:
    return node.branches if isinstance(node, Alt) else ()


def _is_wide(node: Node) -> bool:
    return any(len(_elements(branch)) > _WIDE for branch in _branches(node))


def _cut_short(branches: Iterable[Node]) -> list[Node]:
    """The beginnings of the branches, as the last element of a row; nothing if one of them may be empty."""
    beginnings = []
    for branch in branches:
        row = _elements(branch)[:_WIDE]
        while row and is_optional(row[-1]):
            row.pop()
        beginnings.append(sequence(row))
    return [] if any(is_optional(each) for each in beginnings) else [Alt(tuple(dict.fromkeys(beginnings)))]


def _bounded(row: list[Node]) -> list[Node]:
    """The row as far as it is not too large."""
    total = 0
    for length, node in enumerate(row):
        total += size(node)
        if total > _LARGEST:
            return row[:length]
    return row


def _one_run(branches: Iterable[Node]) -> Node | None:
    """Branches that are all runs of the same class, as one run."""
    runs = [_run(branch) for branch in branches]
    found = [run for run in runs if run]
    if len(found) < len(runs) or len({members for members, _, _ in found}) > 1:
        return None
    return Repeat(Chars(found[0][0]), min(least for _, least, _ in found), max(most for _, _, most in found))


def _run(node: Node) -> tuple[int, int, int] | None:
    """(class, least, most) of a node that is a bounded run of one class."""
    match node:
        case Chars(members):
            return members, 1, 1
        case Repeat(Chars(members), least, int(most)):
            return members, least, most
        case Seq(items):
            runs = [_run(item) for item in items]
            found = [run for run in runs if run]
            if found and len(found) == len(runs) and len({members for members, _, _ in found}) == 1:
                return found[0][0], sum(least for _, least, _ in found), sum(most for _, _, most in found)
    return None
