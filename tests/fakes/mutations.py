"""Anchors made wrong on purpose, and what must be said of them."""

import re
from functools import cache
from typing import NamedTuple

from scanner.automaton.anchors import anchors, strong
from scanner.automaton.nodes import Alt, Chars, Repeat, Seq
from scanner.automaton.positions import Positions, union
from scanner.automaton.proofs import prove_anchors
from scanner.automaton.subset import readers
from scanner.forms import forms_of
from scanner.rules.model import RuleSet
from tests.fakes.regexes import padded


@cache
def alone(rule):
    """A rule set of this one rule: its questions take milliseconds."""
    return RuleSet((rule,))


@cache
def right_anchors(rule):
    """The derived anchors of this one rule."""
    return anchors(alone(rule))


def own_bits(ruleset):
    """The bits of the mask that the anchors of a single rule set."""
    (rule,) = ruleset.rules
    return [0] if strong(rule) else []


def without_one(trees_of, bit, r):
    """One tree fewer."""
    trees = list(trees_of[bit])
    trees.pop(r.randrange(len(trees)))
    return trees_of | {bit: tuple(trees)}


def with_one_narrowed(trees_of, bit, r):
    """One leaf of one tree reads only every other byte that it should."""
    trees = list(trees_of[bit])
    place = r.randrange(len(trees))
    trees[place] = narrowed(trees[place], r)
    return trees_of | {bit: tuple(trees)}


def narrowed(node, r):
    match node:
        case Chars(members):
            kept = [byte for byte in range(256) if members >> byte & 1]
            return Chars(sum(1 << byte for byte in r.sample(kept, len(kept) // 2)))
        case Seq(items):
            at = r.choice([place for place, item in enumerate(items) if item != Seq(())])
            return Seq((*items[:at], narrowed(items[at], r), *items[at + 1 :]))
        case Alt(branches):
            at = r.randrange(len(branches))
            return Alt((*branches[:at], narrowed(branches[at], r), *branches[at + 1 :]))
        case Repeat(inner, least, most):
            return Repeat(narrowed(inner, r), least, most)


def holds(trees, data):
    """One of the trees is found in the bytes: walked byte by byte, nothing asked about other texts."""
    positions = Positions()
    ends = [positions.add(tree) for tree in trees]
    first, last = union(end.first for end in ends), union(end.last for end in ends)
    now = 0
    for byte in data:
        now = (positions.after(now) | first) & readers(positions.labels, byte)
        if now & last:
            return True
    return False


def matches(rule, text):
    """One of the patterns that anchors are for matches."""
    return any(form().search(text) for pattern, form in forms_of(0, rule) if pattern.alone is not None)


def is_exact(pattern):
    """Its tree says no more than it, so that what matches the tree is a match: no back-reference, nothing but ASCII,
    no look-around but at the edges."""
    inner = re.sub(r"^\(\?<[!=]\[[^\]]*\]\)|\(\?[!=]\[[^\]]*\]\)$", "", pattern.regex)
    return pattern.regex.isascii() and not re.search(r"\\[1-9u]|\(\?P=|\(\?<?[!=]|\\b", inner)


def as_text(example):
    """The text of a counter-example: without its pads."""
    return example.removeprefix(b'"').removesuffix(b'"').decode("utf-8", "surrogateescape")


def unproved(ruleset, trees_of):
    """The points about a single rule that do not hold."""
    (rule,) = ruleset.rules
    return [proof for proof in prove_anchors(ruleset, trees_of) if proof.rule == rule.id and not proof.proved]


class Noticed(NamedTuple):
    points: int
    """That do not hold any more."""
    matches: int
    """Counter-examples that `re` was asked about, too."""


def noticed(ruleset, trees_of):
    """What the proof says of wrong anchors. Fails if it says of some what is not true."""
    (rule,) = ruleset.rules
    trees = [tree for bit in own_bits(ruleset) for tree in trees_of[bit]]
    points, checked = unproved(ruleset, trees_of), 0
    for point in points:
        assert point.counter_example, f"{rule.id}: no counter-example"
        assert not holds(trees_of[0], point.counter_example), f"{rule.id}: the anchor is in there"
        if all(map(is_exact, rule.patterns)):
            assert matches(rule, as_text(point.counter_example)), f"{rule.id}: this is no match"
            checked += 1
    if not points:
        for example in (*rule.examples, *rule.counter_examples):
            if matches(rule, example.text):
                assert holds(trees, padded(example.text)), f"{rule.id}: proved, but an example is without an anchor"
    return Noticed(len(points), checked)
