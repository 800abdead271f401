"""`dsr run`: the service itself, on your Kafka or on a broker inside this process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Annotated, Protocol

import structlog
import typer

from consumer.adapters.logs import configure
from consumer.adapters.meters import LoggingMeter
from consumer.cli.connection import reach
from consumer.cli.embedded import TOPICS, Place, announced
from consumer.cli.options import File
from consumer.cli.printing import remark
from consumer.discovery_service import DiscoveryStage
from consumer.sandbox.broker import EmbeddedBroker
from consumer.service import RequestsStage, topic_specs
from consumer.settings import AdminSettings, Settings, load

PROMISE = """\
This broker lives in this process. Nothing survives its end: open requests are forgotten, although Amplitude still
carries out what it was sent. There is no exactly-once on it, and it keeps only the last 5 MiB of each partition.
Amplitude is no simulation, it is the one of your settings: what you submit IS erased.
In another terminal: dsr submit, dsr status, dsr watch. They find this broker by themselves. For production: a Kafka."""


class Stage(Protocol):
    """Something that serves until it is asked to stop."""

    async def run(self) -> None:
        """Serve."""
        ...

    def stop(self) -> None:
        """End soon."""
        ...


def run(
    embedded: Annotated[
        bool, typer.Option("--embedded", help="On a broker inside this process: no Kafka needed, nothing survives.")
    ] = False,
    with_discovery: Annotated[
        bool, typer.Option("--with-discovery", help="Scan exports in the same process, too: see `dsr discover`.")
    ] = False,
    settings: File = None,
) -> None:
    """Serve: take commands in, call Amplitude, say what became of them. Ends on SIGTERM or Ctrl-C.

    \b
    Examples:
      dsr run
      dsr run --embedded            # try it with your own keys, without a Kafka
      dsr run --with-discovery      # one process for both stages

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
    if with_discovery:
        loaded.discovery.key()
    if embedded:
        _run_embedded(loaded, with_discovery=with_discovery)
    else:
        reach(loaded)
        asyncio.run(_run(loaded, with_discovery=with_discovery))


def discover(settings: File = None) -> None:
    """Scan the exports of whole projects for personal data, as `dsr submit discover` asks. Ends on SIGTERM or Ctrl-C.

    Start as many as you like, each with another kafka.replica: they share the
    windows of hours among them. Needs discovery.fingerprint_key_file, the same
    secret for all of them.

    \b
    Example:
      dsr discover

    \b
    Logs are JSON, one object a line, on stdout (coloured lines on a terminal).
    Exit codes: 0 asked to end; 2 usage or settings; 3 a fatal error, to be
      restarted.
    """
    configure("info", sys.stdout)
    loaded = load(settings)
    loaded.discovery.key()
    if not loaded.projects:
        remark("no projects in the settings: every command will be refused (unknown_project)")
    reach(loaded)
    asyncio.run(_discover(loaded))


def _run_embedded(settings: Settings, *, with_discovery: bool) -> None:
    kafka = settings.kafka
    topics = {spec.name: kafka.partitions for spec in topic_specs(settings)} | {kafka.dead_letters: 1}
    with EmbeddedBroker(topics) as broker:
        place = Place(os.getpid(), broker.bootstrap, kafka.partitions, {name: getattr(kafka, name) for name in TOPICS})
        told = kafka.model_copy(update={"bootstrap_servers": broker.bootstrap, "verify_topics": False, "extra": {}})
        with announced(place):
            remark(PROMISE)
            ours = settings.model_copy(update={"kafka": told, "admin": _any_port(settings.admin)})
            asyncio.run(_run(ours, with_discovery=with_discovery))


def _any_port(admin: AdminSettings) -> AdminSettings:
    """Whoever only tries should not meet the port of a service that runs already; a port that was asked for stays."""
    return admin if "port" in admin.model_fields_set else admin.model_copy(update={"port": 0})


async def _run(settings: Settings, *, with_discovery: bool) -> None:
    log = structlog.get_logger()
    stage = RequestsStage(settings, meter=LoggingMeter(log))
    stages: list[Stage] = [stage]
    if with_discovery:
        beside = settings.model_copy(update={"admin": settings.admin.model_copy(update={"port": None})})
        stages.append(DiscoveryStage(beside, registry=stage.registry))
    await _serve(settings, stages)


async def _discover(settings: Settings) -> None:
    await _serve(settings, [DiscoveryStage(settings)])


async def _serve(settings: Settings, stages: list[Stage]) -> None:
    """All stages until they are asked to stop, or until one of them ends."""
    log = structlog.get_logger()

    def stop() -> None:
        for stage in stages:
            stage.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    log.info("started", group=settings.kafka.group_id, replica=settings.kafka.replica, projects=len(settings.projects))
    running = [asyncio.create_task(stage.run()) for stage in stages]
    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    stop()
    await asyncio.wait(running)
    for task in running:
        task.result()
    log.info("stopped")
