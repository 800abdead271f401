"""Which machinery the commands run on: the installed one, unless the caller of the app brings his own."""

from __future__ import annotations

from importlib import import_module

import typer

from scanner.errors import Fault, ScanError
from scanner.ports import Machinery


def machinery(context: typer.Context) -> Machinery:
    """The object given to the app (`app(obj=...)`) if it is one, else what is installed."""
    return context.obj if isinstance(context.obj, Machinery) else _installed()


def _installed() -> Machinery:
    try:
        engine, reading = import_module("scanner.engine"), import_module("scanner.rules.reading")
    except ModuleNotFoundError:
        raise ScanError(Fault.ENGINE_MISSING, "this installation has no engine") from None
    return Machinery(engine.make_engine, reading.load, engine.check_rules)
