"""A caller of the native kernel that writes down all it is asked and told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from scanner.kernel import NATIVE, keyed_hash
from tests.fakes import packed

Path = tuple[str | None, ...]
Row = tuple[int, int, int, int, int]
"""(sub, data type, grade, reasons, via)"""

KEY = bytes(range(16))
LASTING = 1 << 31
"""In a token: it outlives the memo."""


def fingerprint(value: bytes) -> int:
    """What the kernel makes of a value by itself."""
    return keyed_hash(KEY, value)


class Told(NamedTuple):
    """One call of `first`. `hot`: the kernel gave the value itself."""

    event_type: int
    path: int
    row: int
    value: bytes
    hot: bool = False


class Caller:
    """`judge(value)` gives the rows of what is in a value, `specimen(kind)` those of all values of a kind, and
    `prints(value, row)` the fingerprint of what a row found. The context of a path is its number."""

    def __init__(
        self,
        judge: Callable[[bytes], Iterable[Row]] = lambda value: (),
        *,
        emits: Callable[[Path], bool] = lambda path: True,
        key_rows: Callable[[str], Iterable[Row]] = lambda key: (),
        prints: Callable[[bytes, int], int] = lambda value, row: fingerprint(value),
        specimen: Callable[[int], Iterable[Row]] = lambda kind: (),
        tables: bytes = packed.tables(),
        **options: object,
    ) -> None:
        self.judge, self.emits, self.key_rows, self.prints, self.specimen = judge, emits, key_rows, prints, specimen
        self.paths: list[Path] = [()]
        self.decided: list[tuple[bytes, int, int]] = []
        self.specimens: list[tuple[int, int]] = []
        self.firsts: list[Told] = []
        self.traced: list[tuple[int, int, int, bytes | None]] = []
        """(line, path, verdict, value; None: all such values are judged alike)"""
        self.refused: list[bytes] = []
        self.forgotten = 0
        self.values: dict[int, bytes] = {}
        """By token; the lasting ones outlive the memo."""
        self.rows: dict[int, tuple[Row, ...]] = {}
        self.of_specimens: set[int] = set()
        assert NATIVE
        self.kernel = NATIVE(
            tables,
            learn=self.learn,
            decide=self.decide,
            first=self.first,
            refuse=self.refused.append,
            specimen=self.judge_specimen,
            forget=self.forget,
            trace=self.trace,
            **{"key": KEY} | options,
        )

    def learn(self, path: int, parent: int, key: str | None) -> tuple[int, bool, int]:
        assert len(self.paths) == path
        self.paths.append((*self.paths[parent], key))
        value = (key or "").encode("utf-8", "surrogatepass")
        rows = self.key_rows(key) if key is not None else ()
        return path, self.emits(self.paths[path]), self.result(rows, value, lasting=True)

    def verdict(self, rows: tuple[Row, ...]) -> int:
        verdict = self.kernel.verdict(rows)
        assert verdict not in self.rows
        self.rows[verdict] = rows
        return verdict

    def result(self, rows: Iterable[Row], value: bytes, *, lasting: bool = False) -> int:
        if not (rows := tuple(rows)):
            return 0
        verdict = self.verdict(rows)
        result = self.kernel.value(verdict, [self.prints(value, row) for row in range(len(rows))], lasting)
        token = result >> 32
        assert verdict == result & 0xFFFFFFFF
        assert lasting == bool(token & LASTING)
        assert token not in self.values
        self.values[token] = value
        return result

    def decide(self, value: bytes, mask: int, context: int) -> int:
        self.decided.append((value, mask, context))
        return self.result(self.judge(value), value)

    def judge_specimen(self, kind: int, context: int) -> int:
        self.specimens.append((kind, context))
        if not (rows := tuple(self.specimen(kind))):
            return 0
        verdict = self.verdict(rows)
        self.of_specimens.add(verdict)
        return verdict

    def first(self, where: tuple[int, int], which: tuple[int, int, int], value: bytes | None) -> None:
        verdict, row, token = which
        assert 0 <= row < len(self.rows[verdict])
        assert (value is not None) == (verdict in self.of_specimens)
        named = self.values[token] if value is None else value
        self.firsts.append(Told(*where, row, named, value is not None))

    def trace(self, line: int, path: int, verdict: int, token: int) -> None:
        value = None if verdict in self.of_specimens else self.values[token]
        self.traced.append((line, path, verdict, value))

    def forget(self) -> None:
        self.forgotten += 1
        self.values = {token: value for token, value in self.values.items() if token & LASTING}

    def reset_memo(self) -> None:
        self.kernel.reset_memo()
        self.values = {token: value for token, value in self.values.items() if token & LASTING}

    def scan(self, *lines: bytes | str) -> None:
        text = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
        assert (len(lines), len(text)) == self.kernel.scan(text, 0, len(text))

    @property
    def found(self) -> list[tuple[Path, bytes | None]]:
        """Path and value of every finding so far, in the order of the lines and of the values in them."""
        return [(self.paths[path], value) for _, path, _, value in self.traced]
