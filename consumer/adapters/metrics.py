"""Every metric of the service, in one table, and the `Meter` that counts the ones that happen.

Names follow Prometheus's conventions: base units, `_total` for counters. A label value comes from a closed set or from
the settings; whatever a producer wrote is never one, so neither a person nor a flood of made-up project names can get
in here. What is asked for rather than counted (gauges) is filled in by `gauges`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics

from consumer.domain.errors import Reason
from consumer.domain.statement import Kind, Notice, Outcome
from consumer.domain.subject import ProjectId

UNLISTED = "unlisted"
"""The label of a project that is not in the settings: its name is whatever a producer wrote."""
NO_REASON = NO_TYPE = "none"
POISON = (
    Reason.UNDECODABLE,
    Reason.UNKNOWN_SCHEMA,
    Reason.TRAILING_BYTES,
    Reason.EMPTY_RECORD,
    Reason.ROUTING_LOOP,
)
DAY_S = 86_400.0


Labelled = TypeVar("Labelled", Counter, Histogram)


class Shape(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the catalogue. `bounds` are a histogram's, in the unit of its name."""

    name: str
    shape: Shape
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


CALL_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
TRANSACTION_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
RESTORE_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 90.0, 180.0, 600.0)
FILL = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 99.0, 100.0)
SLACK_S = tuple(days * DAY_S for days in (0, 1, 2, 3, 5, 7, 10, 14, 21, 30, 45))

_C, _H, _G = Shape.COUNTER, Shape.HISTOGRAM, Shape.GAUGE

CATALOGUE: tuple[Metric, ...] = (
    # Amplitude
    Metric("dsr_amplitude_calls_total", _C, "HTTP calls that left, by answer.", ("project", "method", "answer")),
    Metric("dsr_amplitude_call_seconds", _H, "From a call's send to its answer.", ("method",), CALL_S),
    Metric("dsr_batch_ids", _H, "Ids in one POST; 100 is a full one.", (), FILL),
    Metric("dsr_sent_ids_total", _C, "Ids sent to Amplitude.", ("project",)),
    Metric("dsr_resubmitted_ids_total", _C, "Ids sent twice: the answer to the first time was lost.", ("project",)),
    Metric("dsr_project_up", _G, "0: parked until a person gives keys or settings; else 1.", ("project",)),
    Metric("dsr_lane_waiting_requests", _G, "Requests for which the lane has something to do.", ("project",)),
    Metric("dsr_lane_in_flight", _G, "Calls whose answer is awaited.", ("project",)),
    Metric("dsr_lane_interval_seconds", _G, "The lane's present distance between two calls.", ("project",)),
    Metric("dsr_lane_circuit_open", _G, "1: repeated failure, the lane stays away for a while.", ("project",)),
    Metric("dsr_lane_waiting_reason", _G, "1 for the reason why the lane waits, if it does.", ("project", "reason")),
    Metric("dsr_oldest_waiting_request_age_seconds", _G, "Since the oldest of them was accepted.", ("project",)),
    # copies
    Metric("dsr_copies_waiting", _G, "Copies that are not delivered.", ("org",)),
    Metric("dsr_copies_oldest_age_seconds", _G, "Since the oldest of them was accepted.", ("org",)),
    Metric("dsr_copies_jobs", _G, "Copies that Amplitude is making.", ("org",)),
    Metric("dsr_copies_steps", _G, "Steps of copies that are under way.", ("org",)),
    Metric("dsr_copies_budget_units", _G, "Units of the DSAR API that may be spent now.", ("org",)),
    Metric("dsr_copies_circuit_open", _G, "1: repeated failure, the org stays away for a while.", ("org",)),
    Metric("dsr_copies_waiting_reason", _G, "1 for the reason why they wait, if they do.", ("org", "reason")),
    # what is said
    Metric("dsr_outcomes_total", _C, "Durable outcomes.", ("type", "kind", "stage", "reason")),
    Metric("dsr_notices_total", _C, "Durable notices about requests.", ("project", "notice")),
    Metric("dsr_deadline_slack_seconds", _H, "Deadline minus expected erasure; late is 0.", ("stage",), SLACK_S),
    # Kafka
    Metric("dsr_commands_total", _C, "Commands taken in durably."),
    Metric("dsr_dead_letters_total", _C, "Records dead-lettered durably.", ("reason",)),
    Metric("dsr_transaction_seconds", _H, "One committed transaction.", (), TRANSACTION_S),
    Metric("dsr_restore_seconds", _H, "Reading one partition's ledger back.", (), RESTORE_S),
    Metric("dsr_rebalances_total", _C, "Times that the group has shared its partitions out anew."),
    Metric("dsr_consumer_lag_records", _G, "Commands that are not taken in yet.", ("partition",)),
    Metric("dsr_kafka_thread_alive", _G, "0: the Kafka thread has ended."),
    Metric("dsr_kafka_thread_turn_age_seconds", _G, "Since the Kafka thread's last turn, or the start."),
    Metric("dsr_last_transaction_age_seconds", _G, "Since the last accepted transaction, or the start."),
    Metric("dsr_owned_partitions", _G, "Partitions that this member owns, restored."),
    Metric("dsr_restoring_partitions", _G, "Partitions whose ledger is being read back."),
    Metric("dsr_partition_halted", _G, "1: intake of the partition is halted.", ("partition", "reason")),
    Metric("dsr_intake_paused", _G, "1: commands are not read now, for this reason.", ("reason",)),
    Metric("dsr_requests", _G, "Requests in memory: active, resting or closed.", ("state",)),
    Metric("dsr_open_requests", _G, "Open requests; deadline: none, at_risk, breached.", ("stage", "deadline")),
    Metric("dsr_ready", _G, "1: what /readyz says is yes."),
)
BY_NAME = {metric.name: metric for metric in CATALOGUE}


