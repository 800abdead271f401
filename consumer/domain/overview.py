"""What a person wants to know of all requests at once: how many stand where, and which deadlines are in danger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from consumer.domain.copies import LONGEST_MS
from consumer.domain.deadline import AT_RISK_BELOW_MS, estimate_ms, scrub_expected
from consumer.domain.entry import RequestEntry
from consumer.domain.errors import Reason
from consumer.domain.lifecycle import Stage
from consumer.domain.project import ProjectState
from consumer.domain.subject import Day, Millis, ProjectId, RequestId


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One request without its people: small enough to hold millions. `day` is the last of its jobs' days. A copy that
    was delivered counts as ended; `takes_ms` is how long a copy takes at most."""

    request_id: RequestId
    project: ProjectId
    stage: Stage
    accepted: Millis
    deadline: Millis
    ended: bool
    erased: Millis | None
    day: Day | None
    takes_ms: int | None = None

    @classmethod
    def of(cls, entry: RequestEntry) -> Glimpse:
        """What is kept of an entry."""
        days = [ref.day for identity in entry.identities for ref in identity.jobs if not ref.revoked]
        stage = entry.stage or entry.reached
        day = max(days, default=None)
        return cls(
            entry.request_id,
            ProjectId(entry.place),
            stage,
            entry.accepted,
            entry.deadline,
            entry.ended or (entry.copy is not None and entry.copy.package is not None),
            entry.erased,
            day,
            LONGEST_MS if entry.copy is not None else None,
        )

    def slack_ms(self, now: Millis, estimate: int) -> int:
        """Deadline minus expected erasure, as the service reckons it."""
        if self.erased is not None:
            return self.deadline - self.erased
        if self.day is not None:
            return self.deadline - scrub_expected(self.day)
        return self.deadline - max(now, self.accepted + (estimate if self.takes_ms is None else self.takes_ms))

    @property
    def running(self) -> bool:
        """The deadline is still to be met."""
        return not self.ended and self.erased is None


@dataclass(slots=True)
class ProjectOverview:
    """One project. Counts are of requests; `oldest` is when the oldest open one was accepted."""

    project: ProjectId
    stages: Counter[Stage] = field(default_factory=Counter)
    open: int = 0
    oldest: Millis | None = None
    at_risk: int = 0
    breached: int = 0
    paused: bool = False
    parked: Reason | None = None

    def count(self, glimpse: Glimpse, now: Millis, estimate: int) -> None:
        """One more request."""
        self.stages[glimpse.stage] += 1
        if not glimpse.ended:
            self.open += 1
            self.oldest = glimpse.accepted if self.oldest is None else min(self.oldest, glimpse.accepted)
        if glimpse.running:
            self.breached += now > glimpse.deadline
            self.at_risk += now <= glimpse.deadline and glimpse.slack_ms(now, estimate) < AT_RISK_BELOW_MS


def overview(
    requests: Iterable[Glimpse], states: Mapping[ProjectId, ProjectState], now: Millis
) -> list[ProjectOverview]:
    """By project, in alphabetical order; a project that only has state is there too."""
    found = {name: ProjectOverview(name, paused=state.paused, parked=state.parked) for name, state in states.items()}
    for glimpse in requests:
        state = states.get(glimpse.project)
        row = found.setdefault(glimpse.project, ProjectOverview(glimpse.project))
        row.count(glimpse, now, state.estimate_ms if state else estimate_ms(()))
    return sorted(found.values(), key=lambda row: row.project)
