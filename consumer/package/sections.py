"""What the page tells of the events, section by section. A section that has nothing to tell is empty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from consumer.package.account import Account, Recent
from consumer.package.bounded import MOST_LEFT_OUT, Bounded, Kind, Property, Span
from consumer.package.chart import chart, share
from consumer.package.markup import Column, Html, code, date, joined, moment, number, plain, said, table
from scanner.report.text import plural

K = TypeVar("K", str, tuple[str, ...])
S = TypeVar("S", bound=Span)

_SPAN = (Column("Events", "number"), Column("First", "date"), Column("Last", "date"))
_OPEN_KINDS = 3


def count_of(some: Bounded[K, S]) -> str:
    """How many different keys: `12`, or `1,100+`."""
    known = number(len(some.kept) + some.left_out)
    return f"{known}+" if some.left_out >= MOST_LEFT_OUT else known


def months(account: Account) -> Html:
    """The chart over time."""
    if not account.months.kept:
        return Html("")
    undated = ""
    if account.undated:
        undated = f'<p class="more">{plural(account.undated, "event")} without a readable time not shown here.</p>'
    return Html(f'<div class="card">{chart(account.months.kept)}{undated}</div>')


def projects(account: Account, asked: Sequence[str]) -> Html:
    """Every project with events, and those that were asked for and had none."""
    rows = _rows(account.projects)
    none = [[code(name), Html("0"), Html("none"), Html("none")] for name in asked if name not in account.projects.kept]
    return table("Projects", (Column("Project", "name"), *_SPAN), [*rows, *none], _others(account.projects), quiet=True)


def kinds(account: Account) -> Html:
    """What was recorded: each type of event, and within it its properties."""
    ranked = _ranked(account.kinds)
    most = max((kind.count for _, kind in ranked), default=0)
    parts = [_kind(said(name), kind, most, place < _OPEN_KINDS) for place, (name, kind) in enumerate(ranked)]
    if account.kinds.rest.count:
        parts.append(_kind(plain(f"{_left_out(account.kinds)} more kinds"), account.kinds.rest, most, opened=False))
    return Html(f'<div class="list">{joined(parts)}</div>' if parts else "")


def _kind(name: Html, kind: Kind, most: int, opened: bool) -> Html:
    columns = (Column("Property", "name"), Column("In events", "number"), Column("Values, for example", "wide"))
    listed = sorted(kind.properties.kept.items(), key=lambda one: (-one[1].count, one[0]))
    rows = [[code(label), Html(number(one.count)), _examples(one)] for label, one in listed]
    foot = f"and {_left_out(kind.properties)} more" if kind.properties.rest.count else ""
    body = table("Properties of these events", columns, rows, foot, quiet=True)
    if not rows:
        body = Html('<p class="more">These events carry no properties of their own.</p>')
    seen = date(kind.first) if kind.first[:10] == kind.last[:10] else f"{date(kind.first)} to {date(kind.last)}"
    return Html(
        f'<details{" open" if opened else ""}><summary><span class="title">{name}</span>'
        f'<span class="bar"><span class="p{share(kind.count, most)}"></span></span>'
        f'<span class="count">{plural(kind.count, "event")}</span>'
        f'<span class="seen">{seen}</span></summary>{body}</details>'
    )


def _examples(one: Property) -> Html:
    chips = joined((code(text) for text in one.examples), " ")
    return Html(f"{chips or said('')}{' <span class=soft>and others</span>' if one.more else ''}")


def user_properties(account: Account) -> Html:
    """What was noted about the person."""
    if not account.user_properties.kept:
        return Html("")
    columns = (Column("Property", "name"), Column("Latest value", "wide"), Column("As of", "date"))
    rows = [[code(name), said(one.text), date(one.time)] for name, one in sorted(account.user_properties.kept.items())]
    left_out = account.user_properties.left_out
    return table(
        "Properties", columns, rows, f"and {_left_out(account.user_properties)} more" if left_out else "", quiet=True
    )


def identifiers(account: Account) -> Html:
    """Under which names the person is known."""
    return _tables(
        ("User ids: the organisation's own name for you", "User id", account.user_ids),
        ("Amplitude IDs: Amplitude's number for you", "Amplitude ID", account.amplitude_ids),
        ("Device ids: a browser, or an app on one device", "Device id", account.device_ids),
        ("Advertising ids: your device's number for advertisers", "Advertising id", account.advertising_ids),
    )


def devices(account: Account) -> Html:
    """With what the person came."""
    columns = (Column("Device", "name"), Column("System"), Column("Platform"), *_SPAN)
    rows = [[*map(said, device), *_span(span)] for device, span in _ranked(account.devices)]
    combinations = table("Devices", columns, rows, _others(account.devices)) if rows else Html("")
    more = _tables(("Versions of the app", "Version", account.versions), ("Languages", "Language", account.languages))
    return joined((combinations, more))


def places(account: Account) -> Html:
    """From where."""
    rows = [[said(", ".join(filter(None, place))), *_span(span)] for place, span in _ranked(account.places)]
    known = (
        table("Places", (Column("Place", "name"), *_SPAN), rows, _others(account.places), quiet=True)
        if rows
        else Html("")
    )
    exact = ""
    if account.located:
        exact = f'<p class="note">{plural(account.located, "event")} also hold a latitude and a longitude.</p>'
    return joined((known, Html(exact)))


def addresses(account: Account) -> Html:
    """IP addresses."""
    columns = (Column("IP address", "name"), *_SPAN)
    rows = _rows(account.addresses)
    return table("IP addresses", columns, rows, _others(account.addresses), quiet=True) if rows else Html("")


def recent(account: Account) -> Html:
    """The latest events."""
    rows = [_recent(one) for one in account.recent]
    if not rows:
        return Html("")
    columns = (Column("Time, UTC", "name"), Column("Event"), Column("Project"), Column("Properties", "wide"))
    return table("The latest events", columns, rows, quiet=True)


def _recent(one: Recent) -> list[Html]:
    shown = ((said(name), said(text)) for name, text in one.properties)
    pairs = [f'<span class="pair"><span class="soft">{name}</span> {text}</span>' for name, text in shown]
    if one.more:
        pairs.append(f'<span class="soft">and {one.more} more</span>')
    return [moment(one.time), said(one.kind), said(one.project), joined(map(Html, pairs), " ")]


def _tables(*some: tuple[str, str, Bounded[str, Span]]) -> Html:
    return joined(
        table(caption, (Column(title, "name"), *_SPAN), _rows(spans), _others(spans))
        for caption, title, spans in some
        if spans.kept
    )


def _rows(spans: Bounded[str, Span]) -> list[list[Html]]:
    return [[code(text), *_span(span)] for text, span in _ranked(spans)]


def _span(span: Span) -> list[Html]:
    return [Html(number(span.count)), date(span.first), date(span.last)]


def _ranked(some: Bounded[K, S]) -> list[tuple[K, S]]:
    return sorted(some.kept.items(), key=lambda one: (-one[1].count, one[0]))


def _left_out(some: Bounded[Any, Any]) -> str:
    return f"at least {number(some.left_out)}" if some.left_out >= MOST_LEFT_OUT else number(some.left_out)


def _others(some: Bounded[K, Span]) -> str:
    if not some.rest.count:
        return ""
    return f"and {_left_out(some)} more, in {plural(some.rest.count, 'event')}"
