"""The dashboards' files are what their tables say, and ask for metrics and labels that exist."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from tests.unit.test_alerts import EXPRESSIONS, LABELS

FOLDER = Path(__file__).parents[2] / "deploy"
spec = importlib.util.spec_from_file_location("build", FOLDER / "grafana" / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)
QUERIES = [(name, q) for name, (_, panels) in build.DASHBOARDS.items() for p in panels for q in p.queries]


@pytest.mark.parametrize("name", build.DASHBOARDS)
def test_the_file_is_what_the_table_says(name):
    """`python deploy/grafana/build.py` writes it."""
    assert (FOLDER / "grafana" / "dashboards" / f"{name}.json").read_text(encoding="utf-8") == build.written(name)


def test_no_file_is_left_from_a_dashboard_that_is_gone():
    """Grafana would show it."""
    assert {path.stem for path in (FOLDER / "grafana" / "dashboards").glob("*.json")} == set(build.DASHBOARDS)


@pytest.mark.parametrize(("name", "query"), QUERIES)
def test_a_panel_asks_for_metrics_and_labels_that_exist(name, query):
    """One that was renamed would show nothing, which looks like calm."""
    asked = re.findall(r"\bdsr_\w+", query)
    assert set(asked) <= LABELS.keys()
    for metric, matchers in re.findall(r"(dsr_\w+)\{([^}]*)\}", query):
        assert set(re.findall(r"(\w+)\s*[!=]=?~?\s*\"", matchers)) <= LABELS[metric]
    grouped = {label for labels in re.findall(r"by \(([^)]*)\)", query) for label in labels.split(", ")}
    assert grouped <= {"le", "instance"} | {label for metric in asked for label in LABELS[metric]}


@pytest.mark.parametrize("name", build.DASHBOARDS)
def test_panels_do_not_lie_on_each_other_and_tell_what_they_show(name):
    """Three in a row."""
    panels = json.loads(build.written(name))["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(panel["description"].endswith(".") for panel in panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= build.COLUMNS for panel in panels)


def test_every_alert_has_its_entry_in_the_runbook_and_no_other_is_there():
    """What it means, what to look at, what to do."""
    runbook = (FOLDER / "RUNBOOK.md").read_text(encoding="utf-8")
    entries = dict(re.findall(r"^## (\w+)\n((?:(?!^## ).*\n?)+)", runbook, re.MULTILINE))
    assert list(entries) == list(EXPRESSIONS)
    assert all(len(text.split()) >= 20 for text in entries.values())
