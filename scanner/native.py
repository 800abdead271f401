"""The fast engine: the kernel walks the lines and nominates, `confirm` decides each distinct value once.

The kernel calls back for four things only: a field path that is new (`_learn`), a value that nobody has judged yet
(`_decide`), a value whose shape may be kept (`_first`), and a line that it will not parse, which goes whole to the
reference engine, with the kernel's word on which rules are worth trying. Everything else is counted inside the kernel,
by small numbers; names are put on them when the counts are taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from scanner.confirm import Hit, Meaning, Nominate
from scanner.context import NOWHERE, Context
from scanner.evidence import SHAPES, Evidence, Field, Hits, Key, Origin, Shape, smallest
from scanner.findings import Reason, Via
from scanner.hot import Kind
from scanner.mask import shape
from scanner.naming import Names
from scanner.origin import Origins
from scanner.recorder import Recorder
from scanner.sketch import Fingerprints, Sketch
from scanner.summary import Tally

if TYPE_CHECKING:
    from scanner.kernel._kernel import Kernel, Taken

_TOKEN_SHIFT = 32
_LASTING = 31  # the bit of a token that outlives the memo
_Thing = TypeVar("_Thing")


class Slow(Protocol):
    """Counts what the kernel will not parse."""

    def line(self, line: bytes, nominate: Nominate | None) -> None:
        """Count one line."""

    def take(self) -> Tally:
        """What was counted."""


Row: TypeAlias = tuple[int, int, int, int, int]
"""A finding of a decided value: our numbers of the inner path and the data type; grade, reasons, via."""


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

    Memory: the kernel's memo of decided values (a million, then it is emptied), 4 MB of what came lately, its tables of
    field paths (131,072) and of event types (4,096; a line with one more of either goes to the plain engine), and what
    the recorder holds.
    """

    name = "native"

    def __init__(
        self, kernel: type[Kernel], meaning: Meaning, tables: bytes, fingerprints: Fingerprints, slow: Slow
    ) -> None:
        self._meaning, self._fingerprints, self._names, self._slow = meaning, fingerprints, Names(meaning), slow
        self._recorder, self._origins = Recorder(), Origins(meaning)
        self._told: dict[tuple[int, int, int, int], Origin] = {}
        self._event_types: list[str] = []
        self._paths: list[tuple[tuple[str, ...], str]] = [((), "")]  # keys without array positions, and the public name
        self._contexts = _Numbered[Context](NOWHERE)
        self._inner, self._types = _Numbered[str](""), _Numbered[str]()
        self._verdicts: dict[tuple[Row, ...], int] = {}
        self._rows: dict[int, tuple[Row, ...]] = {}
        self._values: dict[int, tuple[str, ...]] = {}  # by token, until the kernel forgets
        self._values_of_keys: dict[int, tuple[str, ...]] = {}
        self._firsts: defaultdict[tuple[int, int, int, int], set[str]] = defaultdict(set)
        self._kernel = kernel(
            tables,
            learn=self._learn,
            decide=self._decide,
            first=self._first,
            refuse=lambda line: slow.line(line, self.mask),
            specimen=self._specimen,
            forget=self._values.clear,
            key=fingerprints.secret,
            hot=meaning.hot.bits,
            luhn=meaning.hot.luhn,
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
        return taken

    def _name(self, counted: Taken) -> None:
        for event_type, path, events in counted["seen"]:
            self._recorder.saw(Field(self._event_type(event_type), self._paths[path][1]), events)
        for event_type, path, inner, data_type, hits, reasons, via, first, last, distinct in counted["counters"]:
            key = self._key(event_type, path, inner, data_type)
            if (origin := self._told.get((event_type, path, inner, data_type))) is not None:
                self._recorder.origins.setdefault(key, origin)
            self._recorder.add(
                key,
                Evidence(
                    Hits(*hits),
                    Reason(reasons),
                    Via(via),
                    Sketch.from_bytes(distinct),
                    self._shapes(self._firsts[event_type, path, inner, data_type]),
                    _hour(first),
                    _hour(last),
                ),
            )
        self._firsts.clear()
        self._told.clear()

    def _shapes(self, values: set[str]) -> tuple[Shape, ...]:
        """Of the three with the smallest fingerprints. The others were among them once, when fewer were known."""
        least = sorted((self._fingerprints(value), value) for value in values)[:SHAPES]
        return smallest(Shape(fingerprint, shape(value)) for fingerprint, value in least)

    def _event_type(self, number: int) -> str:
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
        return self._contexts.of(context), context.emits, self._result(findings, lasting=True)

    def _decide(self, value: bytes, mask: int, context: int) -> int:
        text = value.decode("utf-8", "surrogatepass")
        where = self._contexts.things[context]
        return self._result(self._meaning.confirm(text, mask, where, self.mask))

    def _specimen(self, kind: int, context: int) -> int:
        hit = self._meaning.hot.verdict(Kind(kind), self._contexts.things[context])
        return self._verdict((self._row(hit),)) if hit else 0

    def _result(self, findings: Sequence[Hit], *, lasting: bool = False) -> int:
        """What the kernel is told of a value: its verdict, and the value's fingerprints."""
        if not findings:
            return 0
        values = tuple([hit.value for hit in findings])
        prints = [self._fingerprints(value) for value in values]
        result = self._kernel.value(self._verdict(tuple(map(self._row, findings))), prints, lasting)
        (self._values_of_keys if lasting else self._values)[result >> _TOKEN_SHIFT] = values
        return result

    def _row(self, hit: Hit) -> Row:
        inner = self._inner.of(self._names.inner(hit.path)) if hit.path else 0
        return inner, self._types.of(hit.data_type), int(hit.grade), hit.reasons._value_, hit.via._value_

    def _verdict(self, rows: tuple[Row, ...]) -> int:
        if (verdict := self._verdicts.get(rows)) is None:
            verdict = self._verdicts[rows] = self._kernel.verdict(rows)
            self._rows[verdict] = rows
        return verdict

    def _first(self, where: tuple[int, int], which: tuple[int, int, int], value: bytes | None) -> None:
        verdict, row, token = which
        inner, data_type, *_ = self._rows[verdict][row]
        if value is not None:
            text = value.decode("utf-8", "surrogatepass")
        else:
            text = (self._values_of_keys if token >> _LASTING else self._values)[token][row]
        place = (*where, inner, data_type)
        if place not in self._told:
            self._told[place] = self._origins.of(self._kernel.line(), self.mask)
        self._firsts[place].add(text)


def _hour(packed: int) -> str:
    """`YYYY-MM-DD HH` of YYYYMMDDHH; 0 is no hour."""
    text = f"{packed:010}"
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:]}" if packed else ""
