"""One log line for each window that a worker answered or could not, and for each stage of a discovery."""

from __future__ import annotations

from typing import Any

from consumer.adapters.discovery_metrics import DiscoveryMetrics
from consumer.discovery.draft import Draft
from consumer.discovery.results import Result
from consumer.domain.discovery.outcome import Kind
from consumer.domain.errors import Reason
from consumer.domain.subject import ProjectId


class LoggedDiscovery:
    """Implements `ScanMeter` and `Told`: counts by the metrics, and logs. No field is named here."""

    def __init__(self, metrics: DiscoveryMetrics, log: Any) -> None:
        self._metrics, self._log = metrics, log

    def moved(self, project: ProjectId, input_bytes: int, text_bytes: int) -> None:
        """So much more was read, and scanned: no line."""
        self._metrics.moved(project, input_bytes, text_bytes)

    def failed(self, project: ProjectId, reason: Reason) -> None:
        """A window could not be scanned this time."""
        self._metrics.failed(project, reason)
        self._log.warning("window failed", project=project, reason=reason.value)

    def finished(self, result: Result, lost: int) -> None:
        """A window has its result; bytes that went nowhere are a bug."""
        self._metrics.finished(result, lost)
        told = {"state": result.answer.state.value, "took_s": round(result.seconds, 3)}
        if text := result.answer.account.get("text_scanned"):
            told["text_mb"] = round(text / 1e6, 1)
        if result.answer.reason:
            told["reason"] = result.answer.reason.value
        self._log.info("window answered", project=result.project, window=str(result.answer.span), **told)
        if lost:
            self._log.error("bytes unaccounted for", project=result.project, bytes=lost)

    def kept(self, draft: Draft) -> None:
        """A draft is durable."""
        self._metrics.kept(draft)
        for outcome in draft.outcomes:
            if outcome.kind is Kind.STAGE:
                reason = {"reason": outcome.reason.value} if outcome.reason else {}
                ids = {"discovery": outcome.discovery_id, "project": outcome.project}
                self._log.info("discovery", stage=outcome.stage.value, **ids, **reason)
        for topic, letter in draft.dead:
            self._log.warning("dead letter", topic=topic, reason=letter.reason.value)
