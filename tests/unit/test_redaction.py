"""Personal values do not print."""

import traceback

import pytest

from consumer.domain.errors import CallFailed, DsrError, Fault, Poison, Reason, Refused
from consumer.domain.jobs import JobMember, ScheduleCall, ScheduleReply
from consumer.domain.subject import Secret, Subject


@pytest.mark.parametrize("kind", [Subject, Secret])
def test_a_redacted_value_prints_as_stars_and_compares_by_what_it_hides(kind):
    """In repr, str, format strings and tracebacks."""
    value = kind("jane.roe@example.com")
    shown = f"{value} {value!r} {[value]}"
    assert "jane" not in shown
    assert value == kind("jane.roe@example.com")
    assert value.reveal() == "jane.roe@example.com"
    assert not kind("")


def test_values_that_hold_subjects_do_not_print_them():
    """A log line with a whole call or reply in it is still clean."""
    member = JobMember(1, "dsr/1", Subject("jane-roe"))
    assert "jane" not in repr(
        (member, ScheduleCall((Subject("jane-roe"),), (), "x"), ScheduleReply((), frozenset({"jane"})))
    )


@pytest.mark.parametrize(
    "error",
    [Poison(Reason.UNDECODABLE), Refused(Reason.EMPTY_IDENTITY), CallFailed(Fault.LOST, Reason.UNAVAILABLE, 502)],
)
def test_an_error_prints_its_reason(error):
    """The reason is the whole message, besides our own words."""
    assert isinstance(error, DsrError)
    assert str(error.reason) in "".join(traceback.format_exception(error))
