"""Pieces of HTML. `Html` is markup; a text becomes some by `said` alone, which lets nothing in it act."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import NewType

from scanner.report.text import shortened, visible

Html = NewType("Html", str)

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONGEST = 600
_ROWS_AT_ONCE = 20
_ROWS_UNFOLDED = 25


def said(text: str) -> Html:
    """A stranger's text: escaped, its direction kept to itself, what cannot be seen shown as an escape."""
    if not text:
        return Html('<span class="soft">empty</span>')
    return Html(f"<bdi>{plain(text)}</bdi>")


def plain(text: str) -> Html:
    """Our own words with a stranger's in them, as text or inside the quotes of an attribute."""
    return Html(escape(visible(shortened(text, _LONGEST)), quote=True))


def joined(pieces: Iterable[Html], between: str = "") -> Html:
    """One after the other. `between` is markup, too."""
    return Html(between.join(pieces))


def code(text: str) -> Html:
    """A value as it stands in the data."""
    return Html(f"<code>{said(text)}</code>") if text else said(text)


def number(count: int) -> str:
    """`12,345`."""
    return f"{count:,}"


def compact(count: int) -> str:
    """In few characters: `950`, `1.2k`, `35k`, `1.2M`."""
    for least, unit in ((999_500, "M"), (1_000, "k")):
        if count >= least:
            amount = count / (1_000_000 if unit == "M" else 1_000)
            return f"{amount:.1f}{unit}" if amount < 9.95 else f"{amount:.0f}{unit}"
    return str(count)


def month(text: str) -> str:
    """`2026-03` as `Mar`."""
    return _MONTHS[int(text[5:7]) - 1]


def day(time: str) -> str:
    """`2026-03-01…` as `1 Mar 2026`; what is no day, as it is."""
    year, _, rest = time[:10].partition("-")
    parts = (year, *rest.split("-"))
    if len(parts) != 3 or not all(one.isascii() and one.isdigit() for one in parts) or not 1 <= int(parts[1]) <= 12:
        return time
    return f"{int(parts[2])} {_MONTHS[int(parts[1]) - 1]} {year}"


def moment(time: str) -> Html:
    """A time of the account with its clock, for people and for machines."""
    shown = f'{day(time)}, <span class="clock">{time[11:19]}</span>'
    return Html(f'<time datetime="{time.replace(" ", "T")}Z">{shown}</time>')


def date(time: str) -> Html:
    """The day of a time of the account; nothing for none."""
    if not time:
        return Html('<span class="soft">unknown</span>')
    return Html(f'<time datetime="{plain(time[:10])}">{plain(day(time))}</time>')


@dataclass(frozen=True, slots=True)
class Column:
    """`kind` is a class of the style sheet: `name`, `number`, `date`, `wide`, or none."""

    title: str
    kind: str = ""


def table(
    caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Html]], foot: str = "", *, quiet: bool = False
) -> Html:
    """The first cell of a row is its heading. Narrow screens show a row as a block, with the columns' titles in it.

    A long table is folded after the first rows. `quiet`: a heading beside it says the caption already, and only those
    who cannot see the page need it.
    """
    body = [_row(columns, row) for row in rows]
    at_once = len(body) if len(body) <= _ROWS_UNFOLDED else _ROWS_AT_ONCE
    parts: list[str] = [_table(caption, columns, body[:at_once])]
    if body[at_once:]:
        folded = _table(f"{caption}, continued", columns, body[at_once:])
        parts.append(f'<details class="fold"><summary>Show {len(body) - at_once} more</summary>{folded}</details>')
    if foot:
        parts.append(f'<p class="more">{plain(foot)}</p>')
    return Html(f'<div class="table{" quiet" if quiet else ""}">{"".join(parts)}</div>')


def _table(caption: str, columns: Sequence[Column], rows: Sequence[Html]) -> Html:
    head = joined(Html(f'<th scope="col"{_class(one.kind)}>{plain(one.title)}</th>') for one in columns)
    return Html(
        f"<table><caption>{plain(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{joined(rows)}</tbody></table>"
    )


def _row(columns: Sequence[Column], row: Sequence[Html]) -> Html:
    cells = [f'<th scope="row"{_class(columns[0].kind)}>{row[0]}</th>']
    for column, cell in zip(columns[1:], row[1:], strict=True):
        cells.append(f'<td{_class(column.kind)} data-title="{plain(column.title)}">{cell}</td>')
    return Html(f"<tr>{''.join(cells)}</tr>")


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
