"""A small rehearsal of `make chaos`."""

import pytest

from tests.chaos import copies, discovery, run
from tests.kafka.local_kafka import LocalKafka


@pytest.mark.slow
def test_the_promise_is_kept_while_members_broker_and_amplitude_fail(dedicated_kafka: LocalKafka, tmp_path):
    """0 lost, 0 duplicated, 0 out of order, the right end for everybody; calls paced, leased and explained."""
    given = {"commands": 500, "projects": 6, "kills": 3, "stops": 1, "broker-kills": 1, "least-hits": 1}
    options = run.parser().parse_args([f"--{name}={value}" for name, value in given.items()])
    rows, kept = run.rehearse(options, dedicated_kafka, tmp_path)
    assert kept, [row for row in rows if row[2] is False]


@pytest.mark.slow
def test_every_hour_is_counted_while_workers_and_exports_fail(dedicated_kafka: LocalKafka, tmp_path):
    """0 hours lost or answered twice; inventory, evidence and bytes as computed apart."""
    given = {"hours": 60, "projects": 3, "kills": 4, "stops": 1, "least-hits": 1, "longest": 2}
    options = discovery.parser().parse_args([f"--{name}={value}" for name, value in given.items()])
    rows, kept = discovery.rehearse(options, dedicated_kafka, tmp_path)
    assert kept, [row for row in rows if row[2] is False]


@pytest.mark.slow
def test_every_copy_is_delivered_whole_while_members_store_and_amplitude_fail(dedicated_kafka: LocalKafka, tmp_path):
    """0 lost, 0 said twice, every package as the truth; the hour's budget kept."""
    given = {"copies": 120, "kills": 2, "stops": 0, "outages": 1, "factor": 100, "least-utilisation": 0}
    options = copies.parser().parse_args([f"--{name}={value}" for name, value in given.items()])
    rows, kept = copies.rehearse(options, dedicated_kafka, tmp_path, copies.Folder(tmp_path / "store"))
    assert kept, [row for row in rows if row[2] is False]
