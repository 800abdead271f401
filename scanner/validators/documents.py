"""Checks of travel documents: how many of a matched text's leading characters are accepted, 0 for none."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_uppercase, digits

from scanner.validators.arithmetic import of_bare

_VALUES = {character: value for value, character in enumerate(digits + ascii_uppercase)} | {"<": 0}
_LEAST_DIGITS = 4
_LEAST_BARE_DIGITS = 8


def icao_checked(field: str) -> bool:
    """Whether the last character is the check digit of those before it (ICAO 9303: weights 7, 3, 1)."""
    total = sum(_VALUES[c] * (7, 3, 1)[place % 3] for place, c in enumerate(field[:-1]))
    return str(total % 10) == field[-1]


def is_passport_line(line: str) -> bool:
    """The second line of a passport (TD3): number, birth, expiry and all of it have check digits."""
    number, birth, expiry = line[:10], line[13:20], line[21:28]
    return all(map(icao_checked, (number, birth, expiry, number + birth + line[21:44])))


def is_small_line(line: str) -> bool:
    """The second line of a document of 36 characters (TD2)."""
    number, birth, expiry = line[:10], line[13:20], line[21:28]
    return all(map(icao_checked, (number, birth, expiry, number + birth + line[21:36])))


def is_name_line(line: str) -> bool:
    """The first line of a passport: the two names have two fillers between them, or one name is followed by them."""
    return "<<" in line[6:]


def is_card_number_line(line: str) -> bool:
    """The first line of an identity card (TD1): the document number has a check digit."""
    return icao_checked(line[5:15])


def is_card_birth_line(line: str) -> bool:
    """The second line of an identity card (TD1): birth and expiry have check digits."""
    return icao_checked(line[:7]) and icao_checked(line[8:15])


def is_document_number(number: str) -> bool:
    """Whether enough of it are digits for a passport's or licence's number."""
    return sum(map(str.isdigit, number)) >= _LEAST_DIGITS


def is_passport_number(number: str) -> bool:
    """The same; digits alone are at least eight, because fewer of them number anything."""
    return is_document_number(number) and (len(number) >= _LEAST_BARE_DIGITS or not number.isdigit())


def is_mixed(code: str) -> bool:
    """Whether a code has letters and digits, so that it is neither a word nor an amount."""
    return not code.isalpha() and not code.isdigit()


def has_digit(code: str) -> bool:
    """Whether a code holds a digit, so that it is no word."""
    return any(map(str.isdigit, code))


VALIDATORS: dict[str, Callable[[str], int]] = {
    "icao.passport_line": of_bare(is_passport_line),
    "icao.small_line": of_bare(is_small_line),
    "icao.name_line": of_bare(is_name_line),
    "icao.card_number_line": of_bare(is_card_number_line),
    "icao.card_birth_line": of_bare(is_card_birth_line),
    "document_number": of_bare(is_document_number),
    "passport_number": of_bare(is_passport_number),
    "mixed_code": of_bare(is_mixed),
    "has_digit": of_bare(has_digit),
}
