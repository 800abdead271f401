"""The demonstration's second half: a project's exports with planted personal data, scanned as in production."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, Producer
from rich.console import Console

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.cli.connection import Connection
from consumer.cli.inventory import of_project
from consumer.discovery_service import DiscoveryStage
from consumer.domain.hours import Hour, Span, newest_final, start_of
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.amplitude.shelf import MadeUp
from consumer.sandbox.clock import ScaledClock
from consumer.settings import Settings
from scanner.cli.scan import origin_of
from scanner.findings import Grade
from scanner.report import human, page
from scanner.report.model import Judgement, Report, report
from scanner.rules import load

APP, PROJECT = "829000", "shop"
HOURS, EVENTS = 48, 150
LIMIT_S = 60.0
REPORT = "amplitude-dsr-demo.html"


async def play(console: Console, settings: Settings, clock: ScaledClock, pocket: PocketAmplitude) -> bool:
    """Ask for two days, follow until they are done, show the inventory; whether it is the truth. Half a minute."""
    console.print(
        "\n[bold]And a discovery[/]: two days of exports, with personal data planted where nobody expects it.\n"
    )
    pocket.world.shelf.make_up(APP, MadeUp(EVENTS, empty_every=10))
    newest = newest_final(clock.now())
    span = Span(Hour(newest - HOURS + 1), newest)
    stage = DiscoveryStage(settings, clock)
    serving = asyncio.create_task(stage.run())
    try:
        outcome = await asyncio.to_thread(_follow, settings, span, serving.done)
    finally:
        stage.stop()
        await serving
    if outcome is None:
        console.print("the discovery has not ended: [red]NO[/]")
        return False
    connection = Connection(settings)
    known = await asyncio.to_thread(of_project, connection, PROJECT)
    told = report(known.scanned, load(), Judgement(), origin_of([PROJECT])) if known else None
    return told is not None and _show(console, told, outcome["hours"], _truth(pocket, span))


def _follow(settings: Settings, span: Span, over: Callable[[], bool]) -> dict[str, Any] | None:
    """The last outcome; None if there was none in time."""
    kafka, codec = settings.kafka, Codec(DirectorySource())
    shared = {"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0}
    producer = Producer(shared | {"partitioner": "murmur2_random"})
    ids = {"command_id": str(uuid4()), "discovery_id": str(uuid4())}
    hours = {"from_hour": start_of(span.first), "to_hour": start_of(span.last)}
    command = {"command": "start", "project": PROJECT, **ids, **hours}
    producer.produce(kafka.discovery_commands, codec.encode(schemas.DISCOVERY_COMMANDS, command), PROJECT)
    producer.flush(5)
    consumer = Consumer(shared | {"group.id": "demo-discovery", "auto.offset.reset": "earliest"})
    consumer.subscribe([kafka.discovery_outcomes])
    until = time.monotonic() + LIMIT_S
    try:
        while time.monotonic() < until and not over():
            message = consumer.poll(0.2)
            if message is None or message.error() is not None:
                continue
            outcome = codec.decode(schemas.DISCOVERY_OUTCOMES, message.value())
            if outcome["stage"] == "done":
                return outcome
    finally:
        consumer.close()
    return None


def _truth(pocket: PocketAmplitude, span: Span) -> dict[tuple[str, ...], int]:
    return {tuple(place): events for place, events in pocket.world.shelf.truth(APP, span).planted.items()}


def _show(console: Console, told: Report, hours: dict[str, int], truth: dict[tuple[str, ...], int]) -> bool:
    human.write(told, console, 12)
    file = Path(tempfile.gettempdir()) / REPORT
    file.write_text(page.as_html(told), "utf-8")
    rows = [row for row in told.rows if row.key not in told.expected and row.grade >= Grade.LIKELY]
    right = {tuple(row.key): row.hits.total for row in rows} == truth and hours["open"] == hours["refused"] == 0
    console.print(f"\nThe same as a page: {file}", highlight=False)
    console.print(
        f"{hours['total']} hours: {hours['scanned']} scanned, {hours['empty']} empty;"
        f" found what was planted, and nothing else: {'yes' if right else 'NO'}",
        highlight=False,
    )
    return right
