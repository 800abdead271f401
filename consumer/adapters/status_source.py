"""Collects what the status page tells: asked in the event loop, where lanes live; never blocks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from importlib.metadata import version

from prometheus_client import CollectorRegistry

from consumer.adapters.probes import Probes
from consumer.domain.discovery.discovery import State
from consumer.ports import Clock, CopyReport
from consumer.statuspage.status import DiscoveryRow, Status

_READ = {
    "dsr_discovery_open_hours": "open",
    "dsr_discovery_hours_total": "hours",  # told apart by their state
    "dsr_discovery_scanned_bytes_total": "bytes",
    "dsr_fields_dirty": "dirty",
    "dsr_discovery_unaccounted_bytes_total": "lost",
}


class StatusSource:
    """`probes` and `copies` are a requests stage's; a member that only discovers has neither. What was discovered is
    read off the metrics of `registry`, for the `projects` that the settings list now."""

    def __init__(
        self,
        replica: str,
        clock: Clock,
        registry: CollectorRegistry,
        projects: Callable[[], Collection[str]],
        *,
        probes: Probes | None = None,
        copies: Callable[[], list[CopyReport]] = list,
    ) -> None:
        self._replica, self._clock, self._registry, self._projects = replica, clock, registry, projects
        self._probes, self._copies = probes, copies
        self._version = version("amplitude-dsr")

    def __call__(self, failed: tuple[str, ...]) -> Status:
        """How it stands now; `failed` is what /readyz finds wanting."""
        probes = self._probes
        return Status(
            self._replica,
            self._version,
            self._clock.now(),
            failed,
            probes.stream() if probes else None,
            probes.transaction_age_s() if probes else 0.0,
            probes.lanes() if probes else (),
            self._copies(),
            self._discovered(),
        )

    def _discovered(self) -> list[DiscoveryRow]:
        """Of the projects of which this member has seen something."""
        listed, seen = set(self._projects()), defaultdict[str, Counter[str]](Counter)
        for family in self._registry.restricted_registry([*_READ]).collect():
            for sample in family.samples:
                project = sample.labels.get("project", "")
                if project in listed and (column := _READ.get(sample.name)):
                    seen[project][sample.labels.get("state") or column] += int(sample.value)
        rows = [_row(project, told) for project, told in sorted(seen.items())]
        return [row for row in rows if row.open_hours or row.scanned_hours or row.refused_hours or row.dirty_fields]


def _row(project: str, told: Counter[str]) -> DiscoveryRow:
    return DiscoveryRow(
        project,
        open_hours=told["open"],
        scanned_hours=told[State.SCANNED] + told[State.EMPTY],
        refused_hours=told[State.REFUSED],
        scanned_bytes=told["bytes"],
        dirty_fields=told["dirty"],
        lost_bytes=told["lost"],
    )
