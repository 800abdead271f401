"""`dsr submit`: ask for somebody to be erased."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID, uuid4

import typer

from consumer.adapters.avro.codec import Codec
from consumer.adapters.kafka.reading import Positions
from consumer.cli import sending, stories
from consumer.cli.connection import Connection, connect
from consumer.cli.identities import IdType, Kind, Person, given, listed, oddity
from consumer.cli.options import TIME, AsJson, Embedded, File, instant, now
from consumer.cli.printing import BAD, DIM, emit, lines, plural, remark, say
from consumer.domain.command import CommandKind, RequestType, Rules, concerned
from consumer.domain.deadline import Regulation
from consumer.domain.errors import Refused

app = typer.Typer(no_args_is_help=True, help="Ask for somebody to be erased, or for a project to be scanned.")

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


@app.command()
def erase(
    project: Annotated[
        str | None, typer.Option("--project", "-p", metavar="NAME", help="The project's name in the settings.")
    ] = None,
    users: Users = None,
    amplitude_ids: AmplitudeIds = None,
    emails: Emails = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", metavar="FILE", help="A file with one id a line; - is stdin.")
    ] = None,
    kind: Kind = IdType.USER_ID,
    together: Annotated[bool, typer.Option("--together", help="All lines are one request (one person).")] = False,
    regulation: Annotated[Regulation | None, typer.Option(help="Decides the deadline.")] = None,
    submitted: Annotated[
        int | None,
        typer.Option(parser=instant, metavar="TIME", help=f"When the person asked; default: now. {TIME}"),
    ] = None,
    deadline: Annotated[
        int | None, typer.Option(parser=instant, metavar="TIME", help="If it is not the regulation's own.")
    ] = None,
    requested_by: Annotated[
        str | None, typer.Option(help="A role or a system, for the record; no person's address.")
    ] = None,
    org: Annotated[str | None, typer.Option(help="The Amplitude org, with --scope-org.")] = None,
    scope_org: Annotated[bool, typer.Option("--scope-org", help="Every project of --org, one answer each.")] = False,
    request_id: Annotated[
        UUID | None,
        typer.Option(metavar="ID", help="The request's UUID, if you have one: asking again is then no second request."),
    ] = None,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Send it even if these settings say that it would be refused.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Follow it to its end (weeks). Exit code 1 unless done or not_found.")
    ] = False,
    settings: File = None,
    embedded: Embedded = False,
    json: AsJson = False,
) -> None:
    """Ask for a person to be erased. Prints the request id: you need it to follow or cancel the request.

    Identities given as options are one request, about one person. A file is one
    request for each line, because a request is about one person: each has its
    own id, deadline and answer, and can be cancelled alone. The service batches
    them into POSTs of 100 anyway. --together makes one request of all lines, at
    most 1,000.

    Options are seen by others on this machine (process list, shell history):
    prefer --file.

    \b
    Examples:
      dsr submit erase -p shop --user-id u-1001
      dsr submit erase -p shop -f ids.txt --regulation gdpr --submitted 3d
      cut -d, -f2 leavers.csv | dsr submit erase -p shop -f - --json
      dsr submit erase --scope-org --org acme -u u-1001 --wait

    \b
    JSON, one a request: {"request_id","command_id","project","org","line",
      "sent"}, sent false: in doubt; with --wait, outcomes as of `dsr watch`
      follow.
    Exit codes: 0 sent (with --wait: done or not_found); 1 it would be refused
      and nothing was sent, or it ended otherwise; 2 usage or settings; 3 Kafka
      could not be reached.
    """
    if requested_by is not None and "@" in requested_by:
        raise typer.BadParameter("--requested-by is published: name a role or a system, not a person's address")
    people = _people(users or [], amplitude_ids or [], emails or [], file, kind, together)
    _usage(people, project, org, scope_org, request_id)
    body = {
        "subject_request_type": RequestType.ERASURE.value,
        "regulation": regulation.value if regulation else None,
        "submitted_time": submitted if submitted is not None else now(),
        "deadline": deadline,
        "requested_by": requested_by,
        "org": org,
        "project": project,
        "scope": "org" if scope_org else "project",
    }
    commands = [
        sending.command(
            CommandKind.SUBMIT,
            **body,
            subject_request_id=str(request_id or uuid4()),
            subject_identities=person.identities,
        )
        for person in people
    ]
    connection = connect(settings, use_embedded=embedded)
    if not unchecked:
        _check(connection, commands, people)
    connection.reach()
    with connection.codec() as codec:
        raise typer.Exit(_submit(connection, codec, commands, people, wait=wait, json=json))


def _people(
    users: list[str], amplitude_ids: list[str], emails: list[str], file: str | None, kind: IdType, together: bool
) -> list[Person]:
    named = given(users, amplitude_ids, emails)
    if file is not None and not named:
        people = listed(file, kind, together=together)
        if not people:
            raise typer.BadParameter("the file is empty")
        return people
    if named and file is not None:
        raise typer.BadParameter("name people by options or by --file, not both")
    return named


def _usage(people: list[Person], project: str | None, org: str | None, scope_org: bool, request: UUID | None) -> None:
    if scope_org and (org is None or project is not None):
        raise typer.BadParameter("--scope-org goes with --org and without --project")
    if not scope_org and project is None:
        raise typer.BadParameter("--project is missing (or --scope-org with --org)")
    if not people:
        raise typer.BadParameter("nobody is named: give --user-id, --amplitude-id, --email or --file")
    if request is not None and len(people) > 1:
        raise typer.BadParameter("--request-id is for one request; this file makes several (or say --together)")


def _check(connection: Connection, commands: list[sending.Fields], people: list[Person]) -> None:
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


def _submit(
    connection: Connection,
    codec: Codec,
    commands: list[sending.Fields],
    people: list[Person],
    *,
    wait: bool,
    json: bool,
) -> int:
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
