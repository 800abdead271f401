"""Routing by org."""

import pytest

from consumer.domain.routing import murmur2, partition_of


@pytest.mark.parametrize(
    ("data", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_kafkas_own(data, signed):
    """The vectors of Apache Kafka's UtilsTest."""
    assert signed == int.from_bytes(murmur2(data).to_bytes(4, "big"), "big", signed=True)


def test_an_org_has_one_partition_within_range():
    """And the same one every time."""
    for n in (1, 6, 50):
        found = {partition_of(f"org-{i}", n) for i in range(2_000)}
        assert found == set(range(n))
