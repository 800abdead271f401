"""How one request moves."""

import pytest

from consumer.domain.command import ProjectRule
from consumer.domain.entry import JobRef
from consumer.domain.erasure import answered, approve, cancel, dispatch, forget, rejected, resubmitted, sighted, unsent
from consumer.domain.errors import Reason
from consumer.domain.jobs import Job, JobMember, JobStatus
from consumer.domain.lifecycle import Stage
from consumer.domain.observation import Revoked, Window, observe, revoked
from consumer.domain.reply import NotFound, Scheduled, Unclear
from tests.fakes.commands import NOW, accepted

B1, B2 = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"
DAY = "2026-06-28"
IN_JOB = Scheduled((JobRef(DAY, 1),))


def window(*jobs):
    return Window.of(list(jobs), "2026-06-01", "2026-08-01", "dsr")


def job(status=JobStatus.STAGING, scrubbed=None, ids=((1, "dsr/x"),), day=DAY):
    return Job(day, status, scrubbed, tuple(JobMember(a, r) for a, r in ids))


def scheduled(*names):
    entry = dispatch(accepted(*(names or ("u-1",))), range(9), B1, NOW)
    return answered(entry, B1, {p: Scheduled((JobRef(DAY, p + 1),)) for p in range(9)})


def test_a_request_goes_from_accepted_to_done():
    """The plain path, by what Amplitude shows."""
    entry = accepted("u-1")
    assert entry.reached is Stage.ACCEPTED
    entry = dispatch(entry, [0], B1, NOW)
    assert entry.reached is Stage.DISPATCHING
    assert entry.ready(NOW) == ()
    entry = answered(entry, B1, {0: IN_JOB})
    stages = [entry.reached]
    for state in (job(), job(JobStatus.SUBMITTED), job(JobStatus.SUBMITTED, "2026-06-29"), job(JobStatus.DONE)):
        entry = observe(entry, window(state), NOW)
        stages.append(entry.reached)
    assert stages == [Stage.SCHEDULED, Stage.SCHEDULED, Stage.SUBMITTED, Stage.ERASED, Stage.DONE]
    assert entry.erased == NOW


def test_one_bad_identity_does_not_cost_its_neighbours():
    """Each identity has its own result."""
    entry = dispatch(accepted("u-1", "ghost", "odd"), [0, 1, 2], B1, NOW)
    entry = answered(entry, B1, {0: IN_JOB, 1: NotFound(), 2: Unclear()})
    assert [i.stage for i in entry.identities] == [Stage.SCHEDULED, Stage.NOT_FOUND, Stage.DISPATCHING]
    assert [(i.position, i.alone) for i in entry.ready(NOW)] == [(2, True)]
    entry = rejected(dispatch(entry, [2], B2, NOW), B2)
    assert [i.stage for i in entry.identities] == [Stage.SCHEDULED, Stage.NOT_FOUND, Stage.FAILED]


def test_an_answer_to_an_older_batch_changes_nothing():
    """A late answer may not settle what has been asked again."""
    entry = dispatch(unsent(dispatch(accepted("u-1"), [0], B1, NOW), B1), [0], B2, NOW)
    assert entry == answered(entry, B1, {0: NotFound()})


def test_a_hold_ends_with_its_period_or_with_an_approval():
    """An erasure cannot be taken back, so it can be made to wait."""
    entry = accepted("u-1", rule=ProjectRule("shop", "acme", hold_ms=1000))
    assert (entry.reached, entry.held) == (Stage.HELD, Reason.HOLD_PERIOD)
    assert entry.ready(NOW + 999) == ()
    assert entry.ready(NOW + 1000)
    assert approve(entry, "c-2").ready(NOW)


def test_above_the_cap_only_an_approval_releases():
    """Time alone does not. Negative control: below the cap it is ready at once."""
    entry = accepted("u-1", over_cap=True)
    assert entry.ready(NOW + 10**12) == ()
    assert approve(entry, "c-2").ready(NOW)
    assert accepted("u-1").ready(NOW)


def test_undispatched_is_cancelled_without_a_call():
    """Nothing was sent, so nothing has to be revoked."""
    assert cancel(accepted("u-1"), "c-2").reached is Stage.CANCELLED
    assert cancel(unsent(dispatch(accepted("u-1"), [0], B1, NOW), B1), "c-2").reached is Stage.CANCELLED


