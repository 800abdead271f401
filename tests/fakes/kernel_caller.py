"""A caller of the native kernel that writes down all it is asked and told."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scanner.kernel import NATIVE
from tests.fakes import packed

Path = tuple[str | None, ...]
Row = tuple[int, int, int, int, int]
"""(sub, data type, grade, reasons, via)"""


class Caller:
    """`judge(value)` gives the rows of what is in a value; equal values have equal tokens."""

    def __init__(
        self,
        judge: Callable[[bytes], Iterable[Row]] = lambda value: (),
        *,
        emits: Callable[[Path], bool] = lambda path: True,
        key_rows: Callable[[str], Iterable[Row]] = lambda key: (),
        tables: bytes = packed.tables(),
        **options: object,
    ) -> None:
        self.judge, self.emits, self.key_rows = judge, emits, key_rows
        self.paths: list[Path] = [()]
        self.decided: list[tuple[bytes, int, int]] = []
        self.firsts: list[tuple[int, int, int, int]] = []
        self.traced: list[tuple[int, int, int, int]] = []
        self.refused: list[bytes] = []
        self.forgotten = 0
        self.tokens: dict[bytes, int] = {}
        assert NATIVE
        self.kernel = NATIVE(
            tables,
            learn=self.learn,
            decide=self.decide,
            first=lambda *told: self.firsts.append(told),
            refuse=self.refused.append,
            forget=self.forget,
            trace=lambda *told: self.traced.append(told),
            **options,
        )

    def learn(self, path: int, parent: int, key: str | None) -> tuple[int, bool, int]:
        assert len(self.paths) == path
        self.paths.append((*self.paths[parent], key))
        rows = tuple(self.key_rows(key)) if key is not None else ()
        return path, self.emits(self.paths[path]), self.result(rows, (key or "").encode("utf-8", "surrogatepass"))

    def result(self, rows: Iterable[Row], value: bytes) -> int:
        rows = tuple(rows)
        token = self.tokens.setdefault(value, len(self.tokens))
        return self.kernel.verdict(rows) | token << 32 if rows else 0

    def decide(self, value: bytes, mask: int, context: int) -> int:
        self.decided.append((value, mask, context))
        return self.result(self.judge(value), value)

    def forget(self) -> None:
        self.forgotten += 1
        self.tokens.clear()

    def scan(self, *lines: bytes | str) -> None:
        text = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
        assert (len(lines), len(text)) == self.kernel.scan(text, 0, len(text))

    @property
    def found(self) -> list[tuple[Path, bytes]]:
        """Path and value of every finding so far, in the order of the lines and of the values in them."""
        values = {token: value for value, token in self.tokens.items()}
        return [(self.paths[path], values[token]) for _, path, _, token in self.traced]
