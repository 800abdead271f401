"""The account as one HTML file for the person: no script, nothing loaded, readable in ten years and on paper.

Everything in it comes from strangers and is escaped where it is written. The page's policy allows its own style sheet,
by its hash, and nothing else, so that nothing could act even if something slipped through.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

from consumer.package import sections
from consumer.package.account import Account
from consumer.package.chart import SHARES
from consumer.package.facts import Facts
from consumer.package.imprint import about, files, instant, missing
from consumer.package.markup import Html, date, joined, number, plain, said
from scanner.report.text import plural


def page(account: Account, facts: Facts) -> str:
    """The whole of `index.html`."""
    style = _part("page.css") + SHARES
    told = [one for one in _sections(account, facts) if one[3]]
    parts = {
        "policy": f"default-src 'none'; style-src {_hash(style)}; base-uri 'none'; form-action 'none'",
        "style": style,
        "lead": _lead(account, facts),
        "cards": joined(Html(f"<div><dt>{label}</dt><dd>{value}</dd></div>") for label, value in _cards(account)),
        "contents": joined(Html(f'<li><a href="#{name}">{title}</a></li>') for name, title, _, _ in told),
        "sections": joined((_section(*one) for one in told), "\n"),
        "request": plain(facts.request_id),
        "created": instant(facts.created),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _part("page.html"))


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _lead(account: Account, facts: Facts) -> Html:
    asked = (
        f"You asked for a copy of your data. Amplitude is a service that <b>{said(facts.org)}</b> uses to see how its "
        "apps and websites are used. "
    )
    if not account.all.count:
        return Html(f"{asked}Nothing was found there under your identifiers for the days that were asked for.")
    when = f", from {date(account.all.first)} to {date(account.all.last)}" if account.all.first else ""
    events = f"{'is' if account.all.count == 1 else 'are'} <b>{plural(account.all.count, 'event')}</b>"
    lacking = ' Something <a href="#missing">is missing</a>.' if facts.missing else ""
    return Html(
        f"{asked}There {events} about you{when}. "
        'This page sums them up; the <a href="#files">files beside it</a> hold every detail.'
        f"{lacking}"
    )


def _cards(account: Account) -> list[tuple[str, str]]:
    counted = (
        (number(account.all.count), "event", "events"),
        (sections.count_of(account.kinds), "kind of events", "kinds of events"),
        (sections.count_of(account.months), "month", "months"),
        (sections.count_of(account.projects), "project", "projects"),
        (sections.count_of(account.places), "place", "places"),
        (sections.count_of(account.addresses), "IP address", "IP addresses"),
    )
    return [(one if count == "1" else many, count) for count, one, many in counted]


def _sections(account: Account, facts: Facts) -> list[tuple[str, str, str, Html]]:
    """Name, title, a note of our own in plain words, content."""
    return [
        ("time", "Over time", "How many events fell into each month.", sections.months(account)),
        ("about", "About this copy", "", about(facts)),
        (
            "projects",
            "Projects",
            "A project is one app or website, or one environment of it, by its number in Amplitude.",
            sections.projects(account, facts.projects),
        ),
        (
            "events",
            "What was recorded",
            (
                "An event is one thing that happened, such as a page that was opened. Its name was chosen by the "
                "organisation. Open one to see the details that were stored with it, its properties."
            ),
            sections.kinds(account),
        ),
        (
            "you",
            "What was noted about you",
            "Properties of yours, rather than of an event: the latest value of each. Earlier values are in the files.",
            sections.user_properties(account),
        ),
        (
            "identifiers",
            "Your identifiers",
            "The names and numbers that hold the events together.",
            sections.identifiers(account),
        ),
        ("devices", "Devices and apps", "What the events were sent from.", sections.devices(account)),
        (
            "places",
            "Places",
            "Usually worked out from the IP address: often the right town, sometimes only the right country.",
            sections.places(account),
        ),
        (
            "addresses",
            "IP addresses",
            "The addresses on the internet from which events were sent: of your home, your phone's network, a café.",
            sections.addresses(account),
        ),
        ("latest", "The latest events", "The newest first. All the others are in the files.", sections.recent(account)),
        ("missing", "What is not here", "", missing(account, facts)),
        ("files", "The files beside this page", "", files(facts)),
    ]


def _section(name: str, title: str, note: str, content: Html) -> Html:
    words = f'<p class="note">{note}</p>' if note else ""
    heading = f'<h2 id="{name}-title">{title}</h2>'
    return Html(f'<section id="{name}" aria-labelledby="{name}-title">{heading}{words}{content}</section>')
