"""`scan --text`: the findings of every line of plain text, as they come."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, NamedTuple

import typer
from rich.console import Console
from rich.text import Text

from scanner.cli.options import Format
from scanner.cli.printing import PIPE_COLUMNS, table, wide
from scanner.errors import BadInput, Fault
from scanner.findings import Finding, Grade
from scanner.ports import STDIN, Engine
from scanner.report.human import MARK, STYLE
from scanner.report.text import plural


class Asked(NamedTuple):
    """Which field the lines come from, the least grade that is told, and the grade from which the exit code is 1."""

    field: str
    least: Grade
    fail_on: Grade


class Found(NamedTuple):
    """A finding and where: the input's name, the line from 1."""

    source: str
    line: int
    finding: Finding


def scan(engine: Engine, names: Sequence[str], asked: Asked, written: Format, output: Path | None) -> int:
    """Tell the findings of every line; the exit code. Raises BadInput for a file that cannot be read."""
    if written not in {Format.HUMAN, Format.JSONL}:
        raise typer.BadParameter("--text writes human or jsonl")
    writer = _records if written is Format.JSONL else _table
    with _opened(output) as stream:
        worst = writer(_findings(engine, names, asked), stream)
    return 1 if worst >= asked.fail_on else 0


def _opened(output: Path | None) -> AbstractContextManager[IO[str]]:
    try:
        return output.open("w", encoding="utf-8") if output else nullcontext(sys.stdout)
    except OSError:
        raise BadInput(Fault.UNREADABLE, "the output cannot be written") from None


def _findings(engine: Engine, names: Sequence[str], asked: Asked) -> Iterator[Found]:
    for name in names:
        for number, line in enumerate(_lines(name), 1):
            for finding in engine.scan_text(line, asked.field):
                if finding.grade >= asked.least:
                    yield Found("(standard input)" if name == STDIN else Path(name).name, number, finding)


def _lines(name: str) -> Iterator[str]:
    """Lines without their ends. Bytes that are not UTF-8 become lone surrogates, which match nothing."""
    try:
        with nullcontext(sys.stdin.buffer) if name == STDIN else Path(name).open("rb") as stream:
            for line in stream:
                yield line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
    except OSError:
        raise BadInput(Fault.UNREADABLE, "an input cannot be read") from None


def _records(found: Iterator[Found], stream: IO[str]) -> int:
    worst = 0
    for source, line, finding in found:
        worst = max(worst, finding.grade)
        record = {
            "input": source,
            "line": line,
            "data_type": finding.data_type,
            "start": finding.start,
            "end": finding.end,
            "grade": finding.grade.word,
            "reasons": list(finding.reasons.words),
            "via": list(finding.via.words),
        }
        stream.write(json.dumps(record) + "\n")
        stream.flush()
    return worst


def _table(found: Iterator[Found], stream: IO[str]) -> int:
    rows = list(found)
    console = wide() if stream is sys.stdout else Console(file=stream, width=PIPE_COLUMNS)
    filled = table("grade", "type", "line", "characters", "why", "through", right=("line", "characters"))
    for _, line, finding in rows:
        mark = Text(f"{MARK[finding.grade]} {finding.grade.word}", style=STYLE[finding.grade])
        span = f"{finding.start}-{finding.end}"
        filled.add_row(
            mark, finding.data_type, f"{line:,}", span, ", ".join(finding.reasons.words), ", ".join(finding.via.words)
        )
    if rows:
        console.print(filled)
    told = f"{plural(len(rows), 'finding')}." if rows else "No personal data found."
    console.print(Text(told, style="bold"), soft_wrap=True)
    return max((finding.grade for _, _, finding in rows), default=0)
