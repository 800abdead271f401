"""The catalogue is what /metrics shows, no more and no less, and no label comes from a producer."""

import re
from dataclasses import replace
from uuid import uuid4

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from consumer.adapters.gauges import Gauges
from consumer.adapters.metrics import CATALOGUE, UNLISTED, PrometheusMeter, Shape
from consumer.adapters.probes import PARKED as PARKING
from consumer.domain.errors import Reason
from consumer.domain.lifecycle import Stage
from consumer.domain.statement import Kind, Notice, Outcome
from consumer.ports import CopyReport
from tests.fakes.commands import NOW, accepted
from tests.fakes.reports import IDLE, PARKED, WORKING, Member

DAY_MS = 86_400_000
COPIES = CopyReport("acme", 3, NOW, 2, 1, 299.5, True, Reason.STORE_UNAVAILABLE)


def outcome(kind=Kind.STAGE, stage=Stage.SCHEDULED, slack_days=5, **changed):
    entry = accepted("u-1001")
    expected = entry.deadline - slack_days * DAY_MS
    said = Outcome(uuid4(), kind, stage, 1, NOW, None, entry=entry, project="shop", expected=expected)
    return said._replace(**changed)


def used():
    """A meter on which everything has happened once, beside a member in every sort of trouble."""
    meter, member = PrometheusMeter(lambda: ["shop"]), Member()
    member.stream = replace(WORKING, restoring=(4,), halted={1: Reason.TOO_MANY_DEAD_LETTERS})
    meter.registry.register(Gauges(member.probes, lambda: [COPIES]))
    meter.called("shop", "POST", "ok", 0.2)
    meter.batched("shop", 100)
    meter.resubmitted("shop", 3)
    meter.said(outcome())
    meter.buried(Reason.UNDECODABLE)
    meter.committed(0.01, 7)
    meter.restored(1.5)
    return meter, member


def value(meter, name, **labels):
    return meter.registry.get_sample_value(name, labels)


def families(meter, write, read):
    return {family.name: family for family in read(write(meter.registry).decode())}


@pytest.mark.parametrize(("write", "read"), [(generate_latest, read_text), (generate_openmetrics, read_openmetrics)])
def test_every_metric_of_the_catalogue_is_shown_after_use_and_no_other(write, read):
    """In both formats, with its shape, its help text, its labels and at least one sample."""
    meter, _ = used()
    shown = {name: family for name, family in families(meter, write, read).items() if name.startswith("dsr_")}
    assert {metric.name.removesuffix("_total") for metric in CATALOGUE} == {n.removesuffix("_total") for n in shown}
    for metric in CATALOGUE:
        family = shown.get(metric.name) or shown[metric.name.removesuffix("_total")]
        assert (metric.shape.value, metric.help) == (family.type, family.documentation)
        assert family.samples, metric.name
        for sample in family.samples:
            assert set(metric.labels) == set(sample.labels) - {"le"}, metric.name


def test_names_follow_the_conventions():
    """Prefix, snake case, `_total` for counters alone, base units; and each name once."""
    names = [metric.name for metric in CATALOGUE]
    assert len(names) == len(set(names))
    for metric in CATALOGUE:
        assert re.fullmatch(r"dsr_[a-z_]+", metric.name)
        assert (metric.shape is Shape.COUNTER) == metric.name.endswith("_total"), metric.name
        assert (metric.shape is Shape.HISTOGRAM) == bool(metric.bounds), metric.name
        assert not re.search(r"milli|micro|minutes|hours|days|_ms\b", metric.name)


def test_what_happened_is_counted():
    """Each method of the port moves what it is about."""
    meter, _ = used()
    assert value(meter, "dsr_amplitude_calls_total", project="shop", method="POST", answer="ok") == 1
    assert value(meter, "dsr_amplitude_call_seconds_sum", method="POST") == 0.2
    assert (value(meter, "dsr_batch_ids_sum"), value(meter, "dsr_sent_ids_total", project="shop")) == (100, 100)
    assert value(meter, "dsr_resubmitted_ids_total", project="shop") == 3
    assert value(meter, "dsr_outcomes_total", type="erasure", kind="stage", stage="scheduled", reason="none") == 1
    assert value(meter, "dsr_dead_letters_total", reason="undecodable") == 1
    assert (value(meter, "dsr_commands_total"), value(meter, "dsr_transaction_seconds_count")) == (7, 1)
    assert value(meter, "dsr_restore_seconds_sum") == 1.5


def test_a_name_that_a_producer_made_up_is_never_a_label():
    """It could be a person, and there could be millions of them."""
    meter = PrometheusMeter(lambda: ["shop"])
    for n in range(50):
        name = f"jane-{n}@example.com"
        refused = outcome(stage=Stage.REFUSED, project=name, entry=None, reason=Reason.UNKNOWN_PROJECT)
        meter.said(refused)
        meter.said(refused._replace(kind=Kind.NOTICE, notice=Notice.WAITING))
        meter.called(name, "GET", "ok", 0.1)
    text = generate_latest(meter.registry).decode()
    assert "jane" not in text
    assert value(meter, "dsr_notices_total", project=UNLISTED, notice="waiting") == 50


