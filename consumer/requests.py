"""The flow from a record to its first answer: decode, route, parse, and then one method for each kind of command.

Pure but for the turn it writes into. A record ends in exactly one way: dead-lettered, re-routed, or answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from consumer.domain import erasure
from consumer.domain.command import (
    Asked,
    Command,
    CommandKind,
    ProjectRule,
    RequestType,
    Rules,
    asked,
    concerned,
    judge,
    parse,
)
from consumer.domain.entry import RequestEntry, ledger_key
from consumer.domain.errors import Poison, Reason, Refused
from consumer.domain.lifecycle import Stage
from consumer.domain.routing import MAX_HOPS, partition_of
from consumer.domain.statement import Outcome, refusal, reply
from consumer.domain.subject import CommandId, OrgId
from consumer.turn import Partition, Record, Reroute, Turn

REROUTED = "dsr.rerouted"
"""Header added to a record each time it is produced again to its org's partition."""


class Intake:
    """Takes records into turns. `rules` is asked anew for every record: projects change without a restart."""

    def __init__(
        self, decode: Callable[[bytes | None], dict[str, Any]], rules: Callable[[], Rules], partitions: int
    ) -> None:
        self._decode, self._rules, self._partitions = decode, rules, partitions

    def take(self, turn: Turn, record: Record) -> None:
        """Decide what becomes of the record. Lets `Deferred` pass (a registry that is down): take it again later."""
        try:
            fields = self._decode(record.value)
            rules = concerned(fields, self._rules())
            if rules and self._rerouted(turn, record, rules[0].org):
                return
        except Poison as poison:
            turn.bury(record, poison.reason)
            return
        to = asked(fields, traceparent_of(record))
        if not rules:
            turn.outcomes.append(_refusal(turn, fields, to, Reason.UNKNOWN_PROJECT, None))
        for rule in rules:
            about = to._replace(project=rule.project, org=rule.org)
            _take(turn, record.partition, fields, about, rule)

    def _rerouted(self, turn: Turn, record: Record, org: OrgId) -> bool:
        home = Partition(partition_of(org, self._partitions))
        if home == record.partition:
            return False
        if sum(name == REROUTED for name, _ in record.headers) >= MAX_HOPS:
            raise Poison(Reason.ROUTING_LOOP)
        turn.rerouted.append(Reroute(record, home))
        return True


def traceparent_of(record: Record) -> str | None:
    """The record's W3C trace context; nothing else that stands in that header is passed on."""
    given = next((value for name, value in record.headers if name == "traceparent"), None) or b""
    return given.decode() if _TRACEPARENT.fullmatch(given) else None


_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def _take(turn: Turn, partition: Partition, fields: Mapping[str, Any], to: Asked, rule: ProjectRule) -> None:
    key = ledger_key(to.request_id, rule.project) if to.request_id else None
    entry = turn.get(partition, key) if key else None
    try:
        _Case(turn, partition, parse(fields, turn.now), to, rule, entry).decide()
    except Refused as refused:
        turn.outcomes.append(_refusal(turn, fields, to, refused.reason, entry))


def _refusal(turn: Turn, fields: Mapping[str, Any], to: Asked, reason: Reason, entry: RequestEntry | None) -> Outcome:
    """A request that never began ends refused; any other command is answered, and changes no request's stage."""
    if entry is None and fields["command"] in {CommandKind.SUBMIT, CommandKind.RESUBMIT}:
        return refusal(to, reason, turn.now)
    return reply(to, Stage.REFUSED, turn.now, reason=reason, entry=entry)


@dataclass(frozen=True, slots=True)
class _Case:
    """One valid command about one project. `entry` is the request it names, as it stands. Raises `Refused`."""

    turn: Turn
    partition: Partition
    command: Command
    to: Asked
    rule: ProjectRule
    entry: RequestEntry | None

    def decide(self) -> None:
        """Carry the command out, or answer it."""
        if self.command.request_id is None:
            self._about_project()
        elif self.entry is None:
            self._about_nobody_known()
        elif self.command.command_id in self.entry.commands:
            self._answer(self.entry, duplicate_of=self.command.command_id)
        else:
            self._about(self.entry)

    def _about(self, entry: RequestEntry) -> None:
        match self.command.kind:
            case CommandKind.SUBMIT:
                self._submit_again(entry)
            case CommandKind.RESUBMIT:
                self._resubmit(entry)
            case CommandKind.CANCEL:
                self._cancel(entry)
            case CommandKind.APPROVE:
                self._approve(entry)
            case CommandKind.PAUSE | CommandKind.RESUME:
                raise Refused(Reason.CONTRADICTORY_COMMAND, "pause and resume are about a whole project")

    def _answer(self, entry: RequestEntry, duplicate_of: CommandId | None = None) -> None:
        stage = entry.stage or entry.reached
        self.turn.outcomes.append(reply(self.to, stage, self.turn.now, entry=entry, duplicate_of=duplicate_of))

    def _settle(self, after: RequestEntry) -> None:
        self.turn.settle(self.partition, self.entry, after, self.command.command_id)

    def _about_project(self) -> None:
        state = self.turn.project(self.partition, self.rule.project)
        again = self.command.command_id if self.command.command_id in state.commands else None
        if again is None:
            approving = self.command.kind is CommandKind.APPROVE
            paused = state._replace(paused=self.command.kind is CommandKind.PAUSE)
            changed = state.approve(self.turn.now) if approving else paused
            self.turn.put_project(self.partition, changed.carried_out(self.command.command_id))
        self.turn.outcomes.append(reply(self.to, Stage.ACCEPTED, self.turn.now, duplicate_of=again))

    def _about_nobody_known(self) -> None:
        if self.command.kind is not CommandKind.SUBMIT:
            raise Refused(Reason.UNKNOWN_REQUEST)
        self._settle(self._fresh())

    def _fresh(self) -> RequestEntry:
        if self.command.request_type is not RequestType.ERASURE:
            raise Refused(Reason.UNSUPPORTED_REQUEST_TYPE, "copies are not supported yet")
        identities = judge(self.command.identities, self.rule)
        state = self.turn.project(self.partition, self.rule.project)
        over_cap = state.over_cap(self.rule.daily_cap, self.turn.now)
        self.turn.put_project(self.partition, state.accepted(self.turn.now))
        return erasure.accept(
            self.command, identities, self.rule, self.turn.now, over_cap=over_cap, traceparent=self.to.traceparent
        )

    def _submit_again(self, entry: RequestEntry) -> None:
        if not self.command.body_digest.startswith(entry.body_digest):
            raise Refused(Reason.CONFLICTING_DUPLICATE)
        self._answer(entry, duplicate_of=entry.commands[0])

    def _resubmit(self, entry: RequestEntry) -> None:
        if not entry.ended:
            raise Refused(Reason.STILL_OPEN)
        self._settle(erasure.resubmitted(entry, self._fresh()))

    def _cancel(self, entry: RequestEntry) -> None:
        if entry.ended or entry.reached is Stage.ERASED:
            raise Refused(Reason.ALREADY_ENDED)
        if entry.cancel_command is not None:
            self._answer(entry, duplicate_of=entry.cancel_command)
        else:
            self._settle(erasure.cancel(entry, self.command.command_id))

    def _approve(self, entry: RequestEntry) -> None:
        if entry.ended:
            raise Refused(Reason.ALREADY_ENDED)
        approved = erasure.approve(entry, self.command.command_id)
        self._settle(approved)
        self._answer(approved)
