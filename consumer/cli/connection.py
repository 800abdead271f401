"""Which broker a command talks to, how its records are read and written, and with which settings."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import typer

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.registry import RegistryClient, RegistrySource
from consumer.adapters.avro.source import DirectorySource
from consumer.adapters.kafka.reading import TopicReader, probe
from consumer.cli import embedded
from consumer.cli.printing import DIM, remark
from consumer.domain.errors import Fatal, Reason
from consumer.domain.subject import Secret
from consumer.service import client_config, public_subjects
from consumer.settings import KafkaSettings, Settings, load


@dataclass(frozen=True, slots=True)
class Registry:
    """Where the schema registry is, and as whom it is asked."""

    url: str
    user: str = ""
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """The settings that hold for this command, and what they mean for Kafka."""

    settings: Settings
    on_embedded: bool = False

    @property
    def kafka(self) -> KafkaSettings:
        """Topics' names and the like."""
        return self.settings.kafka

    @property
    def config(self) -> dict[str, Any]:
        """librdkafka's settings for any client."""
        return client_config(self.settings)

    def has(self, project: str | None) -> bool:
        """Whether the settings name the project, as far as they can tell: settings without projects name any."""
        return project is None or not self.settings.projects or project in self.settings.projects

    def reach(self) -> None:
        """As `reach`, with these settings."""
        reach(self.settings)

    def outcomes(self) -> TopicReader:
        """A reader of the outcomes' topic, not yet open."""
        return TopicReader(self.config, self.kafka.outcomes)

    def discoveries(self) -> TopicReader:
        """A reader of the topic of discoveries' outcomes, not yet open."""
        return TopicReader(self.config, self.kafka.discovery_outcomes)

    def inventory(self) -> TopicReader:
        """A reader of the inventory's topic, not yet open."""
        return TopicReader(self.config, self.kafka.inventory)

    def ledger(self) -> TopicReader:
        """A reader of the ledger's topic, not yet open."""
        return TopicReader(self.config, self.kafka.ledger)

    def dead_letters(self) -> TopicReader:
        """A reader of the dead letters' topic, not yet open."""
        return TopicReader(self.config, self.kafka.dead_letters)

    @contextmanager
    def codec(self) -> Iterator[Codec]:
        """The codec, with the registry's ids if the settings name one."""
        registry = registry_of(self.settings)
        if registry is None:
            yield Codec(DirectorySource())
            return
        with _looping() as loop:
            session = asyncio.run_coroutine_threadsafe(_session(), loop).result()
            client = RegistryClient(session, registry.url, registry.user, registry.password)
            try:
                yield Codec(RegistrySource(client, loop, subject_names(self.settings)))
            finally:
                asyncio.run_coroutine_threadsafe(session.close(), loop).result()


def connect(file: Path | None, *, use_embedded: bool = False) -> Connection:
    """The settings, and the embedded broker of this machine if it is asked for, or if no settings name a broker."""
    settings = load(file)
    named = "bootstrap_servers" in settings.kafka.model_fields_set
    place = embedded.find() if use_embedded or not named else None
    if place is None:
        if use_embedded:
            raise typer.BadParameter("no `dsr run --embedded` is running here")
        return Connection(settings)
    remark(f"using the embedded broker at {place.bootstrap} (process {place.pid})", DIM)
    told = {
        "bootstrap_servers": place.bootstrap,
        "partitions": place.partitions,
        "extra": {},
        "verify_topics": False,
    } | place.topics
    kafka = settings.kafka.model_copy(update=told)
    return Connection(settings.model_copy(update={"kafka": kafka}), on_embedded=True)


def reach(settings: Settings) -> None:
    """Returns when Kafka answers; before anything is sent. `Fatal(BROKER_UNREACHABLE)` names the address."""
    try:
        probe(client_config(settings))
    except Fatal:
        if "bootstrap_servers" not in settings.kafka.model_fields_set:
            remark("that address is the default: no settings name kafka.bootstrap_servers")
        raise


def registry_of(settings: Settings) -> Registry | None:
    """The settings' `[schema_registry]`, if there is one."""
    found = settings.schema_registry
    return Registry(found.url, found.user, found.secret()) if found else None


def secret_in(file: Path | None) -> Secret | None:
    """The registry's password from its file; None without one."""
    try:
        return Secret(file.read_text(encoding="utf-8").strip()) if file else None
    except (OSError, UnicodeDecodeError):
        raise Fatal(Reason.INVALID_SETTINGS, "the registry's password file cannot be read") from None


def subject_names(settings: Settings) -> dict[str, str]:
    """Our subjects as a registry knows them."""
    return public_subjects(settings) | {schemas.LEDGER: f"{settings.kafka.ledger}-value"}


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))


@contextmanager
def _looping() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="registry", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
