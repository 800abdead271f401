"""Deadlines."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.domain.deadline import (
    CCPA_PERIOD_MS,
    DAY_MS,
    FIRST_ESTIMATE_MS,
    Regulation,
    at,
    day_of,
    due,
    estimate_ms,
    millis,
    one_month_after,
    plus_days,
    scrub_expected,
    start_of,
)

instants = st.integers(min_value=0, max_value=4_000_000_000_000)


@pytest.mark.parametrize(
    ("asked", "by"),
    [
        ("2026-01-31", "2026-02-28"),
        ("2028-01-31", "2028-02-29"),
        ("2026-12-15", "2027-01-15"),
        ("2026-03-31", "2026-04-30"),
    ],
)
def test_gdpr_gives_one_calendar_month(asked, by):
    """A month ends on the same day of the next one, or on its last day."""
    moment = datetime.fromisoformat(asked).replace(hour=13, minute=7, tzinfo=UTC)
    expected = datetime.fromisoformat(by).replace(hour=13, minute=7, tzinfo=UTC)
    assert expected == at(due(millis(moment), Regulation.GDPR, None))


def test_ccpa_gives_45_days():
    """California counts days, not months."""
    assert CCPA_PERIOD_MS == due(0, Regulation.CCPA, None) == 45 * DAY_MS


def test_an_explicit_deadline_wins():
    """The controller may have promised less, or been granted more."""
    assert due(0, Regulation.GDPR, 7) == 7


def test_without_a_regulation_the_stricter_period_holds():
    """Nobody is told too late because a field was left out."""
    assert due(0, None, None) == one_month_after(0) < due(0, Regulation.CCPA, None)


@given(instants)
def test_a_month_is_28_to_31_days(instant):
    """For any instant."""
    assert 28 * DAY_MS <= one_month_after(instant) - instant <= 31 * DAY_MS


@given(instants)
def test_an_instant_lies_within_its_day(instant):
    """Days are half-open and in UTC."""
    day = day_of(instant)
    assert start_of(day) <= instant < start_of(plus_days(day, 1))


def test_the_estimate_is_the_median_once_there_is_history():
    """One slow job does not move it."""
    assert estimate_ms([]) == FIRST_ESTIMATE_MS
    assert estimate_ms([10, 12, 400]) == 12


def test_the_scrub_is_expected_by_the_end_of_the_day_after_the_job():
    """Amplitude reports the scrub date as the day after the job's."""
    assert scrub_expected("2026-06-28") == start_of("2026-06-30")
