"""The parts of `Settings`, one for each table of the file."""

from __future__ import annotations

import os
import socket
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from consumer.domain.errors import Fatal, Reason
from consumer.domain.hours import HOUR_MS
from consumer.domain.subject import Secret
from consumer.ports import KeyPair, Region
from scanner.secret import KEY_VARIABLE, SHORTEST_KEY


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KafkaSettings(_Part):
    """How to reach Kafka, and what the topics are called."""

    bootstrap_servers: str = Field(default="127.0.0.1:9092", description="Brokers to begin with.")
    group_id: str = Field(default="amplitude-dsr", description="The consumer group; discovery's begin with its name.")
    replica: str = Field(
        default_factory=socket.gethostname,
        description="Stable name of this member, another one for each: its producer's id follows from it.",
    )
    session_timeout_ms: int = Field(
        default=45_000, ge=6_000, description="A member that is silent for so long loses its partitions."
    )
    partitions: int = Field(default=6, ge=1, description="Of commands, ledgers and inventory alike; fixed for life.")
    commands: str = Field(default="dsr.commands", description="Topic that producers write to.")
    outcomes: str = Field(default="dsr.outcomes", description="Topic that subscribers read.")
    dead_letters: str = Field(default="dsr.commands.dlq", description="Topic of records that nobody can answer.")
    ledger: str = Field(default="dsr.ledger", description="Compacted topic that remembers: replicate it.")
    discovery_commands: str = Field(default="dsr.discovery.commands", description="Topic of what is to be scanned.")
    discovery_tasks: str = Field(default="dsr.discovery.tasks", description="Topic of windows for workers.")
    discovery_results: str = Field(default="dsr.discovery.results", description="Topic of what workers found.")
    discovery_ledger: str = Field(default="dsr.discovery.ledger", description="Compacted topic of what was covered.")
    discovery_outcomes: str = Field(default="dsr.discovery.outcomes", description="Topic of progress, ends and fields.")
    inventory: str = Field(default="dsr.inventory", description="Compacted topic of data types, a line for each.")
    verify_topics: bool = Field(default=True, description="False for a broker that cannot describe its topics.")
    extra: dict[str, str] = Field(default={}, repr=False, description="Passed to librdkafka as it is: TLS, SASL.")


class RegistrySettings(_Part):
    """A Confluent-compatible schema registry. Without one, schema ids follow from the shipped schemas themselves."""

    url: str = Field(description="Where it is.")
    user: str = Field(default="", description="For basic authentication; empty: none.")
    password: SecretStr | None = Field(default=None, description="Better by its file, or by the environment.")
    password_file: Path | None = Field(default=None, description="File that holds the password.")
    register_schemas: bool = Field(default=False, description="Register the outcomes' schema if it is missing.")

    def secret(self) -> Secret | None:
        """The password, if there is one. `Fatal(INVALID_SETTINGS)` for a file that cannot be read, or is empty."""
        if self.password is None and self.password_file is None:
            return None
        if not (current := _current(self.password, self.password_file)):
            raise Fatal(Reason.INVALID_SETTINGS, "schema_registry: the password file cannot be read")
        return Secret(current)


class AdminSettings(_Part):
    """Where the status page, `/metrics`, `/healthz` and `/readyz` are."""

    host: str = Field(default="127.0.0.1", description="It has no authentication: think before you open it.")
    port: int | None = Field(
        default=9464, ge=0, le=65_535, description="0: any free one, which the log names. Another one for each member."
    )


class PrivacyApi(StrEnum):
    """Which of Amplitude's deletion APIs a project uses. v2 is unsettled, and always deletes in the whole org."""

    V1 = "v1"
    V2 = "v2_experimental_org_wide"


class _KeyHolder(_Part):
    """A key is given as such (better: by environment) or as the path of a file that holds it."""

    region: Region = Field(default=Region.US, description="Where Amplitude keeps the data: keys exist in one only.")
    api_key: SecretStr | None = Field(default=None, description="This or its file, and not both.")
    api_key_file: Path | None = Field(default=None, description="Read again for every call.")
    secret_key: SecretStr | None = Field(default=None, description="This or its file, and not both.")
    secret_key_file: Path | None = Field(default=None, description="Read again for every call.")
    base_url: str | None = Field(default=None, description="Another host instead of the region's.")

    @model_validator(mode="after")
    def _one_source_each(self) -> Self:
        for name in ("api_key", "secret_key"):
            if (getattr(self, name) is None) == (getattr(self, f"{name}_file") is None):
                raise ValueError(f"give {name} or {name}_file, and not both")
        return self

    def keys(self) -> KeyPair | None:
        """The key pair as it is now: files are read again, so a rotation needs no restart. None if one is missing."""
        api_key, secret_key = (
            _current(getattr(self, n), getattr(self, f"{n}_file")) for n in ("api_key", "secret_key")
        )
        return KeyPair(Secret(api_key), Secret(secret_key)) if api_key and secret_key else None


