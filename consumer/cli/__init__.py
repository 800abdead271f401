"""The `dsr` command line: it parses, wires and prints. Decisions are elsewhere.

One module for each noun. Exit codes: 0 as asked, 1 checked and found wanting, or a request that ended badly, 2 wrong
usage or settings, 3 Kafka could not be reached, or another fatal error. What went wrong is said in one line on stderr:
our own words, never a traceback.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from consumer.adapters.logs import configure
from consumer.cli import (
    check,
    copies,
    discoveries,
    dlq,
    instruct,
    inventory,
    ledger,
    plan,
    sandbox,
    scan,
    schemas,
    serve,
    status,
    submit,
    topics,
    watch,
)
from consumer.cli import demo as demonstration
from consumer.cli.printing import BAD, out, remark, say
from consumer.domain.errors import DsrError, Fatal, Reason, Refused
from scanner import cli as scanner_commands

ORDER: tuple[str, ...] = (
    "run",
    "discover",
    "check",
    "topics",
    "schemas",
    "submit",
    "cancel",
    "approve",
    "pause",
    "resume",
)
ORDER += ("plan", "watch", "status", "copy", "dlq", "ledger", "scan", "inventory", "rules", "demo", "sandbox")


class InOrder(TyperGroup):
    """Lists the commands in the order in which they are needed, single ones and groups alike."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in `ORDER`; one that is not in it comes last."""
        return sorted(super().list_commands(ctx), key=lambda name: (*ORDER, name).index(name))


app = typer.Typer(
    cls=InOrder,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


NEXT_STEP = {
    Reason.BROKER_UNREACHABLE: "does Kafka run, and is kafka.bootstrap_servers right? `dsr run --embedded` needs none",
    Reason.UNKNOWN_PROJECT: "the settings have no such project; `dsr check` lists those they have",
    Reason.REGISTRY_UNAVAILABLE: "does the schema registry run, and are its URL, user and password right?",
}


def main() -> None:
    """The entry point: our own errors become a sentence and an exit code, and so does a bug."""
    try:
        app()
    except DsrError as error:
        raise SystemExit(_said(error)) from None
    except Exception as bug:  # noqa: BLE001 (its text could quote an identifier; where it happened cannot)
        where = traceback.extract_tb(bug.__traceback__)[-1]
        remark(f"a bug: {type(bug).__name__} in {where.name}, line {where.lineno}; please report it", BAD)
        raise SystemExit(3) from None


def _said(error: DsrError) -> int:
    remark(f"{error.reason}{f': {error.detail}' if error.detail else ''}", BAD)
    if error.reason in NEXT_STEP:
        remark(NEXT_STEP[error.reason])
    if isinstance(error, Refused):
        return 1
    return 2 if isinstance(error, Fatal) and error.reason is Reason.INVALID_SETTINGS else 3


def _version(wanted: bool) -> None:
    if wanted:
        say(f"dsr {version('amplitude-dsr')}")
        raise typer.Exit


@app.callback()
def dsr(
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Privacy requests against Amplitude that finish by themselves.

    \b
    dsr demo                             watch it work on made-up people
    dsr check                            test your keys
    dsr topics create && dsr run         serve
    dsr submit erase -p shop -u u-1001   ask
    dsr submit copy -p shop -u u-1001    ask for what is held on them
    dsr watch, dsr status                follow
    dsr scan export.zip                  find personal data in an export
    dsr submit discover -p shop          have all of a project scanned

    \b
    Every command has --help with examples, and --json for programs.
    Exit codes: 0 as asked, 1 found wanting or ended badly, 2 usage or
    settings, 3 Kafka could not be reached, or another fatal error.
    """


SERVE, ASK, LOOK, FIND, TRY = "Serve", "Ask", "Look", "Find", "Try"


@app.command(rich_help_panel=TRY)
def demo() -> None:
    """Watch the whole system work on made-up people, in this process: no Kafka, no Amplitude, no network.

    \b
    Example:
      dsr demo

    \b
    Exit codes: 0 all of it ended as it should; 1 something did not.
    """
    configure("error", sys.stderr)
    raise typer.Exit(asyncio.run(demonstration.play(out)))


app.command(rich_help_panel=SERVE)(serve.run)
app.command(rich_help_panel=SERVE)(check.check)
app.add_typer(topics.app, name="topics", rich_help_panel=SERVE)
app.add_typer(schemas.app, name="schemas", rich_help_panel=SERVE)
submit.app.command()(discoveries.discover)
app.add_typer(submit.app, name="submit", rich_help_panel=ASK)
app.command(rich_help_panel=ASK)(instruct.cancel)
app.command(rich_help_panel=ASK)(instruct.approve)
app.command(rich_help_panel=ASK)(instruct.pause)
app.command(rich_help_panel=ASK)(instruct.resume)
app.command(rich_help_panel=ASK)(plan.plan)
app.command(rich_help_panel=LOOK)(watch.watch)
app.command(rich_help_panel=LOOK)(status.status)
app.command(rich_help_panel=LOOK)(copies.copy)
app.add_typer(dlq.app, name="dlq", rich_help_panel=LOOK)
app.add_typer(ledger.app, name="ledger", rich_help_panel=LOOK)
app.command(rich_help_panel=SERVE)(serve.discover)
app.command(rich_help_panel=FIND)(scan.scan)
app.command(rich_help_panel=FIND)(inventory.inventory)
app.add_typer(scanner_commands.rules, name="rules", rich_help_panel=FIND)
app.command(rich_help_panel=TRY)(sandbox.sandbox)
