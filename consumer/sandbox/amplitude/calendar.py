"""When a deletion job freezes, runs and is done. Pure functions of days; nothing here remembers a status.

Source: Amplitude, "User Privacy API"; the lead of 12 days was recorded in June 2026, the days after the job's day are
our reading of its prose.
"""

from __future__ import annotations

from datetime import date

from consumer.domain.deadline import plus_days
from consumer.domain.jobs import JobStatus
from consumer.domain.subject import Day

FREEZE_DAYS = 3
"""A job accepts and gives up ids until this many days before its day."""
SCRUB_DAYS = 1
"""The data is unreachable this many days after the job's day (undocumented: our choice)."""
BACKUP_DAYS = 5
"""Backups are gone this many days after that."""
LONGEST_RANGE_DAYS = 184
"""Six months, the longest range a list call accepts."""


def is_open(day: Day, today: Day) -> bool:
    """Whether the job of `day` still takes ids today."""
    return today < plus_days(day, -FREEZE_DAYS)


def scrubbed_on(day: Day, today: Day) -> Day | None:
    """The day since which the job's data is unreachable, if that has come."""
    scrubbed = plus_days(day, SCRUB_DAYS)
    return scrubbed if today >= scrubbed else None


def status_on(day: Day, today: Day) -> JobStatus:
    """What the job of `day` is today."""
    if is_open(day, today):
        return JobStatus.STAGING
    return JobStatus.DONE if today >= plus_days(day, SCRUB_DAYS + BACKUP_DAYS) else JobStatus.SUBMITTED


def parse_day(text: object) -> Day | None:
    """A day exactly as Amplitude writes it, or None."""
    try:
        return Day(text) if isinstance(text, str) and date.fromisoformat(text).isoformat() == text else None
    except ValueError:
        return None


def range_days(start: Day, end: Day) -> int:
    """Days from `start` to `end`; negative when they are the wrong way round."""
    return (date.fromisoformat(end) - date.fromisoformat(start)).days
