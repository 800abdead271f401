"""The broker of the tests itself: what it loses (nothing) and what it leaves behind (nothing)."""

import os
import signal

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


def produce(kafka, value, **conf):
    reports = []
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "log_level": 0, **conf})
    producer.produce("records", value, partition=0, on_delivery=lambda error, _: reports.append(error))
    producer.flush(30)
    return reports


def high_watermark(kafka):
    reader = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "any"})
    try:
        return reader.get_watermark_offsets(TopicPartition("records", 0), timeout=20)[1]
    finally:
        reader.close()


def test_records_survive_kill_9_and_a_paused_broker_answers_after_resume(dedicated_kafka):
    """The same port and data after a restart; while stopped nothing is delivered."""
    admin = AdminClient({"bootstrap.servers": dedicated_kafka.bootstrap, "log_level": 0})
    admin.create_topics([NewTopic("records", 1, 1)])["records"].result(15)
    assert produce(dedicated_kafka, b"1") == [None]
    dedicated_kafka.kill9()
    dedicated_kafka.start()
    assert produce(dedicated_kafka, b"2") == [None]
    dedicated_kafka.pause()
    assert [error is not None for error in produce(dedicated_kafka, b"lost?", **{"message.timeout.ms": 700})] == [True]
    dedicated_kafka.resume()
    assert produce(dedicated_kafka, b"3") == [None]
    assert high_watermark(dedicated_kafka) >= 3


def test_stop_leaves_no_process_and_no_directory(dedicated_kafka):
    """Also when the broker is paused, and when asked twice (the fixture asks again)."""
    pid = dedicated_kafka.pid
    dedicated_kafka.pause()
    dedicated_kafka.stop()
    assert not dedicated_kafka.directory.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_broker_that_died_by_itself_can_be_stopped(dedicated_kafka):
    """Nothing is signalled that is not there."""
    os.kill(dedicated_kafka.pid, signal.SIGKILL)
    dedicated_kafka.stop()
    assert not dedicated_kafka.directory.exists()