def test_what_alerts_watch_is_there_before_it_happens():
    """`increase()` does not see a series that appears at 1."""
    meter = PrometheusMeter(lambda: ["shop", "blog"])
    for project in ("shop", "blog"):
        assert value(meter, "dsr_resubmitted_ids_total", project=project) == 0
        assert value(meter, "dsr_notices_total", project=project, notice="breached") == 0
    assert value(meter, "dsr_dead_letters_total", reason="undecodable") == 0


def test_slack_is_observed_at_stages_and_the_first_bucket_is_the_late_ones():
    """A notice says the same slack once more, so it does not count."""
    meter = PrometheusMeter(lambda: ["shop"])
    meter.said(outcome(slack_days=-2))
    meter.said(outcome(slack_days=5))
    meter.said(outcome(kind=Kind.NOTICE, notice=Notice.AT_RISK))
    meter.said(outcome(expected=None))
    assert value(meter, "dsr_deadline_slack_seconds_bucket", stage="scheduled", le="0.0") == 1
    assert value(meter, "dsr_deadline_slack_seconds_sum", stage="scheduled") == 5 * DAY_MS / 1000
    assert value(meter, "dsr_deadline_slack_seconds_count", stage="scheduled") == 2


def test_gauges_are_what_the_lanes_report():
    """Age on the calendar, parked is down, a reason is a series."""
    meter, member = used()
    assert value(meter, "dsr_project_up", project="shop") == 0
    assert value(meter, "dsr_project_up", project="blog") == 1
    assert value(meter, "dsr_lane_waiting_reason", project="shop", reason="credentials_refused") == 1
    assert value(meter, "dsr_oldest_waiting_request_age_seconds", project="shop") == 60
    assert value(meter, "dsr_oldest_waiting_request_age_seconds", project="blog") == 0
    assert value(meter, "dsr_lane_interval_seconds", project="shop") == 2.5
    member.lanes = []
    assert value(meter, "dsr_project_up", project="shop") is None


@pytest.mark.parametrize("reason", [None, *Reason])
def test_a_project_is_down_only_when_a_person_must_act(reason):
    """Throttling and outages pass by themselves."""
    meter, member = used()
    member.lanes = [replace(PARKED, reason=reason)]
    wanted = {Reason.CREDENTIALS_REFUSED, Reason.CREDENTIALS_MISSING, Reason.PROJECT_REMOVED}
    assert wanted == PARKING
    assert value(meter, "dsr_project_up", project="shop") == (0 if reason in wanted else 1)


def test_two_lanes_of_one_project_are_one_series():
    """Twice the same series would make the whole scrape invalid."""
    meter, member = used()
    member.lanes = [replace(IDLE, waiting=2, oldest=NOW - 1000), replace(IDLE, waiting=3, oldest=NOW - 9000)]
    assert value(meter, "dsr_lane_waiting_requests", project="blog") == 5
    assert value(meter, "dsr_oldest_waiting_request_age_seconds", project="blog") == 9
    assert generate_latest(meter.registry).decode().count('dsr_lane_waiting_requests{project="blog"}') == 1


def test_gauges_are_what_the_kafka_thread_reports():
    """Ages on the pacing clock; each reason for a pause has its series, set or not."""
    meter, member = used()
    member.monotonic_s = 130.0
    assert value(meter, "dsr_last_transaction_age_seconds") == 35
    assert value(meter, "dsr_kafka_thread_turn_age_seconds") == 30
    assert value(meter, "dsr_owned_partitions") == 3
    assert value(meter, "dsr_partition_halted", partition="1", reason="too_many_dead_letters") == 1
    assert value(meter, "dsr_intake_paused", reason="too_many_dead_letters") == 1
    assert value(meter, "dsr_intake_paused", reason="backlog_full") == 0
    assert [value(meter, "dsr_requests", state=s) for s in ("active", "resting", "closed")] == [5, 6, 7]
    member.stream = replace(WORKING, intake=Reason.BACKLOG_FULL, alive=False, proven_at=None)
    assert value(meter, "dsr_intake_paused", reason="backlog_full") == 1
    assert value(meter, "dsr_kafka_thread_alive") == 0
    assert value(meter, "dsr_last_transaction_age_seconds") == 30


def test_a_scrape_before_the_first_report_is_valid():
    """Nothing is invented, and the member is not ready."""
    meter, member = used()
    member.stream, member.lanes = None, []
    assert value(meter, "dsr_ready") == 0
    assert value(meter, "dsr_owned_partitions") is None
    assert families(meter, generate_latest, read_text)


def test_ready_is_what_the_probe_says():
    """One truth for Kubernetes and for alerts."""
    meter, member = used()
    assert value(meter, "dsr_ready") == 0
    member.stream = WORKING
    assert value(meter, "dsr_ready") == 1
    member.probes.drain()
    assert value(meter, "dsr_ready") == 0
