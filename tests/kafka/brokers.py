"""Which Kafka the tests use: KAFKA_BOOTSTRAP_SERVERS, else Docker, else Apache Kafka's own jars, else none.

Never librdkafka's mock cluster: a test that claims something about transactions must not run on it unnoticed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from tests.kafka.local_kafka import CLUSTER_ID, HERE, LocalKafka, Unavailable, answers, free_port, kafka_version


@dataclass(frozen=True, slots=True)
class Broker:
    """A running Kafka, where it came from, and how to end it."""

    bootstrap: str
    origin: str
    stop: Callable[[], None]


def find() -> Broker:
    """The first that can be had. Blocks: 5 s for a local start, minutes when jars or an image must be fetched first.
    `Unavailable` with every reason when there is none."""
    reasons = []
    for source in (from_environment, from_docker, from_jars):
        try:
            return source()
        except Unavailable as missing:
            reasons.append(str(missing))
    raise Unavailable("no real Kafka: " + "; ".join(reasons))


def from_environment() -> Broker:
    """The brokers in KAFKA_BOOTSTRAP_SERVERS. A broker that was named and does not answer is an error, not a skip."""
    bootstrap = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
    if not bootstrap:
        raise Unavailable("KAFKA_BOOTSTRAP_SERVERS is not set")
    if not any(answers(bootstrap) for _ in range(10)):
        raise RuntimeError("nothing answers at KAFKA_BOOTSTRAP_SERVERS")
    return Broker(bootstrap, "KAFKA_BOOTSTRAP_SERVERS", lambda: None)


def from_docker() -> Broker:
    """The apache/kafka image with the settings of server.properties.in."""
    if not has_docker():
        raise Unavailable("no Docker")
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415  slow to import, seldom needed

    port = free_port()
    container = DockerContainer(f"apache/kafka:{kafka_version()}").with_bind_ports(9092, port)
    for name, value in docker_environment(port).items():
        container.with_env(name, value)
    container.start()
    bootstrap = f"127.0.0.1:{port}"
    if not any(answers(bootstrap) for _ in range(60)):
        container.stop()
        raise RuntimeError("Kafka in Docker did not answer within a minute")
    return Broker(bootstrap, f"apache/kafka:{kafka_version()} in Docker", container.stop)


def has_docker() -> bool:
    """Does an engine answer? By the command line: the Python client leaks its socket when none does."""
    try:
        return subprocess.run(["docker", "version"], check=False, capture_output=True, timeout=10).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


def docker_environment(port: int) -> dict[str, str]:
    """server.properties.in as the environment variables that the image turns back into properties."""
    lines = (HERE / "server.properties.in").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    settings |= {
        "listeners": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.quorum.voters": "1@127.0.0.1:9093",
        "log.dirs": "/tmp/kafka-data",
    }
    del settings["controller.quorum.bootstrap.servers"]  # the image formats a cluster with fixed voters
    return {"CLUSTER_ID": CLUSTER_ID, **{f"KAFKA_{k.replace('.', '_').upper()}": v for k, v in settings.items()}}


def from_jars() -> Broker:
    """Apache Kafka as a child process."""
    kafka = LocalKafka().start()
    return Broker(kafka.bootstrap, f"Apache Kafka {kafka_version()} from its jars", kafka.stop)
