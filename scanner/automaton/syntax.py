"""Regular expressions as trees over bytes.

Every automaton of the scanner runs over the UTF-8 bytes of one text with a `"` before and after it: the *padded* text.
So a tree describes byte strings, and its leaves are sets of bytes: integers of 256 bits, bit b for byte b.

The text of a pattern is parsed by Python's own parser with the flags it is run with, so what is compiled and proved
here is what `re` runs. Where a tree cannot say the same as the pattern, it says *more*, never less: a text that
matches the pattern always matches the tree. That is the safe side, because trees only nominate. It says more in these
places:

- A look-around with a single class at either end becomes one byte, which is exact on padded text. Others are dropped,
  and so are those inside of such an end.
- A back-reference may be any text of its group, or any at all if the group is in a look-around; `\\b`, `^` and the
  like may be anywhere.
- A character outside ASCII is any character whose UTF-8 has the same length and a first byte of the class.
- A pattern for whole values stands between two bytes that are pads or blanks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, TypeAlias

from scanner.automaton.nodes import BYTES, EMPTY, HIGH, PAD, Alt, Chars, Node, Repeat, Seq, byte_set, sequence
from scanner.errors import BadRules, Fault

_parser: Any = import_module("re._parser")  # private names, the same in every Python from 3.11 on

FLAGS = re.ASCII
"""With these flags the patterns of rules are compiled: classes and letter case are those of ASCII."""

Ranges: TypeAlias = list[tuple[int, int]]
"""Code points (or bytes), both ends included."""


@lru_cache(maxsize=4096)
def parse(regex: str, *, whole: bool = False) -> Node:
    """The tree of a rule's pattern over padded bytes. Raises BadRules (RULE_SYNTAX), not quoting the pattern."""
    tree = _Reading(regex, last=0x10FFFF).tree(edges=not whole)
    return sequence((_BLANK_OR_PAD, tree, _BLANK_OR_PAD)) if whole else tree


@lru_cache(maxsize=4096)
def parse_bytes(regex: str) -> Node:
    """The tree of a hand-written anchor: a regex whose characters and classes are about padded bytes."""
    return _Reading(regex.encode("latin-1", "replace"), last=0xFF).tree(edges=True)


class _Reading:
    """One pattern on its way from Python's parse tree to ours."""

    def __init__(self, regex: str | bytes, *, last: int) -> None:
        self._last = last  # the largest character
        self._groups: dict[int, Node] = {}
        try:
            self._parsed = _parser.parse(regex, FLAGS)
        except (re.error, OverflowError, RecursionError) as error:
            raise BadRules(Fault.RULE_SYNTAX, "the pattern is not a regular expression") from error

    def tree(self, *, edges: bool) -> Node:
        return self._seq(list(self._parsed), self._parsed.state.flags, edges, edges)

    def _seq(self, items: Sequence[tuple[Any, Any]], flags: int, at_start: bool, at_end: bool) -> Node:
        """`at_start`, `at_end`: nothing else of the pattern stands before or after these items."""
        solid = [i for i, (op, _) in enumerate(items) if str(op) not in _ZERO_WIDTH]
        first, last = (solid[0], solid[-1]) if solid else (len(items), len(items) - 1)
        before = self._edge(items[:first], -1, flags) if at_start else EMPTY
        after = self._edge(items[last + 1 :], 1, flags) if at_end else EMPTY
        # There may be one byte beside a match and no second one: inside an edge there is no other edge.
        starts, ends = at_start and before == EMPTY, at_end and after == EMPTY
        nodes = [self._node(*item, flags, starts and i == first, ends and i == last) for i, item in enumerate(items)]
        return sequence((before, *nodes, after))

    def _edge(self, items: Iterable[tuple[Any, Any]], direction: int, flags: int) -> Node:
        """The single-class look-arounds at one end, as one byte."""
        allowed = BYTES
        for op, argument in items:
            if str(op) == "ASSERT_NOT" and argument[0] == direction:
                allowed &= self._anything_but(list(argument[1]), flags)
            elif str(op) == "ASSERT" and argument[0] == direction:
                allowed &= self._one_of(list(argument[1]), flags)
        return Chars(allowed) if allowed != BYTES else EMPTY

    def _one_of(self, items: list[tuple[Any, Any]], flags: int) -> int:
        chars = self._chars(*items[0], flags) if len(items) == 1 else None
        return BYTES if chars is None else chars[0] | (HIGH if chars[1] else 0)

    def _anything_but(self, items: list[tuple[Any, Any]], flags: int) -> int:
        """Bytes that satisfy a negative look-around. The pad always does: there the text ends."""
        if len(items) == 1 and str(items[0][0]) == "BRANCH":
            allowed = BYTES
            for branch in items[0][1][1]:
                allowed &= self._anything_but(list(branch), flags)
            return allowed
        chars = self._chars(*items[0], flags) if len(items) == 1 else None
        if chars is None:
            return BYTES
        excluded, beyond = chars
        return BYTES & ~(excluded | (HIGH if beyond == [(128, self._last)] else 0)) | 1 << PAD

    def _node(self, op: Any, argument: Any, flags: int, at_start: bool, at_end: bool) -> Node:
        chars = self._chars(op, argument, flags)
        if chars is not None:
            return _character(*chars)
        match str(op):
            case "BRANCH":
                node: Node = Alt(tuple(self._seq(list(each), flags, at_start, at_end) for each in argument[1]))
            case "SUBPATTERN":
                node = self._group(argument, flags, at_start, at_end)
            case "ATOMIC_GROUP":
                node = self._seq(list(argument), flags, at_start, at_end)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                repeated = self._seq(list(argument[2]), flags, False, False)
                node = Repeat(repeated, argument[0], None if argument[1] == _parser.MAXREPEAT else argument[1])
            case "GROUPREF":
                node = self._groups.get(argument, _ANYTHING)
                node = _in_any_case(node) if flags & re.IGNORECASE else node
            case name if name in _ZERO_WIDTH:
                node = EMPTY
            case name:
                raise BadRules(Fault.RULE_SYNTAX, f"no automaton can run a pattern with {name.lower()}")
        return node

    def _group(self, argument: Any, flags: int, at_start: bool, at_end: bool) -> Node:
        number, added, removed, inner = argument
        flags = (flags | added) & ~removed
        if flags & re.UNICODE:
            raise BadRules(Fault.RULE_SYNTAX, "patterns are about ASCII: the flag u is not allowed")
        if number is not None:
            self._groups[number] = self._seq(list(inner), flags, False, False)
        return self._seq(list(inner), flags, at_start, at_end)

    def _chars(self, op: Any, argument: Any, flags: int) -> tuple[int, Ranges] | None:
        """A single-character item as (bytes, ranges beyond ASCII); None for any other item. Bytes know no beyond."""
        ranges = self._ranges(op, argument)
        if ranges is None:
            return None
        negated = str(op) == "NOT_LITERAL" or (str(op) == "IN" and str(argument[0][0]) == "NEGATE")
        end = 127 if self._last > 255 else 255
        low = byte_set((first, min(last, end)) for first, last in ranges if first <= end)
        if flags & re.IGNORECASE:
            low = low & ~_other_case(BYTES & ~low) if negated else low | _other_case(low)
        return low, [(max(first, 128), last) for first, last in ranges if last > end]

    def _ranges(self, op: Any, argument: Any) -> Ranges | None:
        ranges: Ranges | None = None
        match str(op):
            case "LITERAL":
                ranges = [(argument, argument)]
            case "NOT_LITERAL":
                ranges = self._complement([(argument, argument)])
            case "ANY":
                ranges = [(0, self._last)]
            case "RANGE":
                ranges = [argument]
            case "CATEGORY":
                ranges = self._category(str(argument))
            case "IN":
                inside = [each for item in argument for each in self._ranges(*item) or ()]
                ranges = self._complement(inside) if str(argument[0][0]) == "NEGATE" else inside
        return ranges

    def _category(self, name: str) -> Ranges:
        """`\\d`, `\\w`, `\\s` and their opposites."""
        kind = name.removeprefix("CATEGORY_").removeprefix("NOT_")
        return self._complement(_CATEGORIES[kind]) if "_NOT_" in name else _CATEGORIES[kind]

    def _complement(self, ranges: Ranges) -> Ranges:
        out, start = [], 0
        for low, high in sorted(ranges):
            if low > start:
                out.append((start, low - 1))
            start = max(start, high + 1)
        return [*out, (start, self._last)] if start <= self._last else out