class OrgSettings(_KeyHolder):
    """The org-level keys of one org, which Amplitude's support issues; only copies need them."""


class ProjectSettings(_KeyHolder):
    """One Amplitude project, with its own keys."""

    org: str | None = Field(
        default=None, description="Projects of one org share an owner; without one, the project's own name."
    )
    app_id: int | None = Field(
        default=None, ge=0, description="Its number in Amplitude: needed to deliver a copy of this project alone."
    )
    privacy_api: PrivacyApi = Field(
        default=PrivacyApi.V1, description="v2 is unsettled, and deletes in the whole org whatever was asked."
    )
    email_is_user_id: bool = Field(default=False, description="True: an e-mail address is sent as the user id it is.")
    daily_cap: int = Field(default=10_000, ge=0, description="Above it requests are held until they are approved.")
    hold_hours: float = Field(default=0, ge=0, description="Every request waits so long before it is sent.")
    export_slots: int = Field(default=1, ge=1, le=5, description="Exports of a discovery at a time, over all workers.")


def _current(given: SecretStr | None, file: Path | None) -> str:
    if given is not None:
        return given.get_secret_value()
    try:
        return file.read_text(encoding="utf-8").strip() if file else ""
    except OSError:
        return ""


class Engine(StrEnum):
    """Which engine scans; `auto` is the native one where it was built."""

    AUTO = "auto"
    NATIVE = "native"
    REFERENCE = "reference"


class DiscoverySettings(_Part):
    """How content discovery scans."""

    processes: int | None = Field(
        default=None, ge=1, le=256, description="Scanner processes of a worker; without it, one for each core."
    )
    engine: Engine = Field(default=Engine.AUTO, description="`auto` is the native one where it was built.")
    rules: tuple[Path, ...] = Field(default=(), description="TOML files of your rules, beside ours.")
    fingerprint_key: SecretStr | None = Field(default=None, description="Better by its file, or by the environment.")
    fingerprint_key_file: Path | None = Field(
        default=None,
        description="Secret of at least 16 bytes, the same for all workers and for good; else `$DSR_FINGERPRINT_KEY`.",
    )
    target_mb: int = Field(default=256, ge=1, description="Megabytes of compressed archive that a window aims at.")
    longest_window_hours: int = Field(default=168, ge=1, description="Hours that one export aims at, at most.")
    grace_s: float = Field(default=5, ge=0, description="Before the first export of a slot that has moved.")
    final_after_hours: float = Field(default=3, ge=0, description="From an upload hour's end until it is complete.")

    @property
    def final_after_ms(self) -> int:
        """`final_after_hours` in milliseconds."""
        return int(self.final_after_hours * HOUR_MS)

    def key(self) -> bytes:
        """The secret that fingerprints of values are made with, the same for all workers and for good.

        `Fatal(INVALID_SETTINGS)` without one, for a file that cannot be read, and for one that could be guessed.
        """
        given = _current(self.fingerprint_key, self.fingerprint_key_file)
        current = (given or os.environ.get(KEY_VARIABLE, "")).encode()
        if len(current) < SHORTEST_KEY:
            what = "discovery.fingerprint_key_file: a secret of at least"
            raise Fatal(Reason.INVALID_SETTINGS, f"{what} {SHORTEST_KEY} bytes is needed, the same for all workers")
        return current


class CopySettings(_Part):
    """Where copies go and what is in them."""

    store: str | None = Field(
        default=None, description="Where packages go: `file:///...`, `s3://bucket/prefix`, `gs://...`, `az://...`."
    )
    store_options: dict[str, str] = Field(
        default={},
        repr=False,
        description="Of the object store (`endpoint`, `region`, ...), else its usual environment (`AWS_*`).",
    )
    recipients: tuple[str, ...] = Field(
        default=(), description="age public keys; with any of them every package is encrypted."
    )
    months: int = Field(default=13, ge=1, le=120, description="How far back a copy reaches.")
    poll_minutes: float = Field(
        default=5,
        gt=0,
        description="Until Amplitude is first asked whether a copy is made; the pauses then double, up to an hour.",
    )
    keep_days: int = Field(default=30, ge=1, description="How long a delivered package is kept.")
    delete_expired: bool = Field(default=True, description="Delete a package when its time is over.")
