"""Which hours `dsr submit discover` and `dsr scan --project` mean, at any hour of the day."""

from datetime import UTC, datetime

import pytest

from consumer.cli import discoveries
from consumer.cli.discoveries import last_hour, unfinished, window
from consumer.domain.hours import DAY_HOURS, FINAL_AFTER_MS, Hour, Span, parse


def at(iso):
    return int(datetime.fromisoformat(iso).replace(tzinfo=UTC).timestamp() * 1000)


def day(iso):
    return Span(parse(iso), Hour(parse(iso) + DAY_HOURS - 1))


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        ("2026-06-17T00:00", "2026-06-15"),
        ("2026-06-17T02:59:59.999", "2026-06-15"),
        ("2026-06-17T03:00", "2026-06-16"),
        ("2026-06-17T23:59:59", "2026-06-16"),
    ],
)
def test_unless_told_otherwise_the_newest_day_that_is_final(instant, expected):
    """A discovery that is waited for must not wait for Amplitude to complete the day, nor a scan miss its end."""
    asked = window(None, None, FINAL_AFTER_MS, at(instant))
    assert asked == day(expected)
    assert unfinished(asked, FINAL_AFTER_MS, at(instant)) is None


def test_how_long_that_takes_is_a_setting():
    """Without any wait, a day is final when it ends."""
    assert window(None, None, 0, at("2026-06-17T00:00")) == day("2026-06-16")


def test_one_bound_means_its_day():
    """From there to the day's end, or from the day's beginning to there."""
    noon, now = parse("2026-06-16T12"), at("2026-06-20T00:00")
    assert window(noon, None, FINAL_AFTER_MS, now) == Span(noon, Hour(noon + 11))
    assert window(None, noon, FINAL_AFTER_MS, now) == Span(Hour(noon - 12), noon)
    assert window(noon, noon, FINAL_AFTER_MS, now) == Span(noon, noon)


@pytest.mark.parametrize("first", ["2026-06-16T00", "2026-06-16T12", "2026-06-16T14"])
def test_from_today_means_until_now(first):
    """The hour that has begun is the last one that can be asked for."""
    asked = window(parse(first), None, FINAL_AFTER_MS, at("2026-06-16T14:59:59.999"))
    assert asked == Span(parse(first), parse("2026-06-16T14"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-06-15", "2026-06-15T23"),
        ("2026-06-16", "2026-06-16T14"),
        ("2026-06-16T23", "2026-06-16T23"),
        ("2026-06-17", "2026-06-17T00"),
    ],
)
def test_a_day_as_the_last_hour_means_its_end_or_now(given, expected, monkeypatch):
    """Hours and days to come stay what they are, and are refused."""
    monkeypatch.setattr(discoveries, "now", lambda: at("2026-06-16T14:59:59.999"))
    assert last_hour(given) == parse(expected)


def test_from_an_hour_to_come_stays_in_the_future():
    """It is refused then, and not turned into one that was not asked for."""
    later = parse("2026-06-16T15")
    assert window(later, None, FINAL_AFTER_MS, at("2026-06-16T14:59:59.999")) == Span(later, later)


def test_hours_that_are_not_final_are_told_with_when_they_will_be():
    """Until the very instant."""
    told = "Amplitude's export of 2026-06-16T23 is complete from 2026-06-17 03:00 UTC on"
    assert unfinished(day("2026-06-16"), FINAL_AFTER_MS, at("2026-06-17T02:59:59.999")) == told
    assert unfinished(day("2026-06-16"), FINAL_AFTER_MS, at("2026-06-17T03:00")) is None
