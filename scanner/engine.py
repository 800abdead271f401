"""The two engines behind one interface, and which of them runs. Both give the same tallies; one of them is quick."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from scanner.automaton import load
from scanner.confirm import Meaning
from scanner.errors import BadInput, Fault
from scanner.evidence import Field, Hits, Key
from scanner.findings import Grade
from scanner.kernel import NATIVE
from scanner.native import NativeEngine
from scanner.naming import Names
from scanner.recorder import Recorder
from scanner.reference import line_hits
from scanner.rules.model import RuleSet
from scanner.sketch import Fingerprints
from scanner.summary import Tally

_BLANKS = b" \t\r"


class Choice(StrEnum):
    """Which engine is wanted."""

    AUTO = "auto"
    NATIVE = "native"
    REFERENCE = "reference"


class Engine(Protocol):
    """Counts the findings of whole JSON lines."""

    name: str

    def feed(self, data: bytes, start: int, end: int) -> None:
        """Count the whole lines in `data[start:end]`; the last one ends with a newline."""

    def take(self) -> Tally:
        """What was counted since the last time."""


class ReferenceEngine:
    """Every line parsed by `json`, every key and value given to every rule: the meaning, a thousand times slower."""

    name = "reference"

    def __init__(self, meaning: Meaning, fingerprints: Fingerprints, names: Names | None = None) -> None:
        self._meaning, self._fingerprints = meaning, fingerprints
        self._names = names or Names(meaning)
        self._recorder = Recorder()

    def feed(self, data: bytes, start: int, end: int) -> None:
        """Count the whole lines in `data[start:end]`; the last one ends with a newline."""
        for line in data[start : end - 1].split(b"\n"):
            if line.strip(_BLANKS):
                self.line(line)

    def line(self, line: bytes) -> None:
        """Count one line, given without its newline."""
        told, names = line_hits(self._meaning, self._meaning.contexts, line), self._names
        event_type = names.event_type(told.event_type)
        for field in told.seen or ():
            self._recorder.saw(Field(event_type, names.field(field)))
        best: dict[tuple[tuple[str, ...], Key], Grade] = {}
        for field, _, hit in told.hits:
            place = names.field(field) + (names.inner(hit.path) if hit.path else "")
            key = Key(event_type, place, hit.data_type)
            best[field, key] = max(hit.grade, best.get((field, key), hit.grade))
            self._recorder.value(key, hit.reasons, hit.via, self._fingerprints(hit.value), hit.value)
        for (_, key), grade in best.items():
            self._recorder.hit(key, Hits.at(grade), told.hour)

    def take(self) -> Tally:
        """What was counted since the last time."""
        taken, self._recorder = self._recorder.tally(), Recorder()
        return taken


def engine_maker(choice: Choice, rules: RuleSet, key: bytes) -> Callable[[], Engine]:
    """A factory of the chosen engine. `auto`: the native one where it was built.

    Raises BadInput(ENGINE_MISSING) if the native one is asked for and was not built. Building the automata of rules
    that are not the shipped ones takes some seconds once; then they are cached.
    """
    if choice is Choice.NATIVE and NATIVE is None:
        raise BadInput(Fault.ENGINE_MISSING, "the native engine was not built: no C compiler at installation")
    meaning, fingerprints = Meaning(rules), Fingerprints(key)
    if NATIVE is None or choice is Choice.REFERENCE:
        return lambda: ReferenceEngine(meaning, fingerprints)
    tables = load(rules).packed
    slow = ReferenceEngine(meaning, fingerprints)
    return lambda: NativeEngine(NATIVE, meaning, tables, fingerprints, slow)
