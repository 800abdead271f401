"""The alerts ask for metrics and labels that exist, and each of them is tried out by promtool's own tests."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from consumer.adapters import discovery_metrics
from consumer.adapters.metrics import CATALOGUE, Shape
from consumer.domain.errors import Reason
from consumer.domain.statement import Notice

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
ALERTS = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
TESTS = (FOLDER / "alerts_test.yml").read_text(encoding="utf-8")
EXPRESSIONS = dict(re.findall(r"- alert: (\w+)\n\s+expr: (.+)", ALERTS))
SUFFIXES = {Shape.HISTOGRAM: ("_bucket", "_sum", "_count"), Shape.COUNTER: ("",), Shape.GAUGE: ("",)}
EVERY = (*CATALOGUE, *discovery_metrics.CATALOGUE)
LABELS = {m.name + suffix: set(m.labels) for m in EVERY for suffix in SUFFIXES[m.shape]}
VALUES = {"reason": {r.value for r in Reason}, "notice": {n.value for n in Notice}}


def test_every_alert_is_read_here():
    """An expression over several lines would be overlooked."""
    assert len(re.findall(r"\balert:", ALERTS)) == len(re.findall(r"\bexpr:", ALERTS)) == len(EXPRESSIONS) > 0


@pytest.mark.parametrize("alert", EXPRESSIONS)
def test_an_alert_asks_for_metrics_that_exist(alert):
    """A metric that was renamed would silence it for ever."""
    asked = re.findall(r"dsr_\w+", EXPRESSIONS[alert])
    assert asked
    assert set() == set(asked) - LABELS.keys()


@pytest.mark.parametrize("source", [ALERTS, TESTS], ids=["alerts", "tests"])
def test_labels_and_their_values_exist(source):
    """A matcher on a label that the metric does not have never matches."""
    selectors = re.findall(r"(dsr_\w+)\{([^}]*)\}", source)
    assert selectors
    for metric, matchers in selectors:
        for label, value in re.findall(r"(\w+)\s*!?=~?\s*\"([^\"]*)\"", matchers):
            assert label in LABELS[metric] | {"instance"}, (metric, label)
            assert value in VALUES.get(label, {value}), (label, value)


@pytest.mark.parametrize("alert", EXPRESSIONS)
def test_groups_are_labels_of_the_metric(alert):
    """`by` a label that is not there makes one group of everything."""
    for labels, metric in re.findall(r"by \(([\w, ]+)\) \(\w*\(?(dsr_\w+)", EXPRESSIONS[alert]):
        assert set(labels.split(", ")) <= LABELS[metric]


@pytest.mark.parametrize("alert", EXPRESSIONS)
def test_every_alert_fires_in_a_test(alert):
    """promtool runs them; here it is only seen that none was forgotten."""
    assert f'alertname="{alert}"' in TESTS or f"alertname: {alert}\n" in TESTS


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize("ask", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]])
def test_promtool_agrees(ask):
    """The rules are valid, and fire when they should and only then."""
    ran = subprocess.run(["promtool", *ask], cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
