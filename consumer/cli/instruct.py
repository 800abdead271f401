"""`dsr cancel`, `approve`, `pause` and `resume`: commands about requests and projects that the service knows."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer

from consumer.adapters.avro.codec import Codec
from consumer.adapters.kafka import desk
from consumer.adapters.kafka.survey import Survey, survey
from consumer.cli import discoveries, lookup, sending
from consumer.cli.connection import Connection, connect
from consumer.cli.options import AsJson, Embedded, File, Since, Yes
from consumer.cli.printing import DIM, emit, iso, plural, remark, say, shown
from consumer.domain.command import CommandKind
from consumer.domain.entry import RequestEntry
from consumer.domain.errors import Reason, Refused
from consumer.domain.halt import Halt
from consumer.turn import Partition

Project = Annotated[
    str | None, typer.Option("--project", "-p", metavar="NAME", help="The project's name in the settings.")
]
Id = Annotated[UUID | None, typer.Argument(metavar="REQUEST", help="The request id that `dsr submit` printed.")]


def cancel(
    request: Id = None,
    project: Project = None,
    since: Since = None,
    yes: Yes = False,
    discovery: Annotated[bool, typer.Option("--discovery", help="The id is a discovery's; needs --project.")] = False,
    settings: File = None,
    embedded: Embedded = False,
    json: AsJson = False,
) -> None:
    """Cancel one request, one discovery, or every open request of a project that was accepted since a time.

    Possible until three days before the deletion job's day; what comes later is
    answered with too_late, identity by identity. The answer is an outcome: `dsr
    watch REQUEST` shows it. Without --project the request is looked up in the
    ledger. Many are counted and confirmed first, and cancelled one by one.

    \b
    Examples:
      dsr cancel 6f0c6a52-5d0e-4c1c-9a0b-3b6f2f0a7d11
      dsr cancel --project shop --since 30m
      dsr cancel --discovery 5d0f2d1e-6a35-4f0e-9d47-3c1f5a0c9a11 -p shop

    \b
    JSON, one a command: {"request_id","command_id","project","command"}
    Exit codes: 0 sent, or nothing to cancel; 1 not known, already ended, or you
      said no; 2 usage or settings; 3 no Kafka.
    """
    if (request is None) == (since is None) or (since is not None and project is None):
        raise typer.BadParameter("give a REQUEST, or --project and --since")
    connection = connect(settings, use_embedded=embedded)
    if discovery:
        if request is None or project is None:
            raise typer.BadParameter("--discovery goes with its id and --project")
        discoveries.cancel(request, project, connection, json=json)
        return
    connection.reach()
    with connection.codec() as codec:
        if request is not None:
            _send(connection, codec, lookup.about(connection, codec, CommandKind.CANCEL, request, project), json=json)
            return
        entries = lookup.accepted_since(connection, codec, str(project), since or 0)
        if _agreed(entries, str(project), yes=yes):
            commands = [sending.about(CommandKind.CANCEL, entry.project, entry.request_id) for entry in entries]
            _send(connection, codec, commands, json=json)


def approve(
    request: Id = None, project: Project = None, settings: File = None, embedded: Embedded = False, json: AsJson = False
) -> None:
    """Release what is held: one request, or everything that is held in a project now (daily cap, hold period).

    \b
    Examples:
      dsr approve 6f0c6a52-5d0e-4c1c-9a0b-3b6f2f0a7d11
      dsr approve --project shop

    \b
    JSON: {"request_id","command_id","project","command"}.
    Exit codes: 0 sent; 1 not known, or already ended; 2 usage or settings; 3 no
      Kafka.
    """
    if request is None and project is None:
        raise typer.BadParameter("give a REQUEST or --project")
    connection = connect(settings, use_embedded=embedded)
    if request is None:
        _known(connection, project)
    connection.reach()
    with connection.codec() as codec:
        commands = lookup.about(connection, codec, CommandKind.APPROVE, request, project)
        _send(connection, codec, commands, json=json)


def pause(
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="The project's name in the settings.")],
    settings: File = None,
    embedded: Embedded = False,
    json: AsJson = False,
) -> None:
    """Stop sending a project's requests to Amplitude. What is scheduled there already goes on and is followed.

    \b
    Example:
      dsr pause shop

    \b
    JSON: {"request_id","command_id","project","command"}.
    Exit codes: 0 sent; 1 not a project of the settings; 2 usage or settings; 3
      no Kafka.
    """
    connection = connect(settings, use_embedded=embedded)
    _known(connection, project)
    connection.reach()
    with connection.codec() as codec:
        _send(connection, codec, [sending.about(CommandKind.PAUSE, project)], json=json)


def resume(
    project: Annotated[str | None, typer.Argument(metavar="PROJECT", help="The paused project.")] = None,
    halted: Annotated[bool, typer.Option("--halted", help="Let halted partitions take commands in again.")] = False,
    partition: Annotated[int | None, typer.Option(help="With --halted: only this partition.")] = None,
    settings: File = None,
    embedded: Embedded = False,
    json: AsJson = False,
) -> None:
    """Go on: with a paused project, or with partitions that too many dead letters have halted.

    A halt means that a producer, and not a record, was broken: mend it first,
    then lift the halt. What was dead-lettered meanwhile waits for `dsr dlq
    redrive`.

    \b
    Examples:
      dsr resume shop
      dsr resume --halted
      dsr resume --halted --partition 3

    \b
    JSON: as `dsr pause`; with --halted, one a halt lifted:
      {"partition","reason","since","dead_letters"}
    Exit codes: 0 sent or lifted; 1 nothing is halted, or there is no such
      project; 2 usage or settings; 3 no Kafka.
    """
    if partition is not None and not halted:
        raise typer.BadParameter("--partition goes with --halted")
    if project is not None and halted:
        raise typer.BadParameter("give a PROJECT or --halted, not both")
    if project is None and not halted:
        raise typer.BadParameter("give a PROJECT, or --halted")
    connection = connect(settings, use_embedded=embedded)
    _known(connection, project)
    connection.reach()
    with connection.codec() as codec:
        if project is not None:
            _send(connection, codec, [sending.about(CommandKind.RESUME, project)], json=json)
        else:
            raise typer.Exit(_lift(connection, codec, partition, json=json))


def _lift(connection: Connection, codec: Codec, only: int | None, *, json: bool) -> int:
    with connection.ledger() as reader:
        found: Survey[None] = survey(reader, codec, lambda _: None, about="")
    halts = {place: halt for place, halt in sorted(found.halts.items()) if only in {None, place}}
    if not halts:
        where = "no partition is halted" if only is None else f"partition {only} is not halted"
        remark(f"{where}; there is nothing to lift")
        return 1
    for place, halt in halts.items():
        emit(halt_json(place, halt)) if json else say(halt_line(place, halt))
    desk.lift(connection.config, connection.kafka.ledger, halts)
    remark(f"{plural(len(halts), 'halt')} lifted; the service takes commands in again when it sees that", DIM)
    return 0


def halt_line(place: Partition, halt: Halt) -> str:
    """A halt for people."""
    dead = plural(halt.dead_letters, "dead letter")
    return f"partition {place} is halted since {shown(halt.since)}: {halt.reason}, {dead} in the window"


def halt_json(place: Partition, halt: Halt) -> dict[str, object]:
    """A halt for programs."""
    return {
        "partition": place,
        "reason": halt.reason.value,
        "since": iso(halt.since),
        "dead_letters": halt.dead_letters,
    }


def _agreed(entries: Sequence[RequestEntry], project: str, *, yes: bool) -> bool:
    if not entries:
        remark(f"no open request of {project} was accepted since then; nothing was sent")
        return False
    stages = Counter(entry.stage or entry.reached for entry in entries)
    told = ", ".join(f"{count:,} {stage}" for stage, count in stages.most_common())
    first, last = shown(entries[0].accepted), shown(entries[-1].accepted)
    remark(f"{plural(len(entries), 'open request')} of {project}, accepted from {first} to {last} (UTC): {told}")
    if not yes and not sys.stdin.isatty():
        remark("nothing was sent; use --yes")
        raise typer.Exit(1)
    if not yes:
        typer.confirm("Cancel all of them?", abort=True, err=True)
    return True


def _send(connection: Connection, codec: Codec, commands: Sequence[sending.Fields], *, json: bool) -> None:
    if not commands:
        return
    first = commands[0]
    if not connection.has(first["project"]):
        remark("these settings have no such project any more; a service without it refuses the command")
    delivered = sending.send(connection, codec, commands)
    for fields, there in zip(commands, delivered, strict=True):
        if there:
            _tell(fields, json=json)
    alone = first["subject_request_id"] if len(commands) == 1 else None
    follow = f"dsr watch {alone}" if alone else f"dsr watch -p {first['project']} --since 1m"
    sending.ensure(delivered, "command", f"`{follow}` shows the answer of what has; else send it again")
    remark(f"sent; `{follow}` shows the {'answer' if len(commands) == 1 else 'answers'}", DIM)


def _known(connection: Connection, project: str | None) -> None:
    """For what changes a project as such: the service would refuse the command for any other."""
    if not connection.has(project):
        raise Refused(Reason.UNKNOWN_PROJECT)


def _tell(fields: sending.Fields, *, json: bool) -> None:
    request = fields["subject_request_id"]
    if json:
        told = {"request_id": request, "command_id": fields["command_id"]}
        emit(told | {"project": fields["project"], "command": fields["command"]})
    else:
        say(f"{fields['command']}  {request or 'the whole project'}  {fields['project']}")