_ZERO_WIDTH = frozenset({"ASSERT", "ASSERT_NOT", "AT"})
_ANYTHING = Repeat(Chars(BYTES), 0, None)
_BLANK_OR_PAD = Chars(byte_set((c, c) for c in b' \t\r\n"'))  # what may stand beside a whole value
_CATEGORIES: dict[str, Ranges] = {
    "DIGIT": [(48, 57)],
    "SPACE": [(9, 13), (32, 32)],
    "WORD": [(48, 57), (65, 90), (95, 95), (97, 122)],
}
_UPPER, _LOWER = byte_set([(65, 90)]), byte_set([(97, 122)])
_UTF8 = ((0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, 0x10FFFF))  # code points of two, three and four bytes
_CONTINUATION = Chars(byte_set([(0x80, 0xBF)]))


def _other_case(members: int) -> int:
    return (members & _UPPER) << 32 | (members & _LOWER) >> 32


def _in_any_case(node: Node) -> Node:
    match node:
        case Chars(members):
            return Chars(members | _other_case(members))
        case Seq(items):
            return Seq(tuple(map(_in_any_case, items)))
        case Alt(branches):
            return Alt(tuple(map(_in_any_case, branches)))
        case Repeat(inner, least, most):
            return Repeat(_in_any_case(inner), least, most)


def _character(low: int, beyond: Ranges) -> Node:
    """One character: one byte, or the bytes of its UTF-8."""
    branches: list[Node] = [Chars(low)] if low else []
    leads: dict[int, int] = {}
    for length, lead in (each for first, last in beyond for each in _lead_bytes(first, last)):
        leads[length] = leads.get(length, 0) | byte_set([lead])
    branches += [Seq((Chars(lead), *[_CONTINUATION] * (length - 1))) for length, lead in sorted(leads.items())]
    return branches[0] if len(branches) == 1 else Alt(tuple(branches))


def _lead_bytes(first: int, last: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """(length of the UTF-8, range of the first bytes) of a range of characters beyond ASCII."""
    for length, (low, high) in enumerate(_UTF8, start=2):
        start, end = max(first, low), min(last, high)
        if start <= end:
            mark, shift = 0xF00 >> length & 0xFF, 6 * (length - 1)
            yield length, (mark | start >> shift, mark | end >> shift)
