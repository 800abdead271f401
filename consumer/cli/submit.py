"""`dsr submit`: ask for somebody to be erased, or for a copy of what is held on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import typer

from consumer.cli import sending, submission
from consumer.cli.connection import connect
from consumer.cli.identities import IdType, Kind, Person
from consumer.cli.options import AsJson, Embedded, File, now
from consumer.cli.submission import (
    AmplitudeIds,
    Deadline,
    Emails,
    Law,
    Listed,
    RequestedBy,
    RequestId,
    Submitted,
    Together,
    Unchecked,
    Users,
    check,
    one_person,
    people_of,
    publishable,
    usage,
)
from consumer.domain.command import CommandKind, RequestType

app = typer.Typer(
    no_args_is_help=True,
    help="Ask for somebody to be erased, for a copy of their data, or for a project to be scanned.",
)


@app.command()
def erase(
    project: Annotated[
        str | None, typer.Option("--project", "-p", metavar="NAME", help="The project's name in the settings.")
    ] = None,
    users: Users = None,
    amplitude_ids: AmplitudeIds = None,
    emails: Emails = None,
    file: Listed = None,
    kind: Kind = IdType.USER_ID,
    together: Together = False,
    regulation: Law = None,
    submitted: Submitted = None,
    deadline: Deadline = None,
    requested_by: RequestedBy = None,
    org: Annotated[str | None, typer.Option(help="The Amplitude org, with --scope-org.")] = None,
    scope_org: Annotated[bool, typer.Option("--scope-org", help="Every project of --org, one answer each.")] = False,
    request_id: RequestId = None,
    unchecked: Unchecked = False,
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
    people = people_of(users or [], amplitude_ids or [], emails or [], file, kind, together)
    usage(people, project, org, scope_org, request_id)
    body = {
        "subject_request_type": RequestType.ERASURE.value,
        "regulation": regulation.value if regulation else None,
        "submitted_time": submitted if submitted is not None else now(),
        "deadline": deadline,
        "requested_by": publishable(requested_by),
        "org": org,
        "project": project,
        "scope": "org" if scope_org else "project",
    }
    _send(people, body, request_id, settings, unchecked=unchecked, wait=wait, embedded=embedded, json=json)


@app.command()
def copy(
    project: Annotated[
        list[str] | None,
        typer.Option("--project", "-p", metavar="NAME", help="Only this project's data. Repeatable with --org."),
    ] = None,
    org: Annotated[str | None, typer.Option(help="The Amplitude org; without --project all of it.")] = None,
    users: Users = None,
    amplitude_ids: AmplitudeIds = None,
    emails: Emails = None,
    file: Listed = None,
    kind: Kind = IdType.USER_ID,
    together: Together = False,
    portability: Annotated[bool, typer.Option("--portability", help="Portability (GDPR 20), not access (15).")] = False,
    regulation: Law = None,
    submitted: Submitted = None,
    deadline: Deadline = None,
    requested_by: RequestedBy = None,
    request_id: RequestId = None,
    unchecked: Unchecked = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", "-w", help="Follow it until it is delivered, up to days. Exit code 1 if it is not."),
    ] = False,
    settings: File = None,
    embedded: Embedded = False,
    json: AsJson = False,
) -> None:
    """Ask for a copy of everything that Amplitude holds on a person. Prints the request id.

    The copy is put into the store of the settings (copies.store): raw events, a
    readable page, a manifest. `dsr copy REQUEST` shows and checks it. With the
    org's own keys Amplitude makes the copy; without them it is made from what
    each project shows of the person, and says so.

    An erasure that is submitted afterwards waits for the copy.

    \b
    Examples:
      dsr submit copy -p shop --user-id u-1001 --wait
      dsr submit copy --org acme -f ids.txt --regulation gdpr
      dsr submit copy --org acme -p shop -p app -u u-1001

    \b
    JSON, one a request: as of `dsr submit erase`.
    Exit codes: 0 sent (with --wait: delivered or not_found); 1 it would be
      refused and nothing was sent, or it ended otherwise; 2 usage or settings;
      3 Kafka could not be reached.
    """
    people = people_of(users or [], amplitude_ids or [], emails or [], file, kind, together)
    named = project or []
    if org is None and len(named) != 1:
        raise typer.BadParameter("say --project, or --org and if you like several --project")
    one_person(people, request_id)
    body = {
        "subject_request_type": (RequestType.PORTABILITY if portability else RequestType.ACCESS).value,
        "regulation": regulation.value if regulation else None,
        "submitted_time": submitted if submitted is not None else now(),
        "deadline": deadline,
        "requested_by": publishable(requested_by),
        "org": org,
        "project": None if org else named[0],
        "scope": "org" if org else "project",
        "projects": named if org else [],
    }
    _send(people, body, request_id, settings, unchecked=unchecked, wait=wait, embedded=embedded, json=json)


def _send(
    people: list[Person],
    body: Mapping[str, object],
    request_id: UUID | None,
    settings: Path | None,
    *,
    unchecked: bool,
    wait: bool,
    embedded: bool,
    json: bool,
) -> None:
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
        check(connection, commands, people)
    connection.reach()
    with connection.codec() as codec:
        raise typer.Exit(submission.submit(connection, codec, commands, people, wait=wait, json=json))
