"""`dsr demo`: the real service on an embedded broker and the pocket Amplitude, with a calendar of a day a second.

It is a simulation and says so. What it shows is judged: the exit code is 0 only if every request ended as expected.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from confluent_kafka import Consumer, Producer
from pydantic import SecretStr
from rich.console import Console
from rich.live import Live
from rich.table import Table

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.kafka import topics
from consumer.cli import demo_discovery
from consumer.copies import CopyPolicy
from consumer.domain.errors import Fault
from consumer.domain.retry import Schedule
from consumer.domain.subject import Millis
from consumer.lanes import LanePolicy
from consumer.sandbox.amplitude import faults
from consumer.sandbox.amplitude.server import PocketAmplitude
from consumer.sandbox.broker import EmbeddedBroker
from consumer.sandbox.clock import ScaledClock
from consumer.service import RequestsStage
from consumer.settings import (
    AdminSettings,
    CopySettings,
    DiscoverySettings,
    KafkaSettings,
    OrgSettings,
    ProjectSettings,
    Settings,
)

DAY_A_SECOND = 86_400.0
LIMIT_S = 80.0
WRONG_KEY_S = 4.0
QUICK = {fault: Schedule(2.0, 2.0) for fault in Fault}
COPIES = "amplitude-dsr-demo-copies"
COPYING = CopyPolicy(first_poll_s=0.3, longest_poll_s=0.5, schedules=QUICK, org_burst=300.0)
"""A day a second: what Amplitude keeps for two days is gone in two seconds."""
POLICY = LanePolicy(linger_s=0.5, poll_every_ms=2 * 86_400_000, schedules=QUICK)
TOPICS = {spec.name: 3 for spec in topics.table(3)} | {"dsr.commands.dlq": 1}


@dataclass
class Story:
    """One line of the table: what was asked, what is expected in the end, what has been said so far."""

    title: str
    expected: str
    said: list[str] = field(default_factory=list)

    @property
    def fulfilled(self) -> bool:
        """Everything expected was said, in that order, and it ended there."""
        said = iter(self.said)
        return all(word in said for word in self.expected.split(" … ")) and not list(said)


class Script:
    """Writes commands and reads outcomes, as any producer and subscriber would."""

    def __init__(self, bootstrap: str, clock: ScaledClock) -> None:
        self._codec, self._clock = Codec(DirectorySource()), clock
        self._producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "log_level": 0})
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "demo", "auto.offset.reset": "earliest", "log_level": 0}
        )
        self._consumer.subscribe(["dsr.outcomes", "dsr.commands.dlq"])
        self.stories: dict[str, Story] = {}
        self.dead = 0
        self.package: str | None = None
        """Where the manifest of the last copy is that was delivered."""

    def ask(
        self, title: str, expected: str, *users: str, project: str = "shop", kind: str = "erasure"
    ) -> dict[str, Any]:
        """Submit an erasure, or a copy, and expect it to end so."""
        command = self._command("submit", str(uuid4()), project, users) | {"subject_request_type": kind}
        self.stories[command["subject_request_id"]] = Story(title, expected)
        self.send(command)
        return command

    def follow(self, kind: str, request: dict[str, Any] | None = None, project: str = "shop") -> None:
        """A command about a request, or about a project."""
        self.send(self._command(kind, request["subject_request_id"] if request else None, project, ()))

    def _command(self, kind: str, request: str | None, project: str, users: tuple[str, ...]) -> dict[str, Any]:
        now: Millis = self._clock.now()
        names = [{"identity_type": "controller_customer_id", "identity_value": u} for u in users]
        return {
            "command_id": str(uuid4()),
            "command": kind,
            "subject_request_id": request,
            "subject_request_type": "erasure",
            "regulation": "gdpr",
            "submitted_time": now,
            "project": project,
            "subject_identities": names,
            "issued_time": now,
        }

    def send(self, command: dict[str, Any] | bytes) -> None:
        """Produce one record to the commands' topic."""
        value = command if isinstance(command, bytes) else self._codec.encode(schemas.COMMANDS, command)
        key = "poison" if isinstance(command, bytes) else command["project"]
        self._producer.produce("dsr.commands", value, key)
        self._producer.flush(5)

    def listen(self) -> None:
        """Take in what was said. Blocks for at most a tenth of a second."""
        for message in self._consumer.consume(500, 0.1):
            if message.error() is not None:
                continue
            if message.topic() == "dsr.commands.dlq":
                self.dead += 1
                continue
            outcome = self._codec.decode(schemas.OUTCOMES, message.value())
            if story := self.stories.get(outcome["subject_request_id"] or ""):
                story.said.append(_word(outcome))
                self.package = outcome["results_url"] or self.package

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    @property
    def done(self) -> bool:
        """Every story ended as expected, and the poison was dead-lettered."""
        return self.dead == 1 and all(story.fulfilled for story in self.stories.values())

    def table(self) -> Table:
        """What was asked and what became of it."""
        table = Table("request", "what was said", "", title="made-up people, one simulated day a second")
        for story in self.stories.values():
            table.add_row(story.title, " → ".join(story.said), "[green]✓[/]" if story.fulfilled else "[dim]…[/]")
        table.add_row("a record that is not Avro", "dead-lettered" * self.dead, "[green]✓[/]" if self.dead else "…")
        return table


def _word(outcome: dict[str, Any]) -> str:
    if outcome["duplicate_of"]:
        return "duplicate"
    if outcome["notice"]:
        return f"{outcome['notice']}({outcome['reason']})" if outcome["reason"] else str(outcome["notice"])
    return str(outcome["stage"])


ERASED = "accepted … dispatching … scheduled … submitted … erased … done"


