"""Discovery as its user has it: `dsr sandbox --kafka`, `dsr discover`, and the commands beside them, as processes.

On the embedded broker, so no test of a guarantee. Whatever was planted in the exports must be nowhere in what is
printed, logged, measured or written to Kafka.
"""

import json
import re
import tomllib
import urllib.request
from datetime import datetime

import pytest

from consumer.adapters.kafka.reading import TopicReader
from consumer.domain.hours import Hour, Span, hour_of, text
from consumer.sandbox.amplitude.events import made_up
from consumer.sandbox.amplitude.shelf import MadeUp, Shelf
from tests.fakes.search import found
from tests.integration.test_cli_embedded import dsr, running, wait_for

EVENTS, APP = 40, "829000"
TOPICS = ("commands", "tasks", "results", "ledger", "outcomes")
PLANTED = re.compile(rb"[a-z]+\.[a-z]+\d+@example\.com|DE\d{20}|\b4\d{15}\b")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A sandbox with exports, a worker, and a discovery of a day that has ended."""
    folder, patch = tmp_path_factory.mktemp("discovery"), pytest.MonkeyPatch()
    patch.setenv("XDG_RUNTIME_DIR", str(folder))
    patch.setenv("DSR_ADMIN__PORT", "0")
    with running(folder, "sandbox", "--kafka", "--events-per-hour", str(EVENTS), until="the sandbox is open") as (
        printed,
        _,
    ):
        settings = folder / "dsr.toml"
        settings.write_text(printed.read_text(), "utf-8")
        patch.setenv("DSR_SETTINGS", str(settings))
        with running(folder, "discover", until="admin port open") as (log, remarks):
            said = dsr("submit", "discover", "-p", "shop", "--wait", "--json")
            yield folder, said, log, remarks
    patch.undo()


def hours_in(outcome):
    """The window as hours."""
    first, last = (hour_of(_ms(outcome[name])) for name in ("from_hour", "to_hour"))
    return Span(Hour(first), Hour(last))


def _ms(iso):
    return int(datetime.fromisoformat(iso).timestamp() * 1000)


def truth(span):
    shelf = Shelf()
    shelf.make_up(APP, MadeUp(EVENTS, empty_every=10))
    return shelf.truth(APP, span)


def test_waiting_ends_with_every_hour_accounted_for(scene):
    sent, *said = scene[1]
    assert (sent["project"], sent["sent"]) == ("shop", True)
    assert {each["discovery_id"] for each in said} == {sent["discovery_id"]}
    done = said[-1]
    assert (done["stage"], done["hours"]["total"], done["hours"]["open"]) == ("done", 24, 0)
    assert done["account"]["lines"] == truth(hours_in(done)).events
    assert [each["stage"] for each in said if each["kind"] == "stage"] == ["accepted", "scanning", "done"]


def test_the_inventory_is_the_truth_in_every_format(scene):
    span = hours_in(scene[1][-1])
    printed = dsr("inventory", "shop", code=1)
    assert "/event_properties/iban" in printed.stdout
    assert f"scanned so far: 24 upload hours: {text(span.first)} to {text(span.last)}" in printed.stderr
    told = json.loads(dsr("inventory", "shop", "-f", "json", code=1).stdout)
    rows = {
        (row["event_type"], row["field"], row["data_type"]): row["events_hit"]
        for row in told["rows"]
        if not row["expected"]
    }
    assert rows == {tuple(place): hits for place, hits in truth(span).planted.items()}
    assert told["totals"]["unaccounted_bytes"] == 0
    page = scene[0] / "shop.html"
    dsr("inventory", "shop", "-o", str(page), code=1)
    assert page.read_text("utf-8").startswith("<!doctype html>")
    baseline = scene[0] / "last.json"
    baseline.write_text(json.dumps(told), "utf-8")
    dsr("inventory", "shop", "--baseline", str(baseline), code=0)


def test_the_direct_scan_finds_the_same_without_kafka(scene):
    span = hours_in(scene[1][-1])
    told = dsr("scan", "-p", "shop", "--from", text(span.first), "--to", text(span.last), "-f", "json", code=1)
    document = json.loads(told.stdout)
    rows = {
        (row["event_type"], row["field"], row["data_type"]): row["events_hit"]
        for row in document["rows"]
        if not row["expected"]
    }
    assert rows == {tuple(place): hits for place, hits in truth(span).planted.items()}
    assert "24 hours" in told.stderr


def test_asking_again_finds_the_hours_known(scene):
    [_, accepted, done] = dsr("submit", "discover", "-p", "shop", "--wait", "--json")
    assert (accepted["stage"], done["hours"]["known"], done["hours"]["scanned"]) == ("accepted", 24, 0)


def test_what_cannot_be_asked_is_said_and_not_sent(scene):
    assert "unknown_project" in dsr("submit", "discover", "-p", "nobody", code=1).stderr
    assert (
        "invalid_window"
        in dsr("submit", "discover", "-p", "shop", "--from", "2026-06-16", "--to", "2026-06-15", code=1).stderr
    )
    assert "invalid_sample" in dsr("submit", "discover", "-p", "shop", "--sample", "2", code=1).stderr
    assert "not an hour" in dsr("submit", "discover", "-p", "shop", "--from", "yesterday", code=2).stderr
    assert (
        "--continuous has no --to"
        in dsr("submit", "discover", "-p", "shop", "--continuous", "--to", "2026-06-15", code=2).stderr
    )
    assert "go with --project" in dsr("scan", "--from", "2026-06-16", code=2).stderr
    assert "unknown_project" in dsr("inventory", "nobody", code=1).stderr


def test_a_continuous_discovery_goes_on_until_it_is_cancelled(scene):
    [sent] = dsr("submit", "discover", "-p", "shop", "--continuous", "--json")
    assert sent["sent"]
    with running(scene[0], "watch", sent["discovery_id"], "--discoveries", "--json", until='"stage":"scanning"') as (
        said,
        _,
    ):
        dsr("cancel", "--discovery", sent["discovery_id"], "-p", "shop")
        wait_for(lambda: '"stage":"cancelled"' in said.read_text())


def test_nothing_that_was_planted_is_anywhere(scene):
    """In no record of any topic, no log line, no metric. The search itself is tried out first."""
    folder, said, log, remarks = scene
    span = hours_in(said[-1])
    lines = b"".join(line for hour in range(span.first, span.last + 1) for line in made_up(APP, Hour(hour), EVENTS)[0])
    hidden = sorted({match.decode() for match in PLANTED.findall(lines)})
    assert len(hidden) > 50
    assert found(hidden, b"x" + hidden[0].encode())
    port = re.search(r'"port": ?(\d+)', log.read_text())[1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        metrics = answer.read().decode()
    assert 'dsr_discovery_scanned_bytes_total{project="shop"}' in metrics
    assert 'dsr_discovery_unaccounted_bytes_total{project="shop"} 0.0' in metrics
    assert 'dsr_fields_dirty{project="shop"} 4.0' in metrics
    shown = {"metrics": metrics, "log": log.read_text(), "remarks": remarks.read_text(), "said": json.dumps(said)}
    shown |= dict(topics(folder))
    assert all(shown[f"dsr.discovery.{name}"] for name in TOPICS)
    assert [(where, value) for where, what in shown.items() for value in found(hidden, what)] == []


def topics(folder):
    """Every record of every topic, with its key and headers."""
    kafka = tomllib.loads((folder / "dsr.toml").read_text("utf-8"))["kafka"]
    for topic in (*(f"dsr.discovery.{name}" for name in TOPICS), "dsr.inventory"):
        with TopicReader({"bootstrap.servers": kafka["bootstrap_servers"]}, topic) as reader:
            parts = [b"%b %b %b" % (r.key or b"", r.value or b"", repr(r.headers).encode()) for r in reader.to_end()]
        yield topic, b"\n".join(parts)


def test_it_says_whether_it_is_ready(scene):
    port = re.search(r'"port": ?(\d+)', scene[2].read_text())[1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
        told = json.loads(answer.read())
    assert told["ready"]
    assert told["owned"] == {"coordinator": [0, 1, 2], "worker": [0, 1, 2]}
