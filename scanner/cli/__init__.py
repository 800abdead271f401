"""The scanner's command line: `python -m scanner scan FILE...`, `python -m scanner rules list`.

`scan` is a command and `rules` a group of commands, to be mounted in another typer app as well. Exit codes: 0 clean,
1 findings that count, or rules that do not hold, 2 wrong usage, or something that could not be read.
"""

from __future__ import annotations

import traceback

import typer

from scanner.cli.printing import remark
from scanner.cli.rules import app as rules
from scanner.cli.scan import scan

__all__ = ["app", "main", "rules", "scan"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find personal data in Amplitude exports and other JSON lines.",
)
app.command()(scan)
app.add_typer(rules, name="rules")


def main() -> None:
    """The entry point. A bug is told by its place: its text could quote a value."""
    try:
        app()
    except Exception as bug:  # noqa: BLE001 (see above)
        where = traceback.extract_tb(bug.__traceback__)[-1]
        remark(f"a bug: {type(bug).__name__} in {where.name}, line {where.lineno}; please report it", "red")
        raise SystemExit(2) from None
