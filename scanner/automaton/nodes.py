"""Regular expressions as trees: what `syntax` reads, and all that is derived from it.

A tree describes byte strings. Its leaves are sets of bytes: integers of 256 bits, bit b for byte b.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

PAD = 0x22
BYTES = (1 << 256) - 1
ASCII = (1 << 128) - 1
HIGH = BYTES ^ ASCII


class Chars(NamedTuple):
    """One byte out of a set."""

    members: int


class Seq(NamedTuple):
    """One after the other; the empty sequence is the empty string."""

    items: tuple[Node, ...]


class Alt(NamedTuple):
    """One of these."""

    branches: tuple[Node, ...]


class Repeat(NamedTuple):
    """The node `least` to `most` times; None: without end."""

    node: Node
    least: int
    most: int | None


Node: TypeAlias = Chars | Seq | Alt | Repeat

EMPTY = Seq(())


def byte_set(ranges: Iterable[tuple[int, int]]) -> int:
    """The set of the bytes in these ranges."""
    members = 0
    for low, high in ranges:
        members |= (1 << (high + 1)) - (1 << low)
    return members


def sequence(nodes: Iterable[Node]) -> Node:
    """One after the other, without empty or needlessly nested sequences."""
    items: list[Node] = []
    for node in nodes:
        items.extend(node.items if isinstance(node, Seq) else (node,))
    return items[0] if len(items) == 1 else Seq(tuple(items))
