"""One TOML table, read key by key: what is wrong is noted with its place, and reading goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from scanner.findings import Grade
from scanner.rules.model import Example

T = TypeVar("T", bound="str | int | bool")

_KINDS = {str: "a text", int: "a whole number", bool: "true or false"}
_GRADES: dict[str, Grade | None] = {grade.word: grade for grade in Grade} | {"none": None}


@dataclass(slots=True)
class Table:
    """A table of a rule file. `place` names file and rule; `faults` is shared by all tables of a load."""

    place: str
    content: dict[str, Any]
    faults: list[str]
    trusted: bool = False
    """Ours: tests and `dsr rules check` have tried its regexes, which takes longer than all other reading."""
    taken: set[str] = field(default_factory=set)

    def fault(self, key: str, what: str) -> None:
        """Note that `key` is wrong."""
        self.faults.append(f"{self.place}: {key}: {what}")

    def take(self, key: str, default: T, *, required: bool = False) -> T:
        """The value of `key`, which must be of the default's type."""
        self.taken.add(key)
        if key not in self.content:
            if required:
                self.fault(key, "is missing")
            return default
        value = self.content[key]
        if type(value) is not type(default):
            self.fault(key, f"must be {_KINDS[type(default)]}")
            return default
        if required and value == default:
            self.fault(key, "is empty")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts that are not empty."""
        items = self._items(key)
        if not all(isinstance(item, str) and item.strip() for item in items):
            self.fault(key, "must be a list of texts that are not empty")
            return ()
        return tuple(items)

    def examples(self, key: str) -> tuple[Example, ...]:
        """A list of texts, or of tables `{ text = "…", field = "…" }`."""
        read = tuple(_example(item) for item in self._items(key))
        if None in read:
            self.fault(key, 'must be a list of texts or of { text = "…", field = "…" }')
        return tuple(example for example in read if example)

    def grade(self, key: str, *, may_be_none: bool = False) -> Grade | None:
        """A grade's word; `none` where it may be."""
        word = self.take(key, "", required=True)
        if word and (word not in _GRADES or (word == "none" and not may_be_none)):
            words = [known for known in _GRADES if may_be_none or known != "none"]
            self.fault(key, f"must be one of {', '.join(words)}")
        return _GRADES.get(word)

    def tables(self, key: str, label: str) -> list[Table]:
        """The tables of an array of tables, each named by its `label` and place in the list, from 1."""
        items = self._items(key)
        if not all(isinstance(item, dict) for item in items):
            self.fault(key, "must be tables")
            return []
        return [Table(f"{self.place}: {label} {n}", item, self.faults, self.trusted) for n, item in enumerate(items, 1)]

    def finish(self) -> None:
        """Whatever was not asked for is a misspelling."""
        for key in sorted(self.content.keys() - self.taken):
            self.fault(key, "is not a known key")

    def _items(self, key: str) -> list[Any]:
        self.taken.add(key)
        value = self.content.get(key, [])
        if isinstance(value, list):
            return value
        self.fault(key, "must be a list")
        return []


def _example(item: object) -> Example | None:
    match item:
        case str():
            return Example(item)
        case {"text": str(text), **rest} if not rest:
            return Example(text)
        case {"text": str(text), "field": str(name), **rest} if not rest:
            return Example(text, name)
        case _:
            return None
