"""Dead letters: what is kept of their headers, and how it is remembered which were produced again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.domain.errors import Refused
from consumer.domain.letter import Letter, Redriven


def letter(*headers):
    return Letter(0, 7, b"key", b"value", headers)


def test_the_producers_headers_and_the_attempts_go_out_again():
    """Everything that the service added is left out, but the attempts: the next failure counts on from there."""
    again = letter(
        ("traceparent", b"00-1"),
        ("dsr.rerouted", b"2"),
        ("__connect.errors.topic", b"dsr.commands"),
        ("dsr.reason", b"undecodable"),
        ("dsr.attempts", b"1"),
        ("dsr.attempts", b"3"),
        ("dsr.failed_at", b"1"),
        ("empty", None),
    ).onward()
    assert (("traceparent", b"00-1"), ("empty", None), ("dsr.attempts", b"3")) == again


@pytest.mark.parametrize(("header", "attempts"), [(None, 1), (b"", 1), (b"x", 1), (b"4", 4)])
def test_a_letter_without_usable_attempts_has_failed_once(header, attempts):
    """Anybody can write headers."""
    assert attempts == letter(("dsr.attempts", header)).attempts


def test_a_letter_never_prints_what_it_holds():
    """Nor tells the value of a header that is not ours."""
    held = Letter(0, 7, b"jane", b"jane", (("who", b"jane"),))
    assert "jane" not in repr(held)
    assert ("", {}) == (held.told("who"), held.ours())


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_what_was_produced_again_is_remembered_exactly(present, first, second):
    """In any order and with gaps in the topic: through text and back, neither more nor less of what is there."""
    there, done = sorted(present), Redriven()
    for chosen in (first & present, second & present):
        done = done.plus(chosen, there)
        done = Redriven.parse(done.upto, done.memory)
    assert (first | second) & present == {offset for offset in there if offset in done}


def test_all_in_a_row_needs_no_memory():
    """The committed offset alone says it; markers of transactions are gaps."""
    done = Redriven().plus([3, 5, 9], [3, 5, 9])
    assert (10, "") == (done.upto, done.memory)
    assert (4, "9") == (Redriven().plus([3, 9], [3, 5, 9]).upto, Redriven().plus([3, 9], [3, 5, 9]).memory)


def test_more_than_kafka_keeps_beside_an_offset_is_refused():
    """4,096 bytes; half of a long list chosen one by one does not fit."""
    with pytest.raises(Refused):
        _ = Redriven(0, frozenset(range(1, 4_000, 2))).memory
