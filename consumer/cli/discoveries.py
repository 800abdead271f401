"""`dsr submit discover`, the cancelling of it, and how what is said about discoveries is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.kafka import desk
from consumer.adapters.kafka.reading import Positions
from consumer.cli import discovery_stories as stories
from consumer.cli.connection import Connection, connect
from consumer.cli.options import AsJson, Embedded, File, now
from consumer.cli.printing import BAD, DIM, emit, err, remark, say
from consumer.cli.sending import ensure, explained
from consumer.domain.discovery.command import parse
from consumer.domain.discovery.discovery import ENDS, Stage
from consumer.domain.errors import Reason, Refused
from consumer.domain.hours import DAY_HOURS, Hour, Span, final_from, hour_of, newest_final_day, start_of, text
from consumer.domain.hours import parse as parsed_hour
from consumer.domain.subject import Millis

Fields = dict[str, Any]
HOUR = "An upload hour in UTC like 2026-06-16T09, or a day like 2026-06-16"


def first_hour(given: str) -> int:
    """The hour, or the day's first one, for typer."""
    hour = parsed_hour(given)
    if hour is None:
        raise typer.BadParameter(f"not an hour. {HOUR}")
    return hour


def last_hour(given: str) -> int:
    """The hour, or the day's last one, for typer; of today, the hour that has begun."""
    hour = first_hour(given)
    return hour if "T" in given else _end_of_day(hour, now())


def _end_of_day(hour: int, instant: Millis) -> int:
    """The last hour of its day that is not to come; the hour itself if it is to come."""
    return min(hour // DAY_HOURS * DAY_HOURS + DAY_HOURS - 1, max(hour, hour_of(instant)))


Project = Annotated[str, typer.Option("--project", "-p", metavar="NAME", help="The project's name in the settings.")]
From = Annotated[
    int | None, typer.Option("--from", parser=first_hour, metavar="HOUR", help=f"{HOUR} (its first hour).")
]
To = Annotated[
    int | None,
    typer.Option("--to", parser=last_hour, metavar="HOUR", help="Likewise, inclusive (its last hour; of today, this)."),
]


def window(first: int | None, last: int | None, final_after_ms: int, instant: Millis) -> Span:
    """What was asked for, else the newest day that is final. A lone `first` means until its day's end, or until now if
    that is today; a lone `last`, from its day's beginning.
    """
    if first is None and last is None:
        return newest_final_day(instant, final_after_ms)
    start = first if first is not None else (last or 0) // DAY_HOURS * DAY_HOURS
    return Span(Hour(start), Hour(last if last is not None else _end_of_day(start, instant)))


def unfinished(span: Span, final_after_ms: int, instant: Millis) -> str | None:
    """When the last of these hours can be exported whole, for a remark; None if they all can be now."""
    final = final_from(span.last, final_after_ms)
    if final <= instant:
        return None
    at = datetime.fromtimestamp(final / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"Amplitude's export of {text(span.last)} is complete from {at} on"


def discover(
    project: Project,
    first: From = None,
    last: To = None,
    continuous: Annotated[
        bool, typer.Option("--continuous", help="Scan every upload hour once it is final, until it is cancelled.")
    ] = False,
    sample: Annotated[float, typer.Option(metavar="SHARE", help="Look at this share of the events only.")] = 1.0,
    restart: Annotated[bool, typer.Option("--restart", help="Forget the project's inventory first.")] = False,
    rules: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="Refuse workers with other rules; see `dsr rules list`.")
    ] = None,
    requested_by: Annotated[str | None, typer.Option(help="A role or a system; it is published.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is done, and say how it went.")] = False,
    settings: File = None,
    embedded: Embedded = False,
    json: AsJson = False,
) -> None:
    """Ask for a project's whole export of some hours to be scanned for personal data.

    Without --from and --to: the newest day that is final, which is yesterday
    from three hours after midnight UTC on. With --from alone: to the end of that
    day, or until now. `dsr discover` must run somewhere.
    Hours that were scanned before are not read again: each counts once in the
    inventory. What is found: `dsr inventory NAME`.

    \b
    Examples:
      dsr submit discover -p shop
      dsr submit discover -p shop --from 2026-06-01 --to 2026-06-30 --wait
      dsr submit discover -p shop --continuous

    \b
    JSON: {"discovery_id","command_id","project","sent"}; with --wait, the
      outcomes as of `dsr watch --discoveries` follow.
    Exit codes: 0 sent (with --wait: done); 1 it would be refused, or it ended
      otherwise; 2 usage or settings; 3 Kafka could not be reached.
    """
    if requested_by is not None and "@" in requested_by:
        raise typer.BadParameter("--requested-by is published: name a role or a system, not a person's address")
    if continuous and last is not None:
        raise typer.BadParameter("--continuous has no --to: it goes on until `dsr cancel --discovery`")
    connection = connect(settings, use_embedded=embedded)
    final_after = connection.settings.discovery.final_after_ms
    span = window(first, last, final_after, now())
    named = first is not None or not continuous
    fields = _command("start", str(uuid4()), project) | {
        "from_hour": start_of(span.first) if named else None,
        "to_hour": None if continuous else start_of(span.last),
        "continuous": continuous,
        "sample": sample,
        "restart": restart,
        "rules": rules,
        "requested_by": requested_by,
    }
    _check(connection, fields)
    connection.reach()
    if not continuous and (complete := unfinished(span, final_after, now())):
        remark(f"{complete}; the discovery waits for it", DIM)
    with connection.codec() as codec:
        raise typer.Exit(_submit(connection, codec, fields, wait=wait, json=json))


