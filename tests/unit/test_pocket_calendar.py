"""The calendar of a deletion job, as a pure function of days, and the book of jobs built on it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.domain.deadline import plus_days
from consumer.domain.jobs import JobStatus
from consumer.domain.subject import Day
from consumer.sandbox.amplitude import calendar
from consumer.sandbox.amplitude.book import DEFAULT_REQUESTER, JobBook
from consumer.sandbox.amplitude.people import People

APP = "829000"
D0 = Day("2026-06-16")
ORDER = [JobStatus.STAGING, JobStatus.SUBMITTED, JobStatus.DONE]
days = st.dates(date(2020, 1, 1), date(2035, 1, 1)).map(lambda day: Day(day.isoformat()))


def after(day: Day, count: int) -> Day:
    return Day((date.fromisoformat(day) + timedelta(count)).isoformat())


@given(days, days, st.integers(0, 400))
def test_a_job_never_moves_backwards(day: Day, today: Day, later: int) -> None:
    """Status and scrub date only ever advance as the calendar does."""
    then = after(today, later)
    assert ORDER.index(calendar.status_on(day, today)) <= ORDER.index(calendar.status_on(day, then))
    if calendar.scrubbed_on(day, today):
        assert calendar.scrubbed_on(day, then) == calendar.scrubbed_on(day, today)


@given(days, days)
def test_done_implies_scrubbed_implies_frozen(day: Day, today: Day) -> None:
    """No job is done before its data is unreachable, none is scrubbed while it can be revoked."""
    status, scrubbed = calendar.status_on(day, today), calendar.scrubbed_on(day, today)
    assert not (status is JobStatus.DONE and scrubbed is None)
    assert not (scrubbed and status is JobStatus.STAGING)
    assert calendar.is_open(day, today) == (status is JobStatus.STAGING)


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abcdef"), st.booleans()), max_size=60))
def test_a_book_keeps_its_rules_under_any_history(history: list[tuple[int, str, bool]]) -> None:
    """At most one job is open, a job's ids change only while it is open, and a scrubbed person stays gone."""
    book, today = JobBook(People()), D0
    frozen: dict[Day, set[int]] = {}
    gone: set[str] = set()
    for wait, user, schedule in history:
        today = after(today, wait)
        (amplitude_id,) = book.people.amplitude_ids(APP, user)
        if schedule:
            done = book.schedule(APP, today, [user], [], "r")
            assert (done.job is None) == (user in gone or bool(done.invalid))
        else:
            for job in list(book.jobs(APP, today, D0, after(today, 400))):
                book.revoke(APP, today, amplitude_id, job.day)
        views = list(book.jobs(APP, today, D0, after(today, 400)))
        assert sum(view.status is JobStatus.STAGING for view in views) <= 1
        for view in views:
            ids = {entry.amplitude_id for entry in view.entries}
            assert ids
            if view.status is not JobStatus.STAGING:
                assert frozen.setdefault(view.day, ids) == ids
            if view.scrubbed_on:
                gone |= {entry.user_id or "" for entry in view.entries}
        assert frozen.keys() <= {view.day for view in views}


def test_a_person_in_a_frozen_job_goes_into_the_next_one_until_it_is_scrubbed() -> None:
    """Undocumented, our choice: until then the person still exists."""
    book = JobBook(People())
    first = book.schedule(APP, D0, ["u"], [], "r").job
    second = book.schedule(APP, plus_days(D0, 10), ["u"], [], "r").job
    assert first
    assert second
    assert first.day < second.day
    assert book.schedule(APP, plus_days(first.day, 1), ["u"], [], "r").invalid == ("u",)


def test_one_project_does_not_see_another() -> None:
    """A person has other Amplitude IDs, and other jobs, in every project."""
    book = JobBook(People())
    book.schedule("1", D0, ["u"], [], "r")
    assert list(book.jobs("2", D0, D0, plus_days(D0, 99))) == []
    assert book.people.amplitude_ids("1", "u") != book.people.amplitude_ids("2", "u")


def test_people_can_be_seeded_and_made_ghosts() -> None:
    """What is said by hand wins over the rule."""
    people = People()
    people.seed(APP, "u", (1, 2, 3))
    people.seed(APP, "nobody", ())
    assert people.amplitude_ids(APP, "u") == (1, 2, 3)
    assert people.amplitude_ids(APP, "nobody") == ()
    assert people.user_of(APP, 2) == "u"
    assert people.exists(APP, 2)
    assert not people.exists(APP, 4)


def test_derived_ids_are_the_same_every_time_and_look_real() -> None:
    """13 digits, the same in every process, different for a different case of the user id."""
    assert People().amplitude_ids(APP, "u-1") == People().amplitude_ids(APP, "u-1")
    assert People().amplitude_ids(APP, "u-1") != People().amplitude_ids(APP, "U-1")
    ids = [People().amplitude_ids(APP, f"u-{n}")[0] for n in range(1000)]
    assert {len(str(one)) for one in ids} == {13}
    assert len(set(ids)) == 1000


def test_no_requester_is_stored_as_recorded() -> None:
    """Amplitude stores "rest"."""
    job = JobBook(People()).schedule(APP, D0, ["u"], [], None).job
    assert job
    assert job.entries[0].requester == DEFAULT_REQUESTER == "rest"


def test_a_job_must_be_open_for_a_day() -> None:
    """A lead within the freeze would never take anybody."""
    with pytest.raises(ValueError, match="open"):
        JobBook(People(), lead_days=3)


@pytest.mark.parametrize("text", ["20260616", "2026-6-16", "2026-06-31", "", None, 5, "2026-W25-2"])
def test_a_day_has_one_spelling(text: object) -> None:
    """The dashed format is the one that was recorded."""
    assert calendar.parse_day(text) is None
