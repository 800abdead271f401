"""Commands as records: made, checked with the service's own code, sent, and their answers awaited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.kafka import desk
from consumer.cli.connection import Connection
from consumer.cli.options import now
from consumer.domain.command import COPIES, CommandKind, Rules, concerned, copyable, judge, parse
from consumer.domain.errors import Fatal, Poison, Reason, Refused
from consumer.domain.lifecycle import ENDS, Stage
from consumer.domain.subject import OrgId, ProjectId

Fields = dict[str, Any]
_REQUEST = ("subject_request_id", "subject_request_type", "regulation", "submitted_time", "deadline")
_ABSENT = (*_REQUEST, "org", "project", "requested_by", "expires_time", "api_version")
WELL = frozenset({Stage.DONE, Stage.NOT_FOUND, Stage.DELIVERED})
ENDED = ENDS | {Stage.DELIVERED}

REMEDIES = {
    Reason.UNKNOWN_PROJECT: "the settings have no such project (or org); `dsr check` lists them",
    Reason.COPIES_NOT_CONFIGURED: "the settings name no copies.store, so there is nowhere to put a package",
    Reason.APP_ID_MISSING: "set projects.*.app_id, the project's number in Amplitude, or ask for the whole org",
    Reason.EMPTY_IDENTITY: "the identity is blank",
    Reason.EMAIL_IS_NOT_USER_ID: "Amplitude has no look-up by e-mail: find the user id first; or set email_is_user_id "
    "if this project's user id IS the e-mail address",
    Reason.INVALID_AMPLITUDE_ID: "an Amplitude ID is a decimal number",
    Reason.TOO_MANY_IDENTITIES: "at most 1,000 in one request: leave --together out",
    Reason.SUBMITTED_TIME_IN_FUTURE: "the person cannot have asked later than now; times are UTC",
    Reason.CONTRADICTORY_COMMAND: "the deadline lies before the time of submission",
}


def command(kind: CommandKind, **more: Any) -> Fields:
    """A `DsrCommand` record of that kind, with a fresh id and everything that is not named absent."""
    fresh = {"command_id": str(uuid4()), "command": kind.value, "issued_time": now()}
    return dict.fromkeys(_ABSENT) | {"scope": "project", "subject_identities": [], "projects": []} | fresh | more


def about(kind: CommandKind, project: str, request: str | None = None) -> Fields:
    """A command about a project, or about one request in it."""
    return command(kind, project=project, subject_request_id=request)


def check(fields: Fields, rules: Rules) -> None:
    """Raise `Refused` if the service would refuse the command, as far as these projects' rules can tell.

    Without any rule it can only be told whether it is a valid command.
    """
    parsed = parse(fields, now())
    about_these = concerned(fields, rules)
    if rules and not about_these:
        raise Refused(Reason.UNKNOWN_PROJECT)
    if about_these and parsed.request_type in COPIES:
        named = about_these if parsed.projects or not parsed.whole_org else []
        copyable(about_these[0], named)
    for rule in about_these:
        if parsed.identities:
            judge(parsed.identities, rule)


def explained(refusal: Refused) -> str:
    """The reason, and what to do about it."""
    more = REMEDIES.get(refusal.reason) or refusal.detail
    return f"{refusal.reason}: {more}" if more else str(refusal.reason)


def send(connection: Connection, codec: Codec, commands: Sequence[Fields]) -> list[bool]:
    """Write them to the commands' topic, keyed by org; which of them Kafka has."""
    orgs = {rule.project: rule.org for rule in connection.settings.rules().values()}
    records = [(_key(fields, orgs).encode(), codec.encode(schemas.COMMANDS, fields)) for fields in commands]
    return desk.send(connection.config, connection.kafka.commands, records)


def ensure(delivered: Sequence[bool], what: str, remedy: str) -> None:
    """`Fatal(BROKER_UNREACHABLE)` unless Kafka certainly has all of them; `remedy` is what to do then."""
    doubtful = delivered.count(False)
    if not doubtful:
        return
    several = len(delivered) > 1
    which = f"{doubtful:,} of {len(delivered):,} {what}s" if several else f"the {what}"
    others = "; the others have" if doubtful < len(delivered) else ""
    raise Fatal(Reason.BROKER_UNREACHABLE, f"{which} may or may not have arrived{others}. {remedy}")


def _key(fields: Fields, orgs: dict[ProjectId, OrgId]) -> str:
    key: str = fields["org"] or orgs.get(fields["project"]) or fields["project"]
    return key


def outcome_of(codec: Codec, value: bytes | None) -> Fields | None:
    """The decoded `DsrOutcome`; None for a record that this version cannot read."""
    try:
        return codec.decode(schemas.OUTCOMES, value)
    except Poison:
        return None


@dataclass(slots=True)
class Awaited:
    """What submitted requests are waited for: every (request, project) must end. `ends` is how each of them did.

    A request of a whole org is one for each of `projects`.
    """

    commands: dict[str, str]
    """Request id → command id."""
    projects: frozenset[str]
    ends: dict[tuple[str, str], str] = field(default_factory=dict)

    def hear(self, outcome: Fields) -> bool:
        """Take an outcome in; whether it is about one of ours."""
        request = outcome["subject_request_id"]
        if request not in self.commands:
            return False
        ended = outcome["stage"] in ENDED and (outcome["kind"] == "stage" or self._answers(outcome))
        projects = {outcome["project"]} & self.projects or self.projects
        if ended:
            self.ends.update({(request, project): outcome["stage"] for project in projects})
        return True

    def _answers(self, outcome: Fields) -> bool:
        """A reply to the very command that was sent: refused, or a duplicate of one that has ended."""
        return bool(outcome["command_id"] == self.commands[outcome["subject_request_id"]])

    @property
    def over(self) -> bool:
        """Every one of them has ended."""
        return len(self.ends) == len(self.commands) * len(self.projects)

    @property
    def well(self) -> bool:
        """Every one of them has ended as it should."""
        return self.over and all(stage in WELL for stage in self.ends.values())
