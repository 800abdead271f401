"""The `Meter` that writes log lines, and the one that hands everything on to several."""

from __future__ import annotations

from collections import Counter
from typing import Any

from consumer.domain.errors import Reason
from consumer.domain.statement import Outcome
from consumer.domain.subject import ProjectId
from consumer.ports import Meter


class Meters:
    """Implements `Meter` by telling each of several, in their order."""

    def __init__(self, *meters: Meter) -> None:
        self._meters = meters

    def called(self, project: ProjectId, verb: str, answer: str, took_s: float) -> None:
        """One HTTP call that left."""
        for meter in self._meters:
            meter.called(project, verb, answer, took_s)

    def batched(self, project: ProjectId, ids: int) -> None:
        """One POST was sent."""
        for meter in self._meters:
            meter.batched(project, ids)

    def resubmitted(self, project: ProjectId, ids: int) -> None:
        """Ids were sent again."""
        for meter in self._meters:
            meter.resubmitted(project, ids)

    def said(self, outcome: Outcome) -> None:
        """One outcome is durable."""
        for meter in self._meters:
            meter.said(outcome)

    def buried(self, reason: Reason) -> None:
        """One record is dead-lettered."""
        for meter in self._meters:
            meter.buried(reason)

    def committed(self, took_s: float, records: int) -> None:
        """One transaction was committed."""
        for meter in self._meters:
            meter.committed(took_s, records)

    def restored(self, took_s: float) -> None:
        """One partition's ledger was read back."""
        for meter in self._meters:
            meter.restored(took_s)

    def rebalanced(self) -> None:
        """The group has shared its partitions out anew."""
        for meter in self._meters:
            meter.rebalanced()


class LoggingMeter:
    """Implements `Meter`: one line for each unit of work, never one for each outcome.

    `said`, `buried` and `committed` belong to one thread, the Kafka thread. What is said and buried is counted until
    the next `committed`, whose line carries it; so a transaction is reported as outcomes and dead letters first, and
    `committed` last. A transaction that only proves the lease is a line at debug.
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._said: Counter[str] = Counter()
        self._buried: Counter[str] = Counter()

    def called(self, project: ProjectId, verb: str, answer: str, took_s: float) -> None:
        """A good call at debug, a failed one as a warning with its fault."""
        if answer == "ok":
            self._log.debug("call", project=project, method=verb, took_s=round(took_s, 3))
        else:
            self._log.warning("call failed", project=project, method=verb, fault=answer, took_s=round(took_s, 3))

    def batched(self, project: ProjectId, ids: int) -> None:
        """How many people went in one call."""
        self._log.info("batch sent", project=project, ids=ids)

    def resubmitted(self, project: ProjectId, ids: int) -> None:
        """An answer was lost, and this is its price."""
        self._log.warning("ids sent again", project=project, ids=ids)

    def said(self, outcome: Outcome) -> None:
        """Counted by what was said; the reason is added where there is one."""
        what = outcome.notice.value if outcome.notice else outcome.stage.value
        self._said[f"{outcome.kind}/{what}" + (f"/{outcome.reason}" if outcome.reason else "")] += 1

    def buried(self, reason: Reason) -> None:
        """Counted by reason."""
        self._buried[reason.value] += 1

    def committed(self, took_s: float, records: int) -> None:
        """The transaction's line, and one for each reason of its dead letters."""
        said, self._said = self._said, Counter()
        buried, self._buried = self._buried, Counter()
        line = self._log.info if said or buried or records else self._log.debug
        line("committed", commands=records, outcomes=dict(said), took_s=round(took_s, 4))
        for reason, count in buried.items():
            self._log.warning("dead letters", reason=reason, records=count)

    def restored(self, took_s: float) -> None:
        """A partition's memory is complete."""
        self._log.info("partition restored", took_s=round(took_s, 3))

    def rebalanced(self) -> None:
        """The group has shared its partitions out anew."""
        self._log.info("rebalanced")
