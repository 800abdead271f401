"""What a status and a Retry-After header mean."""

from __future__ import annotations

import pytest

from consumer.adapters.amplitude import answers
from consumer.domain.errors import Fault, Reason

SENT = "Mon, 02 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("status", "fault", "reason"),
    [
        (401, Fault.CREDENTIALS, Reason.CREDENTIALS_REFUSED),
        (403, Fault.CREDENTIALS, Reason.CREDENTIALS_REFUSED),
        (429, Fault.THROTTLED, Reason.THROTTLED),
        (400, Fault.REJECTED, Reason.REJECTED_BY_AMPLITUDE),
        (404, Fault.REJECTED, Reason.REJECTED_BY_AMPLITUDE),
        (413, Fault.REJECTED, Reason.REJECTED_BY_AMPLITUDE),
        (408, Fault.LOST, Reason.UNAVAILABLE),
        (500, Fault.LOST, Reason.UNAVAILABLE),
        (502, Fault.LOST, Reason.UNAVAILABLE),
        (503, Fault.LOST, Reason.UNAVAILABLE),
        (504, Fault.LOST, Reason.UNAVAILABLE),
        (302, Fault.LOST, Reason.UNAVAILABLE),
        (202, Fault.LOST, Reason.UNAVAILABLE),
        (204, Fault.LOST, Reason.UNAVAILABLE),
    ],
)
def test_every_status_has_one_meaning(status: int, fault: Fault, reason: Reason) -> None:
    """A fault says whether the call may have been applied."""
    failure = answers.failure(status, {})
    assert failure is not None
    assert (failure.fault, failure.reason, failure.status) == (fault, reason, status)


def test_two_hundred_is_the_only_success() -> None:
    """No other success is documented."""
    assert answers.failure(200, {"Retry-After": "3"}) is None


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        ("30", 30.0),
        ("0", 0.0),
        (" 1.5 ", 1.5),
        ("Mon, 02 Nov 2026 10:02:00 GMT", 120.0),
        ("Mon, 02 Nov 2026 09:00:00 GMT", 0.0),
        ("Mon, 02 Nov 2026 10:02:00 -0000", 120.0),
        ("99999999999", 86_400.0),
        ("Mon, 02 Nov 2099 10:00:00 GMT", 86_400.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("1e999", None),
        ("9" * 400, None),
        ("Mon, 99 Nov 2026 10:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(value: str, wait_s: float | None) -> None:
    """A date counts from the reply's own date; a mistaken value is ignored, a long one cut to a day."""
    assert answers.retry_after_s({"Retry-After": value, "Date": SENT}) == wait_s


def test_a_failure_carries_the_hint() -> None:
    """The server's hint reaches whoever waits."""
    failure = answers.failure(429, {"Retry-After": "7"})
    assert failure is not None
    assert failure.retry_after_s == 7.0
    assert answers.retry_after_s({}) is None
