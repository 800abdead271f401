"""What a producer may ask for, parsed once: a `Command` that exists is valid, everything else is a `Refused`.

Words and enumerations follow OpenDSR 2.0; `amplitude_id` as an identity type is our addition.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from consumer.domain.deadline import Regulation, due
from consumer.domain.errors import Reason, Refused
from consumer.domain.subject import CommandId, Millis, OrgId, ProjectId, RequestId, Subject

MAX_IDENTITIES = 1_000
CLOCK_SKEW_MS = 5 * 60_000
"""How far a producer's clock may run ahead of ours before a time counts as "in the future"."""


_CANONICAL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


class CommandKind(StrEnum):
    """What to do."""

    SUBMIT = "submit"
    CANCEL = "cancel"
    RESUBMIT = "resubmit"
    APPROVE = "approve"
    PAUSE = "pause"
    RESUME = "resume"


class RequestType(StrEnum):
    """OpenDSR's request types."""

    ERASURE = "erasure"
    ACCESS = "access"
    PORTABILITY = "portability"


COPIES = frozenset({RequestType.ACCESS, RequestType.PORTABILITY})
"""What is answered with a package of the person's data."""


class IdentityKind(StrEnum):
    """The two things Amplitude's deletion API can be asked for."""

    USER_ID = "user_id"
    AMPLITUDE_ID = "amplitude_id"


@dataclass(frozen=True, slots=True)
class ProjectRule:
    """What a project's settings say about its requests."""

    project: ProjectId
    org: OrgId
    email_is_user_id: bool = False
    daily_cap: int = 10_000
    hold_ms: int = 0
    app: int | None = None
    """The number that Amplitude knows the project by."""
    org_keys: bool = False
    copies: bool = False
    """Whether there is a store to put copies into."""


Rules = Mapping[ProjectId, ProjectRule]


def concerned(fields: Mapping[str, Any], rules: Rules) -> list[ProjectRule]:
    """The projects that a decoded command is about; none if the settings do not have it, or one that it names."""
    if fields["scope"] == "org":
        of_org = {rule.project: rule for rule in rules.values() if rule.org == fields["org"]}
        named = fields["projects"] or of_org
        return [of_org[name] for name in named] if all(name in of_org for name in named) else []
    rule = rules.get(fields["project"])
    return [rule] if rule else []


@dataclass(frozen=True, slots=True)
class Identity:
    """One identity of the data subject, judged for one project. `refused` says why it cannot be asked for."""

    position: int
    kind: IdentityKind
    value: Subject
    refused: Reason | None = None


class Asked(NamedTuple):
    """What an answer to a command refers to, valid command or not."""

    command_id: CommandId
    request_id: RequestId | None
    project: ProjectId | None
    org: OrgId | None
    traceparent: str | None = None


def canonical(given: str) -> RequestId | None:
    """A UUID in whatever spelling as the one the ledger uses; None if it is none."""
    if _CANONICAL(given):
        return RequestId(given)
    try:
        return RequestId(str(UUID(given)))
    except ValueError:
        return None


def asked(fields: Mapping[str, Any], traceparent: str | None = None) -> Asked:
    """Read off any decoded `DsrCommand`; never raises. A malformed request id is left out: it could be anything."""
    return Asked(
        fields["command_id"],
        canonical(fields["subject_request_id"] or ""),
        fields["project"],
        fields["org"],
        traceparent,
    )


class Command(NamedTuple):
    """A valid command. Times are epoch milliseconds; `identities` are OpenDSR's (type, value, format), unjudged."""

    command_id: CommandId
    kind: CommandKind
    request_id: RequestId | None
    request_type: RequestType | None
    regulation: Regulation | None
    submitted: Millis
    deadline: Millis
    org: OrgId | None
    project: ProjectId | None
    whole_org: bool
    identities: tuple[tuple[str, Subject, str], ...]
    requested_by: str | None
    body_digest: bytes
    projects: tuple[ProjectId, ...] = ()


_NEEDS_REQUEST = frozenset({CommandKind.SUBMIT, CommandKind.RESUBMIT, CommandKind.CANCEL})
_NEEDS_BODY = frozenset({CommandKind.SUBMIT, CommandKind.RESUBMIT})


def parse(fields: Mapping[str, Any], now: Millis) -> Command:
    """A decoded `DsrCommand` record as a `Command`. Raises `Refused`; never quotes a value."""
    kind = _kind(fields)
    whole_org = _scope(fields)
    request_id = _request_id(fields, required=kind in _NEEDS_REQUEST)
    if (expires := fields["expires_time"]) is not None and expires <= now:
        raise Refused(Reason.EXPIRED_COMMAND)
    body = _body(fields, now) if kind in _NEEDS_BODY else (None, None, now, now)
    request_type, regulation, submitted, deadline = body
    return Command(
        command_id=_command_id(fields),
        kind=kind,
        request_id=request_id,
        request_type=request_type,
        regulation=regulation,
        submitted=submitted,
        deadline=deadline,
        org=fields["org"],
        project=fields["project"],
        whole_org=whole_org,
        identities=_identities(fields, needed=kind in _NEEDS_BODY),
        requested_by=fields["requested_by"],
        body_digest=_digest(fields),
        projects=tuple(fields["projects"]),
    )


