"""Alerts of a member whose broker stands still: a real Prometheus, and a Kafka of this test alone."""

import subprocess

import pytest

from tests.integration.prometheus import PROGRAM, Prometheus, free_port, wait_for
from tests.integration.test_cli_embedded import DSR, ROOT, dsr, here, running
from tests.integration.test_prometheus import Rehearsed

__all__ = ["here"]

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed")


def test_a_member_that_is_cut_off_or_on_its_way_out_is_noticed(here, monkeypatch, dedicated_kafka):
    """The broker stands still for a minute: nothing is committed, until another member takes over. At its end that one
    waits for an answer of Amplitude."""
    port = free_port()
    monkeypatch.setenv("DSR_ADMIN__PORT", str(port))
    monkeypatch.setenv("DSR_KAFKA__BOOTSTRAP_SERVERS", dedicated_kafka.bootstrap)
    with running(here, "sandbox", until="Ctrl-C") as (settings, _):
        monkeypatch.setenv("DSR_SETTINGS", str(settings))
        dsr("topics", "create")
        with Prometheus(here, free_port(), port) as prometheus:
            with subprocess.Popen([*DSR, "run"], cwd=ROOT, stderr=subprocess.DEVNULL) as first:
                wait_for(lambda: prometheus.ask("dsr_owned_partitions > 0"))
                dedicated_kafka.pause()
                wait_for(lambda: "DsrNoTransactions" in prometheus.firing(), 80)
                first.kill()
            dedicated_kafka.resume()
            with running(here, "run", until='"started"'):
                service = Rehearsed(settings, prometheus)
                wait_for(lambda: prometheus.ask("dsr_owned_partitions > 0"), 90)
                service.ends("DsrNoTransactions", "DsrMemberNotReady")
                service.fault(kind="latency", method="POST", seconds=30)
                dsr("submit", "erase", "-p", "shop", "-u", "u-1")
                wait_for(lambda: prometheus.ask("dsr_lane_in_flight > 0"))
            assert prometheus.ask("max_over_time(ALERTS{alertname='DsrMemberNotReady',alertstate='firing'}[10s])")
