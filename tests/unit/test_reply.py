"""What a reply says about each identity."""

import pytest

from consumer.domain.command import IdentityKind
from consumer.domain.entry import JobRef
from consumer.domain.jobs import Job, JobMember, JobStatus, ScheduleReply
from consumer.domain.reply import NotFound, Scheduled, Unclear, bears, classify, marker
from consumer.domain.subject import Subject

BATCH = "3f9a0c1d22e84b57"
MINE = marker("dsr", BATCH)


def user(name):
    return IdentityKind.USER_ID, Subject(name)


def job(*members, day="2026-06-28"):
    return Job(day, JobStatus.STAGING, None, members)


def test_a_200_without_a_job_means_that_nobody_was_found():
    """The bare "Nothing scheduled" message."""
    asks = [user("u-1"), user("u-2")]
    assert classify(asks, ScheduleReply(), "dsr", BATCH) == dict.fromkeys(asks, NotFound())


def test_one_user_id_may_stand_for_several_amplitude_ids():
    """All of them are kept: the person is erased when all are."""
    reply = ScheduleReply((job(JobMember(1, MINE, Subject("u-1")), JobMember(2, MINE, Subject("u-1"))),))
    assert classify([user("u-1")], reply, "dsr", BATCH)[user("u-1")] == Scheduled(
        (JobRef("2026-06-28", 1), JobRef("2026-06-28", 2))
    )


def test_ids_of_other_callers_in_the_same_job_are_nobody_of_ours():
    """Matched by id, never by count: a stranger in the job does not make an unmentioned id scheduled."""
    reply = ScheduleReply((job(JobMember(7, "somebody", Subject("stranger"))),), frozenset({"u-1"}))
    verdicts = classify([user("u-1"), user("u-2")], reply, "dsr", BATCH)
    assert verdicts == {user("u-1"): NotFound(), user("u-2"): Unclear()}


def test_user_ids_are_compared_case_sensitively():
    """`U-1` is another person than `u-1`."""
    reply = ScheduleReply((job(JobMember(7, MINE, Subject("U-1")), JobMember(8, MINE, Subject("u-2"))),))
    assert classify([user("u-1"), user("u-2")], reply, "dsr", BATCH)[user("u-1")] == Unclear()


def test_without_user_ids_in_the_reply_everyone_who_is_not_invalid_is_scheduled_on_batch_evidence():
    """Amplitude may leave the user ids out; then only `invalid_ids` tells them apart."""
    reply = ScheduleReply((job(JobMember(7, MINE)),), frozenset({"u-1"}))
    verdicts = classify([user("u-1"), user("u-2")], reply, "dsr", BATCH)
    assert verdicts == {user("u-1"): NotFound(), user("u-2"): Scheduled((JobRef("2026-06-28", None, BATCH),))}


def test_an_amplitude_id_is_found_by_itself():
    """As a number, however it was written."""
    ask = (IdentityKind.AMPLITUDE_ID, Subject("0077"))
    reply = ScheduleReply((job(JobMember(77, "x"), JobMember(8, MINE, Subject("u-2"))),))
    assert classify([ask, user("u-2")], reply, "dsr", BATCH)[ask] == Scheduled((JobRef("2026-06-28", 77),))


def test_asked_for_alone_there_is_always_an_answer():
    """What bears our marker is that one identity's; other callers' entries are not taken for it."""
    reply = ScheduleReply((job(JobMember(7, "somebody"), JobMember(8, MINE)),))
    assert classify([user("u-1")], reply, "dsr", BATCH)[user("u-1")] == Scheduled((JobRef("2026-06-28", 8),))


@pytest.mark.parametrize(
    ("seen", "ours"),
    [
        (f"dsr/{BATCH}", True),
        (f"dsr/{BATCH[:8]}", True),
        (f"dsr/{BATCH[:7]}", False),
        (f"dsr/{BATCH}0", False),
        ("dsr/", False),
        ("rest", False),
        (f"other/{BATCH}", False),
    ],
)
def test_a_marker_is_recognised_even_when_truncated_but_never_guessed(seen, ours):
    """Too short a rest proves nothing."""
    assert ours == bears(seen, "dsr", BATCH)
