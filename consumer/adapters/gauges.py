"""The gauges: what the lanes and the Kafka thread report, asked for when somebody scrapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from consumer.adapters.metrics import BY_NAME, CATALOGUE, Shape
from consumer.adapters.probes import PARKED, Probes
from consumer.domain.errors import Reason
from consumer.ports import CopyReport, LaneReport, StreamReport

PAUSES = (Reason.BACKLOG_FULL, Reason.TOO_MANY_DEAD_LETTERS, Reason.REGISTRY_UNAVAILABLE)
"""Each has its series from the start, so that an alert sees 0 become 1."""

Sample = tuple[tuple[str, ...], float]
Samples = dict[str, list[Sample]]


class Gauges(Collector):
    """Collects in the event loop, where /metrics is answered. Names of projects are the lanes', hence the settings'."""

    def __init__(self, probes: Probes, copies: Callable[[], list[CopyReport]] = list) -> None:
        self._probes, self._copies = probes, copies

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The families without samples: registering must not ask lanes that are not there yet."""
        return [_family(metric.name) for metric in CATALOGUE if metric.shape is Shape.GAUGE]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every gauge of the catalogue, in its order."""
        now = self._probes.clock.now()
        samples = self._of_probes() | _of_lanes(self._probes.lanes(), now) | _of_copies(self._copies(), now)
        if (report := self._probes.stream()) is not None:
            samples |= _of_stream(report)
        for metric in CATALOGUE:
            if metric.shape is Shape.GAUGE:
                family = _family(metric.name)
                for labels, value in samples.get(metric.name, []):
                    family.add_metric(labels, value)
                yield family

    def _of_probes(self) -> Samples:
        return {
            "dsr_ready": [((), float(self._probes.ready().good))],
            "dsr_kafka_thread_turn_age_seconds": [((), self._probes.turn_age_s())],
            "dsr_last_transaction_age_seconds": [((), self._probes.transaction_age_s())],
        }


def _family(name: str) -> GaugeMetricFamily:
    metric = BY_NAME[name]
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)


def _of_stream(report: StreamReport) -> Samples:
    requests = {"active": report.active, "resting": report.resting, "closed": report.closed}
    return {
        "dsr_kafka_thread_alive": [((), float(report.alive))],
        "dsr_owned_partitions": [((), len(report.owned))],
        "dsr_restoring_partitions": [((), len(report.restoring))],
        "dsr_partition_halted": [((str(p), reason.value), 1) for p, reason in sorted(report.halted.items())],
        "dsr_intake_paused": [
            ((reason.value,), float(reason in report.paused)) for reason in sorted(report.paused | set(PAUSES))
        ],
        "dsr_requests": [((state,), count) for state, count in requests.items()],
        "dsr_consumer_lag_records": [((str(p),), count) for p, count in sorted(report.lag.items())],
        "dsr_open_requests": [
            ((standing.stage.value, standing.danger.name.lower()), count)
            for standing, count in sorted(report.standings.items())
        ],
    }


def _of_lanes(reports: list[LaneReport], now_ms: int) -> Samples:
    """One series for each project, even while a change of org has its old and its new partition at this member."""
    lanes: dict[str, list[LaneReport]] = defaultdict(list)
    for report in reports:
        lanes[report.project].append(report)
    samples: Samples = defaultdict(list)
    for project, of_project in sorted(lanes.items()):
        for name, value in _of_project(of_project, now_ms).items():
            samples[name].append(((project,), value))
        for reason in sorted({lane.reason for lane in of_project if lane.reason}):
            samples["dsr_lane_waiting_reason"].append(((project, reason.value), 1))
    return samples


def _of_copies(reports: list[CopyReport], now_ms: int) -> Samples:
    samples: Samples = defaultdict(list)
    for report in reports:
        oldest = report.oldest if report.oldest is not None else now_ms
        told = {
            "dsr_copies_waiting": report.waiting,
            "dsr_copies_oldest_age_seconds": max(0, now_ms - oldest) / 1000,
            "dsr_copies_jobs": report.jobs,
            "dsr_copies_steps": report.in_flight,
            "dsr_copies_budget_units": report.tokens,
            "dsr_copies_circuit_open": float(report.circuit_open),
        }
        for name, value in told.items():
            samples[name].append(((report.org,), value))
        if report.reason is not None:
            samples["dsr_copies_waiting_reason"].append(((report.org, report.reason.value), 1))
    return samples


def _of_project(lanes: list[LaneReport], now_ms: int) -> dict[str, float]:
    oldest = min((lane.oldest for lane in lanes if lane.oldest is not None), default=now_ms)
    return {
        "dsr_project_up": float(not any(lane.reason in PARKED for lane in lanes)),
        "dsr_lane_waiting_requests": sum(lane.waiting for lane in lanes),
        "dsr_lane_in_flight": sum(lane.in_flight for lane in lanes),
        "dsr_lane_interval_seconds": max(lane.interval_s for lane in lanes),
        "dsr_lane_circuit_open": float(any(lane.circuit_open for lane in lanes)),
        "dsr_oldest_waiting_request_age_seconds": max(0, now_ms - oldest) / 1000,
    }