def test_a_batch_planned_before_the_cancel_leaves_the_cancelled_out():
    """The write-ahead looks at the entry as it is, not as it was planned."""
    entry = cancel(accepted("u-1"), "c-2")
    assert entry == dispatch(entry, [0], B1, NOW)


def test_a_cancel_in_flight_waits_for_the_answer_and_then_revokes():
    """Cancelled is said only after the revocation."""
    entry = cancel(dispatch(accepted("u-1"), [0], B1, NOW), "c-2")
    assert entry.reached is Stage.DISPATCHING
    entry = answered(entry, B1, {0: IN_JOB})
    assert entry.reached is Stage.CANCELLING
    assert revoked(entry, {}).reached is Stage.CANCELLING
    assert revoked(entry, {(1, DAY): Revoked.REVOKED}).reached is Stage.CANCELLED
    assert revoked(entry, {(1, DAY): Revoked.GONE}).reached is Stage.CANCELLED


def test_a_cancel_of_a_lost_answer_is_asked_again_only_if_the_marker_was_seen():
    """Absent marker: nothing was sent, cancelled. Present: asked once more to learn what to revoke."""
    entry = cancel(dispatch(accepted("u-1"), [0], B1, NOW), "c-2")
    assert sighted(entry, B1, None).reached is Stage.CANCELLED
    seen = sighted(entry, B1, DAY)
    assert seen.ready(NOW)
    seen = answered(dispatch(seen, [0], B2, NOW), B2, {0: IN_JOB})
    assert seen.reached is Stage.CANCELLING


def test_a_frozen_job_makes_a_cancel_too_late_and_says_since_when():
    """The job freezes three days before its day."""
    entry = revoked(cancel(scheduled("u-1", "u-2"), "c-2"), {(1, DAY): Revoked.REVOKED, (2, DAY): Revoked.FROZEN})
    assert [i.stage for i in entry.identities] == [Stage.CANCELLED, Stage.TOO_LATE]
    assert (entry.reached, entry.frozen_since) == (Stage.TOO_LATE, "2026-06-25")
    assert cancel(observe(scheduled(), window(job(JobStatus.SUBMITTED)), NOW), "c-2").reached is Stage.TOO_LATE


def test_what_another_request_still_needs_is_not_revoked():
    """The request is cancelled, the shared job stands."""
    entry = revoked(cancel(scheduled(), "c-2"), {(1, DAY): Revoked.SHARED})
    assert (entry.reached, entry.identities[0].reason) == (Stage.CANCELLED, Reason.SHARED_WITH_OTHER_REQUEST)
    assert not entry.identities[0].jobs[0].revoked


def test_erased_data_stays_erased_whatever_is_cancelled():
    """A cancel cannot bring it back, and `done` still follows."""
    entry = cancel(observe(scheduled(), window(job(JobStatus.SUBMITTED, "2026-06-29")), NOW), "c-2")
    assert entry.reached is Stage.ERASED
    assert observe(entry, window(job(JobStatus.DONE)), NOW).reached is Stage.DONE


def test_after_a_marker_was_seen_an_unknown_id_is_scheduled_on_batch_evidence():
    """The person may be gone because the first call worked. Negative control: unseen, it is not found."""
    lost = dispatch(accepted("u-1"), [0], B1, NOW)
    seen = answered(dispatch(sighted(lost, B1, DAY), [0], B2, NOW), B2, {0: NotFound()})
    assert (seen.reached, seen.identities[0].reason) == (Stage.SCHEDULED, Reason.BATCH_EVIDENCE)
    unseen = answered(dispatch(sighted(lost, B1, None), [0], B2, NOW), B2, {0: NotFound()})
    assert unseen.reached is Stage.NOT_FOUND


def test_batch_evidence_is_followed_to_the_end_by_its_marker():
    """Without an Amplitude ID the marker in the job is what is watched."""
    lost = dispatch(accepted("u-1"), [0], B1, NOW)
    entry = answered(dispatch(sighted(lost, B1, DAY), [0], B2, NOW), B2, {0: NotFound()})
    entry = observe(entry, window(job(JobStatus.SUBMITTED, "2026-06-29", ids=((9, f"dsr/{B1}"),))), NOW)
    assert entry.reached is Stage.ERASED


