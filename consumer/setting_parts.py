"""The parts of `Settings`, one for each table of the file."""

from __future__ import annotations

import os
import socket
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from consumer.domain.errors import Fatal, Reason
from consumer.domain.subject import Secret
from consumer.ports import KeyPair, Region
from scanner.secret import KEY_VARIABLE, SHORTEST_KEY


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KafkaSettings(_Part):
    """How to reach Kafka. `extra` goes to librdkafka as it is (TLS, SASL)."""

    bootstrap_servers: str = "127.0.0.1:9092"
    group_id: str = "amplitude-dsr"
    replica: str = Field(default_factory=socket.gethostname, description="Stable name of this member: its producer id.")
    session_timeout_ms: int = Field(default=45_000, ge=6_000)
    partitions: int = Field(default=6, ge=1, description="Of commands, ledgers and inventory alike; fixed for life.")
    commands: str = "dsr.commands"
    outcomes: str = "dsr.outcomes"
    dead_letters: str = "dsr.commands.dlq"
    ledger: str = "dsr.ledger"
    discovery_commands: str = "dsr.discovery.commands"
    discovery_tasks: str = "dsr.discovery.tasks"
    discovery_results: str = "dsr.discovery.results"
    discovery_ledger: str = "dsr.discovery.ledger"
    discovery_outcomes: str = "dsr.discovery.outcomes"
    inventory: str = "dsr.inventory"
    verify_topics: bool = Field(default=True, description="False for a broker that cannot describe its topics.")
    extra: dict[str, str] = Field(default={}, repr=False)


class RegistrySettings(_Part):
    """A Confluent-compatible schema registry. Without one, schema ids follow from the shipped schemas themselves."""

    url: str
    user: str = ""
    password: SecretStr | None = None
    password_file: Path | None = None
    register_schemas: bool = Field(default=False, description="Register the outcomes' schema if it is missing.")

    def secret(self) -> Secret | None:
        """The password, if there is one. `Fatal(INVALID_SETTINGS)` for a file that cannot be read, or is empty."""
        if self.password is None and self.password_file is None:
            return None
        if not (current := _current(self.password, self.password_file)):
            raise Fatal(Reason.INVALID_SETTINGS, "schema_registry: the password file cannot be read")
        return Secret(current)


class AdminSettings(_Part):
    """Where `/metrics`, `/healthz` and `/readyz` are. Port 0: any free one, which the log names; None: nowhere."""

    host: str = "127.0.0.1"
    port: int | None = Field(default=9464, ge=0, le=65_535)


class PrivacyApi(StrEnum):
    """Which of Amplitude's deletion APIs a project uses. v2 is unsettled, and always deletes in the whole org."""

    V1 = "v1"
    V2 = "v2_experimental_org_wide"


class _KeyHolder(_Part):
    """A key is given as such (better: by environment) or as the path of a file that holds it."""

    region: Region = Region.US
    api_key: SecretStr | None = None
    api_key_file: Path | None = None
    secret_key: SecretStr | None = None
    secret_key_file: Path | None = None
    base_url: str | None = None

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

    org: str | None = None
    app_id: int | None = Field(default=None, ge=0, description="The project's number in Amplitude.")
    privacy_api: PrivacyApi = PrivacyApi.V1
    email_is_user_id: bool = False
    daily_cap: int = Field(default=10_000, ge=0)
    hold_hours: float = Field(default=0, ge=0)
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
    """How content discovery scans. `processes`: scanner processes of a worker; one for each core if it is not given."""

    processes: int | None = Field(default=None, ge=1, le=256)
    engine: Engine = Engine.AUTO
    rules: tuple[Path, ...] = ()
    fingerprint_key: SecretStr | None = None
    fingerprint_key_file: Path | None = None
    target_mb: int = Field(default=256, ge=1, description="Megabytes of compressed archive that a window aims at.")
    longest_window_hours: int = Field(default=168, ge=1)
    grace_s: float = Field(default=5, ge=0, description="From getting a slot to its first export.")
    final_after_hours: float = Field(default=3, ge=0, description="After its end an upload hour is exported.")

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
    """Where copies go and what is in them. `store_options` go to the object store as they are (endpoint, region)."""

    store: str | None = Field(default=None, description="file:///..., s3://bucket/prefix, gs://..., az://...")
    store_options: dict[str, str] = Field(default={}, repr=False)
    recipients: tuple[str, ...] = Field(default=(), description="age public keys; with any, packages are encrypted.")
    months: int = Field(default=13, ge=1, le=120, description="How far back a copy reaches.")
    poll_minutes: float = Field(default=5, gt=0, description="To the first look at a copy; doubles up to an hour.")
    keep_days: int = Field(default=30, ge=1, description="How long a delivered package is kept.")
    delete_expired: bool = Field(default=True, description="Delete a package when its time is over.")
