"""How a copy moves: by its table, to an end, and without anybody's name when it is there."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.copies.steps import Kind, steps_of
from consumer.domain import copies
from consumer.domain.command import ProjectRule, judge, parse
from consumer.domain.copying import CopyFile, CopyPage, Package, Source
from consumer.domain.errors import Reason
from consumer.domain.lifecycle import COPY_NEXT, ENDS, Stage, may_follow
from consumer.domain.subject import Secret
from tests.fakes.commands import NOW, fields, identity

RULE = ProjectRule("shop", "acme", app=1, copies=True)
PACKAGE = Package("file:///x/manifest.json", "ab" * 32, 2, 5, 100, NOW + 1)


def fresh(*people, source=Source.DSAR, projects=("shop", "app"), begun=True):
    """The entry of such a copy, with its errands."""
    command = parse(fields(*people, subject_request_type="access", project=None, scope="org", org="acme"), NOW)
    entry = copies.accept(command, judge(command.identities, RULE), "acme", (), NOW)
    how = copies.Start(source, projects, "2025-05-01", "2026-06-16", Secret("AGE-SECRET-KEY-1"))
    return copies.begin(entry, how, NOW) if begun else entry


def file(output, lines=5):
    return CopyFile(output, f"r/events/{output}.gz" if lines else "", 100 if lines else 0, "ab" * 32, lines)


def ready(entry, index=0, outputs=(0,), job=7):
    entry = copies.requested(copies.intend(entry, index, NOW), index, job)
    return copies.ready(entry, index, outputs)


def complete(*people):
    entry = fresh(*people)
    for index in range(len(people)):
        entry = ready(entry, index)
        entry = copies.stored(entry, index, file(0), 7)
    return entry


def test_a_copy_goes_from_question_to_package_and_forgets_whom_it_is_about():
    """The way that nothing disturbs."""
    entry = fresh("u-1")
    assert [step.kind for step in steps_of(entry)] == [Kind.ASK]
    entry = copies.intend(entry, 0, NOW)
    assert [step.kind for step in steps_of(entry)] == [Kind.LOST]
    entry = copies.requested(entry, 0, 7)
    assert (entry.reached, [step.kind for step in steps_of(entry)]) == (Stage.REQUESTED, [Kind.POLL])
    entry = copies.ready(entry, 0, (0, 1))
    assert (entry.reached, [step.output for step in steps_of(entry)]) == (Stage.READY, [0, 1])
    entry = copies.stored(copies.stored(entry, 0, file(0), 7), 0, file(1, lines=0), 7)
    assert copies.complete(entry)
    assert [step.kind for step in steps_of(entry)] == [Kind.PACK]
    entry = copies.delivered(copies.paged(entry, CopyPage("p", 1, "cd")), PACKAGE, NOW)
    assert (entry.reached, entry.erased, entry.copy.package) == (Stage.DELIVERED, NOW, PACKAGE)
    assert (entry.identities[0].value, entry.copy.errands, entry.copy.seal, entry.copy.page) == (None, (), None, None)
    assert [step.kind for step in steps_of(entry)] == [Kind.EXPIRE]
    ended = copies.expired(entry)
    assert (ended.reached, ended.ended, list(steps_of(ended))) == (Stage.EXPIRED, True, [])


def test_without_org_keys_there_is_an_errand_for_each_project():
    """And for each identity."""
    entry = fresh("u-1", "u-2", source=Source.ACTIVITY)
    assert [(e.position, e.project) for e in entry.copy.errands] == [(0, "shop"), (0, "app"), (1, "shop"), (1, "app")]
    assert {step.kind for step in steps_of(entry)} == {Kind.SEARCH}
    entry = copies.ready(entry, 0, (11,))
    assert entry.identities[0].stage is Stage.ACCEPTED
    assert copies.ready(entry, 1, ()).identities[0].stage is Stage.READY


def test_a_lost_question_is_asked_again_and_not_for_ever():
    """Five times; then nobody knows the job."""
    entry = fresh("u-1")
    for _ in range(copies.MOST_POSTS - 1):
        entry = copies.lost(copies.intend(entry, 0, NOW), 0)
        assert [step.kind for step in steps_of(entry)] == [Kind.ASK]
    entry = copies.lost(copies.intend(entry, 0, NOW), 0)
    assert (entry.reached, entry.identities[0].reason) == (Stage.FAILED, Reason.UNKNOWN_JOB)


def test_a_question_that_did_not_leave_is_not_counted():
    """However often."""
    entry = fresh("u-1")
    for _ in range(20):
        entry = copies.unsent(copies.intend(entry, 0, NOW), 0)
    assert entry.copy.errands[0].posts == 0
    assert copies.requested(copies.intend(entry, 0, NOW), 0, 7).copy.errands[0].posts == 0


@pytest.mark.parametrize("reason", [Reason.COPY_FAILED, Reason.RESULTS_EXPIRED])
def test_a_job_that_comes_to_nothing_is_renewed_twice(reason):
    """Files of the old one do not count, and what is said of the old one later changes nothing."""
    entry = ready(fresh("u-1"), outputs=(0, 1))
    entry = copies.stored(entry, 0, file(0), 7)
    entry = copies.again(entry, 0, 7, reason)
    assert entry.copy.errands[0] == replace(fresh("u-1").copy.errands[0], renewals=1)
    assert copies.stored(entry, 0, file(1), 7) == entry
    entry = ready(entry, job=8)
    assert copies.again(entry, 0, 7, reason) == entry
    entry = ready(copies.again(entry, 0, 8, reason), job=9)
    entry = copies.again(entry, 0, 9, reason)
    assert (entry.reached, entry.identities[0].reason) == (Stage.FAILED, reason)


def test_a_person_with_too_many_events_is_refused():
    """It is not a failure: Amplitude never does it."""
    assert copies.fail(fresh("u-1"), 0, Reason.TOO_MANY_EVENTS).reached is Stage.REFUSED


def test_a_file_that_is_damaged_again_and_again_fails_the_identity_and_one_good_one_starts_anew():
    """In a row."""
    entry = ready(fresh("u-1"), outputs=(0, 1))
    for _ in range(copies.MOST_DAMAGED - 1):
        entry = copies.damaged(entry, 0)
    entry = copies.stored(entry, 0, file(0), 7)
    for _ in range(copies.MOST_DAMAGED - 1):
        entry = copies.damaged(entry, 0)
    assert entry.reached is Stage.READY
    assert copies.damaged(entry, 0).identities[0].reason is Reason.ARCHIVE_DAMAGED


def test_the_others_are_delivered_when_one_identity_fails_or_is_unknown():
    """And each has its own word."""
    entry = complete("u-1", "u-2", "u-3")
    entry = copies.fail(entry, 0, Reason.COPY_FAILED)
    empty = copies.dropped(entry, 2, 0)
    empty = copies.stored(empty, 2, file(0, lines=0), 7)
    entry = copies.delivered(empty, PACKAGE, NOW)
    assert [i.stage for i in entry.identities] == [Stage.FAILED, Stage.DELIVERED, Stage.NOT_FOUND]
    assert (entry.reached, copies.expired(entry).reached) == (Stage.DELIVERED, Stage.EXPIRED)


def test_a_file_that_is_not_what_was_stored_is_fetched_again():
    """Before the package is closed."""
    entry = copies.dropped(complete("u-1"), 0, 0)
    assert not copies.complete(entry)
    assert [step.kind for step in steps_of(entry)] == [Kind.FETCH]


def test_a_cancel_before_anything_was_done_is_at_once_and_later_only_after_the_store_is_empty():
    """And answers that come later change nothing."""
    assert copies.cancel(fresh("u-1", begun=False), "c").reached is Stage.CANCELLED
    entry = copies.cancel(ready(fresh("u-1")), "c")
    assert (entry.reached, [step.kind for step in steps_of(entry)]) == (Stage.CANCELLING, [Kind.CANCEL])
    assert copies.stored(entry, 0, file(0), 7) == entry
    assert copies.delivered(entry, PACKAGE, NOW) == entry
    assert copies.cleared(entry).reached is Stage.CANCELLED


def test_identities_that_are_refused_have_no_errand():
    """They keep their position."""
    command = parse(
        fields(
            subject_identities=[identity("a@example.com", "email"), identity("u-1")],
            subject_request_type="portability",
        ),
        NOW,
    )
    entry = copies.accept(command, judge(command.identities, RULE), "acme", ("shop",), NOW)
    entry = copies.begin(entry, copies.Start(Source.DSAR, ("shop",), "2025-05-01", "2026-06-16"), NOW)
    assert (entry.project, [e.position for e in entry.copy.errands]) == ("shop", [1])


@pytest.mark.parametrize(
    ("months", "start"), [(1, "2026-05-01"), (6, "2025-12-01"), (13, "2025-05-01"), (120, "2016-06-01")]
)
def test_the_window_begins_with_a_month(months, start):
    """And ends today."""
    assert copies.window(NOW, months) == (start, "2026-06-16")


MOVES = [
    lambda e, i: copies.intend(e, i, NOW),
    copies.unsent,
    copies.lost,
    lambda e, i: copies.requested(e, i, 7),
    lambda e, i: copies.requested(e, i, 8),
    lambda e, i: copies.ready(e, i, (0,)),
    lambda e, i: copies.ready(e, i, ()),
    lambda e, i: copies.again(e, i, 7, Reason.COPY_FAILED),
    lambda e, i: copies.again(e, i, 8, Reason.RESULTS_EXPIRED),
    lambda e, i: copies.stored(e, i, file(0), 7),
    lambda e, i: copies.stored(e, i, file(0, lines=0), 8),
    copies.damaged,
    lambda e, i: copies.dropped(e, i, 0),
    lambda e, i: copies.fail(e, i, Reason.REJECTED_BY_AMPLITUDE),
    lambda e, i: copies.paged(e, CopyPage("p", 1, "cd")),
    lambda e, i: copies.delivered(e, PACKAGE, NOW),
    lambda e, i: copies.empty(e) if copies.complete(e) else e,
    lambda e, i: copies.cancel(e, "c") if e.erased is None and e.cancel_command is None and not e.ended else e,
    lambda e, i: copies.cleared(e),
    lambda e, i: copies.expired(e),
]


@given(st.lists(st.tuples(st.sampled_from(range(len(MOVES))), st.sampled_from([0, 1])), max_size=60))
def test_whatever_happens_in_whatever_order_no_identity_leaves_its_table(moves):
    """Never back, never out of an end; what is not over has something to be done about it; an end names nobody."""
    entry = fresh("u-1", "u-2")
    for move, index in moves:
        before, entry = entry, MOVES[move](entry, index)
        for was, now in zip(before.identities, entry.identities, strict=True):
            assert may_follow(was.stage, now.stage, COPY_NEXT)
        assert bool(list(steps_of(entry))) != entry.ended
        if entry.copy.package is not None:
            assert all(identity.value is None for identity in entry.identities)
        if entry.ended:
            assert {identity.stage for identity in entry.identities} <= ENDS
            assert copies.forget(entry).copy.errands == ()
