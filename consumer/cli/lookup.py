"""What a command is about, looked up in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import typer

from consumer.adapters.avro.codec import Codec
from consumer.adapters.kafka.survey import survey
from consumer.cli import sending
from consumer.cli.connection import Connection
from consumer.cli.printing import remark
from consumer.domain.command import CommandKind
from consumer.domain.entry import RequestEntry
from consumer.domain.errors import Reason, Refused


def about(
    connection: Connection, codec: Codec, kind: CommandKind, request: UUID | None, project: str | None
) -> list[sending.Fields]:
    """The command about a request or a project; the ledger is asked when the project is not given, or is none of the
    settings'. `Refused` when the ledger does not know it; ends the command when there is nothing left to be told."""
    if request is None or (project is not None and connection.has(project)):
        return [sending.about(kind, str(project), str(request) if request else None)]
    with connection.ledger() as reader:
        found = survey(reader, codec, lambda entry: entry, about=str(request))
    entries = [entry for entry in found.requests.values() if project in {None, entry.place}]
    if not entries and project is not None:
        raise Refused(Reason.UNKNOWN_PROJECT)
    if not entries:
        raise Refused(Reason.UNKNOWN_REQUEST, "not in the ledger; was it accepted? `dsr status REQUEST` knows more")
    only = _only(entries)
    if only.copy is not None and not only.project:
        return [sending.command(kind, org=only.org, scope="org", subject_request_id=str(request))]
    return [sending.about(kind, only.project, str(request))]


def _only(entries: Sequence[RequestEntry]) -> RequestEntry:
    """The one that can still be told something."""
    going = [entry for entry in entries if not entry.ended]
    if not going:
        stages = sorted({(entry.stage or entry.reached).replace("_", " ") for entry in entries})
        remark(f"already {', '.join(stages)}; nothing was sent")
        raise typer.Exit(1)
    if len(going) > 1:
        projects = ", ".join(sorted(entry.place for entry in going))
        raise typer.BadParameter(f"the request is in several projects ({projects}): say --project")
    return going[0]


def accepted_since(connection: Connection, codec: Codec, project: str, since: int) -> list[RequestEntry]:
    """What can still be cancelled of a project, by time. `Refused(UNKNOWN_PROJECT)` if the ledger has none of it."""
    known = connection.has(project)

    def keep(entry: RequestEntry) -> RequestEntry | None:
        nonlocal known
        known = known or entry.project == project
        ours = entry.project == project and entry.accepted >= since
        cancellable = not entry.ended and entry.cancel_command is None and entry.erased is None
        return entry if ours and cancellable else None

    with connection.ledger() as reader:
        found = survey(reader, codec, keep)
    if not known:
        raise Refused(Reason.UNKNOWN_PROJECT)
    return sorted(found.requests.values(), key=lambda entry: (entry.accepted, entry.request_id))
