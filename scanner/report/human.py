"""The report on a terminal: findings of one type in one field on one line, the surest first, then what was read.

New findings come before those of the baseline. Fields that are known to be personal in every export are no discovery:
they are named in one line below the table, unless a baseline shows that they are new.
"""

from __future__ import annotations

from collections import Counter
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
_DISPENSABLE = ("looks like", "why", "in")
"""Left out, in this order, where the terminal is too narrow for the table."""

_NUMBERS = ("events", "share", "distinct")
_FOLDED = {"field", "in", "why", "looks like"}

_GAP = 2
LONGEST_FIELD, LONGEST_EVENT_TYPES = 60, 36
MOST_INCIDENTS = 20
DIGEST = 12


def write(report: Report, console: Console, most: int | None = None) -> None:
    """Print the report, with so many lines of findings at most (None: with all)."""
    groups = list(_groups(report))
    if shown := groups[:most]:
        console.print(_table(report, shown, console.width))
        console.print()
    if left := groups[len(shown) :]:
        console.print(Text(_not_shown(left), style="yellow"), soft_wrap=True)
    for line, style in _closing(report):
        console.print(Text(line, style=style), soft_wrap=True)


def _table(report: Report, groups: Sequence[list[Row]], width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    lines = [dict(zip(COLUMNS, _cells(report, rows), strict=True)) for rows in groups]
    shown = _fitting(lines, width)
    for name in shown:
        if name in _FOLDED:
            table.add_column(name, overflow="fold")
        else:
            table.add_column(name, no_wrap=True, justify="right" if name in _NUMBERS else "left")
    for line in lines:
        table.add_row(*(line[name] for name in shown))
    return table


def _fitting(lines: list[dict[str, Text]], width: int) -> list[str]:
    """The columns that there is room for, each on one line, if need be without the dispensable ones."""
    widths = {name: _GAP + max(len(name), *(line[name].cell_len for line in lines)) for name in COLUMNS}
    for name in _DISPENSABLE:
        if sum(widths.values()) - _GAP > width:
            del widths[name]
    return [*widths]


def _groups(report: Report) -> Iterator[list[Row]]:
    """Rows of one grade, type and field, the most frequent first; event types are named beside them."""

    def same(row: Row) -> tuple[int, str, str]:
        return -row.grade, row.key.data_type, row.key.path

    discovered = sorted((row for row in report.rows if not _expected(report, row)), key=same)
    groups = [list(group) for _, group in groupby(discovered, key=same)]
    yield from sorted(groups, key=lambda group: (not _any_new(report, group), -group[0].grade, -_events(group)))


def _expected(report: Report, row: Row) -> bool:
    return row.key in report.expected and row.key not in (report.new or ())


def _any_new(report: Report, rows: list[Row]) -> bool:
    return report.new is not None and any(row.key in report.new for row in rows)


def _not_shown(groups: list[list[Row]]) -> str:
    counts = Counter(group[0].grade for group in groups)
    told = listed([f"{counts[grade]:,} {grade.word}" for grade in reversed(Grade) if counts[grade]])
    return f"{plural(len(groups), 'more line')}, {told}: -o report.html shows them all, `| less` too."


def _cells(report: Report, rows: list[Row]) -> list[Text]:
    grade, key = rows[0].grade, rows[0].key
    seen = [row.seen for row in rows]
    total = sum(one for one in seen if one) if None not in seen else 0
    new = _any_new(report, rows)
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
    first = visible(rows[0].key.event_type)
    if rows[0].key.field == OTHER or not first:
        return ""
    others = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
    return shortened(first, LONGEST_EVENT_TYPES - len(others)) + others


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
    yield from _known(report)
    yield _read(report), ""
    yield from _accounted(report)
    if report.scanned.incidents:
        yield "Not everything could be read:", "yellow"
    for incident in report.scanned.incidents[:MOST_INCIDENTS]:
        yield f"  {visible(incident.source)}: {visible(incident.message)} ({incident.fault})", "yellow"
    if len(report.scanned.incidents) > MOST_INCIDENTS:
        yield f"  and {len(report.scanned.incidents) - MOST_INCIDENTS:,} more, see --format json", "yellow"
    rules = f"{plural(report.rule_count, 'rule')} {report.scanned.summary.rules[:DIGEST]}".rstrip()
    yield f"{rules}, {report.scanned.engine} engine" if report.scanned.engine else rules, "dim"


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
        return "No personal data found." if report.account.get(LINES) else "Nothing to scan: there is not one line."
    return "; ".join(part for part in parts if part) + "."


def _known(report: Report) -> Iterator[tuple[str, str]]:
    expected = [row for row in report.rows if _expected(report, row)]
    if expected:
        fields = sorted({visible(row.key.path) for row in expected})
        are = "are" if len(expected) > 1 else "is"
        what = "these fields always hold" if len(fields) > 1 else "this field always holds"
        yield f"{len(expected):,} of them, not listed, {are} what {what}: {', '.join(fields)}.", ""


def _read(report: Report) -> str:
    account, scanned = report.account, report.scanned
    return (
        f"Read {plural(len(report.origin.inputs), 'input')}, {size(account.get(INPUT, 0))}:"
        f" {plural(account.get(LINES, 0), 'line')}, {size(account.get(TEXT, 0))}"
        + (_speed(report) if scanned.seconds else ".")
    )


def _speed(report: Report) -> str:
    scanned = report.scanned
    workers = plural(scanned.processes, "process", "processes")
    return f", in {scanned.seconds:,.1f} s: {report.rate:,.0f} MB/s with {workers}."


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
