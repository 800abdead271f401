"""What fields and event types are called in results: their names, unless a name is itself personal data or an id."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from scanner.confirm import Hit, Meaning
from scanner.context import NOWHERE
from scanner.findings import Grade
from scanner.mask import public_segment
from scanner.summary import OTHER

LONGEST_EVENT_TYPE = 4096
"""Bytes of UTF-8. Events of a type with a longer name count as others."""

_NAMES_KEPT = 65_536


class Names:
    """Public names of one rule set. Memoised, so that a scan asks once for each key."""

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning
        self.key = lru_cache(maxsize=_NAMES_KEPT)(self._key)
        self.inner = lru_cache(maxsize=_NAMES_KEPT)(self._inner)
        self.event_type = lru_cache(maxsize=_NAMES_KEPT)(self._event_type)

    def segment(self, key: str, findings: Iterable[Hit]) -> str:
        """A key's segment of a field's name, given what was found in the key."""
        return public_segment(key, {hit.data_type for hit in findings if hit.grade >= Grade.LIKELY})

    def field(self, path: Iterable[str | None]) -> str:
        """The name of a field; an array position is None in the path and `*` in the name."""
        return "".join("/*" if key is None else "/" + self.key(key) for key in path)

    def _key(self, key: str) -> str:
        return self.segment(key, self._meaning.confirm(key, self._meaning.mask.all, NOWHERE))

    def _inner(self, pointer: str) -> str:
        """A place inside a JSON document that is itself a value: `#/customer/*/email`."""
        segments = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
        return "#" + self.field(None if segment.isdecimal() else segment for segment in segments)

    def _event_type(self, name: str) -> str:
        """An event type: whole, cut, or in braces like a key that holds personal data."""
        if len(name.encode("utf-8", "surrogatepass")) > LONGEST_EVENT_TYPE:
            return OTHER.event_type
        return self.key(name).replace("~1", "/").replace("~0", "~") if name else ""
