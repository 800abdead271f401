"""A real, single-node Apache Kafka as a child process: jars by Maven, KRaft, loopback only, data kept over restarts.

Needs `java` (17 or newer) and, the first time, `mvn`. Start takes about 3 s after 1.5 s of formatting, a restart after
`kill9` about 5 s (see server.properties.in). Only processes started here are ever signalled, by their process id;
should the tests themselves be killed, a watchdog ends the broker.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

HERE = Path(__file__).parent
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"
COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
FETCH_S = 900
JVM = [
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
]


class Unavailable(Exception):
    """This machine cannot run Kafka this way; the text says what is missing."""


def kafka_version() -> str:
    """The version that pom.xml pins."""
    return ElementTree.parse(HERE / "pom.xml").getroot().findtext(".//{*}kafka.version", "")


def fetch_jars() -> Path:
    """The directory with Kafka's jars; asks Maven for them when the cache has none. Blocks; `Unavailable`."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amplitude-dsr"
    jars = root / f"kafka-{kafka_version()}"
    if jars.exists():
        return jars
    if not shutil.which("mvn"):
        raise Unavailable("no mvn to fetch Kafka's jars with")
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as scratch:
        copy_jars(Path(scratch) / "jars")
        try:
            (Path(scratch) / "jars").rename(jars)  # all or nothing, also with two test runs at once
        except OSError:
            if not jars.exists():
                raise
    return jars


def copy_jars(target: Path) -> None:
    """Have Maven copy Kafka and all it needs to `target`."""
    where = [f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
    try:
        subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", COPY_JARS, *where], check=True, timeout=FETCH_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise Unavailable("Maven could not fetch Kafka's jars") from None


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class LocalKafka:
    """One broker with its own directory and fixed ports. `stop` also deletes the data; the other methods keep it.

    `advertised_port` is what clients are sent to: a `FaultProxy`'s port, for instance. `settings` are added to
    server.properties. Construction formats the storage (blocks, 1.5 s) and raises `Unavailable`.
    """

    def __init__(self, advertised_port: int | None = None, settings: dict[str, str] | None = None) -> None:
        if not shutil.which("java"):
            raise Unavailable("no java")
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="dsr-kafka-"))
        self._conf = self.directory / "server.properties"
        self._conf.write_text(self._properties(advertised_port or self.port, settings or {}))
        self._java = [
            "java",
            *JVM,
            f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}",
            "-cp",
            f"{fetch_jars()}/*",
        ]
        self._broker: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._format()

    @property
    def bootstrap(self) -> str:
        """host:port of the broker itself, never of a proxy."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the running broker."""
        assert self._broker is not None
        return self._broker.pid

    def start(self, timeout_s: float = 60) -> LocalKafka:
        """Start (again) and block until the broker answers. `RuntimeError` with the end of its log if it does not."""
        with (self.directory / "kafka.log").open("ab") as log:
            command = [*self._java, "kafka.Kafka", str(self._conf)]
            self._broker = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        # Blocks on a pipe that only this process holds open: when the tests die, however they die, the broker follows.
        watch = ["sh", "-c", f"read _; kill -9 {self.pid}"]
        self._watchdog = subprocess.Popen(
            watch, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self._wait_ready(time.monotonic() + timeout_s)
        return self

    def kill9(self) -> None:
        """SIGKILL, as a power cut would, and wait for the end."""
        assert self._broker is not None
        self._broker.kill()
        self._reap()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End the broker if it runs (SIGTERM, after 20 s SIGKILL) and delete its data. Can be called twice."""
        if self._broker is not None:
            for each in (signal.SIGCONT, signal.SIGTERM):
                self._broker.send_signal(each)  # does nothing if the broker has died by itself
            self._reap(20)
        shutil.rmtree(self.directory, ignore_errors=True)

    def log_end(self) -> str:
        """The last 3,000 characters of the broker's log."""
        log = self.directory / "kafka.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else "its directory was deleted"

    def _properties(self, advertised_port: int, settings: dict[str, str]) -> str:
        text = (HERE / "server.properties.in").read_text()
        holes = {"PORT": self.port, "CONTROLLER_PORT": free_port(), "ADVERTISED_PORT": advertised_port}
        for name, value in {**holes, "DIRECTORY": self.directory}.items():
            text = text.replace(f"@{name}@", str(value))
        return text + "".join(f"{key}={value}\n" for key, value in settings.items())

    def _format(self) -> None:
        # A hand-written meta.properties would boot too, but leave group.version at 0: no KIP-848.
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID, "-c", str(self._conf)]
        done = subprocess.run([*self._java, *tool], check=False, capture_output=True, timeout=60)
        if done.returncode:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise Unavailable(f"formatting Kafka's storage failed (java 17 or newer is needed): {done.stderr[-300:]!r}")

    def _wait_ready(self, end: float) -> None:
        while time.monotonic() < end and self._broker is not None and self._broker.poll() is None:
            if answers(self.bootstrap):
                return
            time.sleep(0.1)
        log = self.log_end()
        self.kill9()
        raise RuntimeError(f"Kafka did not start:\n{log}")

    def _reap(self, timeout_s: float = 5) -> None:
        assert self._broker is not None
        try:
            self._broker.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._broker.kill()
            self._broker.wait()
        self._broker = None
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None


def answers(bootstrap: str) -> bool:
    """Does a broker there list itself? Blocks at most a second."""
    try:
        return bool(AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=1).brokers)
    except KafkaException:
        return False
