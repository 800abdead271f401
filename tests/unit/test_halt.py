"""When dead letters are so many that intake must stop."""

import pytest

from consumer.domain.halt import MOST_IN_WINDOW, SHARE_RECORDS, WINDOW_MS, DeadLetterRate
from tests.fakes.commands import NOW


def fed(rate, marks, step_ms=0):
    """The index of the record that tripped it, or None."""
    return next((n for n, dead in enumerate(marks) if rate.seen(dead, NOW + n * step_ms)), None)


def test_a_hundred_in_a_minute_are_borne_and_one_more_is_not():
    """The limit is a limit, not a target."""
    assert fed(DeadLetterRate(), [True] * MOST_IN_WINDOW) is None
    assert fed(DeadLetterRate(), [True] * (MOST_IN_WINDOW + 1)) == MOST_IN_WINDOW


def test_a_slow_trickle_of_dead_letters_never_halts():
    """One in a hundred records, over hours."""
    marks = [n % 100 == 0 for n in range(5_000)]
    assert fed(DeadLetterRate(), marks, step_ms=2_000) is None


def test_more_than_five_percent_of_the_last_thousand_halt_however_slowly_they_come():
    """Fifty are borne, the fifty-first is not; before a thousand were read the share says nothing."""
    slow = WINDOW_MS
    assert fed(DeadLetterRate(), [True] * 51, step_ms=slow) is None
    even = [n % 20 == 0 for n in range(4 * SHARE_RECORDS)]
    assert fed(DeadLetterRate(), even, step_ms=slow) is None
    rate = DeadLetterRate()
    assert fed(rate, [False] * (SHARE_RECORDS - 50) + [True] * 50, step_ms=slow) is None
    assert rate.seen(True, NOW + 10**12) is not None


@pytest.mark.parametrize("first", [True, False])
def test_what_has_left_the_window_no_longer_counts(first):
    """The record that falls out of the thousand takes its mark along."""
    rate = DeadLetterRate()
    marks = [first] * 50 + [False] * (SHARE_RECORDS - 50) + [True] * 50
    assert fed(rate, marks, step_ms=WINDOW_MS) is None
