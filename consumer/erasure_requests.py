"""Commands about an erasure in one project, and about projects as a whole."""

from __future__ import annotations

from consumer.case import Case
from consumer.domain import copies, erasure
from consumer.domain.command import CommandKind, Identity, ProjectRule, judge
from consumer.domain.entry import LedgerKey, RequestEntry, copy_key, ledger_key
from consumer.domain.errors import Reason, Refused
from consumer.domain.lifecycle import Stage
from consumer.domain.statement import reply
from consumer.domain.subject import RequestId


class ErasureCase(Case):
    """See `Case`."""

    __slots__ = ()

    @staticmethod
    def key(request: RequestId, rule: ProjectRule) -> LedgerKey:
        """Where the erasure stands in the ledger."""
        return ledger_key(request, rule.project)

    def about_project(self) -> None:
        """Pause, resume or approve the whole project."""
        state = self.turn.project(self.partition, self.rule.project)
        again = self.command.command_id if self.command.command_id in state.commands else None
        if again is None:
            approving = self.command.kind is CommandKind.APPROVE
            paused = state._replace(paused=self.command.kind is CommandKind.PAUSE)
            changed = state.approve(self.turn.now) if approving else paused
            self.turn.put_project(self.partition, changed.carried_out(self.command.command_id))
        self.turn.outcomes.append(reply(self.to, Stage.ACCEPTED, self.turn.now, duplicate_of=again))

    def fresh(self) -> RequestEntry:
        """An erasure waits for every copy of the same person that was asked for before it."""
        if self.turn.get(self.partition, copy_key(self._request, self.rule.org)) is not None:
            raise Refused(Reason.CONFLICTING_DUPLICATE, "the request id is a copy's")
        identities = judge(self.command.identities, self.rule)
        state = self.turn.project(self.partition, self.rule.project)
        over_cap = state.over_cap(self.rule.daily_cap, self.turn.now)
        self.turn.put_project(self.partition, state.accepted(self.turn.now))
        return erasure.accept(
            self.command,
            identities,
            self.rule,
            self.turn.now,
            over_cap=over_cap,
            after_copy=self._wait_for_copies(identities),
            traceparent=self.to.traceparent,
        )

    def _wait_for_copies(self, identities: tuple[Identity, ...]) -> bool:
        live = [identity for identity in identities if not identity.refused]
        found = self.turn.copying(self.partition, self.rule.org, self.rule.project, live)
        for copy in found:
            after = copies.holding_up(copy, self.key(self._request, self.rule))
            self.turn.settle(self.partition, copy, after)
        return bool(found)

    @property
    def _request(self) -> RequestId:
        assert self.command.request_id is not None  # a case about a request has one
        return self.command.request_id

    def cancelled(self, entry: RequestEntry) -> RequestEntry:
        """See `erasure`."""
        return erasure.cancel(entry, self.command.command_id)

    def approved(self, entry: RequestEntry) -> RequestEntry:
        """See `erasure`."""
        return erasure.approve(entry, self.command.command_id)
