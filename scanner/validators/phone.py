"""Telephone numbers, by Google's metadata (the phonenumbers library)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import phonenumbers

_ANYWHERE = (None,)


def phone_number(regions: str, option: str) -> Callable[[str], int] | None:
    """A check for numbers as dialled in `regions` (ISO 3166, by commas) and for international ones; None: unknown.

    Option `possible`: the length is enough, so that numbers reserved for fiction count.
    """
    names = tuple(regions.split(",")) if regions else _ANYWHERE
    if option not in {"", "possible"} or (regions and not set(names) <= phonenumbers.SUPPORTED_REGIONS):
        return None
    accept = phonenumbers.is_possible_number if option else phonenumbers.is_valid_number

    @lru_cache(maxsize=8_192)  # 50-200 µs a number
    def check(text: str) -> int:
        return len(text) if any(_accepted(text, region, accept) for region in names) else 0

    return check


def _accepted(text: str, region: str | None, accept: Callable[[phonenumbers.PhoneNumber], bool]) -> bool:
    international = "+" + text[2:] if region is None and text.startswith("00") else text
    try:
        return accept(phonenumbers.parse(international, region))
    except phonenumbers.NumberParseException:
        return False
