"""How the command line speaks: people get sentences and tables, programs get one JSON object a line.

Answers go to stdout, everything about the answering (which broker, hints, questions) to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from consumer.domain.deadline import at, span
from consumer.domain.subject import Millis

PIPE_COLUMNS = 200
"""Width of tables that nobody's terminal limits: ids and names must not be cut for `grep`."""

MOST_SPANS = 20

out, err = Console(), Console(stderr=True)

GOOD, BAD, DIM = "green", "red", "dim"


def say(text: str, style: str | None = None) -> None:
    """A line for a person, never wrapped and never taken for markup."""
    out.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def remark(text: str, style: str | None = None) -> None:
    """A line beside the answer."""
    err.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def emit(record: Mapping[str, Any]) -> None:
    """One JSON object, on a line of its own, at once."""
    sys.stdout.write(orjson.dumps(record).decode() + "\n")
    sys.stdout.flush()


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table without a frame; the columns named in `right` are aligned there."""
    empty = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        empty.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return empty


def show(filled: Table) -> None:
    """Print a table, as wide as it needs to be when no terminal limits it."""
    console = out if out.is_terminal else Console(width=PIPE_COLUMNS)
    console.print(filled)


def iso(instant: int | None) -> str | None:
    """The instant in UTC, as JSON output gives it."""
    return at(Millis(instant)).isoformat(timespec="seconds").replace("+00:00", "Z") if instant is not None else None


def shown(instant: int | None) -> str:
    """The instant in UTC, for people."""
    return at(Millis(instant)).strftime("%Y-%m-%d %H:%M") if instant is not None else "-"


def slack(seconds: int) -> str:
    """How much room a deadline leaves, or how late it will be."""
    return f"late by {span(-seconds * 1000)}" if seconds < 0 else f"slack {span(seconds * 1000)}"


def lines(numbers: Sequence[int]) -> str:
    """`line 3`, `lines 1-3, 7`: these numbers, in ascending order."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    told = [f"{first}-{last}" if last > first else str(first) for first, last in spans]
    more = f" and {len(told) - MOST_SPANS:,} more places" if len(told) > MOST_SPANS else ""
    return ("line " if len(numbers) == 1 else "lines ") + ", ".join(told[:MOST_SPANS]) + more


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 request`, `2 requests`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
