"""Patterns laid out as rows of elements, from which windows are cut; and made plainer, so that windows resemble each other."""

from __future__ import annotations

from collections.abc import Iterable

from scanner.automaton.syntax import BYTES, Alt, Chars, Node, Repeat, Seq, byte_set, sequence

LONGEST = 28
"""Elements that a window can have."""

_ROWS_AT_MOST = 24  # of one pattern
_WIDE = 4  # an alternative with a longer branch is pulled apart

_DIGIT, _LETTER = byte_set([(48, 57)]), byte_set([(65, 90), (97, 122)])
_SEPARATOR = byte_set((ord(c), ord(c)) for c in " -./_")
_OUTSIDE = BYTES & ~(_DIGIT | _LETTER)

ALPHANUMERIC = (_DIGIT, _LETTER, _DIGIT | _LETTER)
EVERYTHING = (*ALPHANUMERIC, _SEPARATOR, _OUTSIDE, BYTES & ~_DIGIT, BYTES)


def rows(tree: Node) -> list[list[Node]]:
    """The forms of a pattern: (ab|cd…)e is two rows, because a window cannot end inside an alternative."""
    done: list[list[Node]] = []
    waiting = [_elements(tree)]
    while waiting:
        row = waiting.pop()
        wide = next((i for i, node in enumerate(row[:LONGEST]) if _is_wide(node)), None)
        branches = _branches(row[wide]) if wide is not None else ()
        if wide is None or len(done) + len(waiting) + len(branches) > _ROWS_AT_MOST:
            done.append(row)
        else:
            waiting += [row[:wide] + _elements(branch) + row[wide + 1 :] for branch in branches]
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


def _branches(node: Node) -> tuple[Node, ...]:
    return node.branches if isinstance(node, Alt) else ()


def _is_wide(node: Node) -> bool:
    return any(len(_elements(branch)) > _WIDE for branch in _branches(node))


def _elements(node: Node) -> list[Node]:
    """A tree as a row; repetitions are written out as far as a window can reach."""
    match node:
        case Seq(items):
            return [element for item in items for element in _elements(item)]
        case Repeat(inner, least, most):
            once = _elements(inner)
            copies = min(least, LONGEST // max(len(once), 1) + 1)
            more = None if most is None else most - copies
            return once * copies if more == 0 else [*once * copies, Repeat(inner, least - copies, more)]
    return [node]


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
