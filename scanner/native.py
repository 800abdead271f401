"""The fast engine: the kernel walks the lines and nominates, `confirm` decides each distinct value once.

The kernel calls back for four things only: a field path that is new (`_learn`), a value that nobody has judged yet
(`_decide`), a value that is new in its field (`_first`), and a line that it will not parse, which goes whole to the
reference engine. Everything that repeats is counted inside the kernel, by small numbers; names are put on them when the
counts are taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from scanner.confirm import Hit, Meaning
from scanner.context import NOWHERE, Context
from scanner.evidence import Field, Hits, Key
from scanner.findings import Reason, Via
from scanner.kernel import Kernel
from scanner.naming import Names
from scanner.recorder import Recorder, Values
from scanner.reference import ReferenceEngine
from scanner.sketch import Fingerprints
from scanner.summary import Tally

_TOKEN_SHIFT = 32
_Thing = TypeVar("_Thing")


class _Held(NamedTuple):
    """One finding of a decided value, as the recorder wants it."""

    inner: int
    data_type: int
    reasons: Reason
    via: Via
    fingerprint: int
    text: str


class _Numbered(Generic[_Thing]):
    """Things numbered in the order in which they were first met."""

    def __init__(self, *first: _Thing) -> None:
        self.things = list(first)
        self._numbers = {thing: number for number, thing in enumerate(first)}

    def of(self, thing: _Thing) -> int:
        """Its number."""
        if (number := self._numbers.get(thing)) is None:
            number = self._numbers[thing] = len(self.things)
            self.things.append(thing)
        return number


class NativeEngine:
    """Counts the findings of whole JSON lines. One for each scanner process; not thread-safe.

    Memory: the kernel's memo of decided values (a million, then it is emptied), its table of field paths (131,072; a line
    with one more goes to the reference), and what the recorder holds.
    """

    name = "native"

    def __init__(self, meaning: Meaning, tables: bytes, fingerprints: Fingerprints) -> None:
        self._meaning, self._fingerprints, self._names = meaning, fingerprints, Names(meaning)
        self._recorder = Recorder()
        self._slow = ReferenceEngine(meaning, fingerprints)
        self._paths: list[tuple[tuple[str, ...], str]] = [((), "")]  # keys without array positions, and the public name
        self._contexts = _Numbered[Context](NOWHERE)
        self._inner, self._types = _Numbered[str](""), _Numbered[str]()
        self._verdicts: dict[frozenset[tuple[int, int, int, int, int]], int] = {}
        self._tokens: list[tuple[_Held, ...]] = []
        self._values: dict[tuple[int, int, int, int], Values] = {}
        self._kernel = Kernel(
            tables,
            learn=self._learn,
            decide=self._decide,
            first=self._first,
            refuse=self._slow.line,
            forget=self._tokens.clear,
        )

    def feed(self, data: bytes, start: int, end: int) -> None:
        """Count the whole lines in `data[start:end]`; the last one ends with a newline."""
        while start < end:
            start += self._kernel.scan(data, start, end)[1]

    def take(self) -> Tally:
        """What was counted since the last time; then everything starts at nothing, except what is known of values."""
        counted = self._kernel.take()
        types = [self._names.event_type(name) for name in self._kernel.event_types()]
        for event_type, path, events in counted["seen"]:
            self._recorder.saw(Field(types[event_type], self._paths[path][1]), events)
        for event_type, path, inner, data_type, events, first, last in counted["counters"]:
            key = self._key(types, event_type, path, inner, data_type)
            self._recorder.hit(key, Hits(*events), _hour(first), _hour(last))
        for (event_type, path, inner, data_type), values in self._values.items():
            self._recorder.values(self._key(types, event_type, path, inner, data_type), values)
        self._values.clear()
        self._recorder.read("lines", counted["lines"])
        taken, self._recorder = self._recorder.tally() + self._slow.take(), Recorder()
        return taken

    def mask(self, text: str) -> int:
        """Which rules may match a text: a superset of those that do."""
        return self._kernel.mask(text.encode("utf-8", "surrogatepass"))

    def _key(self, types: list[str], event_type: int, path: int, inner: int, data_type: int) -> Key:
        field = self._paths[path][1] + self._inner.things[inner]
        return Key(types[event_type], field, self._types.things[data_type])

    def _learn(self, path: int, parent: int, key: str | None) -> tuple[int, bool, int]:
        above, name = self._paths[parent]
        if key is None:
            keys, findings = above, []
            self._paths.append((keys, f"{name}/*"))
        else:
            keys = (*above, key)
            findings = self._meaning.confirm(key, self.mask(key), NOWHERE, self.mask)
            self._paths.append((keys, f"{name}/{self._names.segment(key, findings)}"))
        context = self._meaning.contexts.of(keys)
        return self._contexts.of(context), context.emits, self._decision(findings)

    def _decide(self, value: bytes, mask: int, context: int) -> int:
        text = value.decode("utf-8", "surrogatepass")
        return self._decision(self._meaning.confirm(text, mask, self._contexts.things[context], self.mask))

    def _decision(self, findings: list[Hit]) -> int:
        if not findings:
            return 0
        held = tuple(map(self._held, findings))
        grades = (finding.grade for finding in findings)
        rows = frozenset((h.inner, h.data_type, g, h.reasons.value, h.via.value) for h, g in zip(held, grades, strict=True))
        if (verdict := self._verdicts.get(rows)) is None:
            verdict = self._verdicts[rows] = self._kernel.verdict(sorted(rows))
        self._tokens.append(held)
        return len(self._tokens) - 1 << _TOKEN_SHIFT | verdict

    def _held(self, hit: Hit) -> _Held:
        inner = self._inner.of(self._names.inner(hit.path)) if hit.path else 0
        fingerprint = self._fingerprints(hit.value)
        return _Held(inner, self._types.of(hit.data_type), hit.reasons, hit.via, fingerprint, hit.value)

    def _first(self, event_type: int, path: int, _verdict: int, token: int) -> None:
        for held in self._tokens[token]:
            where = (event_type, path, held.inner, held.data_type)
            if (values := self._values.get(where)) is None:
                values = self._values[where] = Values()
            values.add(held.reasons, held.via, held.fingerprint, held.text)


def _hour(packed: int) -> str:
    """`YYYY-MM-DD HH` of YYYYMMDDHH; 0 is no hour."""
    text = f"{packed:010}"
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:]}" if packed else ""
