"""Whatever is asked, split, refused, cancelled and repeated: every hour is issued once and answered once."""

import hashlib
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.domain.discovery.command import DiscoveryId, Order, OrderKind
from consumer.domain.discovery.discovery import Answer, State, answer, begin, extended, over
from consumer.domain.discovery.outcome import hours_of
from consumer.domain.discovery.planning import DEPTH, REISSUE_MS, Policy, plan
from consumer.domain.errors import Reason
from consumer.domain.hours import Span, count, joined, without

START = 420_000
spans = st.builds(
    lambda first, length: Span(START + first, START + first + length), st.integers(0, 300), st.integers(0, 40)
)


def order(first, last, **more):
    return Order(OrderKind.START, "c", DiscoveryId("d"), "shop", first, last, **more)


def hours(them):
    return {hour for span in them for hour in range(span.first, span.last + 1)}


@given(st.lists(spans), st.lists(spans))
def test_spans_are_sets_of_hours(some, others):
    assert hours(joined(some)) == hours(some)
    left = without(some, others)
    assert hours(left) == hours(some) - hours(others)
    assert count(left) == len(hours(left)), "disjoint"
    assert all(a.last + 1 < b.first for a, b in itertools.pairwise(left)), "in order, with gaps"


@given(spans.filter(lambda span: span.hours > 1))
def test_halves_make_up_the_whole(span):
    one, other = span.halves()
    assert one.first == span.first
    assert one.last + 1 == other.first
    assert other.last == span.last


@settings(max_examples=300)
@given(st.data())
def test_every_hour_is_issued_once_and_answered_once(data):
    wanted = data.draw(spans)
    taken = data.draw(st.lists(spans, max_size=3))
    slots = data.draw(st.integers(1, 5))
    policy = Policy(1_000, data.draw(st.integers(1, 60)))
    continuous = data.draw(st.booleans())
    newest = data.draw(st.integers(wanted.first - 2, wanted.last + 5))
    last = None if continuous else wanted.last
    discovery = begin(order(wanted.first, last, continuous=continuous), taken, newest, 0)
    issued, answered, told, queue = [], [], {}, []
    for turn in range(10_000):
        if continuous and turn % 7 == 0:
            newest += data.draw(st.integers(0, 3)) if newest < wanted.last + 40 else 0
            discovery = extended(discovery, newest, taken)
        discovery, fresh = plan(discovery, slots, newest, policy, 0)
        queue += fresh
        issued += [each.span for each in fresh]
        assert all(each.span.last <= newest for each in fresh), "nothing that is not final"
        if not queue:
            if newest >= discovery.upto:
                break
            newest += 5
            continue
        window = queue.pop(data.draw(st.integers(0, len(queue) - 1)))
        states = [State.SCANNED, State.EMPTY, State.REFUSED] + [State.SPLIT] * (window.span.hours > 1)
        state = data.draw(st.sampled_from(states))
        size = data.draw(st.sampled_from([0, 10, 100, 10_000])) * window.span.hours
        reply = Answer(
            window.span, state, Reason.UNAVAILABLE if state is State.REFUSED else None, "ab", {"input_bytes": size}
        )
        after = answer(discovery, reply, 0)
        assert answer(after, reply, 0) is None, "a repetition changes nothing"
        if state is State.SPLIT:
            halves = [each for each in after.issued if each not in discovery.issued]
            queue += halves
            issued.remove(window.span)
            issued += [each.span for each in halves]
        else:
            answered.append(window.span)
            told[window.span.first] = reply
        discovery = after
    asked = range(discovery.first, discovery.upto + 1)
    assert hours(issued) == hours(answered) == set(asked) - hours(taken)
    assert count(issued) == len(hours(issued)), "no hour twice"
    assert discovery.open == 0
    assert not discovery.issued
    assert not discovery.ahead
    assert over(discovery) is not continuous
    total = hours_of(discovery)
    assert total.total == total.scanned + total.empty + total.known + total.refused == len(asked)
    chain = ""
    for first in sorted(told):
        chain = hashlib.sha256(f"{chain}\n{told[first].line}".encode()).hexdigest()
    assert discovery.evidence == chain, "the evidence is in the order of the hours, whatever the order of the answers"


@given(st.integers(1, 5), st.integers(1, 400))
def test_slots_bound_what_is_issued(slots, hours):
    discovery = begin(order(START, START + hours), [], START + hours, 0)
    discovery, fresh = plan(discovery, slots, START + hours, Policy(), 0)
    loads = [sum(each.slot == slot for each in discovery.issued) for slot in range(slots)]
    assert max(loads) <= DEPTH
    assert sum(loads) == len(fresh) == min(slots * DEPTH, hours + 1)


def test_a_window_that_nobody_answers_is_issued_again():
    discovery, fresh = plan(begin(order(START, START), [], START, 0), 1, START, Policy(), 1_000)
    assert plan(discovery, 1, START, Policy(), 1_000 + REISSUE_MS)[1] == []
    late, again = plan(discovery, 1, START, Policy(), 1_001 + REISSUE_MS)
    assert [each.span for each in again] == [each.span for each in fresh]
    assert [each.since for each in late.issued] == [1_001 + REISSUE_MS]


def test_windows_grow_to_the_target_and_not_beyond():
    policy, lengths = Policy(target_bytes=1_000, longest=50), []
    discovery = begin(order(START, START + 400), [], START + 400, 0)
    while not over(discovery):
        discovery, fresh = plan(discovery, 1, START + 400, policy, 0)
        lengths += [each.span.hours for each in fresh]
        first = discovery.issued[0].span
        discovery = answer(discovery, Answer(first, State.SCANNED, None, "", {"input_bytes": 100 * first.hours}), 0)
    assert lengths[0] == 1
    assert max(lengths) == 10, "a thousand bytes at a hundred an hour"
    assert all(after <= 2 * before for before, after in itertools.pairwise(lengths))
