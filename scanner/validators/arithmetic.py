"""What check digits of many countries share: text without separators, weighted sums, calendar dates."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

Check = Callable[[str], bool]
Validator = Callable[[str], int]

_SEPARATORS = str.maketrans("", "", " .-/_()\t\r\n")


def bare(text: str) -> str:
    """The letters (upper case) and digits of a written number, without its separators."""
    return text.translate(_SEPARATORS).upper()


def of_bare(check: Check) -> Validator:
    """A validator that judges the bare text and accepts all of it or nothing; a check may stumble over odd input."""

    def accepted(text: str) -> int:
        try:
            return len(text) if check(bare(text)) else 0
        except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError):
            return 0

    return accepted


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of digit times weight; the shorter of the two ends it."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def luhn(digits: str) -> bool:
    """Whether a run of digits, the last being its check digit, passes Luhn's formula."""
    doubled = "0246813579"
    return sum(int(doubled[int(d)] if place % 2 else d) for place, d in enumerate(reversed(digits))) % 10 == 0


def is_date(year: int, month: int, day: int) -> bool:
    """Whether such a day exists."""
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def is_short_date(yymmdd: str) -> bool:
    """Whether six digits are year, month and day of this or the last century."""
    year, month, day = int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:6])
    return is_date(1900 + year, month, day) or is_date(2000 + year, month, day)


def same_digits(number: str) -> bool:
    """Whether it is one character repeated: nobody's number, though many check digits agree."""
    return len(set(number)) == 1
