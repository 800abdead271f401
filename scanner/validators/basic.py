"""Checks that belong to no country: how many of a matched text's leading characters are accepted, 0 for none."""

from __future__ import annotations

import re
import socket
from bisect import bisect_right
from collections.abc import Callable

_PLAIN = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_SEPARATORS = {ord(mark): None for mark in " -./\u00a0"}


def luhn(text: str) -> int:
    """ISO/IEC 7812-1 check digit over the digits; separators are ignored."""
    return len(text) if passes_luhn(_digits(text)) else 0


def _digits(text: str) -> str:
    return text if text.isdigit() else text.translate(_SEPARATORS)


def passes_luhn(digits: str) -> bool:
    """Whether a run of digits, two or more, ends with its Luhn check digit."""
    if len(digits) < 2 or not (digits.isascii() and digits.isdigit()):
        return False
    backwards = digits.encode()[::-1]
    return (sum(backwards[::2].translate(_PLAIN)) + sum(backwards[1::2].translate(_DOUBLED))) % 10 == 0


_MAESTRO = frozenset(range(12, 20))
_LONG = frozenset(range(16, 20))
_SIXTEEN = frozenset({16})
_DINERS = frozenset({14, *_LONG})
# first and last value of the leading four digits, in order, and the lengths issued there
_ISSUERS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (1000, 1999, frozenset({15})),  # UATP; JCB's 1800
    (2131, 2131, frozenset({15})),  # JCB
    (2200, 2204, _LONG),  # Mir
    (2221, 2720, _SIXTEEN),  # Mastercard
    (3000, 3059, _DINERS),
    (3095, 3095, _DINERS),
    (3400, 3499, frozenset({15})),  # American Express
    (3500, 3599, _LONG),  # JCB, and what samples take for it
    (3600, 3699, frozenset(range(14, 20))),  # Diners
    (3700, 3799, frozenset({15})),  # American Express
    (3800, 3999, _DINERS),
    (4000, 4999, frozenset({13, 16, 18, 19})),  # Visa
    (5000, 5099, _MAESTRO),
    (5100, 5599, _SIXTEEN),  # Mastercard
    (5600, 5899, _MAESTRO),
    (6000, 6999, _MAESTRO),  # and Discover, UnionPay 62, RuPay, Elo
    (8100, 8299, _LONG),  # UnionPay, RuPay
    (9792, 9792, _SIXTEEN),  # Troy
)
_FIRSTS = [first for first, _, _ in _ISSUERS]


def card(text: str) -> int:
    """A payment card: an issuer's leading digits, a length it issues, the Luhn digit."""
    digits = _digits(text)
    if not passes_luhn(digits):
        return 0
    leading = int(digits[:4])
    _, last, lengths = _ISSUERS[max(0, bisect_right(_FIRSTS, leading) - 1)]
    return len(text) if _FIRSTS[0] <= leading <= last and len(digits) in lengths else 0


_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
_LETTER_VALUES = {ord(letter): str(value) for value, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 10)}
_IBAN_CHECKS = frozenset(f"{98 - rest:02d}" for rest in range(97))
_IBAN_SEPARATORS = {ord(mark): None for mark in " -\u00a0\u202f"}


def iban(text: str) -> int:
    """ISO 13616: the country's length and the remainder 1 of 97. Words that follow after a separator are cut off."""
    length = _IBAN_LENGTHS.get(text[:2].upper(), 0)
    end = len(text) if len(text) == length else _end_of(length, text)
    compact = text[:end].translate(_IBAN_SEPARATORS).upper()
    if len(compact) != length or not (compact.isascii() and compact.isalnum() and compact[2:4] in _IBAN_CHECKS):
        return 0
    return end if int((compact[4:] + compact[:4]).translate(_LETTER_VALUES)) % 97 == 1 else 0


def _end_of(length: int, text: str) -> int:
    """Where so many characters and the separators between them end; 0 if that is inside a word."""
    places = [place for place, mark in enumerate(text) if ord(mark) not in _IBAN_SEPARATORS]
    if not 0 < length <= len(places):
        return 0
    end = places[length - 1] + 1
    return 0 if text[end : end + 1].isalnum() else end


_FILE_EXTENSIONS = (
    "avif bmp css csv eot gif htm html ico jpeg jpg js json jsx map mp3 mp4 otf pdf png scss svg tif tiff ts "
    "tsx ttf txt webm webp woff woff2 xml yaml yml"
)
_FILES = frozenset(_FILE_EXTENSIONS.split())


_ADDRESS = re.compile(
    r"(?!\.|[^@]*\.\.)[^@]{1,64}(?<!\.)@"
    r"(?:[^\s.@-](?:[^\s.@]{0,61}[^\s.@-])?\.)+"
    r"(?P<top>[^\s.@0-9-]{2,63}|xn--[0-9A-Za-z-]{2,59})"
)


def email(text: str) -> int:
    """An address as people have them, its domain in any script; `logo@2x.png` is a file."""
    match = _ADDRESS.fullmatch(text)
    return len(text) if match and match["top"].lower() not in _FILES and len(text) <= 254 else 0


_NOBODYS = ("0.", "127.", "255.")


def ipv4(text: str) -> int:
    """Four octets without leading zeros; not this-network, loopback, masks and broadcast."""
    try:
        socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return 0
    return 0 if text.startswith(_NOBODYS) else len(text)


def ipv6(text: str) -> int:
    """RFC 4291 text, a zone (`%eth0`) cut off. `::` alone is a separator in too many languages."""
    address = text.partition("%")[0]
    try:
        socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return 0
    return len(address) if len(address) > 2 else 0


_MAC_SEPARATORS = {ord(mark): None for mark in ":-. "}
_HEX = frozenset("0123456789abcdef")


def mac(text: str) -> int:
    """48 bits in hex with any separators; not zero, not broadcast."""
    digits = text.translate(_MAC_SEPARATORS).lower()
    used = set(digits)
    return len(text) if len(digits) == 12 and used <= _HEX and used not in ({"0"}, {"f"}) else 0


VALIDATORS: dict[str, Callable[[str], int]] = {
    "luhn": luhn,
    "card": card,
    "iban": iban,
    "email": email,
    "ipv4": ipv4,
    "ipv6": ipv6,
    "mac": mac,
}
