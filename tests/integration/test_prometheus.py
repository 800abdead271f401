"""A real Prometheus scrapes the running service: panels show something, alerts fire and end for their cause."""

import importlib.util
import json
import os
import tomllib
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from confluent_kafka import Producer

from tests.integration.prometheus import ALERTS, PROGRAM, Prometheus, free_port, wait_for
from tests.integration.test_cli_embedded import dsr, here, running

__all__ = ["here"]

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed")
BUILD = Path(__file__).parents[2] / "deploy" / "grafana" / "build.py"
spec = importlib.util.spec_from_file_location("build", BUILD)
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)
PANELS = [(name, panel) for name, (_, panels) in build.DASHBOARDS.items() for panel in panels]


class Rehearsed:
    """The sandbox, the service beside it, and Prometheus. `fault` makes the stand-in misbehave."""

    def __init__(self, settings, prometheus):
        told = tomllib.loads(settings.read_text())
        self.prometheus, self._url = prometheus, told["projects"]["shop"]["base_url"]
        bootstrap = os.environ.get("DSR_KAFKA__BOOTSTRAP_SERVERS") or told["kafka"]["bootstrap_servers"]
        self._producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})

    def fault(self, **fault):
        body = json.dumps({"count": None} | fault).encode()
        urlopen(Request(f"{self._url}/fake/faults", body, {"Content-Type": "application/json"}), timeout=5).close()

    def behave(self):
        urlopen(Request(f"{self._url}/fake/faults", method="DELETE"), timeout=5).close()

    def junk(self, count):
        for _ in range(count):
            self._producer.produce("dsr.commands", b"not avro")
        self._producer.flush(10)

    def fires(self, *names):
        wait_for(lambda: set(names) <= self.prometheus.firing())

    def ends(self, *names):
        wait_for(lambda: not set(names) & self.prometheus.firing())


@pytest.fixture
def rehearsed(here, monkeypatch):
    """With a copy, a discovery, erasures, and one of everything that goes wrong."""
    port = free_port()
    monkeypatch.setenv("DSR_ADMIN__PORT", str(port))
    monkeypatch.setenv("DSR_COPIES__STORE", (here / "packages").as_uri())
    sandbox = running(here, "sandbox", "--kafka", "--project", "shop", "--project", "game", until="Ctrl-C")
    with sandbox as (settings, _):
        monkeypatch.setenv("DSR_SETTINGS", str(settings))
        with (
            running(here, "run", "--with-discovery", until='"started"'),
            Prometheus(here, free_port(), port) as prometheus,
        ):
            yield Rehearsed(settings, prometheus)


def happen(service):
    """Everything that a panel shows."""
    for fault in (
        {"kind": "status", "method": "POST", "app": "shop", "status": 429, "count": 1},
        {"kind": "applied_drop", "method": "POST", "app": "shop", "count": 1},
        {"kind": "status", "method": "EXPORT", "status": 500, "count": 1},
    ):
        service.fault(**fault)
    for number in range(3):
        dsr("submit", "erase", "-p", "shop", "-u", f"u-{number}")
    dsr("submit", "copy", "-p", "shop", "-u", "u-7", "--wait")
    dsr("submit", "discover", "-p", "shop", "--wait")
    service.junk(1)


def late(service):
    """Deadlines that are near and past; and a lost answer, whose batch is in the list: its ids are sent again."""
    dsr("submit", "erase", "-p", "shop", "-u", "u-20", "--submitted", "20d")
    dsr("submit", "erase", "-p", "shop", "-u", "u-21", "--submitted", "3d", "--deadline", "1d")
    service.fires("DsrDeadlineAtRisk", "DsrDeadlineBreached")
    service.fault(kind="applied_drop", method="POST", app="game", count=1)
    dsr("submit", "erase", "-p", "game", "-u", "u-22")
    service.fires("DsrIdsResubmitted game")


def scan_in_vain(service):
    """Amplitude gives no export of one project, and a damaged one of another, until it does."""
    service.fault(kind="status", method="EXPORT", app="game", status=500)
    service.fault(kind="corrupt", method="EXPORT", app="shop")
    for project in ("game", "shop"):
        dsr("submit", "discover", "-p", project)
    service.fires("DsrDiscoveryStands game", "DsrDiscoveryRefusesHours shop")
    service.behave()
    service.ends("DsrDiscoveryStands game")


def test_every_panel_shows_something_and_alerts_fire_and_end_for_their_cause(rehearsed):
    """On one run of the service, because that is what takes the time."""
    service, prometheus = rehearsed, rehearsed.prometheus
    assert dict.fromkeys(prometheus.rules(), "ok") == prometheus.rules() or prometheus.rules()
    scan_in_vain(service)
    happen(service)
    service.fires("DsrDeadLetters", "DsrFieldDirty")
    late(service)

    service.fault(kind="status", method="POST", app="game", status=403)
    service.fault(kind="status", method="DSAR", status=403)
    dsr("submit", "erase", "-p", "game", "-u", "u-8")
    dsr("submit", "copy", "-p", "shop", "-u", "u-9")
    service.fires("DsrProjectDown", "DsrCopiesWait")
    empty = [
        (name, panel.title, query)
        for name, panel in PANELS
        for query in panel.queries
        if not prometheus.ask(query.replace("$__rate_interval", "1m"))
    ]
    assert empty == []
    service.behave()
    service.ends("DsrProjectDown", "DsrCopiesWait")

    service.junk(150)
    service.fires("DsrIntakeHalted")
    dsr("resume", "--halted")
    service.ends("DsrIntakeHalted")
    assert {"ok"} == set(prometheus.rules().values())
    assert set(prometheus.rules()) == {line.split()[-1] for line in ALERTS.read_text().splitlines() if "alert:" in line}


def test_that_nobody_is_there_is_noticed_and_ends_when_somebody_is(here, monkeypatch):
    """The series of a target that is gone is stale at once."""
    port = free_port()
    monkeypatch.setenv("DSR_ADMIN__PORT", str(port))
    with running(here, "sandbox", "--kafka", until="Ctrl-C") as (settings, _):
        monkeypatch.setenv("DSR_SETTINGS", str(settings))
        with Prometheus(here, free_port(), port) as prometheus:
            wait_for(lambda: "DsrAbsent" in prometheus.firing())
            with running(here, "run", until='"started"'):
                wait_for(lambda: prometheus.firing() == set())
            wait_for(lambda: "DsrAbsent" in prometheus.firing())
