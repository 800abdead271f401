"""Where a finding comes from: hour, version and library of an event that held it, as the event itself tells them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from scanner.confirm import Meaning
from scanner.evidence import Origin
from scanner.findings import Grade
from scanner.reference import told_by

VERSION, LIBRARY = "version_name", "library"

_LIKE_A_VERSION = "IPV4"
_PLAIN = re.compile(r"[A-Za-z0-9 ._/+()-]{1,64}").fullmatch


class Origins:
    """Reads origins off lines. Version and library are free text, and so could hold anything: one that is not plain, or
    in which the rules find anything, is left out; only that a version has four numbers is no harm."""

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning
        self._public = lru_cache(maxsize=1024)(self._judged)
        self._last = b"", Origin()

    def of(self, line: bytes, nominate: Callable[[str], int] | None) -> Origin:
        """What the line tells; nothing where it is not JSON. Asking again of the same line costs nothing: one line is
        often the first of several findings."""
        if self._last[0] != line:
            hour, (version, library) = told_by(line, VERSION, LIBRARY)
            said = self._public(VERSION, version, nominate), self._public(LIBRARY, library, nominate)
            self._last = line, Origin(hour, *said)
        return self._last[1]

    def _judged(self, name: str, text: str, nominate: Callable[[str], int] | None) -> str:
        if not _PLAIN(text):
            return ""
        hits = self._meaning.read(text, self._meaning.contexts.in_event((name,)), nominate)
        return text if all(hit.data_type == _LIKE_A_VERSION and hit.grade < Grade.LIKELY for hit in hits) else ""
