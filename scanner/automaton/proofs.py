"""What must be true of a rule set so that the fast engine finds what the reference finds, and the proof of each
point.

*Anchors.* Every match of a pattern contains an anchor of its rule; what can be percent-encoded text or a JSON document
contains an anchor of that bit. (Context-only patterns have none: by their meaning they need a digit and a phrase.)

*Skips.* Some shapes of values are so common that the kernel knows them without running an automaton. A shape may be
skipped when no pattern matches anywhere in a text of it. Context-only patterns count only where a digit and a word of
a context phrase can be in such a text, too: without one a match is no finding. (Values of fields whose *key* is a
context are never skipped, so whole-value patterns do not count.) No shape holds a byte >= 0x80, or `%` or a document.
Nor is there base64 in it: the runs of a timestamp and of a short value are too short; a UUID's third group begins
with `-`, so its seventh byte would be 0xF8 or more, which no UTF-8 text holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import IntFlag
from functools import partial
from time import perf_counter
from typing import NamedTuple

from scanner.automaton.anchors import Anchors, anchors, bare, bits_of, strong, tree_of
from scanner.automaton.inclusion import escape, meeting
from scanner.automaton.nodes import Node
from scanner.automaton.passes import sought_words, words_tree
from scanner.automaton.positions import union
from scanner.automaton.subset import TooManyStates
from scanner.automaton.syntax import parse_bytes
from scanner.hot import Kind
from scanner.rules.model import RuleSet


class Skip(IntFlag):
    """What the kernel may skip; the flags of the packed tables."""

    TIMESTAMP = 1
    UUID = 2
    SHORT = 4
    SHORT_NUMBER = 8


SHAPES = {
    Skip.TIMESTAMP: (parse_bytes(r'"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}"'),),
    Skip.UUID: (parse_bytes(r'"(?i:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"'),),
    Skip.SHORT: (parse_bytes(r'"[^0-9:@%{\[\x80-\xff]{0,11}"'),),
    Skip.SHORT_NUMBER: (
        parse_bytes('"[^"]{1,8}"'),
        parse_bytes(r'"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+\-]?[0-9]+)?"'),
    ),
}
"""The padded texts of each shape: those that all of these match."""

ADDRESSES = {
    Kind.IPV4: parse_bytes(r'"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(?:\.|")){4}'),
    Kind.IPV6: parse_bytes('"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}"'),
    Kind.SHORT_IPV6: parse_bytes('"(?:[0-9A-Fa-f]{1,4}:){1,7}(?::[0-9A-Fa-f]{1,4}){1,7}"'),
}
"""All that the kernel takes for an address, and more."""

_DOCUMENT = parse_bytes(r'"[ \t\r\n]*(?:\{[ \t\r\n]*["}]|\[[ \t\r\n]*["{\[\]\-0-9tfnNI])')
_ENCODED = parse_bytes("%[2-7][0-9A-Fa-f]")
_DIGIT = parse_bytes("[0-9]")


class Proof(NamedTuple):
    """One point. A counter-example is padded text in bytes; without one an unproved point took too many states."""

    rule: str
    what: str
    proved: bool
    counter_example: bytes | None
    seconds: float


def prove(rules: RuleSet, of: Anchors | None = None) -> list[Proof]:
    """All points; `of` are the anchors to be tried in place of the derived ones. Raises BadRules (RULE_SYNTAX)."""
    found = anchors(rules) if of is None else of
    return [*prove_anchors(rules, found), *(proof for skip in Skip for proof in prove_skip(rules, skip))]


def prove_anchors(rules: RuleSet, of: Anchors) -> Iterator[Proof]:
    """A point for each pattern that the main automaton nominates, and for the triggers of the passes."""
    bit = bits_of(rules)
    for number, rule in enumerate(rules.rules):
        for pattern in strong(rule):
            yield _point(rule.id, "its anchors", partial(escape, tree_of(pattern, rule), of.get(number, ())))
    yield _point("json", "its anchors", partial(escape, _DOCUMENT, of.get(bit.json, ())))
    yield _point("percent", "its anchors", partial(escape, _ENCODED, of.get(bit.percent, ())))


def prove_skip(rules: RuleSet, skip: Skip) -> Iterator[Proof]:
    """A point for each pattern that a text of a skipped shape must not hold."""
    shape, what = SHAPES[skip], f"not in a {str(skip.name).lower().replace('_', ' ')}"
    with_digit = meeting(shape, [_DIGIT]) is not None
    for rule in rules.rules:
        for pattern in strong(rule):
            yield _point(rule.id, what, partial(meeting, shape, [tree_of(pattern, rule)]))
        words = [words_tree(words) for words in sorted(sought_words([rule]))]
        for pattern in bare(rule) if with_digit else ():
            yield _point(rule.id, what, partial(_with_word, shape, tree_of(pattern, rule), words))


def in_addresses(rules: RuleSet) -> list[int]:
    """For each kind of `scanner.hot` the rules, by bit, of which a pattern may match in a text of it: of all others it
    is proved that none does."""
    return [_possible(rules, ADDRESSES[kind]) if kind in ADDRESSES else 0 for kind in Kind]


def _possible(rules: RuleSet, shape: Node) -> int:
    return union(
        1 << number
        for number, rule in enumerate(rules.rules)
        for pattern in strong(rule)
        if meeting([shape], [tree_of(pattern, rule)]) is not None
    )


def _with_word(shape: Sequence[Node], pattern: Node, words: Sequence[Node]) -> bytes | None:
    """A text of the shape with a match and a word; most patterns already fail to match."""
    return meeting(shape, [pattern]) and meeting(shape, [pattern], words)


def _point(rule: str, what: str, search: Callable[[], bytes | None]) -> Proof:
    start = perf_counter()
    try:
        found = search()
    except TooManyStates:
        return Proof(rule, what, False, None, perf_counter() - start)
    return Proof(rule, what, found is None, found, perf_counter() - start)
