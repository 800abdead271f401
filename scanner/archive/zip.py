"""A zip file read forward only: no seeking, no central directory needed, nothing spooled.

Amplitude's archives are streamed: stored members whose sizes are told by a descriptor behind them. Such an end is found
by looking for a record that agrees with what was read (`records.end_of_payload`), so nobody has to inflate a member to
get past it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from scanner.archive import records
from scanner.archive.account import MOST_TROUBLES, Bytes, Split
from scanner.archive.feed import Feed
from scanner.archive.inflate import crc32, inflate
from scanner.archive.limits import Limits
from scanner.archive.records import Local, Payload
from scanner.errors import BadArchive, Fault

STORED, DEFLATED = 0, 8


@dataclass(slots=True)
class Member:
    """One content of an archive. Its chunks are to be read to their end before the next member is asked for."""

    ordinal: int
    """From 0, without directories and empty members."""
    chunks: Iterator[bytes] = field(init=False, repr=False)
    """The unpacked content; may end with a `BadArchive`."""
    size: int = 0
    """Bytes of the input that are this content; known at its end."""
    lost: Bytes = field(default_factory=dict)
    """Of these, bytes that could not be unpacked."""

    def split(self, content: Split) -> Split:
        """Where the bytes of the input went that are this member, if its unpacked content was split so."""
        lost = Split(skipped=self.lost)
        return content.onto(self.size - lost.size) + lost


class Zip:
    """The members of a zip file. Every byte of the feed is `overhead`, `skipped`, or in the `size` of a member."""

    def __init__(self, feed: Feed, limits: Limits) -> None:
        self._feed, self._limits = feed, limits
        self._members = self._headers = self._listed = 0
        self._complete = False
        self.overhead = 0
        self.skipped: Counter[Fault] = Counter()
        """Bytes between members that are no record."""
        self.faults: list[tuple[int, Fault]] = []
        """What was found between members, each with the number of members before it."""

    def members(self) -> Iterator[Member]:
        """Each member that is neither a directory nor known to be empty."""
        while signature := bytes(self._feed.look(4)):
            if signature == records.LOCAL:
                yield from self._member()
            elif size := records.closing(self._feed.look):
                self._close(size, signature)
            else:
                self._resynchronise()
        if self._feed.fault or not self._complete:
            self.faults.append((self._members, self._feed.fault or Fault.TRUNCATED))
        elif self._listed != self._headers:
            self.faults.append((self._members, Fault.DAMAGED))

    def _member(self) -> Iterator[Member]:
        head = records.local(self._feed.look)
        if head is None:
            self._lose(self._feed.drain(), self._feed.fault or Fault.TRUNCATED)
            return
        self._overhead(head.size)
        self._headers += 1
        if head.packed == 0 or (head.directory and head.packed is None and head.method == STORED):
            self._unread_descriptor(head, 0)
            return
        member = Member(self._members)
        member.chunks = self._payload(head, member)
        self._members += 1
        yield member
        _exhaust(member.chunks)

    def _payload(self, head: Local, member: Member) -> Iterator[bytes]:
        feed, start, crc, unpacked = self._feed, self._feed.offset, 0, 0
        feed.fence(head.packed)
        try:
            for piece in self._unpacked(head, member):
                crc, unpacked = crc32(piece, crc), unpacked + len(piece)
                yield piece
        except BadArchive as error:
            failed = feed.offset
            self._pass(head)
            member.size, member.lost = feed.offset - start, {error.fault: feed.offset - failed}
            self._unread_descriptor(head, member.size)
            raise
        feed.fence(None)
        member.size = feed.offset - start
        self._confirm(head, Payload(member.size, crc, unpacked), member)

    def _unpacked(self, head: Local, member: Member) -> Iterator[bytes]:
        if not _readable(head):
            raise BadArchive(Fault.UNSUPPORTED, f"member {member.ordinal} is encrypted or of method {head.method}")
        if head.method == DEFLATED:
            yield from inflate(self._feed, self._limits)
        elif head.packed is None:
            yield from self._until_descriptor(0)
        else:
            yield from self._up_to_fence()
        if head.packed is not None and self._feed.look(1):
            raise BadArchive(Fault.DAMAGED, f"the deflate stream of member {member.ordinal} ends early")

    def _up_to_fence(self) -> Iterator[bytes]:
        while piece := self._feed.take(self._limits.compressed):
            yield piece

    def _until_descriptor(self, crc: int | None) -> Iterator[bytes]:
        """A payload of unknown length. `crc` 0: it is stored; None: it is packed in a way that is not read."""
        start, width = self._feed.offset, self._limits.compressed + records.KEPT
        while True:
            window = self._feed.look(width)
            whole = len(window) < width
            end = records.end_of_payload(window, self._feed.offset - start, crc)
            piece = bytes(window[: len(window) if whole else self._limits.compressed] if end is None else window[:end])
            crc = None if crc is None else crc32(piece, crc)
            self._feed.skip(len(piece))
            if piece:
                yield piece
            if end is not None:
                return
            if whole:
                raise BadArchive(self._feed.fault or Fault.TRUNCATED, f"the archive stops at byte {self._feed.offset}")

    def _confirm(self, head: Local, read: Payload, member: Member) -> None:
        agrees = (head.crc, head.unpacked) == (read.crc, read.unpacked)
        if head.flags & records.STREAMED:
            size, agrees = records.descriptor(self._feed.look(records.KEPT), read)
            self._overhead(size)
        if not agrees:
            fault = Fault.DAMAGED if self._feed.look(1) else self._feed.fault or Fault.TRUNCATED
            raise BadArchive(fault, f"checksum or length of member {member.ordinal} is wrong")

    def _pass(self, head: Local) -> None:
        """Go to the end of a payload that cannot be unpacked."""
        if head.packed is not None:
            self._feed.drain()
            self._feed.fence(None)
        elif _readable(head):
            self._seek_record()
        else:
            _exhaust(self._until_descriptor(None))

    def _unread_descriptor(self, head: Local, packed: int) -> None:
        if head.flags & records.STREAMED:
            size, _ = records.descriptor(self._feed.look(records.KEPT), Payload(packed, None, None))
            self._overhead(size)

    def _close(self, size: int, signature: bytes) -> None:
        piece = len(self._feed.look(size))
        self._overhead(piece)
        self._listed += signature == records.CENTRAL
        self._complete = signature == records.END and piece == size

    def _resynchronise(self) -> None:
        start, cut_off = self._feed.offset, len(self._feed.look(4)) < 4 and not self._complete
        self._seek_record()
        self._lose(self._feed.offset - start, Fault.TRUNCATED if cut_off else Fault.DAMAGED)

    def _seek_record(self) -> None:
        """Go to the next bytes that can be a record, or to the end."""
        width = self._limits.compressed + records.LOOKAHEAD
        while True:
            window = self._feed.look(width)
            reach = len(window) if len(window) < width else self._limits.compressed
            at = records.next_record(window)
            self._feed.skip(reach if at is None else min(at, reach))
            if reach == len(window) or (at is not None and at <= reach):
                return

    def _overhead(self, size: int) -> None:
        self._feed.skip(size)
        self.overhead += size

    def _lose(self, size: int, fault: Fault) -> None:
        self.skipped[fault] += size
        if len(self.faults) < MOST_TROUBLES:
            self.faults.append((self._members, fault))


def _readable(head: Local) -> bool:
    return not head.flags & records.ENCRYPTED and head.method in {STORED, DEFLATED}


def _exhaust(chunks: Iterator[bytes]) -> None:
    with suppress(BadArchive):
        for _ in chunks:
            pass