async def play(console: Console) -> int:
    """Run the demonstration; returns the exit code. Takes a minute."""
    console.print("[bold]This is a simulation[/]: an embedded broker and a stand-in for Amplitude, in this process.\n")
    clock = ScaledClock(Millis(time.time_ns() // 1_000_000), DAY_A_SECOND)
    with EmbeddedBroker(TOPICS) as broker:
        async with PocketAmplitude(clock) as pocket:
            settings = _settings(broker.bootstrap, pocket)
            stage = RequestsStage(settings, clock, POLICY, copy_policy=COPYING)
            script = Script(broker.bootstrap, clock)
            requests = _ask(script, pocket)  # before anybody listens: a burst must not straddle a simulated midnight
            serving = asyncio.create_task(stage.run())
            try:
                code = await _act(console, script, pocket, serving, requests)
            finally:
                stage.stop()
                await serving
            found = await demo_discovery.play(console, settings, clock, pocket)
            return code if found else 1


def _settings(bootstrap: str, pocket: PocketAmplitude) -> Settings:
    projects = {}
    for app, (name, cap) in enumerate({"shop": 10_000, "game": 3, "news": 10_000}.items(), 829_000):
        access = pocket.access(str(app))
        projects[name] = ProjectSettings(
            api_key=SecretStr(access.keys.api_key.reveal()),
            secret_key=SecretStr(access.keys.secret_key.reveal()),
            base_url=access.base_url,
            daily_cap=cap,
            app_id=app,
        )
    kafka = KafkaSettings(bootstrap_servers=bootstrap, partitions=3, replica="demo", verify_topics=False)
    discovery = DiscoverySettings(fingerprint_key=SecretStr("made up for the demo"), processes=1, grace_s=0)
    own = pocket.org_access("36001")
    org = OrgSettings(
        api_key=SecretStr(own.keys.api_key.reveal()),
        secret_key=SecretStr(own.keys.secret_key.reveal()),
        base_url=own.base_url,
    )
    copies = CopySettings(store=(Path(tempfile.gettempdir()) / COPIES).as_uri(), keep_days=3_650)
    return Settings(
        kafka=kafka,
        projects=projects,
        orgs={"shop": org},
        admin=AdminSettings(port=None),
        discovery=discovery,
        copies=copies,
    )


def _ask(script: Script, pocket: PocketAmplitude) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything that is asked at the start; returns the requests that will be cancelled in time and too late."""
    pocket.misbehave(
        faults.Fault(faults.Kind.STATUS, method="POST", app="829002", count=None, for_s=WRONG_KEY_S, status=403)
    )
    script.ask("one person", ERASED, "u-1001")
    script.ask("one person, three user ids, one unknown", ERASED, "u-1002", "several-1", "ghost-7")
    script.ask("nobody by that id", "accepted … dispatching … not_found", "ghost-1")
    again = script.ask("the same command twice", f"duplicate … {ERASED.removeprefix('accepted … ')}", "u-1003")
    script.send(again)
    in_time = script.ask("cancelled in time", "accepted … dispatching … scheduled … cancelling … cancelled", "u-1004")
    late = script.ask("cancelled too late", "accepted … scheduled … submitted … too_late", "u-1005")
    for n in range(3):
        script.ask("a burst, within the daily cap", ERASED, f"u-20{n}", project="game")
    for n in range(2):
        script.ask(
            "a burst, above the daily cap, approved",
            f"held … {ERASED.removeprefix('accepted … ')}",
            f"u-21{n}",
            project="game",
        )
    script.ask(
        "keys refused for a while",
        f"waiting(credentials_refused) … {ERASED.removeprefix('accepted … dispatching … ')}",
        "u-1006",
        project="news",
    )
    copied = "accepted … requested … ready … delivered"
    script.ask("a copy of what is held on a person", copied, "u-1007", kind="access")
    script.ask("an erasure that waits for that copy", f"held … {ERASED.removeprefix('accepted … ')}", "u-1007")
    script.ask("a copy of nobody", "accepted … requested … ready … not_found", "ghost-8", kind="access")
    script.send(b"\x00not avro")
    return in_time, late


async def _act(
    console: Console,
    script: Script,
    pocket: PocketAmplitude,
    serving: asyncio.Task[None],
    requests: tuple[dict[str, Any], dict[str, Any]],
) -> int:
    in_time, late = requests
    began, cancelled, approved, too_late = time.monotonic(), False, False, False
    with Live(script.table(), console=console, refresh_per_second=4) as live:
        while not script.done and time.monotonic() - began < LIMIT_S and not serving.done():
            await asyncio.to_thread(script.listen)
            live.update(script.table())
            words = script.stories[in_time["subject_request_id"]].said
            if not cancelled and "scheduled" in words:
                cancelled = True
                script.follow("cancel", in_time)
            if not approved and time.monotonic() - began > 4:
                approved = True
                script.follow("approve", project="game")
            if not too_late and "submitted" in script.stories[late["subject_request_id"]].said:
                too_late = True
                script.follow("cancel", late)
    script.close()
    calls = sum(sum(pocket.seen(str(app)).requests.values()) for app in (829_000, 829_001, 829_002))
    console.print(f"\n{calls} calls to the stand-in; everything as expected: {'yes' if script.done else 'NO'}")
    if script.package:
        told = await asyncio.to_thread(_copy, script.package)
        console.print(f"The copy, as a page for the person: {told}", highlight=False, soft_wrap=True)
    return 0 if script.done else 1


def _copy(manifest_url: str) -> Path:
    """Where the page of the copy is."""
    manifest = Path(unquote(urlsplit(manifest_url).path))
    return manifest.parent / str(json.loads(manifest.read_bytes())["page"]["name"])
