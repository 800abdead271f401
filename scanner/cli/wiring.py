"""Which machinery the commands run on: the installed one, unless the caller of the app brings his own."""

from __future__ import annotations

import typer

from scanner.ports import Machinery


def machinery(context: typer.Context) -> Machinery:
    """The object given to the app (`app(obj=...)`) if it is one, else what is installed."""
    return context.obj if isinstance(context.obj, Machinery) else _installed()


def _installed() -> Machinery:
    # Validators and their libraries: a quarter of a second that every other command of `dsr` would have to wait.
    from scanner.check import check_rules  # noqa: PLC0415
    from scanner.engine import make_engine  # noqa: PLC0415
    from scanner.rules import load  # noqa: PLC0415

    return Machinery(make_engine, load, check_rules)
