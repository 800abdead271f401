"""One frozen `Settings`: a TOML file, overridden by environment variables; keys may stand in files of their own.

Every error is listed, with the name of the setting and never with its value. Secrets print as `***`.
"""

from __future__ import annotations

import os
import re
import socket
from enum import StrEnum
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from consumer.domain.command import ProjectRule
from consumer.domain.errors import Fatal, Reason
from consumer.domain.subject import OrgId, ProjectId, Secret
from consumer.ports import Access, KeyPair, Region
from scanner.secret import KEY_VARIABLE, SHORTEST_KEY

FILE_VARIABLE = "DSR_SETTINGS"
DEFAULT_FILE = "dsr.toml"


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


class ProjectSettings(_Part):
    """One Amplitude project. A key is given as such (better: by environment) or as the path of a file that holds it."""

    org: str | None = None
    region: Region = Region.US
    api_key: SecretStr | None = None
    api_key_file: Path | None = None
    secret_key: SecretStr | None = None
    secret_key_file: Path | None = None
    base_url: str | None = None
    privacy_api: PrivacyApi = PrivacyApi.V1
    email_is_user_id: bool = False
    daily_cap: int = Field(default=10_000, ge=0)
    hold_hours: float = Field(default=0, ge=0)
    export_slots: int = Field(default=1, ge=1, le=5, description="Exports of a discovery at a time, over all workers.")

    @model_validator(mode="after")
    def _one_source_each(self) -> ProjectSettings:
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


class Settings(BaseSettings):
    """Everything the service is told."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="DSR_", env_nested_delimiter="__", hide_input_in_errors=True
    )
    _file: ClassVar[Path | None] = None

    kafka: KafkaSettings = KafkaSettings()
    schema_registry: RegistrySettings | None = None
    admin: AdminSettings = AdminSettings()
    discovery: DiscoverySettings = DiscoverySettings()
    projects: dict[str, ProjectSettings] = {}
    requester: str = Field(
        default="amplitude-dsr", max_length=64, description="Stands before the batch id in Amplitude."
    )
    linger_s: float = Field(default=60, ge=0)
    poll_minutes: float = Field(default=15, gt=0)
    dedupe_days: int = Field(default=60, ge=1)
    most_undispatched: int = Field(default=200_000, ge=1)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, cls._file)

    @property
    def file(self) -> Path | None:
        """The TOML file that these settings were loaded from, if it was one."""
        return self._file

    def rules(self) -> dict[ProjectId, ProjectRule]:
        """What the domain needs to know of each project. A project without an org is its own."""
        return {
            ProjectId(name): ProjectRule(
                ProjectId(name),
                OrgId(project.org or name),
                project.email_is_user_id,
                project.daily_cap,
                int(project.hold_hours * 3_600_000),
            )
            for name, project in self.projects.items()
        }

    def access(self, project: ProjectId) -> Access | None:
        """Where and as whom the project is called now; None without the project or one of its keys."""
        found = self.projects.get(project)
        keys = found.keys() if found else None
        if found is None or keys is None:
            return None
        org_wide = found.privacy_api is PrivacyApi.V2
        return Access(project, OrgId(found.org or project), found.region, keys, found.base_url, org_wide)


def load(file: Path | None = None, **given: Any) -> Settings:
    """The settings from `file`, else from `$DSR_SETTINGS`, else from `dsr.toml` if there is one.

    Raises `Fatal(INVALID_SETTINGS)` whose detail lists every error, a line each.
    """
    named = file or (Path(os.environ[FILE_VARIABLE]) if FILE_VARIABLE in os.environ else None)
    if named is not None and not named.is_file():
        raise Fatal(Reason.INVALID_SETTINGS, "the settings file does not exist")
    if unknown := _unknown_variables():
        raise Fatal(Reason.INVALID_SETTINGS, "\n  ".join(["", *(f"{name}: no such setting" for name in unknown)]))
    bound = type("Settings", (Settings,), {"_file": named or Path(DEFAULT_FILE), "__doc__": Settings.__doc__})
    try:
        loaded: Settings = bound(**given)
    except ValidationError as invalid:
        raise Fatal(Reason.INVALID_SETTINGS, _listed(invalid)) from None
    except TOMLDecodeError as invalid:
        raise Fatal(Reason.INVALID_SETTINGS, f"the settings file is not valid TOML{_place_in(invalid)}") from None
    except SettingsError as invalid:
        raise Fatal(Reason.INVALID_SETTINGS, f"{_variable_in(invalid)} is not JSON") from None
    return loaded


def _unknown_variables() -> list[str]:
    """Misspelt ones: a variable that nobody reads is a setting that nobody notices to be missing."""
    known = {f"DSR_{name.upper()}" for name in Settings.model_fields} | {FILE_VARIABLE, KEY_VARIABLE}
    ours = [name for name in os.environ if name.upper().startswith("DSR_")]
    return sorted(name for name in ours if name.upper().split("__")[0] not in known)


def _place_in(invalid: TOMLDecodeError) -> str:
    """Line and column; the parser's other words could quote the file."""
    found = re.search(r"at line \d+, column \d+", str(invalid))
    return f": {found[0]}" if found else ""


def _variable_in(invalid: SettingsError) -> str:
    found = re.search(r'field "(\w+)"', str(invalid))
    return f"DSR_{found[1].upper()}" if found else "a DSR_ variable"


def _listed(invalid: ValidationError) -> str:
    errors = invalid.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"{'.'.join(map(str, error['loc'])) or 'settings'}: {error['msg']}" for error in errors]
    return "\n  ".join(["", *lines])
