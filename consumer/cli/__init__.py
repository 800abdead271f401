"""The `dsr` command line: it parses, wires and prints. Decisions are elsewhere.

Exit codes: 0 as asked, 1 checked and found wanting, 2 wrong usage or settings, 3 the service met a fatal error.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from consumer.adapters.amplitude.client import AmplitudeClient
from consumer.adapters.kafka import admin
from consumer.cli import demo as demonstration
from consumer.domain.errors import Fatal, Reason
from consumer.domain.subject import ProjectId
from consumer.ports import CredentialVerdict
from consumer.service import RequestsStage, SystemClock, client_config
from consumer.settings import Settings, load

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Privacy requests against Amplitude.")
topics_app = typer.Typer(no_args_is_help=True, help="Create the Kafka topics, or check them. Needs no Amplitude.")
app.add_typer(topics_app, name="topics")
out, err = Console(), Console(stderr=True)

File = Annotated[
    Path | None, typer.Option("--settings", "-s", help="TOML file; else $DSR_SETTINGS, else dsr.toml if it is there.")
]


def main() -> None:
    """The entry point: our own errors become a sentence and an exit code."""
    try:
        app()
    except Fatal as fatal:
        err.print(f"[red]{fatal.reason}[/red] {fatal.detail}", highlight=False)
        raise SystemExit(2 if fatal.reason is Reason.INVALID_SETTINGS else 3) from None


@app.command()
def run(settings: File = None) -> None:
    """Serve: take commands in, call Amplitude, say what became of them. Ends on SIGTERM or Ctrl-C."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    asyncio.run(_run(load(settings)))


async def _run(settings: Settings) -> None:
    stage, log = RequestsStage(settings), structlog.get_logger()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stage.stop)
    log.info("started", group=settings.kafka.group_id, replica=settings.kafka.replica, projects=len(settings.projects))
    await stage.run()
    log.info("stopped")


@app.command()
def demo() -> None:
    """Watch the whole system work on made-up people, in this process: no Kafka, no Amplitude, no network."""
    raise typer.Exit(asyncio.run(demonstration.play(out)))


@app.command()
def check(settings: File = None) -> None:
    """Test your integration: every key pair, by one read each. Changes nothing. Exit code 1 if one is not usable."""
    verdicts = asyncio.run(_verify(load(settings)))
    table = Table("project", "region", "User Privacy API")
    for project, region, verdict in verdicts:
        good = verdict in {CredentialVerdict.VALID, CredentialVerdict.BUSY}
        table.add_row(project, region, f"[{'green' if good else 'red'}]{verdict}[/]")
    out.print(table if verdicts else "no projects in the settings")
    usable = {CredentialVerdict.VALID.value, CredentialVerdict.BUSY.value}
    raise typer.Exit(0 if verdicts and all(verdict in usable for *_, verdict in verdicts) else 1)


async def _verify(settings: Settings) -> list[tuple[str, str, str]]:
    async with AmplitudeClient(SystemClock()) as client:
        found = []
        for name, project in settings.projects.items():
            access = settings.access(ProjectId(name))
            if isinstance(access, Reason):
                verdict = "a key file is missing or empty"
            else:
                verdict = (await client.verify(access)).value
            found.append((name, project.region.value, verdict))
        return found


def _specs(settings: Settings) -> tuple[admin.TopicSpec, ...]:
    kafka = settings.kafka
    names = {
        admin.Role.COMMANDS: kafka.commands,
        admin.Role.OUTCOMES: kafka.outcomes,
        admin.Role.DEAD_LETTERS: kafka.dead_letters,
        admin.Role.LEDGER: kafka.ledger,
    }
    return admin.table(kafka.partitions, names)


@topics_app.command("create")
def create_topics(
    settings: File = None,
    replication: Annotated[int, typer.Option(help="Copies of each partition; -1: the cluster's default.")] = -1,
) -> None:
    """Create the topics that are missing, with their retention and size limits."""
    loaded = load(settings)
    made = admin.create(client_config(loaded), _specs(loaded), replication)
    out.print("\n".join(f"created {name}" for name in made) or "all topics were there already")


@topics_app.command("check")
def check_topics(settings: File = None) -> None:
    """Compare the topics with what the service needs. Exit code 1 if something is wrong."""
    loaded = load(settings)
    findings = admin.check(client_config(loaded), _specs(loaded))
    for finding in findings:
        line = f"{finding.topic}: {finding.flaw}, wanted {finding.wanted or '-'}, found {finding.found or '-'}"
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    if not findings:
        out.print("[green]topics are as they should be[/green]")
    raise typer.Exit(1 if findings else 0)
