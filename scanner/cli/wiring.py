"""Which machinery the commands run on: the installed one, unless the caller of the app brings his own."""

from __future__ import annotations

import typer

from scanner.check import check_rules
from scanner.engine import make_engine
from scanner.ports import Machinery
from scanner.rules import load


def machinery(context: typer.Context) -> Machinery:
    """The object given to the app (`app(obj=...)`) if it is one, else what is installed."""
    return context.obj if isinstance(context.obj, Machinery) else Machinery(make_engine, load, check_rules)
