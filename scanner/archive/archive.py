"""One input of any kind, forward only: its members, and the account of what lies between them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from scanner.archive import account
from scanner.archive.account import Account, Split
from scanner.archive.feed import Feed
from scanner.archive.kind import SNIFF, Kind, kind_of
from scanner.archive.limits import MIB, Limits
from scanner.archive.zip import Member, Zip
from scanner.errors import BadArchive, Fault


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a file, pipe or socket as they arrive, up to 1 MiB at a time."""
    read = getattr(file, "read1", file.read)
    while chunk := read(MIB):
        yield chunk


class Archive:
    """A zip file, or any other content as its only member. What arrives is hashed and counted."""

    def __init__(self, chunks: Iterable[bytes], limits: Limits, *, zip_only: bool = False) -> None:
        self._feed, self._limits, self._zip_only = Feed(self._counted(chunks)), limits, zip_only
        self._sha256 = hashlib.sha256()
        self._zip: Zip | None = None
        self.size = 0
        """Bytes that have arrived."""

    @property
    def sha256(self) -> str:
        """Of the bytes that have arrived, in hexadecimal."""
        return self._sha256.hexdigest()

    @property
    def layer(self) -> int:
        """How many containers lie around a member: 1 in a zip file, else 0."""
        return int(self._zip is not None)

    def members(self) -> Iterator[Member]:
        """Each in turn; read its chunks to their end before the next. An empty input has none, if it may be empty."""
        head = self._feed.look(SNIFF)
        kind = kind_of(head)
        if kind is Kind.ZIP:
            self._zip = Zip(self._feed, self._limits)
            yield from self._zip.members()
        elif len(head) or self._zip_only:
            member = Member(0)
            member.chunks = self._only(kind, member)
            yield member

    def between(self, source: int) -> Account:
        """What is in no member; final once `members` has ended."""
        if self._zip is None:
            unread = self._feed.fault if not self.size and not self._zip_only else None
            return account.between(source, Split(), [(0, unread)] if unread else [])
        split = Split(self._zip.overhead, 0, account.total(self._zip.skipped))
        return account.between(source, split, self._zip.faults)

    def _only(self, kind: Kind, member: Member) -> Iterator[bytes]:
        if kind is Kind.OTHER or self._zip_only:
            member.size = self._feed.drain()
            fault = self._feed.fault or Fault.NOT_AN_ARCHIVE
            member.lost = {fault: member.size}
            raise BadArchive(fault, "the input is of no kind that is read here")
        while piece := self._feed.take(MIB):
            member.size += len(piece)
            yield piece
        if self._feed.fault:
            raise BadArchive(self._feed.fault, f"the input stops at byte {self.size}")

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in _until_refused(chunks):
            self._sha256.update(chunk)
            self.size += len(chunk)
            yield chunk


def _until_refused(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """An error of the operating system is the end of the input, and why."""
    try:
        yield from chunks
    except OSError as error:
        raise BadArchive(Fault.UNREADABLE, f"the input cannot be read: error {error.errno}") from None
