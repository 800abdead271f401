"""What the scanner says of one text: a data type, where, how sure, and why. Pure; no value is ever in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, IntEnum, auto


class Grade(IntEnum):
    """How sure a finding is. Ordered: `Grade.LIKELY > Grade.POSSIBLE`."""

    POSSIBLE = 1
    """The form fits; nothing else speaks for it, or something speaks against it."""
    LIKELY = 2
    """The form is distinctive, or a checksum or the context supports it."""
    CONFIRMED = 3
    """The form is unmistakable, or checksum and context agree."""

    @property
    def word(self) -> str:
        """The name in reports: `possible`, `likely`, `confirmed`."""
        return self.name.lower()


class Reason(Flag):
    """What speaks for a grade, or against it. A set of these is merged by `|`."""

    FORMAT = auto()  # the pattern matched
    CHECKSUM = auto()  # a validator agreed
    KEY = auto()  # the words of the key path name the type
    NEARBY = auto()  # such words stand within 40 characters before the match
    VETO = auto()  # the key speaks against it: the grade is `possible`
    OVERLAP = auto()  # a stronger finding covers the same characters: the grade is `possible`
    FIELD = auto()  # the field is known to hold this type, whatever the values
    COLUMN = auto()  # the share of values that pass, over the whole field, raised or lowered the grade

    @property
    def words(self) -> tuple[str, ...]:
        """The names in reports, in a fixed order."""
        return tuple(flag.name.lower() for flag in type(self) if flag in self and flag.name)


class Via(Flag):
    """Through which wrapping the value was read. Empty: as it stands."""

    JSON = auto()  # a JSON document inside a string
    PERCENT = auto()  # percent-encoding
    BASE64 = auto()  # base64, standard or URL-safe
    DIGITS = auto()  # full-width characters and digits of other scripts

    @property
    def words(self) -> tuple[str, ...]:
        """The names in reports, in a fixed order."""
        return tuple(flag.name.lower() for flag in type(self) if flag in self and flag.name)


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of personal data in one text.

    `start` and `end` are half-open character offsets in the text that was given; for a value read through a wrapping
    (`via`) they cover the wrapped token. `path` is the JSON pointer inside a JSON document that the text contains, else
    empty. The value itself is not kept.
    """

    data_type: str
    start: int
    end: int
    grade: Grade
    reasons: Reason
    via: Via = Via(0)
    path: str = ""
