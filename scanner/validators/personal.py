"""Checks of what people are called, where they live, what they are: for values whose key says what they should be."""

from __future__ import annotations

import re
from collections.abc import Callable

from scanner.validators.basic import email

_PLACEHOLDERS = (
    "null none nil undefined true false yes no n/a na unknown anonymous guest test admin user name default empty "
    "deleted string object (null) (none) first last"
)
_NOBODY = frozenset(_PLACEHOLDERS.split())
_GENDER_WORDS = (
    "m f d x w h male female man woman men women boy girl non-binary nonbinary non_binary nb other diverse divers "
    "intersex transgender trans agender genderqueer genderfluid mann frau männlich weiblich mannlich homme femme "
    "masculin féminin feminin masculino femenino hombre mujer varón varon feminino homem mulher maschio femmina "
    "uomo donna vrouw mężczyzna kobieta муж жен мужской женский 男 女 男性 女性 남 여 남성 여성 ذكر أنثى"
)
_GENDERS = frozenset(_GENDER_WORDS.split())
_DATE = re.compile(
    r"(?P<y>[0-9]{4})[./\- ]?(?P<m>[0-9]{1,2})[./\- ]?(?P<d>[0-9]{1,2})(?:[T ].*)?"
    r"|(?P<a>[0-9]{1,2})[./\- ](?P<b>[0-9]{1,2})[./\- ](?P<z>[0-9]{4}|[0-9]{2})"
)
_YEAR = re.compile(r"(?:^|[^0-9])([0-9]{4})(?![0-9])")
_IP = re.compile(r"[0-9a-fA-F:.]+")
_NAME_WORDS = 7


def _length(text: str, good: object) -> int:
    return len(text) if good else 0


def _persons_email(text: str) -> int:
    """A mailbox; `git@…` opens a repository."""
    return 0 if text.partition("@")[0].lower() in {"git", "hg"} else email(text)


def _person_name(text: str) -> int:
    """A few words with a letter in each, which do not say that there is no name."""
    words = text.split()
    lettered = all(any(c.isalpha() for c in word) or word in {"-", "&", "."} for word in words)
    return _length(text, lettered and 0 < len(words) <= _NAME_WORDS and text.strip().casefold() not in _NOBODY)


def _street_address(text: str) -> int:
    """Letters, and a number or several words; an IP, a host or a hash is none."""
    letters = sum(c.isalpha() for c in text)
    written = " " in text.strip() or any(ord(c) > 0x2E80 for c in text)
    return _length(text, letters >= 3 and written and not _IP.fullmatch(text) and "@" not in text and "://" not in text)


def _is_date(month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= 31


def _birth_date(text: str) -> int:
    """A day on which a living person may have been born, its parts in any usual order, or with the name of a month."""
    found = _DATE.fullmatch(text.strip())
    if not found:
        year = _YEAR.search(text)
        return _length(text, any(c.isalpha() for c in text) and year and 1890 <= int(year[1]) <= 2030)
    if found["y"]:
        return _length(text, 1890 <= int(found["y"]) <= 2030 and _is_date(int(found["m"]), int(found["d"])))
    a, b, year_of = int(found["a"]), int(found["b"]), found["z"]
    lived = len(year_of) == 2 or 1890 <= int(year_of) <= 2030
    return _length(text, lived and (_is_date(a, b) or _is_date(b, a)))


def _age(text: str) -> int:
    return _length(text, 0 < int(re.findall("[0-9]+", text)[0]) <= 120)


def _gender(text: str) -> int:
    return _length(text, text.strip().casefold() in _GENDERS)


def _said(text: str) -> int:
    """A word that says something: not `unknown` and the like."""
    return _length(text, text.strip().casefold() not in _NOBODY)


def _login(text: str) -> int:
    """A login name has a letter and is no UUID, URL or placeholder."""
    plain = any(c.isalpha() for c in text) and "://" not in text and text.strip().casefold() not in _NOBODY
    return _length(text, plain and not re.fullmatch(r"[0-9a-fA-F\-]{32,}", text))


VALIDATORS: dict[str, Callable[[str], int]] = {
    "email.person": _persons_email,
    "person_name": _person_name,
    "street_address": _street_address,
    "birth_date": _birth_date,
    "age": _age,
    "gender": _gender,
    "said": _said,
    "login": _login,
}
"""Names of rules' validators → functions."""
