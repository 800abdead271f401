"""The parts of the pages that are made from code; `python docs/build.py` writes them where their marks stand.

A part stands between `<!-- made by make contracts: NAME -->` and `<!-- end -->`, in README.md or in a page of docs/. A
test holds every page against `page`, so that no table of settings and no diagram can lie.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import schemas
from consumer.adapters.kafka.topics import TopicSpec, table
from consumer.asyncapi import HEADERS, WAYS
from consumer.domain.deadline import DAY_MS
from consumer.domain.lifecycle import COPY_NEXT, NEXT, OPENDSR_STATUS, mermaid
from consumer.settings import KafkaSettings, Settings
from schemas.page import markdown

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"(<!-- made by make contracts: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)

TYPES = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", SecretStr: "secret"}
BOUNDS = {"ge": "at least {:,}", "gt": "above {:,}", "le": "at most {:,}", "max_length": "at most {:,} characters"}
DEFAULT_PARTITIONS = KafkaSettings.model_fields["partitions"].default
LONG = 10_000  # from here on digits are grouped, as TOML allows
HEAD = "| setting | type | default | environment | meaning |\n|---|---|---|---|---|"


class Setting(NamedTuple):
    """One row. `path`: the names that lead to it, `NAME` where the file names a project or an org."""

    path: tuple[str, ...]
    field: FieldInfo

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "DSR_" + "__".join(self.path).upper()

    @property
    def meaning(self) -> str:
        """Its description; empty if the model has none, which a test does not let pass."""
        return self.field.description or ""


class Table(NamedTuple):
    """One table of the file: its head, what its model says of itself, and its settings."""

    head: str
    tells: str
    settings: tuple[Setting, ...]


def tables() -> Iterator[Table]:
    """What stands at the file's top, then each of its tables, in the order of the models."""
    parts, top = [], []
    for name, field in Settings.model_fields.items():
        model, many = _part(field.annotation)
        if model is None:
            top.append(Setting((name,), field))
            continue
        path = (name, "NAME") if many else (name,)
        rows = tuple(Setting((*path, inner), each) for inner, each in model.model_fields.items())
        parts.append(Table(f"[{'.'.join(path)}]", _plain(model.__doc__), rows))
    yield Table("", "At the top of the file, before the first table.", tuple(top))
    yield from parts


def _part(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model behind an annotation, and whether there may be many of it under names of their own."""
    for each in typing.get_args(annotation) or (annotation,):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each, typing.get_origin(annotation) is dict
    return None, False


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


def type_of(field: FieldInfo) -> str:
    """In words, with its bounds."""
    limits = [
        words.format(limit)
        for bound in field.metadata
        for name, words in BOUNDS.items()
        if (limit := getattr(bound, name, None)) is not None
    ]
    return ", ".join([_word(field.annotation), *limits])


def _word(annotation: Any) -> str:
    if annotation in TYPES:
        return TYPES[annotation]
    inner = [each for each in typing.get_args(annotation) if each not in (type(None), Ellipsis)]
    match typing.get_origin(annotation):
        case types.UnionType | typing.Union:
            return _word(inner[0])
        case origin if origin is tuple:
            return f"list of {_word(inner[0])}s"
        case origin if origin is dict:
            return f"table of {_word(inner[-1])}"
    if issubclass(annotation, Enum):
        return " or ".join(f"`{each.value}`" for each in annotation)
    raise TypeError(f"no word for {annotation}")


def default_of(field: FieldInfo) -> str:
    """As it is written in the file; for the one that is made, what it is made of."""
    if field.default_factory is not None:
        return f"({_plain(getattr(field.default_factory, '__name__', '')).replace('gethostname', 'host name')})"
    if field.default is PydanticUndefined:
        return "(needed)"
    value = field.default.value if isinstance(field.default, Enum) else field.default
    if value in (None, "", (), {}):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"`{value}`" if value < LONG else f"`{value:_}`"
    return f'`"{value}"`'


def settings() -> str:
    """The configuration reference: a table for each table of the file."""
    return "\n\n".join(_table(table) for table in tables())


def _table(table: Table) -> str:
    rows = [
        f"| `{each.path[-1]}` | {type_of(each.field)} | {default_of(each.field)} | `{each.variable}` | {each.meaning} |"
        for each in table.settings
    ]
    title = f"### `{table.head}`" if table.head else "### Top of the file"
    return "\n".join([title, "", table.tells, "", HEAD, *rows])


def _picture(table: Any) -> str:
    return f"```mermaid\n{mermaid(table)}\n```"


def statuses() -> str:
    """OpenDSR's word for each stage."""
    rows = [f"| `{stage}` | `{status}` |" for stage, status in OPENDSR_STATUS.items()]
    return "\n".join(["| stage | `request_status` |", "|---|---|", *rows])


def contracts() -> str:
    """Every topic: who writes and reads it, how it is kept, and its record field by field."""
    return "\n\n".join(_topic(spec) for spec in table(DEFAULT_PARTITIONS))


def _topic(spec: TopicSpec) -> str:
    way = WAYS[spec.role]
    who = {
        "receive": "You write, the service reads.",
        "send": "The service writes, you read.",
        None: "The service's own.",
    }
    kept = f"for {spec.retention_ms // DAY_MS} days" if spec.retention_ms is not None else "compacted"
    parts = [
        f"### `{spec.role}`",
        f"{way.tells} {who[way.action]} Key: {way.key[0].lower()}{way.key[1:]} Kept: {kept}.",
    ]
    if headers := HEADERS.get(spec.role):
        rows = [f"| `{name}` | {meaning} |" for name, meaning in headers.items()]
        parts.append("\n".join(["| header | meaning |", "|---|---|", *rows]))
    if way.subject is not None:
        newest = schemas.versions(way.subject)[-1]
        parts.append(
            f"[`{way.subject}`](../schemas/{way.subject}/{newest}.avsc), version {newest}, {_kept(way.subject)}."
        )
        parts.append(markdown(schemas.load(way.subject)))
    return "\n\n".join(parts)


def _kept(subject: str) -> str:
    return f"compatibility {schemas.COMPATIBILITY[subject].lower().replace('_', ' ')}"


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "life of an erasure": lambda: _picture(NEXT),
    "life of a copy": lambda: _picture(COPY_NEXT),
    "statuses": statuses,
    "contracts": contracts,
}


def pages() -> list[Path]:
    """README.md and every page of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def page(text: str) -> str:
    """The page with its parts as they must be. `KeyError` for a part that nobody makes."""
    return MARKED.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}\n{found[3]}", text)


if __name__ == "__main__":
    for path in pages():
        path.write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")
