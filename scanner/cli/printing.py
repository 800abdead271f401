"""How the commands speak: answers on stdout, everything about the answering on stderr, errors as one sentence."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scanner.errors import ScanError
from scanner.report.text import visible

PIPE_COLUMNS = 200
"""Width of tables that no terminal limits: fields must not be cut for `grep`."""

out, err = Console(), Console(stderr=True)


def say(text: str, style: str = "") -> None:
    """A line for a person, never wrapped and never taken for markup."""
    out.print(Text(text, style=style), soft_wrap=True)


def remark(text: str, style: str = "") -> None:
    """A line beside the answer."""
    err.print(Text(text, style=style), soft_wrap=True)


def emit(record: Mapping[str, Any]) -> None:
    """One JSON object, on a line of its own, at once."""
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table without a frame; the columns named in `right` are aligned there."""
    empty = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        empty.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return empty


def wide() -> Console:
    """The terminal, or a console for a pipe that is wide enough for every table."""
    return out if out.is_terminal else Console(width=PIPE_COLUMNS)


@contextmanager
def errors_told() -> Iterator[None]:
    """An error of the scanner becomes a line on stderr and exit code 2."""
    try:
        yield
    except ScanError as error:
        for line in str(error).splitlines():
            remark(f"{error.fault}: {visible(line)}", "red")
        raise typer.Exit(2) from None
