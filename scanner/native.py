"""The fast engine: the kernel walks the lines and nominates, `confirm` decides each distinct value once.

The kernel calls back for four things only: a field path that is new (`_learn`), a value that nobody has judged yet
(`_decide`), a value that is new in its field (`_first`), and a line that it will not parse, which goes whole to the
reference engine. Everything that repeats is counted inside the kernel, by small numbers; names are put on them when the
counts are taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from scanner.confirm import Hit, Meaning
from scanner.context import NOWHERE, Context
from scanner.evidence import Field, Hits, Key
from scanner.findings import Reason, Via
from scanner.naming import Names
from scanner.recorder import Recorder
from scanner.sketch import Fingerprints
from scanner.summary import OTHER, Tally

if TYPE_CHECKING:
    from scanner.kernel._kernel import Kernel, Taken

_TOKEN_SHIFT = 32
_Thing = TypeVar("_Thing")


class Slow(Protocol):
    """Counts what the kernel will not parse."""

    def line(self, line: bytes) -> None:
        """Count one line."""

    def take(self) -> Tally:
        """What was counted."""


class _Held(NamedTuple):
    """One finding of a decided value, as the recorder wants it. `inner` and `data_type` are our numbers."""

    inner: int
    data_type: int
    value: tuple[Reason, Via, int, str]


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

    Memory: the kernel's memo of decided values (a million, then it is emptied), its table of field paths (131,072; a
    line with one more goes to the plain engine), and what the recorder holds.
    """

    name = "native"

    def __init__(
        self, kernel: type[Kernel], meaning: Meaning, tables: bytes, fingerprints: Fingerprints, slow: Slow
    ) -> None:
        self._meaning, self._fingerprints, self._names, self._slow = meaning, fingerprints, Names(meaning), slow
        self._recorder = Recorder()
        self._event_types: list[str] = []
        self._paths: list[tuple[tuple[str, ...], str]] = [((), "")]  # keys without array positions, and the public name
        self._contexts = _Numbered[Context](NOWHERE)
        self._inner, self._types = _Numbered[str](""), _Numbered[str]()
        self._verdicts: dict[frozenset[tuple[int, int, int, int, int]], int] = {}
        self._tokens: list[tuple[_Held, ...]] = []
        self._adding: dict[tuple[int, int, int, int], Callable[[Reason, Via, int, str], None]] = {}
        self._kernel = kernel(
            tables,
            learn=self._learn,
            decide=self._decide,
            first=self._first,
            refuse=slow.line,
            forget=self._tokens.clear,
        )

    def feed(self, data: bytes, start: int, end: int) -> int:
        """Count the whole lines in `data[start:end]`, the last one ends with a newline; how many they are."""
        lines = 0
        while start < end:
            walked, size = self._kernel.scan(data, start, end)
            lines, start = lines + walked, start + size
            if start < end:  # its counters are full
                self._name(self._kernel.take())
        return lines

    def take(self) -> Tally:
        """What was counted since the last time; then everything starts at nothing, except what is known of values."""
        self._name(self._kernel.take())
        taken, self._recorder = self._recorder.tally() + self._slow.take(), Recorder()
        self._adding.clear()
        return taken

    def _name(self, counted: Taken) -> None:
        for event_type, path, events in counted["seen"]:
            self._recorder.saw(Field(self._event_type(event_type), self._paths[path][1]), events)
        for event_type, path, inner, data_type, hits, _, _, first, last in counted["counters"]:
            key = self._key(event_type, path, inner, data_type)
            self._recorder.hit(key, Hits(*hits), _hour(first), _hour(last))

    def _event_type(self, number: int) -> str:
        if number == self._kernel.overflow:
            return OTHER.event_type
        if number >= len(self._event_types):
            self._event_types = [*map(self._names.event_type, self._kernel.event_types())]
        return self._event_types[number]

    def _key(self, event_type: int, path: int, inner: int, data_type: int) -> Key:
        field = self._paths[path][1] + self._inner.things[inner]
        return Key(self._event_type(event_type), field, self._types.things[data_type])

    def mask(self, text: str) -> int:
        """Which rules may match a text: a superset of those that do."""
        return self._kernel.mask(text.encode("utf-8", "surrogatepass"))

    def _learn(self, _path: int, parent: int, key: str | None) -> tuple[int, bool, int]:
        above, name = self._paths[parent]
        if key is None:
            keys, findings = above, []
            self._paths.append((keys, f"{name}/*"))
        else:
            keys = (*above, key)
            findings = self._meaning.confirm(key, self.mask(key), NOWHERE, self.mask)
            self._paths.append((keys, f"{name}/{self._names.segment(key, findings)}"))
        context = self._meaning.contexts.in_event(keys)
        return self._contexts.of(context), context.emits, self._decision(findings)

    def _decide(self, value: bytes, mask: int, context: int) -> int:
        text = value.decode("utf-8", "surrogatepass")
        return self._decision(self._meaning.confirm(text, mask, self._contexts.things[context], self.mask))

    def _decision(self, findings: list[Hit]) -> int:
        if not findings:
            return 0
        held = tuple(map(self._held, findings))
        rows = frozenset(
            (one.inner, one.data_type, int(hit.grade), hit.reasons.value, hit.via.value)
            for one, hit in zip(held, findings, strict=True)
        )
        if (verdict := self._verdicts.get(rows)) is None:
            verdict = self._verdicts[rows] = self._kernel.verdict(sorted(rows))
        self._tokens.append(held)
        return len(self._tokens) - 1 << _TOKEN_SHIFT | verdict

    def _held(self, hit: Hit) -> _Held:
        inner = self._inner.of(self._names.inner(hit.path)) if hit.path else 0
        value = hit.reasons, hit.via, self._fingerprints(hit.value), hit.value
        return _Held(inner, self._types.of(hit.data_type), value)

    def _first(self, event_type: int, path: int, _verdict: int, token: int) -> None:
        for inner, data_type, value in self._tokens[token]:
            where = event_type, path, inner, data_type
            if (add := self._adding.get(where)) is None:
                add = self._adding[where] = self._recorder.values_of(self._key(*where)).add
            add(*value)


def _hour(packed: int) -> str:
    """`YYYY-MM-DD HH` of YYYYMMDDHH; 0 is no hour."""
    text = f"{packed:010}"
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:]}" if packed else ""