def test_a_learned_amplitude_id_replaces_the_batch_evidence():
    """Which can then be revoked."""
    lost = sighted(dispatch(accepted("u-1"), [0], B1, NOW), B1, DAY)
    entry = answered(dispatch(lost, [0], B2, NOW), B2, {0: IN_JOB})
    assert entry.identities[0].jobs == (JobRef(DAY, 1),)


def test_a_call_that_was_applied_late_is_tracked_as_a_second_job():
    """Both must be done before the request is."""
    entry = scheduled()._replace(batches=(B1, B2))
    late = job(ids=((1, f"dsr/{B2}"),), day="2026-07-10")
    entry = observe(entry, window(job(JobStatus.DONE), late), NOW)
    assert {(DAY, 1), ("2026-07-10", 1)} == {(r.day, r.amplitude_id) for r in entry.identities[0].jobs}
    assert entry.reached is Stage.SCHEDULED


@pytest.mark.parametrize(
    ("jobs", "reason"), [([job(ids=((5, "x"),))], Reason.REVOKED_ELSEWHERE), ([], Reason.JOB_DISAPPEARED)]
)
def test_what_is_absent_from_two_lists_in_a_row_has_failed(jobs, reason):
    """Nothing stays open for ever. Negative control: one absence, or two apart, is not enough."""
    once = observe(scheduled(), window(*jobs), NOW)
    assert once.reached is Stage.SCHEDULED
    twice = observe(once, window(*jobs), NOW)
    assert (twice.reached, twice.identities[0].reason) == (Stage.FAILED, reason)
    apart = observe(observe(once, window(job()), NOW), window(*jobs), NOW)
    assert apart.reached is Stage.SCHEDULED


def test_a_list_that_does_not_cover_the_day_says_nothing():
    """Absence counts only inside the window that was asked for."""
    entry = scheduled()
    narrow = Window.of([], "2026-07-01", "2026-08-01", "dsr")
    assert entry == observe(observe(entry, narrow, NOW), narrow, NOW)


def test_an_old_list_moves_nothing_backwards():
    """Lists may be read out of order."""
    entry = observe(scheduled(), window(job(JobStatus.SUBMITTED, "2026-06-29")), NOW)
    assert observe(entry, window(job()), NOW).reached is Stage.ERASED


def test_an_ended_request_is_rewritten_without_identifiers():
    """Neither the person, nor an Amplitude ID, nor a digest that could be tested against a guess."""
    entry = forget(observe(scheduled("u-1001"), window(job(JobStatus.DONE)), NOW), NOW)
    assert [i.value for i in entry.identities] == [None]
    assert {None} == {j.amplitude_id for i in entry.identities for j in i.jobs}
    assert len(entry.body_digest) == 2
    assert (entry.reached, entry.closed) == (Stage.DONE, NOW)


def test_a_resubmit_is_a_new_run_under_the_old_request():
    """Its sequence starts again, its commands are remembered."""
    again = resubmitted(forget(scheduled(), NOW), accepted("u-1"))
    assert again.run == 2
    assert again.reached is Stage.ACCEPTED
    assert len(again.commands) == 2


def test_a_repetition_in_another_job_leaves_the_first_one_on_record():
    """The lost call stands in its own job, by the ids that the answer to the repetition tells; both are followed."""
    lost = sighted(dispatch(accepted("u-1"), [0], B1, NOW), B1, "2026-06-20")
    again = answered(dispatch(lost, [0], B2, NOW), B2, {0: IN_JOB})
    assert again.identities[0].jobs == (JobRef("2026-06-20", 1), JobRef(DAY, 1))


def test_an_answer_that_names_the_marked_job_replaces_the_evidence():
    """Amplitude gave the place of the first call: there is only one."""
    lost = sighted(dispatch(accepted("u-1"), [0], B1, NOW), B1, DAY)
    again = answered(dispatch(lost, [0], B2, NOW), B2, {0: IN_JOB})
    assert again.identities[0].jobs == (JobRef(DAY, 1),)


def test_an_answer_without_ids_keeps_the_evidence():
    """Nothing better is known of the first job than that the batch's marker stands in it."""
    lost = sighted(dispatch(accepted("u-1"), [0], B1, NOW), B1, "2026-06-20")
    again = answered(dispatch(lost, [0], B2, NOW), B2, {0: Scheduled((JobRef(DAY, None, B2),))})
    assert again.identities[0].jobs == (JobRef("2026-06-20", None, B1), JobRef(DAY, None, B2))