class PrometheusMeter:
    """Implements `Meter` on a registry of its own. `projects` is what the settings list now, asked for every label;
    calls for copies are counted under the org's name, so it is among them."""

    def __init__(self, projects: Callable[[], Collection[str]], registry: CollectorRegistry | None = None) -> None:
        # For the whole process: `_created` is a second series beside each counter, and nothing reads it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry or CollectorRegistry()
        self._projects = projects
        counters = {m.name: self._counter(m) for m in CATALOGUE if m.shape is Shape.COUNTER}
        histograms = {m.name: self._histogram(m) for m in CATALOGUE if m.shape is Shape.HISTOGRAM}
        # The Kafka thread counts every outcome, and most of that is finding the series; label sets are few.
        self._counts = cache(lambda name, *labels: _series(counters[name], labels))
        self._observes = cache(lambda name, *labels: _series(histograms[name], labels))
        ProcessCollector(registry=self.registry)
        self._start_at_zero()

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(metric.name, metric.help, metric.labels, registry=self.registry, buckets=metric.bounds)

    def _start_at_zero(self) -> None:
        """What alerts watch must exist before it happens: `increase()` does not see a series that appears at 1."""
        for reason in POISON:
            self._counts("dsr_dead_letters_total", reason.value)
        for project in self._projects():
            self._counts("dsr_sent_ids_total", project)
            self._counts("dsr_resubmitted_ids_total", project)
            for what in Notice:
                self._counts("dsr_notices_total", project, what.value)

    def _listed(self, project: str | None) -> str:
        return project if project is not None and project in self._projects() else UNLISTED

    def called(self, project: ProjectId, verb: str, answer: str, took_s: float) -> None:
        """One HTTP call that left."""
        self._counts("dsr_amplitude_calls_total", self._listed(project), verb, answer).inc()
        self._observes("dsr_amplitude_call_seconds", verb).observe(took_s)

    def batched(self, project: ProjectId, ids: int) -> None:
        """One POST was sent."""
        self._observes("dsr_batch_ids").observe(ids)
        self._counts("dsr_sent_ids_total", self._listed(project)).inc(ids)

    def resubmitted(self, project: ProjectId, ids: int) -> None:
        """Ids were sent again."""
        self._counts("dsr_resubmitted_ids_total", self._listed(project)).inc(ids)

    def said(self, outcome: Outcome) -> None:
        """One outcome is durable. The slack is observed at stages only: notices would repeat it.

        A late one is observed as 0, because OpenMetrics has no valid form for a histogram with negative bounds.
        """
        kind = outcome.entry.request_type if outcome.entry else NO_TYPE
        self._counts("dsr_outcomes_total", kind, outcome.kind, outcome.stage, outcome.reason or NO_REASON).inc()
        if outcome.notice is not None:
            self._counts("dsr_notices_total", self._listed(outcome.project), outcome.notice).inc()
        if outcome.kind is Kind.STAGE and (slack_ms := outcome.slack_ms) is not None:
            self._observes("dsr_deadline_slack_seconds", outcome.stage).observe(max(0, slack_ms) / 1000)

    def buried(self, reason: Reason) -> None:
        """One record is dead-lettered."""
        self._counts("dsr_dead_letters_total", reason).inc()

    def committed(self, took_s: float, records: int) -> None:
        """One transaction with so many commands was committed."""
        self._observes("dsr_transaction_seconds").observe(took_s)
        self._counts("dsr_commands_total").inc(records)

    def restored(self, took_s: float) -> None:
        """One partition's ledger was read back."""
        self._observes("dsr_restore_seconds").observe(took_s)

    def rebalanced(self) -> None:
        """The group has shared its partitions out anew."""
        self._counts("dsr_rebalances_total").inc()


def _series(metric: Labelled, labels: tuple[str, ...]) -> Labelled:
    return metric.labels(*labels) if labels else metric
