"""Whether this member lives and whether it is ready, decided from what the Kafka thread and the lanes report.

Alive never depends on anybody else: a restart does not mend Kafka or Amplitude. Ready means that this member has its
place in the group and has restored what it was given; a halted or parked state is ready, and said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from consumer.domain.errors import Reason
from consumer.ports import Clock, LaneReport, StreamReport

TURN_LIMIT_S = 300.0
"""A turn may rightly take minutes while brokers are away: a commit is retried for 120 s, its abort for as long."""

PARKED = frozenset({Reason.CREDENTIALS_REFUSED, Reason.CREDENTIALS_MISSING, Reason.PROJECT_REMOVED})
"""A person must give keys or settings; nothing else ends these."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a probe answers. `failed` names the checks that failed; `said` is for the reader of the body."""

    failed: tuple[str, ...]
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Every check held."""
        return not self.failed


class Probes:
    """Asked in the event loop only, and never blocks.

    `stream` returns the latest report that the Kafka thread published, None before the first; it is called in the
    event loop, so it must only read an attribute. `lanes` is called in the event loop too, where lanes live.
    """

    def __init__(
        self,
        stream: Callable[[], StreamReport | None],
        lanes: Callable[[], list[LaneReport]],
        clock: Clock,
        turn_limit_s: float = TURN_LIMIT_S,
    ) -> None:
        self.stream, self.lanes, self.clock = stream, lanes, clock
        self._limit_s, self._began, self._draining = turn_limit_s, clock.monotonic(), False

    def drain(self) -> None:
        """From now on not ready: the process was asked to end. Call it first thing on SIGTERM."""
        self._draining = True

    def alive(self) -> Verdict:
        """Whether the Kafka thread turns. That the event loop does is proved by there being an answer."""
        report, age_s = self.stream(), self.turn_age_s()
        checks = {"kafka_thread_ended": report is None or report.alive, "kafka_thread_stuck": age_s < self._limit_s}
        return Verdict(_failed(checks), {"kafka_thread_turn_age_seconds": round(age_s, 3)})

    def ready(self) -> Verdict:
        """Whether the member does its share."""
        report = self.stream() or StreamReport(alive=True, turned_at=self._began)
        checks = {
            "stopping": not self._draining,
            "kafka_thread_ended": report.alive,
            "not_in_the_group": report.joined,
            "restoring": not report.restoring,
        }
        return Verdict(_failed(checks), self._said(report))

    def turn_age_s(self) -> float:
        """Since the Kafka thread's last turn, or since this was made if there was none yet."""
        report = self.stream()
        return max(0.0, self.clock.monotonic() - (report.turned_at if report else self._began))

    def transaction_age_s(self) -> float:
        """Since the last transaction that the broker accepted, or since this was made if there was none yet."""
        report = self.stream()
        proven_at = report.proven_at if report and report.proven_at is not None else self._began
        return max(0.0, self.clock.monotonic() - proven_at)

    def _said(self, report: StreamReport) -> dict[str, Any]:
        lanes = self.lanes()
        parked = {lane.project: lane.reason.value for lane in lanes if lane.reason in PARKED and lane.reason}
        paused = {lane.project for lane in lanes if lane.reason is Reason.PAUSED}
        return {
            "owned": sorted(report.owned),
            "restoring": sorted(report.restoring),
            "intake_paused": sorted(report.paused),
            "halted": {str(partition): reason.value for partition, reason in sorted(report.halted.items())},
            "parked": dict(sorted(parked.items())),
            "paused": sorted(paused),
        }


def _failed(checks: dict[str, bool]) -> tuple[str, ...]:
    return tuple(name for name, held in checks.items() if not held)
