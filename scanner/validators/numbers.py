"""python-stdnum's modules as validators."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module

_MODULE = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*")
_SEPARATORS = re.compile(r"[\W_]+")


def standard_number(module: str, option: str) -> Callable[[str], int] | None:
    """The check of one module, named as in `stdnum.<module>`; None if there is none. Option: empty or `compact`."""
    if not _MODULE.fullmatch(module) or option not in {"", "compact"}:
        return None
    try:
        is_valid = import_module(f"stdnum.{module}").is_valid
    except (ImportError, AttributeError):
        return None
    return _compacted(is_valid) if option else _as_it_stands(is_valid)


def _as_it_stands(is_valid: Callable[[str], bool]) -> Callable[[str], int]:
    def check(text: str) -> int:
        try:
            return len(text) if is_valid(text) else 0
        except Exception:  # noqa: BLE001  some modules raise KeyError or TypeError on numbers that are merely wrong
            return 0

    return check


def _compacted(is_valid: Callable[[str], bool]) -> Callable[[str], int]:
    check = _as_it_stands(is_valid)

    def compacted(text: str) -> int:
        return len(text) if check(_SEPARATORS.sub("", text)) else 0

    return compacted
