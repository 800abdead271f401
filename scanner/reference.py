"""One line of an export, read the slow and plain way: what every faster engine must find, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from scanner.confirm import Hit, Meaning
from scanner.context import NOWHERE, Contexts
from scanner.derived import Leaf, Number, Pairs, leaves, parsed

ANY = None
"""Stands in a field path for a position in an array; a key may be any text, `*` too."""

Field = tuple[str | None, ...]
"""Keys from the root of a line's document, `ANY` for positions; empty for the document itself."""

_HOUR = re.compile(r"(?!0000-00-00.00)([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9]{2})")  # all zeros stand for no time


class Located(NamedTuple):
    """A finding in a field; of a key, in the field that the key names."""

    field: Field
    is_key: bool
    hit: Hit


class LineHits(NamedTuple):
    """What one line says. `hour` is `YYYY-MM-DD HH`; type and hour are empty where the event tells none.

    `seen` are the fields that hold a text that is not empty, or a number. A line that is not JSON is one text in no
    field: `seen` is None, the findings' field is empty.
    """

    event_type: str
    hour: str
    hits: list[Located]
    seen: frozenset[Field] | None


def line_hits(
    meaning: Meaning, contexts: Contexts, line: bytes, nominate: Callable[[str], int] | None = None
) -> LineHits:
    """Everything the rules find in the keys, strings and numbers of a line; bytes that are not UTF-8 are replaced.

    Without `nominate`, which answers a mask for a text, every rule is tried on everything.
    """
    text = line.decode("utf-8", "replace")
    try:
        document = parsed(text)
    except (ValueError, RecursionError):
        hits = meaning.read(text, NOWHERE, nominate)
        return LineHits("", "", [Located((), False, hit) for hit in hits], None)
    found = list(leaves(document))
    return LineHits(
        event_type=_told(document, "event_type"),
        hour=_hour(_told(document, "event_time")),
        hits=[
            Located(_field(leaf), leaf.is_key, hit)
            for leaf in found
            for hit in meaning.read(leaf.text, NOWHERE if leaf.is_key else contexts.in_event(leaf.names), nominate)
        ],
        seen=frozenset(_field(leaf) for leaf in found if leaf.text and not leaf.is_key),
    )


def told_by(line: bytes, *names: str) -> tuple[str, tuple[str, ...]]:
    """The hour of an event, as in `LineHits`, and the texts that it holds at the top level under these names."""
    hour, *texts = _quickly(line, "event_time", *names) or _plainly(line, "event_time", *names)
    return _hour(hour), tuple(texts)


def _quickly(line: bytes, *names: str) -> list[str]:
    """The same texts in a third of the time; nothing where the strict parser takes the line for no JSON object."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(document, dict):
        return []
    texts = map(document.get, names)
    return [text if isinstance(text, str) else "" for text in texts]


def _plainly(line: bytes, *names: str) -> list[str]:
    try:
        document = parsed(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return ["" for _ in names]
    return [_told(document, name) for name in names]


def _field(leaf: Leaf) -> Field:
    return tuple(step if isinstance(step, str) else ANY for step in leaf.steps)


def _told(document: Any, name: str) -> str:
    """A text at the top level; of repeated names the last one counts, as in a dict."""
    value = dict(document).get(name) if isinstance(document, Pairs) else None
    return value if isinstance(value, str) and not isinstance(value, Number) else ""


def _hour(time: str) -> str:
    match = _HOUR.match(time)
    return f"{match[1]} {match[2]}" if match else ""
