"""Closed requests at rest: pages, and the index that leads to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.ledger import closed
from consumer.ledger.closed import PAGE, ClosedRequests

KEYS = [f"{n:036}/shop".encode() for n in range(3 * PAGE)]
KEY = st.sampled_from(KEYS)
STEP = st.one_of(
    st.tuples(st.just("put"), KEY, st.integers(0, 1_000), st.binary(max_size=40)),
    st.tuples(st.just("remove"), KEY),
    st.tuples(st.just("due"), st.integers(0, 1_000), st.integers(1, 2 * PAGE)),
)


def value_of(key):
    return key + b" said"


@pytest.fixture
def full():
    """Two whole pages and a begun one."""
    requests = ClosedRequests()
    for due, key in enumerate(KEYS[: 2 * PAGE + 3]):
        requests.put(key, due, value_of(key))
    return requests


@given(st.integers(0, 3 * PAGE), st.lists(STEP, max_size=60))
def test_it_remembers_what_a_dictionary_would(filled, steps):
    """Whatever is put, replaced, removed and asked for, in pages and before them."""
    requests, model = ClosedRequests(), {}
    for due, key in enumerate(KEYS[:filled]):
        requests.put(key, due, value_of(key))
        model[key] = (due, value_of(key))
    for what, *about in steps:
        if what == "put":
            key, due, value = about
            assert (model.pop(key, None) is not None) == requests.remove(key)
            requests.put(key, due, value)
            model[key] = (due, value)
        elif what == "remove":
            assert (model.pop(about[0], None) is not None) == requests.remove(about[0])
        else:
            now, limit = about
            over = [each for each in model.values() if each[0] <= now]
            assert min(limit, len(over)) == len(found := requests.due(now, limit))
            assert set(found) <= set(over)
    assert len(model) == len(requests)
    assert {key: value for key, (_, value) in model.items()} == {
        k: v for k in KEYS if (v := requests.get(k)) is not None
    }
    assert sorted(model.values()) == requests.due(1_000, len(KEYS) + 60)


def test_requests_with_the_same_fingerprint_are_told_apart(monkeypatch):
    """The key written in the page decides: here all fingerprints are equal, in one bucket."""
    monkeypatch.setattr(closed, "_MARK", 0)
    monkeypatch.setattr(closed, "_BUCKETS", 1)
    requests = ClosedRequests()
    for key in KEYS[: 2 * PAGE]:
        requests.put(key, 0, value_of(key))
    assert requests.get(KEYS[2 * PAGE]) is None
    assert requests.remove(KEYS[70])
    assert [k for k in KEYS[: 2 * PAGE] if k != KEYS[70]] == [k for k in KEYS if requests.get(k) == value_of(k)]


def test_a_page_goes_with_the_last_request_in_it(full):
    """Memory is given back as windows end, and what ended is due no more."""
    for key in KEYS[:PAGE]:
        full.remove(key)
    assert [1] == list(full._pages)
    assert [(PAGE, value_of(KEYS[PAGE]))] == full.due(PAGE, 10)
    assert 0 < sum(map(len, full._index.values())) == PAGE * 8


def test_what_is_due_stays_due_until_it_is_removed(full):
    """A turn that was aborted asks again."""
    assert full.due(PAGE + 5, 500) == full.due(PAGE + 5, 500)
    assert PAGE + 6 == len(full.due(PAGE + 5, 500))
    assert [] == full.due(-1, 500)
