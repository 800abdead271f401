"""One frozen `Settings`: a TOML file, overridden by environment variables; keys may stand in files of their own.

Every error is listed, with the name of the setting and never with its value. Secrets print as `***`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any, ClassVar

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from consumer.domain.command import ProjectRule
from consumer.domain.errors import Fatal, Reason
from consumer.domain.subject import OrgId, ProjectId
from consumer.ports import Access
from consumer.setting_parts import (
    AdminSettings,
    CopySettings,
    DiscoverySettings,
    KafkaSettings,
    OrgSettings,
    PrivacyApi,
    ProjectSettings,
    RegistrySettings,
)
from scanner.secret import KEY_VARIABLE

__all__ = [
    "AdminSettings",
    "CopySettings",
    "DiscoverySettings",
    "KafkaSettings",
    "OrgSettings",
    "PrivacyApi",
    "ProjectSettings",
    "RegistrySettings",
    "Settings",
    "load",
]

FILE_VARIABLE = "DSR_SETTINGS"
DEFAULT_FILE = "dsr.toml"


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
    copies: CopySettings = CopySettings()
    orgs: dict[str, OrgSettings] = {}
    projects: dict[str, ProjectSettings] = {}
    requester: str = Field(
        default="amplitude-dsr", max_length=64, description="Stands before the batch id in Amplitude's records."
    )
    linger_s: float = Field(
        default=60, ge=0, description="How long a batch waits for company; each batch is one e-mail to all admins."
    )
    poll_minutes: float = Field(default=15, gt=0, description="Between two looks at a project's deletion jobs.")
    dedupe_days: int = Field(
        default=60,
        ge=1,
        description="How long a request that has ended is remembered, without identifiers. Must outlast every copy of "
        "a command: the retention of commands and dead letters, and 7 days.",
    )
    most_undispatched: int = Field(
        default=200_000,
        ge=1,
        description="Undispatched requests of a member, neither held nor paused, above which intake pauses.",
    )

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
                project.app_id,
                (project.org or name) in self.orgs,
                self.copies.store is not None,
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

    def org_access(self, org: OrgId) -> Access | None:
        """Where and as whom the org's copies are asked for now; None without org keys."""
        found = self.orgs.get(org)
        keys = found.keys() if found else None
        return Access(ProjectId(org), org, found.region, keys, found.base_url) if found and keys else None


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
