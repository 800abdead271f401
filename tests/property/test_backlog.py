"""The backlog answers as a plain sort of everything would, whatever happened to it before."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.domain import backlog, plan
from consumer.domain.backlog import Backlog
from consumer.domain.errors import Reason
from consumer.domain.lifecycle import Stage
from consumer.domain.plan import Batch, ask_for
from consumer.domain.ranking import Ranking
from tests.fakes.commands import NOW, accepted

KEYS = range(6)


def sorted_plan(entries, now, released, most, but=()):
    """The meaning: everything sorted, then read from the top."""
    asks = {}
    for entry in sorted(entries, key=lambda e: (e.deadline, e.accepted, e.key)):
        for identity in entry.ready(now, released):
            ask, place = ask_for(identity), (entry.key, identity.position)
            if ask in but:
                continue
            if identity.alone:
                if not asks:
                    return Batch({ask: (place,)}, alone=True)
                continue
            if ask in asks or len(asks) < most:
                asks.setdefault(ask, []).append(place)
    return Batch({ask: tuple(places) for ask, places in asks.items()})


@st.composite
def entries(draw, n):
    """One request in any state in which a lane may meet it."""
    names = [f"u-{draw(st.integers(0, 9))}" for _ in range(draw(st.integers(1, 4)))]
    held = draw(st.sampled_from([None, Reason.DAILY_CAP, Reason.HOLD_PERIOD]))
    entry = accepted(*names, subject_request_id=f"00000000-0000-4000-8000-00000000000{n}")._replace(
        deadline=NOW + draw(st.integers(0, 3)),
        accepted=NOW + draw(st.integers(0, 3)),
        held=held,
        release=NOW + draw(st.integers(0, 5)) if held is Reason.HOLD_PERIOD else None,
        approved=draw(st.booleans()),
        cancel_command=draw(st.sampled_from([None, "cancel-1"])),
    )
    stages = st.sampled_from([Stage.ACCEPTED, Stage.DISPATCHING, Stage.SCHEDULED, Stage.CANCELLING, Stage.CANCELLED])
    states = tuple(
        replace(
            i,
            stage=draw(stages),
            alone=draw(st.integers(0, 4)) == 0,
            batch=draw(st.sampled_from([None, None, None, "a" * 16, "b" * 16])),
        )
        for i in entry.identities
    )
    return entry._replace(identities=states)


changes = st.one_of(*(entries(n) for n in KEYS))
times = st.integers(NOW, NOW + 6)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), changes),
        st.tuples(st.just("peek"), st.tuples(times, st.none() | times, st.booleans())),
        st.tuples(st.just("take"), st.tuples(times, st.none() | times, st.booleans())),
        st.tuples(st.just("give back"), st.integers(0, 5)),
    ),
    max_size=30,
)


def unclaimed(entry, batches):
    taken = {place for batch in batches for places in batch.asks.values() for place in places}
    gone = [replace(i, batch="claimed") if (entry.key, i.position) in taken else i for i in entry.identities]
    return entry._replace(identities=tuple(gone))


@given(steps, st.integers(1, 6))
@settings(max_examples=300)
def test_every_batch_is_what_a_sort_of_everything_would_give(history, most):
    """Holds, approvals, cancels, claims, ids in common, ids that go alone, a calendar that is set back."""
    kept, everything, out = Backlog(), {}, []
    usual, backlog.MOST_IDS = plan.MOST_IDS, most
    try:
        for step, value in history:
            if step == "put":
                kept.put(value)
                everything[value.key] = value
            elif step == "give back":
                if value < len(out):
                    kept.give_back(out.pop(value))
            else:
                now, released, avoiding = value
                but = {ask_for(i) for e in list(everything.values())[:1] for i in e.identities} if avoiding else ()
                left = [unclaimed(e, out) for e in everything.values() if e.wants_lane]
                expected = sorted_plan(left, now, released, most, but)
                batch = kept.take(now, released, but)
                assert list(expected.asks.items()) == list(batch.asks.items())
                assert expected.alone == batch.alone
                if step == "take":
                    out.append(batch)
                else:
                    kept.give_back(batch)
            check_what_is_known_without_a_scan(kept, everything)
    finally:
        backlog.MOST_IDS = usual


def check_what_is_known_without_a_scan(kept, everything):
    waiting = [e for e in everything.values() if e.wants_lane]
    assert len(kept) == len(waiting)
    assert kept.oldest == min((e.accepted for e in waiting), default=None)
    assert kept.to_cancel == sum(any(i.stage is Stage.CANCELLING for i in e.identities) for e in waiting)
    lost = {}
    for e in everything.values():
        for batch in {i.batch for i in e.identities} - {None}:
            lost.setdefault(batch, []).append(e.key)
    assert kept.unanswered() == {batch: sorted(keys) for batch, keys in lost.items()}


ranks = st.lists(st.tuples(st.sampled_from(["put", "withdraw", "pop"]), st.integers(0, 8), st.integers(0, 5)))


@given(ranks, st.integers(0, 3))
def test_a_ranking_gives_the_least_rank_whatever_was_withdrawn(history, spare):
    """Against a dictionary and `min`."""
    ranking, plain = Ranking(), {}
    for step, member, rank in history * (1 + 8 * (spare == 0)):
        if step == "put":
            ranking.put(member, rank)
            plain[member] = rank
        elif step == "withdraw":
            ranking.withdraw(member)
            plain.pop(member, None)
        else:
            least = min(plain, key=lambda m: (plain[m], m), default=None)
            assert least == ranking.pop()
            plain.pop(least, None)
        assert len(plain) == len(ranking)
        assert min(plain.values(), default=None) == ranking.least()
