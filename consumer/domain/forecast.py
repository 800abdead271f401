"""What would become of a list of commands: the same parser, judge and planner as the service's, and no call.

It assumes that nothing else is open, that all commands arrive at once, and that nobody approves anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from consumer.domain.backlog import Backlog
from consumer.domain.command import Command, CommandKind, ProjectRule, RequestType, Rules, concerned, judge, parse
from consumer.domain.deadline import AT_RISK_BELOW_MS, FIRST_ESTIMATE_MS
from consumer.domain.entry import LedgerKey, RequestEntry, ledger_key
from consumer.domain.erasure import accept
from consumer.domain.errors import Reason, Refused
from consumer.domain.pace import INTERVAL_S
from consumer.domain.plan import MOST_IDS, Batch, ask_for
from consumer.domain.project import ProjectState
from consumer.domain.reply import Ask
from consumer.domain.subject import Millis, ProjectId


@dataclass(frozen=True, slots=True)
class Objection:
    """What would not be carried out: the line, from 1; the identity's position if only that one is refused."""

    line: int
    reason: Reason
    project: ProjectId | None = None
    position: int | None = None


@dataclass(slots=True)
class Forecast:
    """One project's part. `held` requests wait for a person (the daily cap) or for the hold period.

    `ids` are distinct ones; `repeated` counts identities that another one's POST covers. `seconds` is from the first
    command to the last POST, at the pace of one call a second.
    """

    project: ProjectId
    requests: int = 0
    held: dict[Reason, int] = field(default_factory=dict)
    posts: list[int] = field(default_factory=list)
    posts_of_held: list[int] = field(default_factory=list)
    repeated: int = 0
    at_risk: list[int] = field(default_factory=list)
    breached: list[int] = field(default_factory=list)
    linger_s: float = 0.0

    @property
    def ids(self) -> int:
        """Distinct ids in the POSTs that nobody has to approve."""
        return sum(self.posts)

    @property
    def seconds(self) -> float:
        """Until the last of these POSTs leaves."""
        waits = self.linger_s if self.posts and self.posts[-1] < MOST_IDS else 0.0
        return max(len(self.posts) - 1, 0) * INTERVAL_S + waits


class Rehearsal:
    """Takes commands in as the service would. `now` is when all of them arrive."""

    def __init__(self, rules: Rules, now: Millis, linger_s: float) -> None:
        self._rules, self._now, self._linger_s = rules, now, linger_s
        self._states: dict[ProjectId, ProjectState] = {}
        self._entries: dict[LedgerKey, tuple[int, RequestEntry]] = {}
        self.objections: list[Objection] = []
        self.duplicates = 0
        self.others = 0
        """Commands that submit nothing: cancel, approve, pause, resume. They are parsed, and that is all."""

    def take(self, line: int, fields: Mapping[str, Any]) -> None:
        """One command, as the codec hands it over."""
        rules = concerned(fields, self._rules)
        if not rules:
            self.objections.append(Objection(line, Reason.UNKNOWN_PROJECT))
        for rule in rules:
            try:
                self._decide(line, parse(fields, self._now), rule)
            except Refused as refused:
                self.objections.append(Objection(line, refused.reason, rule.project))

    def object(self, line: int, reason: Reason) -> None:
        """A line that is no command at all."""
        self.objections.append(Objection(line, reason))

    def _decide(self, line: int, command: Command, rule: ProjectRule) -> None:
        if command.request_id is None or command.kind is not CommandKind.SUBMIT:
            self.others += 1
        elif (known := self._entries.get(ledger_key(command.request_id, rule.project))) is not None:
            if not command.body_digest.startswith(known[1].body_digest):
                raise Refused(Reason.CONFLICTING_DUPLICATE)
            self.duplicates += 1
        elif command.request_type is not RequestType.ERASURE:
            raise Refused(Reason.UNSUPPORTED_REQUEST_TYPE)
        else:
            self._accept(line, command, rule)

    def _accept(self, line: int, command: Command, rule: ProjectRule) -> None:
        identities = judge(command.identities, rule)
        state = self._states.get(rule.project, ProjectState(rule.project))
        over_cap = state.over_cap(rule.daily_cap, self._now)
        entry = accept(command, identities, rule, self._now, over_cap=over_cap)
        self._states[rule.project] = state.accepted(self._now)
        self._entries[entry.key] = line, entry
        self.objections += [Objection(line, i.refused, rule.project, i.position) for i in identities if i.refused]

    def forecasts(self) -> list[Forecast]:
        """What would be sent, by project."""
        found: dict[ProjectId, Forecast] = {}
        for line, entry in self._entries.values():
            forecast = found.setdefault(entry.project, Forecast(entry.project, linger_s=self._linger_s))
            forecast.requests += 1
            if entry.held is not None:
                forecast.held[entry.held] = forecast.held.get(entry.held, 0) + 1
            self._weigh(forecast, line, entry)
        for forecast in found.values():
            self._batch(forecast)
        return sorted(found.values(), key=lambda forecast: forecast.project)

    def _weigh(self, forecast: Forecast, line: int, entry: RequestEntry) -> None:
        if entry.deadline < self._now:
            forecast.breached.append(line)
        elif entry.deadline - (max(self._now, entry.release or 0) + FIRST_ESTIMATE_MS) < AT_RISK_BELOW_MS:
            forecast.at_risk.append(line)

    def _batch(self, forecast: Forecast) -> None:
        ours = [entry for _, entry in self._entries.values() if entry.project == forecast.project]
        asked: set[Ask] = set()
        free = [entry for entry in ours if entry.held is None]
        held = [entry._replace(held=None) for entry in ours if entry.held is not None]
        forecast.posts = [len(batch) for batch in self._batches(free, asked)]
        forecast.posts_of_held = [len(batch) for batch in self._batches(held, asked)]
        sent = forecast.ids + sum(forecast.posts_of_held)
        forecast.repeated = sum(len(entry.ready(self._now)) for entry in (*free, *held)) - sent

    def _batches(self, entries: list[RequestEntry], asked: set[Ask]) -> Iterator[Batch]:
        """The lanes' own backlog, emptied batch by batch; without the ids that were in an earlier one."""
        backlog = Backlog()
        for entry in entries:
            wanted = tuple(identity for identity in entry.identities if ask_for(identity) not in asked)
            if wanted:
                backlog.put(entry._replace(identities=wanted))
        while batch := backlog.take(self._now):
            asked.update(batch.asks)
            yield batch
