"""What of a value or a key may be shown: shapes and names that carry nobody's data."""

from __future__ import annotations

import re
from collections.abc import Collection

LONGEST_SHAPE = 48
LONGEST_NAME = 64
CUT = "…"
OTHER = "·"

_READ = 1_000  # characters of a text that are looked at
_SHOWN = frozenset(" .,:;@/-_+()#")
_COUNTED = 3  # runs from this length on
_RUN = re.compile(r"(.)\1*")
_LONG_RUN = re.compile(rf"(.)\1{{{_COUNTED - 1},}}")
_ID = re.compile(r"[0-9]+|[0-9A-Fa-f]{16,}|[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")


def shape(text: str) -> str:
    """The form of a value, at most `LONGEST_SHAPE` characters: `a{3}.a{4}@a{7}.a{3}` for an e-mail address.

    Letters become `a`, digits `9`, a little punctuation stays, all else is `·`. Of the value only lengths are left.
    """
    marks = text[:_READ].translate(_MARKS)
    shown = _LONG_RUN.sub(_counted, marks)
    if len(shown) <= LONGEST_SHAPE - len(CUT):
        return shown + CUT if len(text) > _READ else shown
    shown = ""
    for run in _RUN.finditer(marks):  # to cut between two runs
        part = _counted(run) if len(run[0]) >= _COUNTED else run[0]
        if len(shown) + len(part) > LONGEST_SHAPE - len(CUT):
            break
        shown += part
    return shown + CUT


def _counted(run: re.Match[str]) -> str:
    return f"{run[1]}{{{len(run[0])}}}"


def _mark(character: str) -> str:
    if character in _SHOWN:
        return character
    return "a" if character.isalpha() else "9" if character.isdecimal() else OTHER


class _Marks(dict[int, str]):
    """Code points → what is shown of them; only those of ASCII are kept."""

    def __missing__(self, code: int) -> str:
        return _mark(chr(code))


_MARKS = _Marks({code: _mark(chr(code)) for code in range(0x80)})


def public_segment(key: str, types: Collection[str] = ()) -> str:
    """A key as reports show it: `{EMAIL}` for one that holds these data types, `{id}` for one that looks like an id.

    Other keys are escaped as in a JSON pointer, cut at `LONGEST_NAME`; what cannot be printed is shown as `·`.
    """
    if types:
        return "{" + ",".join(sorted(types)) + "}"
    if _ID.fullmatch(key):
        return "{id}"
    name = key if len(key) <= LONGEST_NAME else key[: LONGEST_NAME - len(CUT)] + CUT
    printable = "".join(character if character.isprintable() else OTHER for character in name)
    return printable.replace("~", "~0").replace("/", "~1")
