"""A person's identifier and a secret, both of which print as `***`.

Reading one is an explicit call, `reveal()`, so that every place that does can be found by searching for the word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

ProjectId = NewType("ProjectId", str)
OrgId = NewType("OrgId", str)
RequestId = NewType("RequestId", str)
CommandId = NewType("CommandId", str)
BatchId = NewType("BatchId", str)
AmplitudeId = NewType("AmplitudeId", int)
Day = NewType("Day", str)
"""A calendar day in UTC as Amplitude writes it, `YYYY-MM-DD`; sorts as text."""
Millis = NewType("Millis", int)
"""An instant: milliseconds since 1970-01-01 UTC."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """A string that never prints itself. Equality and hashing work on the hidden value."""

    _value: str

    def reveal(self) -> str:
        """The value itself. Call it only where it is sent on or compared."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)


class Subject(Redacted):
    """A personal identifier: a user id, an e-mail address, an Amplitude ID as text."""

    __slots__ = ()


class Secret(Redacted):
    """A key or a password."""

    __slots__ = ()
