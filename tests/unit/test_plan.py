"""Which identities go into the next POST."""

from hypothesis import given
from hypothesis import strategies as st

from consumer.domain.backlog import Backlog
from consumer.domain.command import IdentityKind
from consumer.domain.erasure import answered, dispatch
from consumer.domain.plan import MOST_IDS, MOST_PLACES
from consumer.domain.reply import NotFound, Unclear
from consumer.domain.subject import Subject
from tests.fakes.commands import NOW, accepted, identity

B = "a" * 16


def plan(entries, now):
    """The next batch of these requests and no others."""
    backlog = Backlog()
    for entry in entries:
        backlog.put(entry)
    return backlog.take(now)


@given(st.lists(st.integers(1, 60), max_size=8))
def test_a_batch_is_full_or_holds_everything_that_is_ready(sizes):
    """At most 100 ids; nobody twice; nothing that is not ready."""
    entries = [accepted(*(f"u-{n}-{i}" for i in range(size))) for n, size in enumerate(sizes)]
    batch = plan(entries, NOW)
    assert len(batch) == min(MOST_IDS, sum(sizes))
    assert sum(len(p) for p in batch.places.values()) == len(batch)


def test_the_most_urgent_request_goes_first():
    """By deadline, not by arrival."""
    late = accepted("late")._replace(deadline=NOW + 2)
    soon = accepted("soon")._replace(deadline=NOW + 1)
    users = plan([late, soon], NOW).call("dsr/x").user_ids
    assert users == (Subject("soon"), Subject("late"))


def test_one_person_in_two_requests_is_asked_for_once_and_answers_both():
    """A batch divides the work, not the answers."""
    one, two = accepted("u-1"), accepted("u-1", "u-1")
    batch = plan([one, two], NOW)
    assert len(batch) == 1
    verdicts = batch.verdicts({(IdentityKind.USER_ID, Subject("u-1")): NotFound()})
    assert verdicts == {one.key: {0: NotFound()}, two.key: {0: NotFound(), 1: NotFound()}}


def test_an_identity_that_must_be_asked_for_alone_is_alone():
    """The reply can then only be about it. Negative control: its neighbour still goes in company."""
    entry = answered(dispatch(accepted("u-1"), [0], B, NOW), B, {0: Unclear()})
    urgent = entry._replace(deadline=0)
    assert len(plan([urgent, accepted("u-2"), accepted("u-3")], NOW)) == 1
    assert len(plan([entry, accepted("u-2")._replace(deadline=0), accepted("u-3")], NOW)) == 2


def test_a_rejected_batch_is_split_until_the_odd_one_is_alone():
    """Together the halves are the whole."""
    batch = plan([accepted(*(f"u-{n}" for n in range(7)))], NOW)
    a, b = batch.halves()
    assert (len(a), len(b)) == (3, 4)
    assert a.asks | b.asks == batch.asks


def test_what_was_cancelled_since_the_plan_is_not_asked_for():
    """Only the positions that the write-ahead took in remain."""
    entry = accepted("u-1", "u-2")
    batch = plan([entry], NOW).without({(entry.key, 1)})
    assert batch.call("dsr/x").user_ids == (Subject("u-2"),)


def test_amplitude_ids_travel_as_numbers():
    """Beside user ids in one call."""
    entry = accepted("x", subject_identities=[identity("u-1"), identity("0077", "amplitude_id")])
    call = plan([entry], NOW).call("dsr/x")
    assert (call.user_ids, call.amplitude_ids) == ((Subject("u-1"),), (77,))


def test_an_id_that_everybody_wants_does_not_make_a_batch_without_end():
    """One transaction writes all the requests of a batch."""
    backlog = Backlog()
    for _ in range(MOST_PLACES + 1):
        backlog.put(accepted("u-1"))
    assert [MOST_PLACES, 1, 0] == [len(backlog.take(NOW).places) for _ in range(3)]


def test_what_is_taken_is_not_taken_again_until_it_is_given_back():
    """The write ahead of one batch may still be under way when the next one is planned."""
    backlog = Backlog()
    backlog.put(accepted("u-1"))
    batch = backlog.take(NOW)
    assert (1, 0) == (len(batch), len(backlog.take(NOW)))
    backlog.give_back(batch)
    assert batch == backlog.take(NOW)
