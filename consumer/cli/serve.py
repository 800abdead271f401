"""`dsr run`: the service itself, on your Kafka or on a broker inside this process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Annotated

import structlog
import typer

from consumer.adapters.logs import configure
from consumer.adapters.meters import LoggingMeter
from consumer.cli.connection import reach
from consumer.cli.embedded import Place, announced
from consumer.cli.options import File
from consumer.cli.printing import remark
from consumer.sandbox.broker import EmbeddedBroker
from consumer.service import RequestsStage
from consumer.settings import AdminSettings, Settings, load

PROMISE = """\
This broker lives in this process. Nothing survives its end: open requests are forgotten, although Amplitude still
carries out what it was sent. There is no exactly-once on it, and it keeps only the last 5 MiB of each partition.
Amplitude is no simulation, it is the one of your settings: what you submit IS erased.
In another terminal: dsr submit, dsr status, dsr watch. They find this broker by themselves. For production: a Kafka."""


def run(
    embedded: Annotated[
        bool, typer.Option("--embedded", help="On a broker inside this process: no Kafka needed, nothing survives.")
    ] = False,
    settings: File = None,
) -> None:
    """Serve: take commands in, call Amplitude, say what became of them. Ends on SIGTERM or Ctrl-C.

    \b
    Examples:
      dsr run
      dsr run --embedded            # try it with your own keys, without a Kafka

    \b
    Logs are JSON, one object a line, on stdout (coloured lines on a terminal).
    Exit codes: 0 asked to end; 2 usage or settings; 3 a fatal error, to be
      restarted.
    """
    configure("info", sys.stdout)
    loaded = load(settings)
    if not loaded.projects:
        remark("no projects in the settings: every command will be refused (unknown_project)")
        remark("add [projects.NAME] with region, api_key_file and secret_key_file to dsr.toml")
    if embedded:
        _run_embedded(loaded)
    else:
        reach(loaded)
        asyncio.run(_run(loaded))


def _run_embedded(settings: Settings) -> None:
    kafka = settings.kafka
    topics = {kafka.commands: kafka.partitions, kafka.ledger: kafka.partitions}
    topics |= {kafka.outcomes: kafka.partitions, kafka.dead_letters: 1}
    with EmbeddedBroker(topics) as broker:
        place = Place(
            pid=os.getpid(),
            bootstrap=broker.bootstrap,
            partitions=kafka.partitions,
            commands=kafka.commands,
            outcomes=kafka.outcomes,
            dead_letters=kafka.dead_letters,
            ledger=kafka.ledger,
        )
        told = kafka.model_copy(update={"bootstrap_servers": broker.bootstrap, "verify_topics": False, "extra": {}})
        with announced(place):
            remark(PROMISE)
            asyncio.run(_run(settings.model_copy(update={"kafka": told, "admin": _any_port(settings.admin)})))


def _any_port(admin: AdminSettings) -> AdminSettings:
    """Whoever only tries should not meet the port of a service that runs already; a port that was asked for stays."""
    return admin if "port" in admin.model_fields_set else admin.model_copy(update={"port": 0})


async def _run(settings: Settings) -> None:
    log = structlog.get_logger()
    stage = RequestsStage(settings, meter=LoggingMeter(log))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stage.stop)
    log.info("started", group=settings.kafka.group_id, replica=settings.kafka.replica, projects=len(settings.projects))
    await stage.run()
    log.info("stopped")