def cancel(discovery: UUID, project: str, connection: Connection, *, json: bool) -> None:
    """Cancel a discovery. `Refused` for a project that the settings do not have."""
    fields = _command("cancel", str(discovery), project)
    _check(connection, fields)
    connection.reach()
    with connection.codec() as codec:
        _submit(connection, codec, fields, wait=False, json=json)


def _command(kind: str, discovery: str, project: str) -> Fields:
    issued = now()
    told = {"command_id": str(uuid4()), "command": kind, "discovery_id": discovery, "project": project}
    absent = dict.fromkeys(("from_hour", "to_hour", "rules", "requested_by"))
    return told | absent | {"continuous": False, "sample": 1.0, "restart": False, "issued_time": issued}


def _check(connection: Connection, fields: Fields) -> None:
    """Say what would be refused; nothing is sent then."""
    try:
        parse(fields, now())
    except Refused as refusal:
        remark(explained(refusal), BAD)
        raise typer.Exit(1) from None
    if not connection.has(fields["project"]):
        remark(explained(Refused(Reason.UNKNOWN_PROJECT)), BAD)
        raise typer.Exit(1)


def _submit(connection: Connection, codec: Codec, fields: Fields, *, wait: bool, json: bool) -> int:
    start = _ends(connection) if wait else {}
    record = (fields["project"].encode(), codec.encode(schemas.DISCOVERY_COMMANDS, fields))
    [sent] = desk.send(connection.config, connection.kafka.discovery_commands, [record])
    if json:
        told = {name: fields[name] for name in ("discovery_id", "command_id", "project", "command")}
        emit(told | {"sent": sent})
    elif sent:
        say(fields["discovery_id"])
    ensure([sent], "command", "Asking again begins another discovery, which finds these hours taken")
    return _follow(connection, codec, fields["discovery_id"], start, json=json) if wait else 0


def _ends(connection: Connection) -> Positions:
    with connection.discoveries() as reader:
        return reader.ends()


def _follow(connection: Connection, codec: Codec, discovery: str, start: Positions, *, json: bool) -> int:
    """Until it has ended."""
    last: Fields | None = None
    try:
        with connection.discoveries() as reader, _moving(shown=not json) as move:
            for record in reader.follow(start):
                outcome = stories.outcome_of(codec, record.value) if record else None
                if outcome is None or outcome["discovery_id"] != discovery:
                    continue
                if json:
                    emit(stories.as_json(outcome))
                move(outcome)
                if outcome["stage"] in ENDS and outcome["kind"] == "stage":
                    last = outcome
                    break
    except KeyboardInterrupt:
        remark("no longer waiting; the discovery goes on", DIM)
    if last is None:
        return 1
    if not json:
        stories.tell(last)
    return 0 if last["stage"] == Stage.DONE else 1


@contextmanager
def _moving(*, shown: bool) -> Iterator[Any]:
    """A bar of hours on a terminal; elsewhere a line for each field that is found, and nothing for progress."""
    if not shown or not err.is_terminal:
        yield lambda outcome: stories.tell(outcome) if shown and outcome["kind"] == "field" else None
        return
    told = TextColumn("{task.completed:,.0f} of {task.total:,.0f} h, {task.fields[megabytes]:,.0f} MB of text")
    with Bar(BarColumn(), told, TimeElapsedColumn(), console=err, transient=True) as bar:
        task = bar.add_task("hours", total=1, megabytes=0.0)

        def move(outcome: Fields) -> None:
            if outcome["kind"] == "field":
                bar.console.print(stories.line(outcome), style=stories.style_of(outcome), highlight=False, markup=False)
            if hours := outcome["hours"]:
                megabytes = outcome["account"].get("text_scanned", 0) / 1e6
                bar.update(task, total=hours["total"], completed=hours["total"] - hours["open"], megabytes=megabytes)

        yield move
