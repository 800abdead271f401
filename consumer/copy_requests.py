"""Commands about a copy: of a whole org, or of some of its projects, because Amplitude makes copies of whole orgs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from consumer.case import Case
from consumer.domain import copies
from consumer.domain.command import COPIES, Asked, CommandKind, ProjectRule, copyable, judge
from consumer.domain.entry import LedgerKey, RequestEntry, copy_key, ledger_key
from consumer.domain.errors import Reason, Refused
from consumer.domain.subject import OrgId, RequestId
from consumer.turn import Partition, Turn


def is_about_copy(turn: Turn, partition: Partition, fields: Mapping[str, Any], to: Asked, org: OrgId) -> bool:
    """Whether a decoded command starts a copy, or names one that is known."""
    if fields["command"] in {CommandKind.SUBMIT, CommandKind.RESUBMIT}:
        return fields["subject_request_type"] in COPIES
    return to.request_id is not None and turn.get(partition, copy_key(to.request_id, org)) is not None


class CopyCase(Case):
    """See `Case`. `rules` are the projects that the command names, or all of the org."""

    __slots__ = ()

    @staticmethod
    def key(request: RequestId, rule: ProjectRule) -> LedgerKey:
        """Where the copy stands in the ledger."""
        return copy_key(request, rule.org)

    def about_project(self) -> None:
        """Only requests are copied."""
        raise Refused(Reason.MISSING_FIELD, "subject_request_id")

    def fresh(self) -> RequestEntry:
        """A copy needs a store; and, of Amplitude's copy of a whole org, a project's own number to be told apart."""
        rules = () if self._whole_org else self.rules
        copyable(self.rule, rules)
        named = tuple(rule.project for rule in rules)
        if self._is_an_erasures():
            raise Refused(Reason.CONFLICTING_DUPLICATE, "the request id is an erasure's")
        everywhere = all(rule.email_is_user_id for rule in self.rules)
        identities = judge(self.command.identities, replace(self.rule, email_is_user_id=everywhere))
        traceparent = self.to.traceparent
        return copies.accept(self.command, identities, self.rule.org, named, self.turn.now, traceparent=traceparent)

    @property
    def _whole_org(self) -> bool:
        return self.command.whole_org and not self.command.projects

    def _is_an_erasures(self) -> bool:
        request = self.command.request_id
        return request is not None and any(
            self.turn.get(self.partition, ledger_key(request, rule.project)) is not None for rule in self.rules
        )

    def cancelled(self, entry: RequestEntry) -> RequestEntry:
        """See `copies`."""
        return copies.cancel(entry, self.command.command_id)

    def approved(self, entry: RequestEntry) -> RequestEntry:
        """Nothing holds a copy."""
        del entry
        raise Refused(Reason.CONTRADICTORY_COMMAND, "a copy is never held")