def _kind(fields: Mapping[str, Any]) -> CommandKind:
    try:
        return CommandKind(fields["command"])
    except ValueError:
        raise Refused(Reason.UNSUPPORTED_REQUEST_TYPE, "unknown kind of command") from None


def _command_id(fields: Mapping[str, Any]) -> CommandId:
    if not fields["command_id"]:
        raise Refused(Reason.MISSING_FIELD, "command_id")
    return CommandId(fields["command_id"])


def _scope(fields: Mapping[str, Any]) -> bool:
    whole_org: bool = fields["scope"] == "org"
    if whole_org and fields["project"] is not None:
        raise Refused(Reason.CONTRADICTORY_COMMAND, "scope org together with a project")
    if fields["projects"] and (not whole_org or fields["subject_request_type"] not in COPIES):
        raise Refused(Reason.CONTRADICTORY_COMMAND, "projects are named for a copy with scope org")
    if not fields["org" if whole_org else "project"]:
        raise Refused(Reason.MISSING_FIELD, "org" if whole_org else "project")
    return whole_org


def _request_id(fields: Mapping[str, Any], *, required: bool) -> RequestId | None:
    given = fields["subject_request_id"]
    if given is None:
        if required:
            raise Refused(Reason.MISSING_FIELD, "subject_request_id")
        return None
    if (request_id := canonical(given)) is None:
        raise Refused(Reason.INVALID_REQUEST_ID, "subject_request_id is not a UUID")
    return request_id


def _body(fields: Mapping[str, Any], now: Millis) -> tuple[RequestType, Regulation | None, Millis, Millis]:
    submitted = fields["submitted_time"]
    if submitted is None:
        raise Refused(Reason.SUBMITTED_TIME_MISSING)
    if submitted > now + CLOCK_SKEW_MS:
        raise Refused(Reason.SUBMITTED_TIME_IN_FUTURE)
    try:
        request_type = RequestType(fields["subject_request_type"] or "")
        regulation = Regulation(fields["regulation"]) if fields["regulation"] is not None else None
    except ValueError:
        raise Refused(Reason.UNSUPPORTED_REQUEST_TYPE, "subject_request_type or regulation") from None
    deadline = due(submitted, regulation, fields["deadline"])
    if deadline <= submitted:
        raise Refused(Reason.CONTRADICTORY_COMMAND, "deadline before submitted_time")
    return request_type, regulation, submitted, deadline


def _identities(fields: Mapping[str, Any], *, needed: bool) -> tuple[tuple[str, Subject, str], ...]:
    given = fields["subject_identities"]
    if needed and not given:
        raise Refused(Reason.NO_IDENTITIES)
    if len(given) > MAX_IDENTITIES:
        raise Refused(Reason.TOO_MANY_IDENTITIES, f"at most {MAX_IDENTITIES}")
    return tuple((i["identity_type"], Subject(i["identity_value"]), i["identity_format"]) for i in given)


def _digest(fields: Mapping[str, Any]) -> bytes:
    """Eight bytes that change with whatever the request asks for, salted by the request id."""
    body = [fields[name] for name in ("subject_request_type", "regulation", "submitted_time", "deadline", "scope")]
    people = [(i["identity_type"], i["identity_value"], i["identity_format"]) for i in fields["subject_identities"]]
    salt = (fields["subject_request_id"] or "").replace("-", "").lower()[:16].encode("utf-8", "replace")[:16]
    if fields["projects"]:
        body.append(sorted(fields["projects"]))
    text = repr((body, people)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=8, salt=salt).digest()


def copyable(rule: ProjectRule, named: Sequence[ProjectRule]) -> None:
    """Raise `Refused` unless there is a store, and, of Amplitude's copy of a whole org, the projects that are named
    can be told apart. `rule` is any project of the org."""
    if not rule.copies:
        raise Refused(Reason.COPIES_NOT_CONFIGURED)
    if rule.org_keys and any(each.app is None for each in named):
        raise Refused(Reason.APP_ID_MISSING)


def judge(identities: Sequence[tuple[str, Subject, str]], rule: ProjectRule) -> tuple[Identity, ...]:
    """Which identities Amplitude can be asked for in this project; refused ones keep their position and say why.

    Raises `Refused` when none is left, with the first one's reason.
    """
    judged = tuple(_judge_one(position, *identity, rule) for position, identity in enumerate(identities))
    if all(identity.refused for identity in judged):
        raise Refused(judged[0].refused or Reason.NO_IDENTITIES)
    return judged


def _judge_one(position: int, kind: str, value: Subject, form: str, rule: ProjectRule) -> Identity:
    wanted = IdentityKind.AMPLITUDE_ID if kind == "amplitude_id" else IdentityKind.USER_ID
    return Identity(position, wanted, value, _refusal(kind, value.reveal(), form, rule))


def _refusal(kind: str, value: str, form: str, rule: ProjectRule) -> Reason | None:
    if not value.strip():
        return Reason.EMPTY_IDENTITY
    if form != "raw":
        return Reason.UNSUPPORTED_IDENTITY
    if kind == "email":
        return None if rule.email_is_user_id else Reason.EMAIL_IS_NOT_USER_ID
    if kind == "amplitude_id":
        return None if value.isascii() and value.isdigit() and len(value) < 20 else Reason.INVALID_AMPLITUDE_ID
    return None if kind == "controller_customer_id" else Reason.UNSUPPORTED_IDENTITY
