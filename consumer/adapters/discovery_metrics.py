"""The metrics of discovery, in one table, and what counts them: the worker as it scans, the coordinator as it keeps."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumer.adapters.metrics import UNLISTED, Metric, Shape
from consumer.discovery.draft import Draft
from consumer.discovery.results import Result
from consumer.domain.discovery.discovery import State
from consumer.domain.errors import Reason
from consumer.domain.subject import ProjectId

Made = TypeVar("Made", Counter, Gauge)

DIRTY, CLEAN = "dirty", "clean"
WINDOW_S = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0)
_C, _H, _G = Shape.COUNTER, Shape.HISTOGRAM, Shape.GAUGE

CATALOGUE = (
    Metric("dsr_discovery_read_bytes_total", _C, "Bytes of archives that were read, as they arrive.", ("project",)),
    Metric("dsr_discovery_scanned_bytes_total", _C, "Bytes of text that were scanned.", ("project",)),
    Metric("dsr_discovery_windows_total", _C, "Windows that a worker answered.", ("project", "state")),
    Metric("dsr_discovery_hours_total", _C, "Upload hours that a worker answered.", ("project", "state")),
    Metric("dsr_discovery_failures_total", _C, "Tries of a window that failed.", ("project", "reason")),
    Metric("dsr_discovery_unaccounted_bytes_total", _C, "Bytes that went nowhere: 0, or a bug.", ("project",)),
    Metric("dsr_discovery_window_seconds", _H, "From the request for a window to its result.", (), WINDOW_S),
    Metric("dsr_discovery_results_total", _C, "Results taken in durably; ignored: repeated.", ("project", "state")),
    Metric("dsr_discovery_open_hours", _G, "Hours that were asked for and are not answered.", ("project",)),
    Metric("dsr_field_changes_total", _C, "Fields that became dirty, or clean.", ("project", "state")),
    Metric("dsr_fields_dirty", _G, "Fields that hold personal data where none is expected.", ("project",)),
)


class DiscoveryMetrics:
    """Implements `ScanMeter` and `Told` on a registry. `projects` is what the settings list now: no other label."""

    def __init__(self, projects: Callable[[], Collection[str]], registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._projects = projects
        counters = {m.name: self._of(Counter, m) for m in CATALOGUE if m.shape is Shape.COUNTER}
        gauges = {m.name: self._of(Gauge, m) for m in CATALOGUE if m.shape is Shape.GAUGE}
        self._counts = cache(lambda name, *labels: counters[name].labels(*labels))
        self._gauges = cache(lambda name, *labels: gauges[name].labels(*labels))
        [seconds] = (m for m in CATALOGUE if m.shape is Shape.HISTOGRAM)
        self._seconds = Histogram(seconds.name, seconds.help, registry=self.registry, buckets=seconds.bounds)
        self._start_at_zero()

    def _start_at_zero(self) -> None:
        """What alerts watch must exist before it happens: `increase()` does not see a series that appears at 1."""
        for project in self._projects():
            self._counts("dsr_discovery_unaccounted_bytes_total", project)
            for state in State:
                self._counts("dsr_discovery_hours_total", project, state.value)
            for change in (DIRTY, CLEAN):
                self._counts("dsr_field_changes_total", project, change)

    def _of(self, kind: type[Made], metric: Metric) -> Made:
        return kind(metric.name, metric.help, metric.labels, registry=self.registry)

    def _listed(self, project: str) -> str:
        return project if project in self._projects() else UNLISTED

    def moved(self, project: ProjectId, input_bytes: int, text_bytes: int) -> None:
        """So much more was read, and scanned."""
        listed = self._listed(project)
        self._counts("dsr_discovery_read_bytes_total", listed).inc(input_bytes)
        self._counts("dsr_discovery_scanned_bytes_total", listed).inc(text_bytes)

    def failed(self, project: ProjectId, reason: Reason) -> None:
        """A window could not be scanned this time."""
        self._counts("dsr_discovery_failures_total", self._listed(project), reason.value).inc()

    def finished(self, result: Result, lost: int) -> None:
        """A window has its result."""
        listed, state = self._listed(result.project), result.answer.state.value
        self._counts("dsr_discovery_windows_total", listed, state).inc()
        self._counts("dsr_discovery_hours_total", listed, state).inc(result.answer.span.hours)
        self._counts("dsr_discovery_unaccounted_bytes_total", listed).inc(lost)
        self._seconds.observe(result.seconds)

    def kept(self, draft: Draft) -> None:
        """A draft is durable."""
        for project, state in draft.applied:
            self._counts("dsr_discovery_results_total", self._listed(project), state).inc()
        for outcome in draft.outcomes:
            if outcome.field is not None:
                change = DIRTY if outcome.field.dirty else CLEAN
                self._counts("dsr_field_changes_total", self._listed(outcome.project or ""), change).inc()
        for partition, (project, _) in draft.discoveries:
            ours = [each for each in draft.of_partition(partition) if each.project == project and each.ended is None]
            self._gauges("dsr_discovery_open_hours", self._listed(project)).set(sum(each.open for each in ours))
        for (_, project), inventory in draft.inventories.items():
            self._gauges("dsr_fields_dirty", self._listed(project)).set(inventory.dirty_fields)
