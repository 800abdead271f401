"""Making and checking topics on a real Kafka."""

import uuid
from dataclasses import replace

import pytest
from confluent_kafka.admin import NewTopic

from consumer.adapters.kafka.admin import Finding, Flaw, check, create
from consumer.adapters.kafka.topics import COMMAND_BYTES, Cleanup, Role, table
from consumer.domain.deadline import DAY_MS
from consumer.domain.errors import Fatal, Reason
from tests.kafka.local_kafka import free_port

DISCOVERYS_OWN = {Role.DISCOVERY_RESULTS, Role.DISCOVERY_LEDGER, Role.INVENTORY}
"""What must have the partitions of discovery's commands."""


@pytest.fixture
def specs(kafka_admin):
    """The design's table under names of this test alone."""
    prefix = f"t{uuid.uuid4().hex[:12]}."
    specs = table(3, {role: prefix + role for role in Role})
    yield specs
    there = kafka_admin.list_topics(timeout=10).topics
    if made := [spec.name for spec in specs if spec.name in there]:
        for done in kafka_admin.delete_topics(made).values():
            done.result(15)


def test_created_topics_pass_the_check_and_are_made_once(kafka_bootstrap, specs):
    """The second time there is nothing to do."""
    conf = {"bootstrap.servers": kafka_bootstrap}
    assert create(conf, specs) == tuple(spec.name for spec in specs)
    assert check(conf, specs) == ()
    assert create(conf, specs) == ()


def test_topics_that_do_not_exist_are_found_missing(kafka_bootstrap, specs):
    """Looking for them does not make them."""
    conf = {"bootstrap.servers": kafka_bootstrap}
    assert check(conf, specs) == check(conf, specs) == tuple(Finding(spec.name, Flaw.MISSING) for spec in specs)


def test_every_flaw_is_found(kafka_bootstrap, kafka_admin, specs):
    """A ledger that deletes and has other partitions, dead letters too small, and commands kept too shortly."""
    conf = {"bootstrap.servers": kafka_bootstrap}
    commands, outcomes, dead_letters, ledger, *discovery = specs
    wrong = [
        replace(commands, retention_ms=DAY_MS, max_message_bytes=COMMAND_BYTES - 1),
        outcomes,
        replace(dead_letters, max_message_bytes=COMMAND_BYTES),
        replace(ledger, partitions=2, cleanup=Cleanup.DELETE, settings=()),
        *(replace(spec, partitions=2) if spec.role in DISCOVERYS_OWN else spec for spec in discovery),
    ]
    new = [NewTopic(spec.name, spec.partitions, 1, config=spec.config()) for spec in wrong]
    for done in kafka_admin.create_topics(new).values():
        done.result(15)
    assert {(each.topic, each.flaw) for each in check(conf, specs)} == {
        (commands.name, Flaw.RETENTION_TOO_SHORT),
        (commands.name, Flaw.MESSAGE_LIMIT),
        (dead_letters.name, Flaw.MESSAGE_LIMIT),
        (ledger.name, Flaw.PARTITIONS_DIFFER),
        (ledger.name, Flaw.CLEANUP_POLICY),
    } | {(spec.name, Flaw.PARTITIONS_DIFFER) for spec in discovery if spec.role in DISCOVERYS_OWN}


def test_more_than_asked_for_is_no_flaw(kafka_bootstrap, kafka_admin, specs):
    """Longer retention, also an endless one, and larger limits; dead letters follow the commands' limit."""
    conf = {"bootstrap.servers": kafka_bootstrap}
    commands, outcomes, dead_letters, ledger, *discovery = specs
    generous = [
        replace(commands, retention_ms=-1, max_message_bytes=2 * COMMAND_BYTES),
        replace(outcomes, retention_ms=365 * DAY_MS),
        dead_letters,
        ledger,
        *discovery,
    ]
    create(conf, generous)
    assert [(each.topic, each.flaw) for each in check(conf, specs)] == [(dead_letters.name, Flaw.MESSAGE_LIMIT)]


def test_a_cluster_that_does_not_answer_is_fatal(monkeypatch):
    """After the time-out, and without the client library's text."""
    monkeypatch.setattr("consumer.adapters.kafka.admin.TIMEOUT_S", 0.5)
    with pytest.raises(Fatal) as caught:
        check({"bootstrap.servers": f"127.0.0.1:{free_port()}", "log_level": 0}, table(1))
    assert caught.value.reason is Reason.BROKER_UNREACHABLE
