"""Texts inside a text: percent-encoding, base64, digits of other scripts, JSON documents.

Each yields the text it wraps and tells which characters of the outer text a part of it comes from.
"""

from __future__ import annotations

import binascii
import json
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from scanner.findings import Via

SHORTEST_BASE64 = 16
LONGEST_BASE64 = 100_000
JSON_BLANKS = " \t\r\n"


class Reading(NamedTuple):
    """A text read through a wrapping. `locate` maps a range of it to the range of the outer text that holds it."""

    text: str
    via: Via
    locate: Callable[[int, int], tuple[int, int]]


class Leaf(NamedTuple):
    """A key, string or number literal of a JSON document; `steps` are the keys and array positions that lead to it."""

    steps: tuple[str | int, ...]
    is_key: bool
    text: str

    @property
    def names(self) -> tuple[str, ...]:
        """The keys alone."""
        return tuple(step for step in self.steps if isinstance(step, str))

    @property
    def pointer(self) -> str:
        """RFC 6901."""
        return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in self.steps)


class Number(str):
    """The literal text of a JSON number."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """A JSON object with all its members, repeated names too."""

    __slots__ = ()


_decoder = json.JSONDecoder(
    object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=Number, strict=False
)


def parsed(text: str) -> Any:
    """A JSON document as `Pairs`, lists, strings, `Number`s, booleans, None. Else `ValueError` or `RecursionError`."""
    return _decoder.decode(text)


def leaves(document: Any) -> Iterator[Leaf]:
    """Every key, string and number literal, in the order of the document."""
    pending: list[Leaf | tuple[tuple[str | int, ...], Any]] = [((), document)]
    while pending:
        item = pending.pop()
        if isinstance(item, Leaf):
            yield item
            continue
        steps, value = item
        if isinstance(value, Pairs):
            for name, member in reversed(value):
                pending += [((*steps, name), member), Leaf((*steps, name), True, name)]
        elif isinstance(value, list):
            pending += [((*steps, place), value[place]) for place in range(len(value) - 1, -1, -1)]
        elif isinstance(value, str):
            yield Leaf(steps, False, value)


def json_leaves(text: str) -> Iterator[Leaf]:
    """Those of the JSON object or array that the text is, blanks around it apart."""
    inner = text.strip(JSON_BLANKS)
    if inner[:1] + inner[-1:] not in {"{}", "[]"}:
        return
    try:
        document = parsed(inner)
    except (ValueError, RecursionError):
        return
    yield from leaves(document)


_FULL_WIDTH = range(0xFF01, 0xFF5F)
_LAST_DIGITS = 0x20000  # no script beyond the second plane has digits of its own


def _foldings() -> dict[int, str]:
    digits = {
        code: str(unicodedata.decimal(chr(code)))
        for code in range(0x80, _LAST_DIGITS)
        if unicodedata.category(chr(code)) == "Nd"
    }
    return digits | {code: chr(code - 0xFEE0) for code in _FULL_WIDTH}


FOLDINGS = _foldings()
"""Code points of decimal digits outside ASCII, and of full-width characters → the ASCII character."""


def folded_digits(text: str) -> Iterator[Reading]:
    """The text with digits of other scripts and full-width characters in ASCII, if it has any."""
    if not text.isascii() and (folded := text.translate(FOLDINGS)) != text:
        yield Reading(folded, Via.DIGITS, _same_place)


def _same_place(start: int, end: int) -> tuple[int, int]:
    return start, end


_ENCODED = re.compile(r"%[2-7][0-9A-Fa-f]")
_PARTS = re.compile(r"(?P<literal>[^%]+)|%[0-7][0-9A-Fa-f]|(?:%[89A-Fa-f][0-9A-Fa-f])+|%")


def percent_decoded(text: str) -> Iterator[Reading]:
    """The text as a decoded query string, if an ASCII character in it is encoded."""
    if _ENCODED.search(text) and (decoded := unquote_plus(text)) != text:
        yield Reading(decoded, Via.PERCENT, _PercentPlaces(text).locate)


class _PercentPlaces:
    """Where decoded characters stood. Those of one escaped non-ASCII run stood in the whole run."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _parts(self) -> tuple[list[int], list[re.Match[str]]]:
        """Offsets in the decoded text at which the parts begin, and the parts; computed when something was found."""
        parts = list(_PARTS.finditer(self._text))
        lengths = (len(part["literal"] or unquote_plus(part[0])) for part in parts)
        return list(accumulate(lengths, initial=0)), parts

    def locate(self, start: int, end: int) -> tuple[int, int]:
        return self._within(start)[0], self._within(end - 1)[1]

    def _within(self, place: int) -> tuple[int, int]:
        """The range in the outer text of one decoded character."""
        begins, parts = self._parts
        number = bisect_right(begins, place) - 1
        first, last = parts[number].span()
        if parts[number]["literal"]:
            first += place - begins[number]
            last = first + 1
        return first, last


_RUN = re.compile(rf"[A-Za-z0-9+/_\-]{{{SHORTEST_BASE64},}}(?P<padding>={{0,2}})")
_STANDARD, _URL_SAFE = frozenset("+/"), frozenset("-_")
_TO_STANDARD = str.maketrans("-_", "+/")
_UPPER = re.compile("[A-Z]")
_LINE_BREAKS = {ord(mark): " " for mark in "\t\r\n"}


def base64_decoded(text: str) -> Iterator[Reading]:
    """What each run of base64, standard or URL-safe, says in printable UTF-8."""
    for token in _RUN.finditer(text):
        if (decoded := _base64(text[token.start() : token.start("padding")])) is not None:
            yield Reading(decoded, Via.BASE64, _whole(token.span()))


def _whole(span: tuple[int, int]) -> Callable[[int, int], tuple[int, int]]:
    return lambda _start, _end: span


def _base64(run: str) -> str | None:
    mixed = not (_STANDARD.isdisjoint(run) or _URL_SAFE.isdisjoint(run))
    if len(run) > LONGEST_BASE64 or mixed or not _UPPER.search(run):
        return None
    try:
        decoded = binascii.a2b_base64(run.translate(_TO_STANDARD) + "==").decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return decoded if decoded.translate(_LINE_BREAKS).isprintable() else None
