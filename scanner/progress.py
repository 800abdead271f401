"""How far a scan is, and the account of what it has done."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scanner.archive import Account, Member, Reading, of_member


class Progress(NamedTuple):
    """How far a scan is."""

    source: int
    """Number of the input that is being read, from 0."""
    read: int
    """Bytes of the inputs that are scanned, as they are stored."""
    total: int | None
    """Bytes of all inputs; None where one of them cannot tell."""
    text: int
    """Bytes of text that are scanned."""
    lines: int


class Books:
    """Adds up what is scanned, and tells how far it is."""

    def __init__(self, total: int | None, progress: Callable[[Progress], None] | None) -> None:
        self._total, self._progress = total, progress
        self._source = 0
        self._read: Callable[[], int] = int
        self._text = self._lines = 0
        self.account = Account()
        self.finished = 0
        """Bytes of the inputs before this one."""

    def reading(self, source: int, read: Callable[[], int]) -> None:
        """This input is being read; `read` tells how many bytes of it and of those before are scanned."""
        self._source, self._read = source, read

    def step(self, text: int, lines: int) -> None:
        """Some text is scanned."""
        self._text += text
        self._lines += lines
        if self._progress:
            self._progress(Progress(self._source, self._read(), self._total, self._text, self._lines))

    def done(self, source: int, member: Member, reading: Reading, lines: int) -> None:
        """A member is scanned."""
        self.account = self.account.merge(
            of_member(source, member.ordinal, member.split(reading.split), reading, lines)
        )

    def add(self, account: Account) -> None:
        """Something is accounted for."""
        self.account = self.account.merge(account)
