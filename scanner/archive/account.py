"""What went in and where it went. Every byte is in exactly one place; sums of parts are parts of sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from scanner.errors import Fault

MOST_TROUBLES = 1_000
"""Named one by one; the counts have no limit."""

Bytes = Mapping[Fault, int]


def total(*counts: Bytes) -> dict[Fault, int]:
    """The sum per fault, in the order of `Fault`, without zeros."""
    sums = {fault: sum(count.get(fault, 0) for count in counts) for fault in Fault}
    return {fault: size for fault, size in sums.items() if size}


@dataclass(frozen=True, slots=True)
class Split:
    """Where the bytes of one input or content went."""

    overhead: int = 0
    """Headers, descriptors and directories of containers."""
    read: int = 0
    """Read as content."""
    skipped: Bytes = field(default_factory=dict)

    @property
    def size(self) -> int:
        """All bytes."""
        return self.overhead + self.read + sum(self.skipped.values())

    def __add__(self, other: Split) -> Split:
        return Split(self.overhead + other.overhead, self.read + other.read, total(self.skipped, other.skipped))

    def onto(self, size: int) -> Split:
        """The same shares of `size` bytes: of what a content was before it was unpacked. Exact for equal sizes."""
        if self.size in {0, size}:
            return self if self.size == size else Split(read=size)
        skipped = total({fault: part * size // self.size for fault, part in self.skipped.items()})
        overhead = self.overhead * size // self.size
        return Split(overhead, size - overhead - sum(skipped.values()), skipped)


@dataclass(frozen=True, slots=True)
class Text:
    """Where the bytes went that came out of all unpacking."""

    inflated: int = 0
    delivered: int = 0
    """Handed to the scanner in whole lines."""
    skipped: Bytes = field(default_factory=dict)
    long_lines: int = 0
    """Lines skipped for their length."""

    def __add__(self, other: Text) -> Text:
        return Text(
            self.inflated + other.inflated,
            self.delivered + other.delivered,
            total(self.skipped, other.skipped),
            self.long_lines + other.long_lines,
        )


class Trouble(NamedTuple):
    """Something that was not scanned. Ordered by where it is."""

    source: int
    """Number of the input, from 0."""
    member: int
    """Number of the member in it, from 0. For a fault between members: how many came before."""
    at: int
    """Bytes of this member's text that went before."""
    fault: Fault


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one member's content."""

    split: Split
    text: Text
    faults: tuple[tuple[int, Fault], ...] = ()
    """The first of each kind, with the bytes of text before it."""

    @property
    def outcome(self) -> Fault | None:
        """Why it is incomplete; None: it was read to its end, if not every line of it."""
        return next((fault for _, fault in self.faults if fault is not Fault.OVERSIZED_LINE), None)


@dataclass(frozen=True, slots=True)
class Account:
    """Of a whole input, or of many. `merge` is associative and commutative, `Account()` is its zero."""

    split: Split = Split()
    """`split.size` is the number of bytes that were read."""
    text: Text = Text()
    lines: int = 0
    """Lines handed to the scanner."""
    members: int = 0
    """Members read to their end; empty ones are not counted."""
    broken: Bytes = field(default_factory=dict)
    """Number of members that were not, by the first reason."""
    troubles: tuple[Trouble, ...] = ()
    """The first thousand by place."""

    @property
    def clean(self) -> bool:
        """Whether all was scanned."""
        return not self.troubles

    def merge(self, other: Account) -> Account:
        """Both together."""
        return Account(
            self.split + other.split,
            self.text + other.text,
            self.lines + other.lines,
            self.members + other.members,
            total(self.broken, other.broken),
            tuple(sorted((*self.troubles, *other.troubles))[:MOST_TROUBLES]),
        )


def of_member(source: int, member: int, split: Split, reading: Reading, lines: int = 0) -> Account:
    """The account of one member of an input, `split` being where the bytes of the input went that are this member."""
    outcome = reading.outcome
    return Account(
        split,
        reading.text,
        lines,
        members=int(outcome is None and reading.text.inflated > 0),
        broken={outcome: 1} if outcome else {},
        troubles=tuple(Trouble(source, member, at, fault) for at, fault in reading.faults),
    )


def between(source: int, split: Split, faults: Iterable[tuple[int, Fault]]) -> Account:
    """The account of what is not in a member."""
    return Account(split, troubles=tuple(Trouble(source, member, 0, fault) for member, fault in faults))
