"""Fixtures for every test: a real Kafka when a test asks for one, and the count of tests that ran on it.

Without a real Kafka these tests are skipped; with REQUIRE_REAL_KAFKA=1 they fail instead.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kafka import brokers
from tests.kafka.local_kafka import LocalKafka, Unavailable
from tests.s3.server import S3Server
from tests.s3.server import Unavailable as NoS3

ON_KAFKA = {"kafka_broker", "kafka_bootstrap", "topics", "dedicated_kafka"}
TopicFactory = Callable[..., str]

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no counterexample
hypothesis.settings.load_profile("untimed")

origins = pytest.StashKey[dict[str, int]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[origins] = {}


def pytest_report_header(config: pytest.Config) -> str:
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return "real Kafka: KAFKA_BOOTSTRAP_SERVERS"
    wanted = "required" if os.environ.get("REQUIRE_REAL_KAFKA") == "1" else "skipped if there is none"
    return f"real Kafka: Docker or jars of Apache Kafka {brokers.kafka_version()}; {wanted}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if ON_KAFKA.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)


def pytest_runtest_call(item: pytest.Item) -> None:
    names = set(getattr(item, "fixturenames", ()))
    counts = item.config.stash[origins]
    if "dedicated_kafka" in names:
        counts["dedicated brokers"] = counts.get("dedicated brokers", 0) + 1
    elif names & ON_KAFKA:
        origin = item.funcargs["kafka_broker"].origin if "kafka_broker" in item.funcargs else "shared broker"
        counts[origin] = counts.get(origin, 0) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of two processes that share the suite: tell the other what ran here."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["origins"] = session.config.stash[origins]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process that shared the suite has ended: add up."""
    counts = node.config.stash[origins]
    for origin, count in getattr(node, "workeroutput", {}).get("origins", {}).items():
        counts[origin] = counts.get(origin, 0) + count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash[origins]
    each = "; ".join(f"{origin}: {count}" for origin, count in counts.items())
    terminalreporter.section("real Kafka used" if counts else "no real Kafka used")
    terminalreporter.line(f"{sum(counts.values())} tests ran on a real Kafka" + (f" ({each})" if each else ""))


def missing(reason: Unavailable) -> None:
    """Skip the test, or fail it where a real Kafka is required."""
    if os.environ.get("REQUIRE_REAL_KAFKA") == "1":
        pytest.fail(f"REQUIRE_REAL_KAFKA=1, but {reason}", pytrace=False)
    pytest.skip(str(reason))


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[brokers.Broker]:
    """The Kafka that tests share for the session."""
    try:
        broker = brokers.find()
    except Unavailable as reason:
        missing(reason)
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_broker: brokers.Broker) -> str:
    """`bootstrap.servers` of a real Kafka shared by the session. Never stop it; use topics from `topics`."""
    return kafka_broker.bootstrap


@pytest.fixture(scope="session")
def kafka_admin(kafka_bootstrap: str) -> AdminClient:
    """One admin client on the shared broker."""
    return AdminClient({"bootstrap.servers": kafka_bootstrap})


@pytest.fixture
def topics(kafka_broker: brokers.Broker, kafka_admin: AdminClient) -> Iterator[TopicFactory]:
    """`topics("commands", partitions=3, **{"cleanup.policy": "compact"}) -> name`: a new topic of this test alone."""
    made: list[str] = []

    def make(stem: str = "topic", partitions: int = 1, **config: str) -> str:
        name = f"{stem}.{uuid.uuid4().hex[:12]}"
        kafka_admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(15)
        made.append(name)
        return name

    yield make
    if made:
        for done in kafka_admin.delete_topics(made).values():
            done.result(15)


@pytest.fixture
def dedicated_kafka() -> Iterator[LocalKafka]:
    """A started broker of this test alone, to be killed, paused and restarted."""
    try:
        kafka = LocalKafka()
    except Unavailable as reason:
        missing(reason)
    try:
        yield kafka.start()
    finally:
        kafka.stop()


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    """A real S3-compatible server of this test alone."""
    try:
        server = S3Server(tmp_path)
    except NoS3 as reason:
        if os.environ.get("REQUIRE_REAL_S3") == "1":
            pytest.fail(f"REQUIRE_REAL_S3=1, but {reason}", pytrace=False)
        pytest.skip(str(reason))
    with server:
        yield server
