"""What the page tells of the package: what it is, what it lacks, which files lie in it and how to open them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from consumer.domain.subject import Millis
from consumer.package.account import Account
from consumer.package.facts import Facts, FileFact
from consumer.package.markup import Column, Html, code, date, day, joined, number, plain, said, table
from scanner.report.text import plural, size

_SOURCES = {
    "dsar": "Amplitude's own answer to a request for a copy (its DSAR API)",
    "user_activity": "Amplitude's record of each person's activity (its User Activity API), read project by project",
}
_OPENING = (
    (
        "Open",
        (
            "Names that end in <code>.gz</code> are compressed. 7-Zip opens them on Windows, a double click on a Mac, "
            "<code>gunzip</code> elsewhere. What comes out is plain text for any editor."
        ),
    ),
    (
        "Read",
        (
            "Each line is one event, written as JSON: names in quotes, each followed by its value. "
            "<code>event_type</code> is what happened, <code>event_time</code> when (UTC), "
            "<code>event_properties</code> the details, <code>user_properties</code> what was known of you then."
        ),
    ),
    (
        "Check",
        (
            "The SHA-256 sum shows that a file is whole and unchanged: <code>sha256sum NAME</code> on Linux, "
            "<code>shasum -a 256 NAME</code> on a Mac, <code>Get-FileHash NAME</code> in Windows PowerShell."
        ),
    ),
)
_ENCRYPTED = (
    "Decrypt",
    (
        "The files are encrypted with age. Whoever holds the key opens one with "
        "<code>age --decrypt -i KEY NAME &gt; OUTPUT</code>. Sizes and sums are those of the encrypted files."
    ),
)


def instant(millis: Millis) -> Html:
    """`1 Mar 2026, 14:05 UTC`."""
    at = datetime.fromtimestamp(millis / 1000, UTC)
    return Html(f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{day(at.date().isoformat())}, {at:%H:%M} UTC</time>')


def about(facts: Facts) -> Html:
    """The package in a few lines, and the words of the page."""
    lines = (
        ("Organisation", said(facts.org)),
        ("Request", code(facts.request_id)),
        ("Days asked for", Html(f"{date(facts.start)} to {date(facts.end)}, both included")),
        ("Projects asked for", joined(map(code, facts.projects), " ") or Html("every project")),
        ("Looked up", Html(f"{plural(facts.identities, 'identifier')} of yours")),
        ("Source", plain(_SOURCES[facts.source])),
        ("Prepared", instant(facts.created)),
        ("Times", Html("All times are UTC, the world's common time; your own clock may be hours ahead or behind.")),
    )
    return _list(lines)


def missing(account: Account, facts: Facts) -> Html:
    """What is not in the package, and what is not on the page."""
    lacking = joined(Html(f"<li>{said(sentence)}</li>") for sentence in facts.missing)
    known = f'<ul class="missing">{lacking}</ul>' if lacking else '<p class="whole">Nothing is known to be missing.</p>'
    bounds = [
        f"This copy covers {date(facts.start)} to {date(facts.end)}; what happened before or after is not in it.",
        "It covers Amplitude. What the organisation keeps about you elsewhere is not part of it.",
        "Long lists and long values are cut on this page, and it says where. Nothing is cut in the files.",
    ]
    if account.undated:
        bounds.append(f"{plural(account.undated, 'event')} without a readable time: counted, but in no month.")
    return Html(f'{known}<ul class="bounds">{joined(Html(f"<li>{one}</li>") for one in bounds)}</ul>')


def files(facts: Facts) -> Html:
    """The files with their sums, and how to open them."""
    columns = (Column("File", "name"), Column("Size", "number"), Column("Lines", "number"), Column("SHA-256", "wide"))
    listed = table("Files", columns, [_file(one) for one in facts.files], quiet=True) if facts.files else Html("")
    opening = (_ENCRYPTED, *_OPENING) if facts.encrypted else _OPENING
    return joined((listed, _list([(name, Html(words)) for name, words in opening])))


def _file(one: FileFact) -> list[Html]:
    link = Html(f'<a href="./{_link(one.name)}">{code(one.name)}</a>')
    lines = Html("" if one.lines is None else number(one.lines))
    return [link, Html(size(one.size)), lines, Html(f'<span class="sum">{code(one.sha256)}</span>')]


def _link(name: str) -> str:
    """The rest of a relative link: after `./` it can name no scheme and no host."""
    return quote(name, errors="replace")


def _list(lines: Sequence[tuple[str, Html]]) -> Html:
    return Html(f'<dl class="lines">{joined(Html(f"<dt>{name}</dt><dd>{words}</dd>") for name, words in lines)}</dl>')
