import random

import pytest

from scanner.errors import BadInput, Fault
from scanner.sketch import EXACT, REGISTERS, RELATIVE_ERROR, Fingerprints, Sketch


def fingerprints(count, seed=0):
    source = random.Random(seed)
    return [source.getrandbits(64) for _ in range(count)]


def test_few_values_are_counted_exactly():
    sketch = Sketch.of(fingerprints(EXACT))
    assert (EXACT, 0, True) == (sketch.estimate, sketch.margin, sketch.exact)


@pytest.mark.parametrize("count", [EXACT + 1, 500, 1_000, 3_000, 10_000, 30_000])
def test_many_values_are_estimated_within_the_error_that_is_stated(count):
    errors = [Sketch.of(fingerprints(count, seed)).estimate / count - 1 for seed in range(8)]
    assert max(map(abs, errors)) < 4 * RELATIVE_ERROR
    assert abs(sum(errors) / len(errors)) < 1.5 * RELATIVE_ERROR


def test_nine_of_ten_estimates_are_within_their_margin():
    sketches = [Sketch.of(fingerprints(2_000, seed)) for seed in range(60)]
    assert sum(abs(sketch.estimate - 2_000) <= sketch.margin for sketch in sketches) >= 54


@pytest.mark.parametrize("count", [0, 1, EXACT - 1, EXACT, EXACT + 1, 5_000])
def test_it_is_at_most_a_kilobyte_and_comes_back_from_its_bytes(count):
    sketch = Sketch.of(fingerprints(count))
    assert len(sketch.to_bytes()) <= REGISTERS
    assert sketch == Sketch.from_bytes(sketch.to_bytes())


@pytest.mark.parametrize("count", [60, 150, 200, 4_000])
def test_any_order_and_grouping_of_merges_gives_the_same_bytes(count):
    values = fingerprints(count)
    whole = Sketch.of(values).to_bytes()
    shuffle = random.Random(count)
    for _ in range(20):
        shuffle.shuffle(values)
        parts = [Sketch.of(values[at::5] + values[:3]) for at in range(5)]
        assert whole == ((parts[0] | parts[1]) | (parts[2] | (parts[3] | parts[4]))).to_bytes()


@pytest.mark.parametrize("data", [b"x", bytes(8 * (EXACT + 2)), b"\xff" * REGISTERS], ids=["short", "long", "rank"])
def test_bytes_that_it_did_not_write_are_refused(data):
    with pytest.raises(BadInput) as refused:
        Sketch.from_bytes(data)
    assert refused.value.fault is Fault.BAD_SUMMARY


def test_a_fingerprint_depends_on_the_value_and_on_the_key():
    one, other = Fingerprints(b"a" * 32), Fingerprints(b"b" * 32)
    assert one("jane@example.com") == Fingerprints(b"a" * 32)("jane@example.com")
    assert one("jane@example.com") != one("john@example.com")
    assert one("jane@example.com") != other("jane@example.com")
    assert one.name != other.name
    assert 0 <= one("\ud800 a lone surrogate") < 2**64
