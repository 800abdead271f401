"""The report on a terminal: findings of one type in one field on one line, the surest first, then what was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import groupby
from operator import or_

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scanner.column import Row
from scanner.findings import Grade, Reason
from scanner.report.model import INPUT, LINES, SCANNED, TEXT, Report, Skipped
from scanner.report.text import listed, percent, plural, shortened, size, visible
from scanner.summary import OTHER

MARK = {Grade.CONFIRMED: "●", Grade.LIKELY: "◐", Grade.POSSIBLE: "○"}
STYLE = {Grade.CONFIRMED: "bold red", Grade.LIKELY: "yellow", Grade.POSSIBLE: "dim"}

COLUMNS = ("grade", "type", "field", "in", "events", "share", "distinct", "why", "looks like")
_LEAST_WIDTH = {"in": 100, "why": 130, "looks like": 130}
"""The terminal width from which there is room for a column."""

_NUMBERS = ("events", "share", "distinct")
_FOLDED = {"field": None, "in": 30, "why": None, "looks like": None}

LONGEST_FIELD = 60
MOST_INCIDENTS = 20
DIGEST = 12


def write(report: Report, console: Console) -> None:
    """Print the report."""
    if report.rows:
        console.print(_table(report, console.width))
        console.print()
    for line, style in _closing(report):
        console.print(Text(line, style=style), soft_wrap=True)


def _table(report: Report, width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    shown = [name for name in COLUMNS if width >= _LEAST_WIDTH.get(name, 0)]
    for name in shown:
        if name in _FOLDED:
            table.add_column(name, overflow="fold", max_width=_FOLDED[name])
        else:
            table.add_column(name, no_wrap=True, justify="right" if name in _NUMBERS else "left")
    for rows in _groups(report.rows):
        cells = dict(zip(COLUMNS, _cells(report, rows), strict=True))
        table.add_row(*(cells[name] for name in shown))
    return table


def _groups(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Rows of one grade, type and field, the most frequent first; event types are named beside them."""

    def same(row: Row) -> tuple[int, str, str]:
        return -row.grade, row.key.data_type, row.key.path

    groups = [list(group) for _, group in groupby(sorted(rows, key=same), key=same)]
    yield from sorted(groups, key=lambda group: (-group[0].grade, -_events(group)))


def _cells(report: Report, rows: list[Row]) -> list[Text]:
    grade, key = rows[0].grade, rows[0].key
    seen = [row.seen for row in rows]
    total = sum(one for one in seen if one) if None not in seen else 0
    new = report.new is not None and any(row.key in report.new for row in rows)
    texts = [
        f"{MARK[grade]} {grade.word}{' new' if new else ''}",
        key.data_type,
        "(other fields)" if key.field == OTHER else shortened(visible(key.path) or "(whole text)", LONGEST_FIELD),
        _event_types(rows),
        f"{_events(rows):,}",
        percent(min(1.0, _events(rows) / total) if total else None),
        _distinct(rows),
        ", ".join(_reasons(rows).words),
        shortened(visible(next((row.shapes[0] for row in rows if row.shapes), "")), 24),
    ]
    return [Text(text, style=STYLE[grade] if number == 0 else "") for number, text in enumerate(texts)]


def _event_types(rows: list[Row]) -> str:
    first = shortened(visible(rows[0].key.event_type), 24)
    if rows[0].key.field == OTHER or not first:
        return ""
    return first if len(rows) == 1 else f"{first} and {len(rows) - 1:,} more"


def _events(rows: list[Row]) -> int:
    return sum(row.hits.total for row in rows)


def _reasons(rows: list[Row]) -> Reason:
    return reduce(or_, (row.reasons for row in rows))


def _distinct(rows: list[Row]) -> str:
    sketches = [row.distinct for row in rows if row.distinct]
    if not sketches:
        return "-"
    together = reduce(or_, sketches)
    return f"{together.estimate:,}" if together.exact else f"~{together.estimate:,}"


def _closing(report: Report) -> Iterator[tuple[str, str]]:
    yield _headline(report), "bold"
    yield _read(report), ""
    yield from _accounted(report)
    for incident in report.scanned.incidents[:MOST_INCIDENTS]:
        yield f"  {visible(incident.source)}: {visible(incident.message)} ({incident.fault})", "yellow"
    if len(report.scanned.incidents) > MOST_INCIDENTS:
        yield f"  and {len(report.scanned.incidents) - MOST_INCIDENTS:,} more, see --format json", "yellow"
    digest = report.scanned.summary.rules[:DIGEST]
    yield f"{plural(report.rule_count, 'rule')} {digest}, {report.scanned.engine} engine", "dim"


def _headline(report: Report) -> str:
    counts = [f"{count:,} {grade.word}" for grade, count in report.per_grade.items() if count]
    places = {row.key.field for row in report.rows}
    parts = [
        f"{plural(len(report.rows), 'finding')} in {plural(len(places), 'field')}: {listed(counts)}" if counts else "",
        f"{len(report.new):,} of them new" if report.new is not None and counts else "",
        f"{len(report.allowed):,} allowed" if report.allowed else "",
        f"{report.hidden:,} hidden below the least grade" if report.hidden else "",
    ]
    if not any(parts):
        return "No personal data found."
    return "; ".join(part for part in parts if part) + "."


def _read(report: Report) -> str:
    account, scanned = report.account, report.scanned
    return (
        f"Read {plural(len(report.origin.inputs), 'input')}, {size(account.get(INPUT, 0))}:"
        f" {plural(account.get(LINES, 0), 'line')}, {size(account.get(TEXT, 0))},"
        f" in {scanned.seconds:,.1f} s: {report.rate:,.0f} MB/s"
        f" with {plural(scanned.processes, 'process', 'processes')}."
    )


def _accounted(report: Report) -> Iterator[tuple[str, str]]:
    told = [_skipped(one) for one in report.skipped]
    what = (
        f"{size(report.account.get(SCANNED, 0))} scanned, {'skipped: ' + '; '.join(told) if told else 'none skipped'}"
    )
    if report.unaccounted:
        yield f"{report.unaccounted:,} bytes are NOT accounted for ({what}): a bug, please report it.", "bold red"
    else:
        yield f"Every byte accounted for: {what}.", "yellow" if told else "green"


def _skipped(one: Skipped) -> str:
    amounts = [
        plural(one.lines, "line") if one.lines else "",
        size(one.text_bytes) if one.text_bytes else "",
        f"{size(one.input_bytes)} not unpacked" if one.input_bytes else "",
    ]
    return f"{one.fault} ({', '.join(amount for amount in amounts if amount)})"
