"""Checks of health numbers: how many of a matched text's leading characters are accepted, 0 for none."""

from __future__ import annotations

from collections.abc import Callable

from scanner.validators.arithmetic import luhn, of_bare, same_digits, weighted

_UNTOLD = frozenset(
    [
        "true",
        "false",
        "none",
        "null",
        "nil",
        "undefined",
        "unknown",
        "yes",
        "no",
        "n/a",
        "not available",
        "other",
        "nan",
    ]
)
_NHI_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def is_npi(number: str) -> bool:
    """A US health provider: ten digits by Luhn's formula behind the card issuer prefix 80840."""
    return number[0] in "12" and luhn(f"80840{number}")


def is_dea(number: str) -> bool:
    """A US prescriber of controlled substances: two letters (or a letter and 9), six digits, a check digit."""
    d = [int(c) for c in number[2:]]
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6] and not same_digits(number[2:])


def is_medicare(number: str) -> bool:
    """An Australian Medicare card: first digit 2 to 6, the ninth a check digit; issue and person's line may follow."""
    return number[0] in "23456" and weighted(number[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(number[8])


def is_nhi(number: str) -> bool:
    """A New Zealand patient: AAANNNC (modulo 11), or AAANNAC (modulo 23; modulo 24 as first published)."""
    total = _nhi_sum(number)
    if number[6].isdigit():
        return total % 11 != 0 and -total % 11 % 10 == int(number[6])
    check = _NHI_LETTERS.index(number[6]) + 1
    return check in (23 - total % 23, 24 - total % 24)


def _nhi_sum(number: str) -> int:
    """The sum of the first six characters, letters counting from 1 without I and O, weighted from 7 down."""
    values = (int(c) if c.isdigit() else _NHI_LETTERS.index(c) + 1 for c in number[:6])
    return sum(value * weight for value, weight in zip(values, range(7, 1, -1), strict=True))


def says_something(text: str) -> int:
    """A word or more about somebody's health, and not that there is nothing to tell."""
    return 0 if text.strip().casefold() in _UNTOLD else len(text)


VALIDATORS: dict[str, Callable[[str], int]] = {
    "us.npi": of_bare(is_npi),
    "us.dea": of_bare(is_dea),
    "au.medicare": of_bare(is_medicare),
    "au.ihi": of_bare(luhn),
    "nz.nhi": of_bare(is_nhi),
    "health.statement": says_something,
}
