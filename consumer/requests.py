"""The flow from a record to its first answer: decode, route, parse, and then a case for what the command is about.

Pure but for the turn it writes into. A record ends in exactly one way: dead-lettered, re-routed, or answered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from consumer.case import Case
from consumer.copy_requests import CopyCase, is_about_copy
from consumer.domain.command import Asked, CommandKind, ProjectRule, Rules, asked, concerned, parse
from consumer.domain.entry import RequestEntry
from consumer.domain.errors import Poison, Reason, Refused
from consumer.domain.lifecycle import Stage
from consumer.domain.routing import MAX_HOPS, partition_of
from consumer.domain.statement import Outcome, refusal, reply
from consumer.domain.subject import OrgId
from consumer.erasure_requests import ErasureCase
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
        to = asked(fields, record.context or traceparent_of(record))
        if not rules:
            turn.outcomes.append(_refusal(turn, fields, to, Reason.UNKNOWN_PROJECT, None))
        elif is_about_copy(turn, record.partition, fields, to, rules[0].org):
            _take(turn, record.partition, fields, to._replace(org=rules[0].org), About(CopyCase, tuple(rules)))
        else:
            for rule in rules:
                each = to._replace(project=rule.project, org=rule.org)
                _take(turn, record.partition, fields, each, About(ErasureCase, (rule,)))

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


_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""Of any version but the forbidden one, and neither id all zeros (W3C Trace Context, 3.2.2)."""


class About(NamedTuple):
    """What a command is about: an erasure in one project, or a copy of several projects of one org."""

    case: type[Case]
    rules: tuple[ProjectRule, ...]


def _take(turn: Turn, partition: Partition, fields: Mapping[str, Any], to: Asked, about: About) -> None:
    entry = turn.get(partition, about.case.key(to.request_id, about.rules[0])) if to.request_id else None
    try:
        about.case(turn, partition, parse(fields, turn.now), to, about.rules, entry).decide()
    except Refused as refused:
        turn.outcomes.append(_refusal(turn, fields, to, refused.reason, entry))


def _refusal(turn: Turn, fields: Mapping[str, Any], to: Asked, reason: Reason, entry: RequestEntry | None) -> Outcome:
    """A request that never began ends refused; any other command is answered, and changes no request's stage."""
    if entry is None and fields["command"] in {CommandKind.SUBMIT, CommandKind.RESUBMIT}:
        return refusal(to, reason, turn.now)
    return reply(to, Stage.REFUSED, turn.now, reason=reason, entry=entry)
