"""What submissions of any kind share: whom they are about, what would be refused, sending, and waiting for the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer

from consumer.adapters.avro.codec import Codec
from consumer.adapters.kafka.reading import Positions
from consumer.cli import sending, stories
from consumer.cli.connection import Connection
from consumer.cli.identities import IdType, Person, given, listed, oddity
from consumer.cli.options import TIME, instant
from consumer.cli.printing import BAD, DIM, emit, lines, plural, remark, say
from consumer.domain.command import COPIES, Rules, concerned
from consumer.domain.deadline import Regulation
from consumer.domain.errors import Refused

Users = Annotated[
    list[str] | None, typer.Option("--user-id", "-u", metavar="ID", help="Amplitude user id, exact. Repeatable.")
]
AmplitudeIds = Annotated[
    list[str] | None, typer.Option("--amplitude-id", "-a", metavar="ID", help="Amplitude ID. Repeatable.")
]
Emails = Annotated[
    list[str] | None,
    typer.Option(
        "--email", "-e", metavar="ID", help="Only where the project's user id is the e-mail address. Repeatable."
    ),
]
Listed = Annotated[
    str | None, typer.Option("--file", "-f", metavar="FILE", help="A file with one id a line; - is stdin.")
]
Together = Annotated[bool, typer.Option("--together", help="All lines are one request (one person).")]
Law = Annotated[Regulation | None, typer.Option(help="Decides the deadline.")]
Submitted = Annotated[
    int | None, typer.Option(parser=instant, metavar="TIME", help=f"When the person asked; default: now. {TIME}")
]
Deadline = Annotated[
    int | None, typer.Option(parser=instant, metavar="TIME", help="If it is not the regulation's own.")
]
RequestedBy = Annotated[str | None, typer.Option(help="A role or a system, for the record; no person's address.")]
RequestId = Annotated[
    UUID | None,
    typer.Option(metavar="ID", help="The request's UUID, if you have one: asking again is then no second request."),
]
Unchecked = Annotated[
    bool, typer.Option("--unchecked", help="Send it even if these settings say that it would be refused.")
]


def publishable(requested_by: str | None) -> str | None:
    """The option as given; a usage error for what looks like a person's address."""
    if requested_by is not None and "@" in requested_by:
        raise typer.BadParameter("--requested-by is published: name a role or a system, not a person's address")
    return requested_by


def people_of(
    users: list[str], amplitude_ids: list[str], emails: list[str], file: str | None, kind: IdType, together: bool
) -> list[Person]:
    """Whom the options name, or the file; a usage error for both, and for an empty file."""
    named = given(users, amplitude_ids, emails)
    if file is not None and not named:
        people = listed(file, kind, together=together)
        if not people:
            raise typer.BadParameter("the file is empty")
        return people
    if named and file is not None:
        raise typer.BadParameter("name people by options or by --file, not both")
    return named


def usage(people: list[Person], project: str | None, org: str | None, scope_org: bool, request: UUID | None) -> None:
    """Usage errors of an erasure's options."""
    if scope_org and (org is None or project is not None):
        raise typer.BadParameter("--scope-org goes with --org and without --project")
    if not scope_org and project is None:
        raise typer.BadParameter("--project is missing (or --scope-org with --org)")
    one_person(people, request)


def one_person(people: list[Person], request: UUID | None) -> None:
    """Usage errors about whom a submission names."""
    if not people:
        raise typer.BadParameter("nobody is named: give --user-id, --amplitude-id, --email or --file")
    if request is not None and len(people) > 1:
        raise typer.BadParameter("--request-id is for one request; this file makes several (or say --together)")


def check(connection: Connection, commands: list[sending.Fields], people: list[Person]) -> None:
    """Say what would be refused, by line; nothing is sent then."""
    rules = connection.settings.rules()
    places: dict[str, list[int]] = {}
    for fields, person in zip(commands, people, strict=True):
        if objection := _objection(fields, person, rules):
            places.setdefault(objection, []).append(person.line)
    for objection, where in places.items():
        remark(f"{lines(where)}: {objection}" if where[0] else objection, BAD)
    if places:
        refused = plural(sum(map(len, places.values())), "request")
        remark(f"{refused} objected to; nothing was sent (--unchecked sends anyway)")
        raise typer.Exit(1)
    if not rules:
        remark("no projects in these settings, so only the service can tell whether it knows this one", DIM)


def _objection(fields: sending.Fields, person: Person, rules: Rules) -> str | None:
    odd = next(filter(None, (oddity(identity["identity_value"]) for identity in person.identities)), None)
    if odd is not None:
        return odd
    try:
        sending.check(fields, rules)
    except Refused as refusal:
        return sending.explained(refusal)
    return None


def submit(
    connection: Connection,
    codec: Codec,
    commands: list[sending.Fields],
    people: list[Person],
    *,
    wait: bool,
    json: bool,
) -> int:
    """Send them, say what was sent, and with `wait` follow them to their ends; the exit code."""
    awaited = _awaited(connection, commands) if wait else None
    start = _ends(connection) if wait else {}
    delivered = sending.send(connection, codec, commands)
    _report(commands, people, delivered, json=json)
    return 0 if awaited is None else _follow(connection, codec, awaited, start, json=json)


def _report(
    commands: Sequence[sending.Fields], people: Sequence[Person], delivered: Sequence[bool], *, json: bool
) -> None:
    """The id of every request, of those in doubt too: it is what makes asking again harmless. `Fatal` if any is."""
    for fields, person, there in zip(commands, people, delivered, strict=True):
        if json:
            emit(_as_json(fields, person, sent=there))
        elif there:
            say(fields["subject_request_id"])
        else:
            where = f" (line {person.line})" if person.line else ""
            remark(f"in doubt: {fields['subject_request_id']}{where}", BAD)
    sending.ensure(delivered, "request", "Repeating it with `--request-id` and the id above cannot ask twice")


def _as_json(fields: sending.Fields, person: Person, *, sent: bool) -> dict[str, object]:
    told = {"request_id": fields["subject_request_id"], "command_id": fields["command_id"]}
    return told | {"project": fields["project"], "org": fields["org"], "line": person.line or None, "sent": sent}


def _awaited(connection: Connection, commands: list[sending.Fields]) -> sending.Awaited:
    first = commands[0]
    if first["subject_request_type"] in COPIES:  # one answer, whichever projects are in it
        whose = str(first["org"] or first["project"])
        commands_of = {fields["subject_request_id"]: fields["command_id"] for fields in commands}
        return sending.Awaited(commands_of, frozenset({whose}))
    about = concerned(first, connection.settings.rules())
    projects = frozenset(str(rule.project) for rule in about) or frozenset(filter(None, [first["project"]]))
    if not projects:
        raise typer.BadParameter("--wait with --scope-org needs settings that name the org's projects")
    return sending.Awaited({fields["subject_request_id"]: fields["command_id"] for fields in commands}, projects)


def _ends(connection: Connection) -> Positions:
    with connection.outcomes() as reader:
        return reader.ends()


def _follow(connection: Connection, codec: Codec, awaited: sending.Awaited, start: Positions, *, json: bool) -> int:
    """Print what is said about them until all have ended."""
    try:
        with connection.outcomes() as reader:
            for record in reader.follow(start):
                outcome = sending.outcome_of(codec, record.value) if record else None
                if outcome is not None and awaited.hear(outcome):
                    emit(stories.as_json(outcome)) if json else stories.tell(outcome)
                if awaited.over:
                    break
    except KeyboardInterrupt:
        remark("no longer waiting; the requests go on", DIM)
    return 0 if awaited.well else 1
