"""From a pattern to its anchors: short byte patterns of which every match contains one.

A pattern is laid out as a row of elements, its edges included: the bytes of its look-arounds are what keeps an anchor
from matching inside longer runs. A *window* of that row is an anchor by construction, whatever comes before and
after, and `proofs` proves it all the same. The window begins at the left end and grows until `selectivity` expects
few enough vain hits. It ends on an element that must be there, never on an optional one, so that it is reported once.

Of several windows the one with the smallest automaton is taken, and plainer ones are among them: one main automaton
holds the anchors of all rules, and states multiply where anchors differ in detail. Anchors of context-only patterns
share one bit, so only plain ones are made; what they lack in selectivity is the task of the words automaton.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from scanner.automaton.crowding import distinctions
from scanner.automaton.inclusion import escape
from scanner.automaton.layout import ALPHANUMERIC, EVERYTHING, is_literal, plain, rows
from scanner.automaton.nodes import Node, sequence
from scanner.automaton.positions import NOTHING, Positions
from scanner.automaton.selectivity import arrivals, hits_per_event
from scanner.automaton.syntax import parse, parse_bytes
from scanner.errors import BadRules
from scanner.rules.model import Pattern, Rule, RuleSet

Anchors: TypeAlias = dict[int, tuple[Node, ...]]
"""Bit of the mask → the trees that set it."""

STRONG_TARGET = 0.001
"""Vain hits per event that an anchor may have for free."""

JSON_ANCHORS = (
    parse_bytes(r"\"[\x00-\x20\x80-\xff]*\{[ \t\r\n]*[\"}]"),
    parse_bytes(r"\"[\x00-\x20\x80-\xff]*\[[ \t\r\n]*[\"{\[\]0-9\-tfnNI]"),
)
PERCENT_ANCHORS = (parse_bytes("%[2-7][0-9A-Fa-f]"),)

_LEAST, _CHEAP = 0.1, 0.3  # distinctions that every window has; that are good enough
_EXACT_HEADS = (2, 3, 5)  # so many elements, the edge among them, stay as they are


class Bits(NamedTuple):
    """The bits of the mask behind those of the rules."""

    bare: int
    json: int
    percent: int
    base64: int
    digits: int


def bits_of(rules: RuleSet) -> Bits:
    """Where the bits of the passes are for this number of rules."""
    n = len(rules.rules)
    return Bits(n, n + 1, n + 2, n + 3, n + 4)


def anchors(rules: RuleSet) -> Anchors:
    """The anchors of every bit that an automaton sets. Raises BadRules, naming the rule."""
    bit = bits_of(rules)
    found: Anchors = {
        number: tuple(without_redundant(tree for pattern in strong(rule) for tree in derive(pattern, rule)))
        for number, rule in enumerate(rules.rules)
    }
    return found | {bit.json: JSON_ANCHORS, bit.percent: PERCENT_ANCHORS}


def strong(rule: Rule) -> list[Pattern]:
    """The patterns that are findings without any context."""
    return [pattern for pattern in rule.patterns if pattern.alone is not None]


def bare(rule: Rule) -> list[Pattern]:
    """The patterns that need a context, which may be in the same text."""
    return [pattern for pattern in rule.patterns if pattern.alone is None and not pattern.whole]


def tree_of(pattern: Pattern, rule: Rule) -> Node:
    """The tree of a pattern. Raises BadRules, naming the rule."""
    try:
        return parse(pattern.regex, whole=pattern.whole)
    except BadRules as error:
        raise BadRules(error.fault, f"rule {rule.id}: {error}") from error


def derive(pattern: Pattern, rule: Rule) -> list[Node]:
    """The anchors of one pattern: the author's, or one for each of its forms. Raises BadRules, naming the rule."""
    if pattern.anchor:
        return [_hand_written(pattern, rule)]
    return [_best(_versions(row), STRONG_TARGET) for row in rows(tree_of(pattern, rule))]


def _hand_written(pattern: Pattern, rule: Rule) -> Node:
    try:
        return parse_bytes(pattern.anchor)
    except BadRules as error:
        raise BadRules(error.fault, f"rule {rule.id}: its anchor: {error}") from error


def _plainest(row: list[Node]) -> list[Node]:
    return [plain(node, EVERYTHING) for node in row]


def _versions(row: list[Node]) -> Iterator[list[Node]]:
    """The row from its plainest version to itself: separators, the first elements, the edge, the rest."""
    rest = [plain(node, ALPHANUMERIC) for node in row]
    edge = [plain(row[0], EVERYTHING)]
    yield [node if is_literal(node) else plainest for node, plainest in zip(row, _plainest(row), strict=True)]
    yield edge + [node if is_literal(node) else plainer for node, plainer in zip(row[1:], rest[1:], strict=True)]
    for exact in _EXACT_HEADS:
        yield edge + row[1:exact] + rest[exact:]
    yield row[:1] + rest[1:]
    yield edge + row[1:]
    yield row


def _best(versions: Iterable[list[Node]], target: float) -> Node:
    """The window with the fewest distinctions; more vain hits than wanted weigh like so many more distinctions.

    Plain windows from the left end are good enough if they are selective, and then no others are tried.
    """
    found: list[tuple[float, Node]] = []
    tried: list[list[Node]] = []
    for row in versions:
        if row not in tried:
            tried.append(row)
            found += _windows(row, [0], target)
            if found and min(found, key=itemgetter(0))[0] <= _CHEAP:
                break
    else:
        found += [window for row in tried for window in _windows(row, _inner_starts(row), target)]
    return min(found, key=itemgetter(0))[1]


def _windows(row: list[Node], starts: Iterable[int], target: float) -> Iterator[tuple[float, Node]]:
    """(cost, tree) of the window from each start."""
    for start in starts:
        for hits, length in _cuts(row[start:], target)[-1:]:
            tree = sequence(row[start : start + length])
            yield (_LEAST + distinctions(tree)) * max(1.0, hits / target), tree


def _inner_starts(row: list[Node]) -> Iterator[int]:
    """Where windows may begin beyond the left end: inside a run of equal elements only at its head."""
    return (start for start in range(1, len(row)) if row[start] != row[start - 1])


def _cuts(row: list[Node], target: float) -> list[tuple[float, int]]:
    """(hits per event, length) of ever more selective windows from the start of the row, until one will do."""
    positions, ends, final = Positions(), NOTHING, dict[int, int]()
    for length, node in enumerate(row, start=1):
        piece = positions.add(node)
        if length == 1 and piece.nullable:
            return []
        ends = positions.join(ends, piece)
        if not piece.nullable:
            final[length] = ends.last
    reached = arrivals(positions, ends.first)
    found = [(float("inf"), 0)]
    for length, last in final.items():
        hits = hits_per_event(reached, last)
        if hits < found[-1][0] * 0.9:
            found.append((hits, length))
        if hits <= target:
            break
    return found[1:]


def without_redundant(trees: Iterable[Node]) -> list[Node]:
    """The trees without those whose every match contains a match of another one."""
    kept: list[Node] = []
    for tree in dict.fromkeys(trees):
        if kept and escape(tree, kept) is None:
            continue
        kept = [other for other in kept if escape(other, [tree]) is not None] + [tree]
    return kept
