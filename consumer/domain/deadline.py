"""When an erasure must be complete, when it is expected to be, and how much room is between the two."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from statistics import median

from consumer.domain.subject import Day, Millis

DAY_MS = 86_400_000
CCPA_PERIOD_MS = 45 * DAY_MS
AT_RISK_BELOW_MS = 3 * DAY_MS
FIRST_ESTIMATE_MS = 14 * DAY_MS
"""Time from acceptance to scrub before a project has a history; 9 to 14 days were observed, 30 are promised."""


class Regulation(StrEnum):
    """OpenDSR's regulations."""

    GDPR = "gdpr"
    CCPA = "ccpa"


def one_month_after(instant: Millis) -> Millis:
    """The same day and time of the next calendar month (UTC), or that month's last day if it is shorter.

    GDPR Art. 12(3) gives "one month"; Regulation 1182/71 Art. 3(2)(c) says how a month ends.
    """
    day, time_of_day_ms = divmod(instant, DAY_MS)
    return Millis(_month_after_day(day) + time_of_day_ms)


@lru_cache(maxsize=1024)
def _month_after_day(number: int) -> Millis:
    start = at(Millis(number * DAY_MS))
    year, month = start.year + start.month // 12, start.month % 12 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return millis(start.replace(year=year, month=month, day=day))


def due(submitted: Millis, regulation: Regulation | None, explicit: Millis | None) -> Millis:
    """The deadline: the explicit one, else the regulation's period, else the stricter of the two we know."""
    if explicit is not None:
        return explicit
    if regulation is Regulation.CCPA:
        return Millis(submitted + CCPA_PERIOD_MS)
    return one_month_after(submitted)


def estimate_ms(observed_ms: Sequence[int]) -> int:
    """Expected time from acceptance to scrub: the median of what was observed, else 14 days."""
    return int(median(observed_ms)) if observed_ms else FIRST_ESTIMATE_MS


def scrub_expected(job_day: Day) -> Millis:
    """A job that runs on `job_day` makes the data unreachable by the end of the following day."""
    return Millis(start_of(job_day) + 2 * DAY_MS)


def at(instant: Millis) -> datetime:
    """The instant as an aware datetime in UTC."""
    return datetime.fromtimestamp(instant / 1000, UTC)


def millis(moment: datetime) -> Millis:
    """The aware datetime as epoch milliseconds."""
    return Millis(round(moment.timestamp() * 1000))


def day_of(instant: Millis) -> Day:
    """The UTC day that holds the instant."""
    return _day(instant // DAY_MS)


@lru_cache(maxsize=64)
def _day(number: int) -> Day:
    return Day(at(Millis(number * DAY_MS)).date().isoformat())


def start_of(day: Day) -> Millis:
    """Midnight UTC at which the day starts."""
    return millis(datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC))


def plus_days(day: Day, days: int) -> Day:
    """The day that many days later (or earlier)."""
    return Day((date.fromisoformat(day) + timedelta(days=days)).isoformat())


def span(milliseconds: int) -> str:
    """A length of time in its two largest units: `12 d 3 h`. Negative ones are late."""
    late, rest = milliseconds < 0, abs(milliseconds)
    parts = []
    for unit, size in (("d", DAY_MS), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        count, rest = divmod(rest, size)
        parts += [f"{count} {unit}"] if count else []
    return ("-" if late else "") + (" ".join(parts[:2]) or "0 s")
