"""Events over time as columns. The heights are classes of the style sheet, so that the page needs no inline style."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from consumer.package.bounded import Span
from consumer.package.markup import Html, compact, joined, month
from scanner.report.text import plural

_MOST_MONTHS = 36
_MOST_COLUMNS = 60
_ROOMY = 18
SHARES = "".join(f".p{share}{{--share:{share}}}" for share in range(101))
"""The rules of the classes `p0` to `p100`."""


def share(count: int, most: int) -> int:
    """Of a hundred, rounded; what is there at all is seen."""
    return max(1, round(100 * count / most)) if count and most else 0


def chart(months: Mapping[str, Span]) -> Html:
    """A column for every month from the first to the last, or for every year if those are too many."""
    counts = {name: span.count for name, span in sorted(months.items())}
    by_month = _months(min(counts), max(counts)) if counts else []
    if len(by_month) > _MOST_MONTHS:
        return _columns("year", _by_year(counts), lambda name: name)
    return _columns("month", {name: counts.get(name, 0) for name in by_month}, month)


def _months(first: str, last: str) -> list[str]:
    begin, end = (int(one[:4]) * 12 + int(one[5:7]) - 1 for one in (first, last))
    return [f"{at // 12:04}-{at % 12 + 1:02}" for at in range(begin, min(end, begin + _MOST_MONTHS) + 1)]


def _by_year(counts: Mapping[str, int]) -> dict[str, int]:
    """Years without events are left out: a wrong clock puts an event into 1970."""
    years: dict[str, int] = {}
    for name, count in counts.items():
        years[name[:4]] = years.get(name[:4], 0) + count
    return years


def _columns(unit: str, counts: Mapping[str, int], label: Callable[[str], str]) -> Html:
    shown = list(counts)[-_MOST_COLUMNS:]
    most = max(counts.values(), default=0)
    step = 1 if len(shown) <= _ROOMY else 3
    years: set[str] = set()
    columns = []
    for place, name in enumerate(shown):
        year = "" if unit == "year" or name[:4] in years else name[:4]
        years.add(name[:4])
        sparse = "" if place % step == 0 or year else " sparse"
        columns.append(
            f'<li><span aria-hidden="true" class="value">{compact(counts[name])}</span>'
            f'<span aria-hidden="true" class="column p{share(counts[name], most)}"></span>'
            f'<span aria-hidden="true" class="label{sparse}">{label(name)}<b>{year}</b></span>'
            f'<span class="unseen">{_words(name)}: {plural(counts[name], "event")}</span></li>'
        )
    dense = " dense" if step > 1 else ""
    return Html(f'<ol class="chart{dense}" aria-label="Events by {unit}">{joined(map(Html, columns))}</ol>')


def _words(name: str) -> str:
    return f"{month(name)} {name[:4]}" if len(name) > 4 else name
