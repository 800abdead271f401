"""The status as one HTML page: no script, nothing loaded. Names in it come from the settings, and are escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

from consumer.domain.deadline import at, span
from consumer.domain.errors import Reason
from consumer.domain.glance import Danger
from consumer.package.chart import SHARES, share
from consumer.package.markup import Column, Html, joined, number, plain, said, table
from consumer.ports import CopyReport, LaneReport
from consumer.statuspage.status import EVERYTHING_FLOWS, MEANINGS, DiscoveryRow, Status, Trouble, troubles, verdict
from scanner.report.text import listed, size

REFRESH_S = 30
NEEDS_NOBODY = frozenset({Reason.THROTTLED, Reason.UNAVAILABLE, Reason.PAUSED})
"""Reasons with which a project waits, and is not down."""
_MOST_ROWS, _NAMES = 500, 8
_COMMAND = re.compile(r"\b(dsr (?:status|check|resume(?: --halted)?|dlq redrive|watch --discoveries))\b")


class Page(NamedTuple):
    """The page, and the policy under which it may be shown: its own style sheet, by its hash, and nothing else."""

    html: str
    policy: str


def page(status: Status) -> Page:
    """The whole of it. A thousand projects take some 15 ms."""
    found = troubles(status)
    told = verdict(found)
    parts = {
        "refresh": str(REFRESH_S),
        "verdict": told,
        "colour": "good" if told == EVERYTHING_FLOWS else "wait" if all(each.alone for each in found) else "bad",
        "replica": plain(status.replica),
        "style": _style(),
        "lead": _lead(status),
        "facts": joined(_fact(*each) for each in _facts(status)),
        "sections": joined(_sections(status, found), "\n"),
        "now": at(status.now).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "version": plain(status.version),
    }
    html = re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _part("page.html"))
    return Page(html, f"default-src 'none'; style-src {_hash()}; base-uri 'none'; form-action 'none'")


@cache
def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


@cache
def _style() -> str:
    return _part("page.css") + SHARES


@cache
def _hash() -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()}'"


def _lead(status: Status) -> Html:
    stream = status.stream
    if stream is None:
        return Html("This member scans exports. Requests are other members' business.")
    owned = f"{number(len(stream.owned))} partition{'' if len(stream.owned) == 1 else 's'}"
    restoring = f", {number(len(stream.restoring))} more being restored" if stream.restoring else ""
    return Html(f"Owns {owned}{restoring}. The last commit was {span(int(status.transaction_age_s) * 1000)} ago.")


def _facts(status: Status) -> list[tuple[str, str, str]]:
    stream = status.stream
    if stream is None:
        return _found(status.discovery)
    at_risk, breached = status.in_danger(Danger.AT_RISK), status.in_danger(Danger.BREACHED)
    return [
        ("", number(status.open), "open requests"),
        ("", number(stream.active), "with something to do"),
        ("", number(stream.resting), "wait for Amplitude"),
        ("wait" if at_risk else "", number(at_risk), "deadlines at risk"),
        ("bad" if breached else "", number(breached), "deadlines missed"),
        ("", number(stream.closed), "closed, remembered"),
    ]


def _found(rows: Sequence[DiscoveryRow]) -> list[tuple[str, str, str]]:
    refused, dirty = sum(row.refused_hours for row in rows), sum(row.dirty_fields for row in rows)
    return [
        ("", number(len(rows)), "projects seen"),
        ("", number(sum(row.open_hours for row in rows)), "hours to scan"),
        ("", number(sum(row.scanned_hours for row in rows)), "hours scanned"),
        ("bad" if refused else "", number(refused), "hours refused"),
        ("", size(sum(row.scanned_bytes for row in rows)), "of text"),
        ("wait" if dirty else "", number(dirty), "dirty fields"),
    ]


def _fact(colour: str, value: str, label: str) -> Html:
    return Html(f'<div class="{colour}"><dt>{label}</dt><dd>{value}</dd></div>')


def _sections(status: Status, found: Sequence[Trouble]) -> Iterable[Html]:
    if found:
        yield _section("What is not as it should be", "", _troubles(found))
    if stages := status.stages():
        most = max(stages.values())
        rows = [
            [plain(stage.value.replace("_", " ")), number(count), _bar(count, most), plain(MEANINGS.get(stage, ""))]
            for stage, count in stages.items()
        ]
        columns = [Column("Stage"), Column("Requests", "number"), Column("", "wide"), Column("Meaning", "meaning")]
        yield _section("Open requests", "", table("Open requests by stage", columns, _cells(rows)))
    if status.lanes:
        note = "Those with anything to do or to follow. The pace is the least time between two calls."
        yield _section("Projects", note, _lanes(status))
    if status.copies:
        yield _section("Copies", "By org. Units are of Amplitude's hourly budget for copies.", _copies(status))
    if status.discovery:
        note = "Hours and bytes since this member started; fields are those that hold personal data unexpectedly."
        yield _section("Discovery", note, _discovery(status.discovery))


def _cells(rows: Iterable[Sequence[str]]) -> list[list[Html]]:
    return [[Html(cell) for cell in row] for row in rows]


def _section(title: str, note: str, content: Html) -> Html:
    words = f'<p class="note">{note}</p>' if note else ""
    return Html(f"<section><h2>{title}</h2>{words}{content}</section>")


def _troubles(found: Sequence[Trouble]) -> Html:
    return Html(f'<ul class="troubles">{joined(map(_trouble, found))}</ul>')


def _trouble(trouble: Trouble) -> Html:
    names = [*trouble.whom[:_NAMES], *([f"{len(trouble.whom) - _NAMES} more"] if len(trouble.whom) > _NAMES else [])]
    about = f"<b>{said(listed(names))}</b>: " if names else ""
    alone = ' class="alone"' if trouble.alone else ""
    do = _COMMAND.sub(r"<code>\1</code>", plain(trouble.do))
    return Html(f"<li{alone}><p>{about}{plain(trouble.what)}</p><p>{do}</p></li>")


def _bar(count: int, most: int) -> Html:
    return Html(f'<span class="bar" aria-hidden="true"><span class="p{share(count, most)}"></span></span>')


def _state(reason: Reason | None, *, circuit_open: bool) -> Html:
    if reason is None:
        return _coloured("wait", "backing off") if circuit_open else _coloured("good", "up")
    return _coloured("wait" if reason in NEEDS_NOBODY else "bad", reason.value.replace("_", " "))


def _coloured(colour: str, text: str) -> Html:
    return Html(f'<span class="state {colour}">{plain(text)}</span>')


def _age(status: Status, since: int | None) -> str:
    return span(status.now - since) if since is not None else ""


def _lanes(status: Status) -> Html:
    """Those that wait for something first; then the ones with most to do."""
    ranked = sorted(status.lanes, key=lambda lane: (lane.reason is None, -lane.waiting, lane.project))
    columns = [Column("Project"), Column("State", "state"), Column("To do", "number"), Column("Oldest", "number")]
    columns += [Column("In flight", "number"), Column("Pace", "number")]
    foot = f"{len(ranked) - _MOST_ROWS:,} more" if len(ranked) > _MOST_ROWS else ""
    return table("Projects", columns, (_lane(status, lane) for lane in ranked[:_MOST_ROWS]), foot)


def _lane(status: Status, lane: LaneReport) -> list[Html]:
    return [
        said(lane.project),
        _state(lane.reason, circuit_open=lane.circuit_open),
        Html(number(lane.waiting)),
        Html(_age(status, lane.oldest)),
        Html(number(lane.in_flight)),
        Html(f"{lane.interval_s:.1f} s"),
    ]


def _copies(status: Status) -> Html:
    columns = [Column("Org"), Column("State", "state"), Column("To deliver", "number"), Column("Oldest", "number")]
    columns += [Column("Amplitude makes", "number"), Column("Steps", "number"), Column("Units left", "number")]
    return table("Copies", columns, (_copy(status, report) for report in status.copies[:_MOST_ROWS]))


def _copy(status: Status, report: CopyReport) -> list[Html]:
    return [
        said(report.org),
        _state(report.reason, circuit_open=report.circuit_open),
        Html(number(report.waiting)),
        Html(_age(status, report.oldest)),
        Html(number(report.jobs)),
        Html(number(report.in_flight)),
        Html(number(int(report.tokens))),
    ]


def _discovery(rows: Sequence[DiscoveryRow]) -> Html:
    columns = [Column("Project"), Column("Open hours", "number"), Column("Scanned", "number")]
    columns += [Column("Refused", "number"), Column("Text", "number"), Column("Dirty fields", "number")]
    return table("Discovery", columns, map(_discovered, rows[:_MOST_ROWS]))


def _discovered(row: DiscoveryRow) -> list[Html]:
    numbers = (row.open_hours, row.scanned_hours, row.refused_hours)
    return [
        said(row.project),
        *(Html(number(one)) for one in numbers),
        Html(size(row.scanned_bytes)),
        Html(number(row.dirty_fields)),
    ]
