"""`dsr status`: how all requests stand, or everything about one. Reads the ledger and the outcomes; changes nothing."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from consumer.adapters.avro.codec import Codec
from consumer.adapters.kafka.survey import survey
from consumer.cli import sending, stories
from consumer.cli.connection import Connection, connect
from consumer.cli.instruct import halt_json, halt_line
from consumer.cli.options import AsJson, Embedded, File, now
from consumer.cli.printing import BAD, emit, iso, out, remark, say, show, slack, table
from consumer.domain.deadline import span
from consumer.domain.entry import IdentityState, RequestEntry
from consumer.domain.errors import Reason, Refused
from consumer.domain.lifecycle import Stage
from consumer.domain.overview import Glimpse, ProjectOverview, overview
from consumer.domain.project import ProjectState
from consumer.domain.statement import expected_erasure
from consumer.domain.subject import ProjectId


def status(
    request: Annotated[UUID | None, typer.Argument(metavar="REQUEST", help="Everything about this request.")] = None,
    project: Annotated[str | None, typer.Option("--project", "-p", metavar="NAME", help="Only this project.")] = None,
    settings: File = None,
    embedded: Embedded = False,
    json: AsJson = False,
) -> None:
    """How all requests stand, by project and stage; or everything about one request. Never names a person.

    It reads the ledger topic to its end (and, for one request, the outcomes):
    some seconds with a million requests.

    \b
    Examples:
      dsr status
      dsr status 6f0c6a52-5d0e-4c1c-9a0b-3b6f2f0a7d11
      dsr status --json | jq '.projects[] | select(.at_risk > 0)'

    \b
    JSON of all: one object
      projects[]  project stages{} open oldest_open at_risk breached paused
                  parked
      halts[]     partition reason since dead_letters
    JSON of one request: one object
      request_id
      projects[]  project org type stage reason run attempt held submitted
                  accepted deadline expected slack_seconds closed
                  package (url sha256 events files bytes kept_until)
                  results[] (position stage reason jobs[])
      history[]   DsrOutcome, times in ISO 8601
    Exit codes: 0 shown; 1 nothing is known of the request or the project;
      2 usage or settings; 3 Kafka could not be reached.
    """
    connection = connect(settings, use_embedded=embedded)
    connection.reach()
    with connection.codec() as codec:
        if request is None:
            _all(connection, codec, project, json=json)
        else:
            raise typer.Exit(_one(connection, codec, str(request), project, json=json))


def _all(connection: Connection, codec: Codec, project: str | None, *, json: bool) -> None:
    with connection.ledger() as reader:
        found = survey(reader, codec, Glimpse.of)
    rows = overview(found.requests.values(), found.projects, now())
    rows = [row for row in rows if project in {None, row.project}]
    if not rows and not connection.has(project):
        raise Refused(Reason.UNKNOWN_PROJECT)
    if json:
        halts = [halt_json(place, halt) for place, halt in sorted(found.halts.items())]
        emit({"projects": [_row_json(row) for row in rows], "halts": halts})
        return
    for place, halt in sorted(found.halts.items()):
        say(halt_line(place, halt) + "; `dsr resume --halted` lifts it", BAD)
    if rows:
        _table(rows)
    else:
        remark("nothing was asked yet")


def _table(rows: list[ProjectOverview]) -> None:
    stages = [stage for stage in Stage if any(row.stages[stage] for row in rows)]
    numbers = (*map(str, stages), "at risk", "breached")
    filled = table("project", *numbers, "oldest open", "state", right=numbers)
    for row in rows:
        counts = [f"{row.stages[stage]:,}" if row.stages[stage] else "-" for stage in stages]
        risk = [
            f"[yellow]{row.at_risk:,}[/]" if row.at_risk else "-",
            f"[red]{row.breached:,}[/]" if row.breached else "-",
        ]
        age = f"{span(now() - row.oldest)} ago" if row.oldest is not None else "-"
        filled.add_row(row.project, *counts, *risk, age, f"[yellow]{_standing(row)}[/]")
    show(filled)


def _standing(row: ProjectOverview) -> str:
    return ", ".join([*(["paused"] if row.paused else []), *([f"waits: {row.parked}"] if row.parked else [])])


def _row_json(row: ProjectOverview) -> dict[str, Any]:
    return {
        "project": row.project,
        "stages": {stage.value: count for stage, count in sorted(row.stages.items())},
        "open": row.open,
        "oldest_open": iso(row.oldest),
        "at_risk": row.at_risk,
        "breached": row.breached,
        "paused": row.paused,
        "parked": row.parked.value if row.parked else None,
    }


def _one(connection: Connection, codec: Codec, request: str, project: str | None, *, json: bool) -> int:
    with connection.ledger() as reader:
        found = survey(reader, codec, lambda entry: entry, about=request)
    entries = [entry for entry in found.requests.values() if project in {None, entry.place}]
    wanted = {None, project, *(entry.project for entry in entries)} if project else None
    history = [o for o in _history(connection, codec, request) if wanted is None or o["project"] in wanted]
    if not entries and not history and not connection.has(project):
        raise Refused(Reason.UNKNOWN_PROJECT)
    if not entries and not history:
        remark("nothing is known of that request: not accepted yet, forgotten, or never sent")
        return 1
    told = [_entry_json(entry, found.projects) for entry in sorted(entries, key=lambda entry: entry.place)]
    if json:
        emit({"request_id": request, "projects": told, "history": [stories.as_json(o) for o in history]})
        return 0
    say(f"request {request}")
    for one in told:
        _show(one)
    say("\nhistory")
    for outcome in history:
        say(
            "  " + stories.line(outcome).replace(f"  {request}", ""),
            stories.style_of(outcome) if out.is_terminal else None,
        )
    return 0


def _history(connection: Connection, codec: Codec, request: str) -> list[dict[str, Any]]:
    with connection.outcomes() as reader:
        ours = [record for record in reader.to_end() if record.key == request.encode()]
    known = [outcome for record in ours if (outcome := sending.outcome_of(codec, record.value)) is not None]
    return sorted(known, key=lambda outcome: outcome["occurred_time"])


def _entry_json(entry: RequestEntry, states: dict[ProjectId, ProjectState]) -> dict[str, Any]:
    state = states.get(entry.project) or ProjectState(entry.project)
    expected = expected_erasure(entry, now(), state.estimate_ms)
    return {
        "project": entry.place,
        "org": entry.org,
        "type": entry.request_type.value,
        "stage": (entry.stage or entry.reached).value,
        "reason": entry.reason.value if entry.reason else None,
        "run": entry.run,
        "attempt": entry.attempt,
        "held": _held(entry, state),
        "submitted": iso(entry.submitted),
        "accepted": iso(entry.accepted),
        "deadline": iso(entry.deadline),
        "expected": iso(None if _over(entry) else expected),
        "slack_seconds": None if _over(entry) else (entry.deadline - expected) // 1000,
        "closed": iso(entry.closed),
        "package": _package_json(entry),
        "results": [_identity_json(identity) for identity in entry.identities],
    }


def _held(entry: RequestEntry, state: ProjectState) -> str | None:
    if entry.after_copy:
        return Reason.COPY_FIRST.value
    return entry.held.value if entry.held and entry.waits(now(), state.approved) else None


def _package_json(entry: RequestEntry) -> dict[str, Any] | None:
    package = entry.copy.package if entry.copy else None
    if package is None:
        return None
    counts = {"events": package.lines, "files": package.files, "bytes": package.size}
    return {"url": package.manifest, "sha256": package.sha256, **counts, "kept_until": iso(package.kept_until)}


def _over(entry: RequestEntry) -> bool:
    """Ended without an erasure: there is nothing to expect."""
    return entry.ended and entry.erased is None


def _identity_json(identity: IdentityState) -> dict[str, Any]:
    jobs = [{"day": j.day, "status": j.status.value, "scrubbed_on": j.scrubbed_on} for j in identity.jobs]
    reason = identity.reason.value if identity.reason else None
    return {"position": identity.position, "stage": identity.stage.value, "reason": reason, "jobs": jobs}


def _show(one: dict[str, Any]) -> None:
    reason = one["reason"] or one["held"]
    again = f", run {one['run']}" if one["run"] > 1 else ""
    org = "" if one["project"].endswith("(org)") else f" (org {one['org']})"
    say(f"\n{one['project']}{org}, {one['type']}: {one['stage']}{f' ({reason})' if reason else ''}{again}")
    for name in ("submitted", "accepted", "deadline", "expected", "closed"):
        if one[name]:
            room = f"   {slack(one['slack_seconds'])}" if name == "expected" else ""
            say(f"  {name:<10} {one[name]}{room}")
    if package := one["package"]:
        say(f"  package    {package['events']:,} events in {package['url']}, kept until {package['kept_until']}")
    filled = table("  position", "stage", "reason", "jobs", right=("  position",))
    for result in one["results"]:
        jobs = ", ".join(
            f"{j['day']} {j['status']}" + (f", scrubbed {j['scrubbed_on']}" if j["scrubbed_on"] else "")
            for j in result["jobs"]
        )
        filled.add_row(str(result["position"]), result["stage"], result["reason"] or "", jobs)
    show(filled)
