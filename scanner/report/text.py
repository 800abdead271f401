"""Names and numbers as people read them. Event types and keys come from strangers: nothing in them may act."""

from __future__ import annotations

import unicodedata

_ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Controls (also of terminals), marks that turn the direction of text, lone surrogates, separators of lines."""

_JOINERS = "\u200c\u200d"
"""Cf too, but emoji and several scripts are written with them and they move nothing."""


def visible(text: str) -> str:
    """The text with everything that would act, rather than show, as an escape: `\\x1b`, `\\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        one.encode("unicode_escape").decode() if unicodedata.category(one) in _ACTING and one not in _JOINERS else one
        for one in text
    )


def shortened(text: str, most: int) -> str:
    """At most so many characters: the beginning and the end, which tell more than the middle."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def size(count: int) -> str:
    """Bytes in decimal units: `454.2 MB`."""
    if count < 1_000:
        return f"{count} B"
    amount, units = count / 1_000, iter(("kB", "MB", "GB", "TB"))
    unit = next(units)
    while amount >= 999.95 and unit != "TB":
        amount, unit = amount / 1_000, next(units)
    return f"{amount:.1f} {unit}"


def percent(share: float | None) -> str:
    """`93 %`; small shares are not called zero and large ones not all."""
    if share is None:
        return "-"
    if 0 < share < 0.01:
        return "< 1 %"
    return "> 99 %" if 0.99 < share < 1 else f"{share:.0%}".replace("%", " %")


def plural(count: int, one: str, many: str = "") -> str:
    """`1 field`, `2 fields`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(words: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
