"""`dsr topics`: make the Kafka topics, or find out what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from consumer.adapters.kafka import admin
from consumer.cli.connection import reach
from consumer.cli.options import AsJson, File
from consumer.cli.printing import BAD, GOOD, emit, remark, say
from consumer.domain.deadline import DAY_MS
from consumer.service import client_config, topic_specs
from consumer.settings import Settings, load

app = typer.Typer(no_args_is_help=True, help="Create the Kafka topics, or check them. Needs no Amplitude.")


@app.command()
def create(
    settings: File = None,
    replication: Annotated[int, typer.Option(help="Copies of each partition; -1: the cluster's default.")] = -1,
    json: AsJson = False,
) -> None:
    """Create the topics that are missing, with their retention and size limits.

    \b
    Examples:
      dsr topics create
      dsr topics create --replication 3

    \b
    JSON: {"topic","created"}, one a topic.
    Exit codes: 0 all are there now; 2 usage or settings; 3 Kafka could not be
      reached, or refuses.
    """
    loaded = _reached(settings)
    wanted = topic_specs(loaded)
    made = admin.create(client_config(loaded), wanted, replication)
    if json:
        for spec in wanted:
            emit({"topic": spec.name, "created": spec.name in made})
        return
    for name in made:
        say(f"created {name}")
    if not made:
        say("all topics were there already")


@app.command()
def check(settings: File = None, json: AsJson = False) -> None:
    """Compare the topics with what the service needs.

    \b
    Example:
      dsr topics check && dsr run

    \b
    JSON: {"topic","flaw","wanted","found"}, one a flaw; nothing when all is well.
    Exit codes: 0 all is well; 1 something is wrong; 2 usage or settings; 3
      Kafka could not be reached.
    """
    loaded = _reached(settings)
    findings = admin.check(client_config(loaded), topic_specs(loaded), loaded.dedupe_days * DAY_MS)
    for finding in findings:
        told = {"topic": finding.topic, "flaw": finding.flaw.value}
        if json:
            emit(told | {"wanted": finding.wanted or None, "found": finding.found or None})
        else:
            say(f"{finding.topic}: {finding.flaw}, wanted {finding.wanted or '-'}, found {finding.found or '-'}", BAD)
    if not findings and not json:
        say("topics are as they should be", GOOD)
    raise typer.Exit(1 if findings else 0)


def _reached(file: Path | None) -> Settings:
    """The settings, once Kafka answers. Ends the command, with 0, where there is nothing to make or to check."""
    loaded = load(file)
    if not loaded.kafka.verify_topics:
        remark("this broker cannot describe its topics (kafka.verify_topics = false); nothing to check")
        raise typer.Exit(0)
    reach(loaded)
    return loaded
