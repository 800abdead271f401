"""Any decoded value as a short text. What comes in is a stranger's: of any type, any depth, any length."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_DEEPEST = 6
_HUGE = 10**40
"""Python refuses to print whole numbers of several thousand digits."""


def brief(value: Any, most: int) -> str:
    """At most so many characters, the last one an ellipsis if something was cut. Null is the empty text.

    A text is itself, everything else reads as JSON does. Costs no more for a large value than for a small one.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        text = value
    elif isinstance(value, Mapping | list | tuple):
        parts: list[str] = []
        _write(value, parts, most, _DEEPEST)
        text = "".join(parts)
    else:
        text = _plain(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _write(value: Any, parts: list[str], room: int, depth: int) -> int:
    """Append the value, or its beginning. The room that is left: below zero if there already is too much."""
    if isinstance(value, str):
        parts.append(f'"{value[: max(room, 0)]}"')
    elif not isinstance(value, Mapping | list | tuple):
        parts.append(_plain(value))
    elif depth:
        return _write_inner(value, parts, room, depth)
    else:
        parts.append("…")
    return room - len(parts[-1])


def _write_inner(value: Any, parts: list[str], room: int, depth: int) -> int:
    opening, closing = "{}" if isinstance(value, Mapping) else "[]"
    parts.append(opening)
    room -= 2
    for number, one in enumerate(value):
        if room < 0:
            break
        if number:
            parts.append(", ")
            room -= 2
        if opening == "{":
            room = _write(one, parts, room, 0)
            parts.append(": ")
        room = _write(value[one] if opening == "{" else one, parts, room, depth - 1)
    parts.append(closing)
    return room


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if -_HUGE < value < _HUGE else "a very large number"
    return str(value) if isinstance(value, float | Decimal) else f"({type(value).__name__})"
