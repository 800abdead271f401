"""The hourly allowance: never more than the units in any hour, and nearly all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.domain.budget import Budget
from consumer.sandbox.amplitude.allowance import Allowance

UNITS, HOUR, BURST = 14_300, 3_600.0, 300


@given(st.lists(st.tuples(st.sampled_from([1, 8]), st.floats(0, 40)), min_size=1, max_size=300))
def test_no_sliding_hour_ever_has_more_than_the_units(calls):
    """Whatever is asked for when; judged by the stand-in's own window, which is apart from the bucket."""
    budget, now, window = Budget.of_new_owner(400, 60.0, 50, 0.0), 0.0, Allowance(400, 60.0)
    for cost, idle_s in calls:
        now += idle_s
        now += budget.wait_s(cost, now) + 1e-9
        budget = budget.spent(cost, now)
        assert window.spend(cost, now)
    assert window.most_in_an_hour() <= 400


def test_under_a_backlog_nearly_every_unit_of_the_hour_is_spent():
    """Two hours of questions without a pause."""
    budget, now, window = Budget.of_new_owner(UNITS, HOUR, BURST, 0.0), 0.0, Allowance(14_400, HOUR)
    while now < 2 * HOUR:
        now += budget.wait_s(8, now) + 1e-9
        budget = budget.spent(8, now)
        assert window.spend(8, now)
    assert 0.96 * 14_400 < window.most_in_an_hour() <= 14_400


def test_a_new_owner_has_nothing_and_a_refund_is_only_what_was_taken():
    """What the last owner spent is not known."""
    budget = Budget.of_new_owner(UNITS, HOUR, BURST, 100.0)
    assert budget.wait_s(8, 100.0) == pytest.approx(8 / budget.rate)
    assert budget.spent(8, 200.0).refunded(8) == budget.spent(0, 200.0)
    assert budget.refunded(1_000).tokens == BURST


def test_a_429_means_that_nothing_is_left():
    """Somebody else spends from it, too; a debt stays one."""
    full = Budget.of_new_owner(UNITS, HOUR, BURST, 0.0).spent(0, 1_000.0)
    assert full.tokens == BURST
    assert full.drained(1_000.0).tokens == 0
    assert full.spent(310, 1_000.0).drained(1_000.0).tokens == -10


def test_what_can_never_be_paid_is_an_error():
    """And so is a burst that is all there is."""
    with pytest.raises(ValueError, match="more than the bucket"):
        Budget.of_new_owner(UNITS, HOUR, 5, 0.0).wait_s(8, 0.0)
    with pytest.raises(ValueError, match="part of"):
        Budget.of_new_owner(100, HOUR, 100, 0.0)
