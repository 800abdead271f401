"""The projects as the settings file has them now: one may be added, changed or removed without a restart.

What cannot change while requests are open stays as it was read first: a project's org, because it decides the
partition in which its ledger is. Everything but the projects is read at the start only.
"""

from __future__ import annotations

import time
from pathlib import Path

import structlog

from consumer.domain.command import ProjectRule
from consumer.domain.errors import Fatal, Reason
from consumer.domain.subject import OrgId, ProjectId
from consumer.ports import Access
from consumer.settings import Settings, load

LOOK_EVERY_S = 1.0


class Projects:
    """Answers from any thread. Looks at the file's time stamp once a second at most; a file that cannot be used is
    logged and changes nothing."""

    def __init__(self, settings: Settings, look_every_s: float = LOOK_EVERY_S) -> None:
        self._settings, self._rules = settings, settings.rules()
        self._orgs = {project: rule.org for project, rule in self._rules.items()}
        self._file, self._look_every_s = settings.file, look_every_s
        self._stamp, self._looked_at = _stamp(self._file), time.monotonic()
        self._log = structlog.get_logger()

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        self._look()
        return self._settings

    def rules(self) -> dict[ProjectId, ProjectRule]:
        """What the domain needs to know of each project."""
        self._look()
        return self._rules

    def names(self) -> set[str]:
        """Of the projects and of their orgs."""
        return {name for rule in self.rules().values() for name in (rule.project, rule.org)}

    def access(self, project: ProjectId) -> Access | Reason:
        """Where and as whom the project is called now, or why it cannot be."""
        self._look()
        if project not in self._rules:
            return Reason.PROJECT_REMOVED
        return self._settings.access(project) or Reason.CREDENTIALS_MISSING

    def org_access(self, org: OrgId) -> Access | Reason:
        """Where and as whom the org's copies are asked for now, or why they cannot be."""
        self._look()
        return self._settings.org_access(org) or Reason.CREDENTIALS_MISSING

    def _look(self) -> None:
        now = time.monotonic()
        if self._file is None or now - self._looked_at < self._look_every_s:
            return
        self._looked_at = now
        if (stamp := _stamp(self._file)) != self._stamp:
            self._stamp = stamp
            self._read_again(self._file)

    def _read_again(self, file: Path) -> None:
        try:
            settings = load(file)
        except Fatal as fatal:
            self._log.error("settings_not_read", reason=fatal.reason.value)
            return
        rules = settings.rules()
        moved = [p for p, rule in rules.items() if self._orgs.setdefault(p, rule.org) != rule.org]
        if moved:
            self._log.error("settings_not_read", reason=Reason.INVALID_SETTINGS.value, org_changed=sorted(moved))
            return
        self._settings, self._rules = settings, rules
        self._log.info("settings_read", projects=len(rules))


def _stamp(file: Path | None) -> tuple[int, int] | None:
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if found else None
