"""`dsr plan`: what would become of a list, without Kafka and without Amplitude."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

import orjson
import typer

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.cli import sending
from consumer.cli.identities import OPENDSR, IdType, Kind, oddity, read_lines
from consumer.cli.options import TIME, AsJson, File, instant, now
from consumer.cli.printing import BAD, emit, plural, remark, say
from consumer.cli.printing import lines as in_lines
from consumer.domain.command import CommandKind
from consumer.domain.deadline import Regulation, span
from consumer.domain.errors import Poison, Reason, Refused
from consumer.domain.forecast import Forecast, Objection, Rehearsal
from consumer.settings import load

SHOWN = 20
"""Objections and lines shown to a person; JSON has all of them."""


def plan(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Ids or commands, one a line; - is stdin.")],
    project: Annotated[
        str | None, typer.Option("--project", "-p", metavar="NAME", help="For ids, and commands that name none.")
    ] = None,
    kind: Kind = IdType.USER_ID,
    regulation: Annotated[Regulation | None, typer.Option(help="For ids: decides the deadline.")] = None,
    submitted: Annotated[
        int | None, typer.Option(parser=instant, metavar="TIME", help=f"For ids; default: now. {TIME}")
    ] = None,
    settings: File = None,
    json: AsJson = False,
) -> None:
    """Dry run: what would be refused and why, how many calls and e-mails, how long, what would be held, what is late.

    FILE holds one id a line, or one DsrCommand a line as JSON (the record's
    field names; times in epoch milliseconds). The parser, the judge and the
    planner are the service's own. Objections name the line, never what is in
    it. It assumes that nothing else is open and that all of it arrives at once.

    \b
    Examples:
      dsr plan ids.txt --project shop
      dsr plan leavers.txt -p shop --regulation gdpr --submitted 20d
      dsr plan commands.jsonl --json

    \b
    JSON: one object
      lines duplicates others
      refused[]   line position project reason
      projects[]  project requests posts ids ids_per_post[] repeated_ids e_mails
                  seconds held{} posts_after_approval at_risk_lines[]
                  breached_lines[]
    Exit codes: 0 nothing would be refused; 1 something would, or there is no
      such project; 2 usage or settings.
    """
    loaded = load(settings)
    rehearsal = Rehearsal(loaded.rules(), now(), loaded.linger_s)
    codec = Codec(DirectorySource())
    lines = [(number, line) for number, line in enumerate(read_lines(file), 1) if line.strip()]
    if not lines:
        raise typer.BadParameter("the file is empty")
    as_commands = lines[0][1].lstrip().startswith("{")
    if not as_commands and project is None:
        raise typer.BadParameter("--project is missing: the file holds ids")
    if project is not None and project not in loaded.projects:
        raise Refused(Reason.UNKNOWN_PROJECT)
    body = {
        "project": project,
        "subject_request_type": "erasure",
        "regulation": regulation.value if regulation else None,
        "submitted_time": submitted if submitted is not None else now(),
    }
    odd: dict[str, list[int]] = {}
    for number, line in lines:
        if not as_commands and (objection := oddity(line)):
            rehearsal.object(number, Reason.UNSUPPORTED_IDENTITY)
            odd.setdefault(objection, []).append(number)
            continue
        fields = _command(line, project) if as_commands else _submission(line, kind, body)
        _take(rehearsal, codec, number, fields)
    _report(rehearsal, len(lines), json=json)
    for objection, numbers in odd.items():
        remark(f"{in_lines(numbers)}: {objection}", BAD)
    raise typer.Exit(1 if rehearsal.objections else 0)


def _submission(line: str, kind: IdType, body: dict[str, Any]) -> dict[str, Any]:
    person = {"identity_type": OPENDSR[kind], "identity_value": line, "identity_format": "raw"}
    return sending.command(CommandKind.SUBMIT, **body, subject_request_id=str(uuid4()), subject_identities=[person])


def _command(line: str, project: str | None) -> dict[str, Any] | None:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(fields, dict):
        return None
    return {"project": project} | fields if fields.get("scope") != "org" else fields


def _take(rehearsal: Rehearsal, codec: Codec, number: int, fields: dict[str, Any] | None) -> None:
    """Through the codec and back, so that the parser sees what it would see."""
    try:
        decoded = codec.decode_command(codec.encode(schemas.COMMANDS, fields or {}))
    except (Poison, TypeError):
        rehearsal.object(number, Reason.UNDECODABLE)
    else:
        rehearsal.take(number, decoded)


def _report(rehearsal: Rehearsal, lines: int, *, json: bool) -> None:
    forecasts = rehearsal.forecasts()
    if json:
        refused = [_objection_json(objection) for objection in rehearsal.objections]
        told = {"lines": lines, "duplicates": rehearsal.duplicates, "others": rehearsal.others, "refused": refused}
        emit(told | {"projects": [_forecast_json(forecast) for forecast in forecasts]})
        return
    say(f"{plural(lines, 'line')}; {plural(len(rehearsal.objections), 'objection')}", None)
    for objection in rehearsal.objections[:SHOWN]:
        say(f"  {_objection_line(objection)}", BAD)
    if (more := len(rehearsal.objections) - SHOWN) > 0:
        say(f"  … and {more:,} more (--json lists all)")
    if rehearsal.duplicates:
        say(f"  {plural(rehearsal.duplicates, 'duplicate')}: answered, not carried out")
    if rehearsal.others:
        say(f"  {plural(rehearsal.others, 'command')} beside (cancel, approve, pause, …)")
    for forecast in forecasts:
        _describe(forecast)


def _objection_line(objection: Objection) -> str:
    where = f" (identity {objection.position})" if objection.position is not None else ""
    return f"line {objection.line}{where}: {objection.reason}"


def _describe(forecast: Forecast) -> None:
    say(f"\n{forecast.project}: {plural(forecast.requests, 'request')}")
    calls = f"{plural(len(forecast.posts), 'POST')} of {plural(forecast.ids, 'id')}"
    say(f"  sent       {calls}, the last one after {span(int(forecast.seconds * 1000))}")
    say(f"  e-mails    {plural(len(forecast.posts), 'e-mail')} to every admin of the project, one for each POST")
    if forecast.repeated:
        say(f"  repeated   {plural(forecast.repeated, 'identity', 'identities')} named twice: asked once")
    for reason, count in forecast.held.items():
        say(f"  held       {plural(count, 'request')}: {reason}", "yellow")
    if forecast.posts_of_held:
        more = f"{plural(len(forecast.posts_of_held), 'POST')} of {plural(sum(forecast.posts_of_held), 'id')}"
        say(f"             {more} more once approved or released")
    for what, numbers in (("at risk", forecast.at_risk), ("breached", forecast.breached)):
        if numbers:
            say(
                f"  {what:<10} {plural(len(numbers), 'deadline')}: {in_lines(numbers)}",
                "yellow" if what == "at risk" else BAD,
            )


def _objection_json(objection: Objection) -> dict[str, Any]:
    return {
        "line": objection.line,
        "position": objection.position,
        "project": objection.project,
        "reason": objection.reason.value,
    }


def _forecast_json(forecast: Forecast) -> dict[str, Any]:
    return {
        "project": forecast.project,
        "requests": forecast.requests,
        "posts": len(forecast.posts),
        "ids": forecast.ids,
        "ids_per_post": forecast.posts,
        "repeated_ids": forecast.repeated,
        "e_mails": len(forecast.posts),
        "seconds": round(forecast.seconds, 3),
        "held": {reason.value: count for reason, count in forecast.held.items()},
        "posts_after_approval": len(forecast.posts_of_held),
        "at_risk_lines": forecast.at_risk,
        "breached_lines": forecast.breached,
    }
