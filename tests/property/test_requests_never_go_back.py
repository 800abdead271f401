"""The algebra of a request: whatever happens, in whatever order, it never moves backwards and never forgets to end."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from consumer.domain.deadline import FIRST_ESTIMATE_MS
from consumer.domain.entry import JobRef
from consumer.domain.erasure import answered, approve, cancel, dispatch, rejected, sighted, unsent
from consumer.domain.jobs import Job, JobMember, JobStatus
from consumer.domain.lifecycle import may_follow
from consumer.domain.observation import Revoked, Window, observe, revoked
from consumer.domain.reply import NotFound, Scheduled, Unclear
from consumer.domain.statement import notices, speak
from tests.fakes.commands import NOW, accepted

BATCHES = ["a" * 16, "b" * 16, "c" * 16]
DAYS = ["2026-06-20", "2026-06-28"]
PLACES = [(a, d) for a in (1, 2) for d in DAYS]

batches, positions = st.sampled_from(BATCHES), st.sets(st.integers(0, 2))
verdicts = st.dictionaries(
    st.integers(0, 2),
    st.sampled_from([NotFound(), Unclear(), *(Scheduled((JobRef(d, a),)) for a, d in PLACES)]),
)
jobs = st.lists(
    st.builds(
        Job,
        st.sampled_from(DAYS),
        st.sampled_from(list(JobStatus)),
        st.sampled_from([None, "2026-06-29"]),
        st.lists(
            st.builds(JobMember, st.integers(1, 3), st.sampled_from(["x", *(f"dsr/{b}" for b in BATCHES)])), max_size=3
        ).map(tuple),
    ),
    max_size=2,
    unique_by=lambda job: job.day,
)

EVENTS = {
    "dispatch": st.tuples(positions, batches).map(lambda a: lambda e: dispatch(e, *a, NOW)),
    "answered": st.tuples(batches, verdicts).map(lambda a: lambda e: answered(e, *a)),
    "unsent": batches.map(lambda b: lambda e: unsent(e, b)),
    "rejected": batches.map(lambda b: lambda e: rejected(e, b)),
    "sighted": st.tuples(batches, st.sampled_from([None, *DAYS])).map(lambda a: lambda e: sighted(e, *a)),
    "observe": jobs.map(lambda js: lambda e: observe(e, Window.of(js, "2026-06-01", "2026-08-01", "dsr"), NOW)),
    "cancel": st.just(lambda e: cancel(e, "cancel-1")),
    "approve": st.just(lambda e: approve(e, "approve-1")),
    "revoked": st.dictionaries(st.sampled_from(PLACES), st.sampled_from(list(Revoked))).map(
        lambda r: lambda e: revoked(e, r)
    ),
}
histories = st.lists(st.one_of(*EVENTS.values()), max_size=25)


@given(histories, st.booleans())
def test_no_identity_leaves_the_table_and_no_end_is_left(history, held):
    """Every step of every identity is an arrow of the table."""
    entry = accepted("u-0", "u-1", "u-2", over_cap=held)
    for event in history:
        after = event(entry)
        for a, b in zip(entry.identities, after.identities, strict=True):
            assert may_follow(a.stage, b.stage)
            assert a.position == b.position
            assert a.value == b.value
        entry = after


@given(histories)
def test_a_request_that_is_open_always_has_something_to_wait_for(history):
    """An identity that has not ended can be sent, awaits an answer, is watched in a job, or is being revoked."""
    entry = accepted("u-0", "u-1", "u-2")
    for event in history:
        entry = event(entry)
        ready = {i.position for i in entry.ready(NOW)}
        for identity in entry.identities:
            assert identity.ended or identity.position in ready or identity.batch or identity.jobs


@given(histories)
def test_statements_have_ids_of_their_own_and_say_each_stage_once(history):
    """Outcome ids are unique within a request, and two stage outcomes in a row differ."""
    entry, ids, stages = accepted("u-0", "u-1"), [], []
    for event in [lambda e: e, *history]:
        after, outcome = speak(entry if entry.stage else None, event(entry), None, NOW, FIRST_ESTIMATE_MS)
        entry, said = notices(after, NOW, FIRST_ESTIMATE_MS)
        stages += [outcome.stage] if outcome else []
        ids += [o.outcome_id for o in (outcome, *said) if o]
    assert len(ids) == len(set(ids))
    assert all(a != b for a, b in itertools.pairwise(stages))
