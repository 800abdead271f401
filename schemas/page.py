"""A record schema as people read it: Markdown tables of its fields, then of the records and enums inside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

Schema = dict[str, Any]

_WORDS = {"string": "text", "int": "number", "long": "number", "boolean": "true or false"}


class Shape(NamedTuple):
    """A record or an enum: its name, what it is, and its rows (name, type, default, meaning), or symbols."""

    name: str
    doc: str
    rows: tuple[tuple[str, str, str, str], ...]
    symbols: tuple[str, ...]


def shapes(schema: Schema) -> Iterator[Shape]:
    """The schema's own, and then each that it names, once, in the order in which they are met."""
    yield _shape(schema)
    for field in schema.get("fields", ()):
        for inner in _named(field["type"]):
            yield from shapes(inner)


def _named(kind: Any) -> Iterator[Schema]:
    """The records and enums that are defined in a type; one that was defined before is a name only."""
    if isinstance(kind, list):
        for each in kind:
            yield from _named(each)
    elif isinstance(kind, dict):
        if kind["type"] in {"record", "enum"}:
            yield kind
        else:
            yield from _named(kind.get("items", kind.get("values", "null")))


def _shape(schema: Schema) -> Shape:
    rows = tuple(
        (field["name"], type_of(field["type"]), _default(field), field.get("doc", ""))
        for field in schema.get("fields", ())
    )
    return Shape(schema["name"], schema.get("doc", ""), rows, tuple(schema.get("symbols", ())))


def type_of(kind: Any) -> str:
    """In words: `text or null`, `list of Identity`, `instant (ms)`."""
    if isinstance(kind, list):
        return " or ".join([*(type_of(each) for each in kind if each != "null"), *(["null"] if "null" in kind else [])])
    if isinstance(kind, str):
        return _WORDS.get(kind, kind)
    if kind.get("logicalType") == "timestamp-millis":
        return "instant (ms)"
    of = {"array": "items", "map": "values"}.get(kind["type"])
    if of is not None:
        return f"{'list' if of == 'items' else 'map'} of {type_of(kind[of])}"
    return str(kind["name"]) if "name" in kind else type_of(kind["type"])


def _default(field: Schema) -> str:
    return f"`{json.dumps(field['default'])}`" if "default" in field else ""


def markdown(schema: Schema) -> str:
    """The tables, each below its name and its words."""
    return "\n\n".join(_table(shape) for shape in shapes(schema))


def _table(shape: Shape) -> str:
    parts = [f"**`{shape.name}`**: {_cell(shape.doc)}"]
    if shape.symbols:
        parts.append(", ".join(f"`{symbol}`" for symbol in shape.symbols))
    if shape.rows:
        head = "| field | type | default | meaning |\n|---|---|---|---|"
        rows = [f"| `{name}` | {kind} | {default} | {_cell(doc)} |" for name, kind, default, doc in shape.rows]
        parts.append("\n".join([head, *rows]))
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<").replace("\n", " ")
