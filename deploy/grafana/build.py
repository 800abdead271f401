"""The dashboards, as tables; `python deploy/grafana/build.py` writes them as Grafana reads them.

A panel is a title, what it tells the person on call, a unit, and its queries, each with a legend. Kept as tables because
nobody can review Grafana's JSON; a test holds the files against them, and asks a real Prometheus every query.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
WIDTH, HEIGHT, COLUMNS = 8, 8, 24
RATE = "$__rate_interval"
SOURCE = {"type": "prometheus", "uid": "${source}"}


class Panel(NamedTuple):
    """One graph. `queries`: PromQL → legend."""

    title: str
    tells: str
    unit: str
    queries: dict[str, str]


REQUESTS = [
    Panel(
        "What was said",
        "Durable outcomes by stage. Silence while requests are open is no fault: Amplitude takes weeks.",
        "ops",
        {f'sum by (stage) (rate(dsr_outcomes_total{{kind="stage"}}[{RATE}]))': "{{stage}}"},
    ),
    Panel(
        "Open requests by stage",
        "Where they stand now, over all members.",
        "short",
        {"sum by (stage) (dsr_open_requests)": "{{stage}}"},
    ),
    Panel(
        "Open requests whose deadline is at risk or breached",
        "Of those that are not out of reach yet. The outcomes' notices name them.",
        "short",
        {'sum by (deadline) (dsr_open_requests{deadline!="none"}) or vector(0)': "{{deadline}}"},
    ),
    Panel("Commands", "Taken in durably.", "ops", {f"sum(rate(dsr_commands_total[{RATE}]))": "commands"}),
    Panel(
        "Requests in memory",
        "Active: something is to be sent. Resting: Amplitude works. Closed: remembered for duplicates.",
        "short",
        {"sum by (state) (dsr_requests)": "{{state}}"},
    ),
    Panel(
        "Oldest waiting request",
        "Held, paused, or more than Amplitude takes.",
        "s",
        {"max by (project) (dsr_oldest_waiting_request_age_seconds)": "{{project}}"},
    ),
    Panel(
        "Deadline slack, the least tenth",
        "At each stage: deadline minus expected erasure. Late is 0.",
        "s",
        {"histogram_quantile(0.1, sum by (le, stage) (increase(dsr_deadline_slack_seconds_bucket[1h])))": "{{stage}}"},
    ),
    Panel(
        "Notices in the last hour",
        "At risk: less than three days of slack. Breached: the deadline is over. Waiting: see the lanes.",
        "short",
        {"sum by (project, notice) (increase(dsr_notices_total[1h]))": "{{project}} {{notice}}"},
    ),
    Panel(
        "Dead letters in the last hour",
        "Each may be a request that nobody carries out: `dsr dlq list`.",
        "short",
        {"sum by (reason) (increase(dsr_dead_letters_total[1h]))": "{{reason}}"},
    ),
]

LANES = [
    Panel(
        "Projects that are up",
        "0: parked until a person gives keys or settings.",
        "short",
        {"min by (project) (dsr_project_up)": "{{project}}"},
    ),
    Panel(
        "Calls by answer",
        "ok, or the kind of failure.",
        "reqps",
        {f"sum by (method, answer) (rate(dsr_amplitude_calls_total[{RATE}]))": "{{method}} {{answer}}"},
    ),
    Panel(
        "Calls that were throttled",
        "The share of 429. A lane slows down by itself, and recovers slowly.",
        "percentunit",
        {
            f'sum by (project) (rate(dsr_amplitude_calls_total{{answer="throttled"}}[{RATE}])) / '
            f"sum by (project) (rate(dsr_amplitude_calls_total[{RATE}])) or sum by (project) (dsr_project_up) * 0": (
                "{{project}}"
            )
        },
    ),
    Panel(
        "Time to an answer, 95 %",
        "From the send to the whole answer.",
        "s",
        {
            f"histogram_quantile(0.95, sum by (le, method) (rate(dsr_amplitude_call_seconds_bucket[{RATE}])))": "{{method}}"
        },
    ),
    Panel(
        "Ids sent",
        "100 a second and project is all there is.",
        "ops",
        {f"sum by (project) (rate(dsr_sent_ids_total[{RATE}]))": "{{project}}"},
    ),
    Panel(
        "Ids in a batch, on average",
        "Each batch is one call, and one e-mail to all admins.",
        "short",
        {"sum(increase(dsr_batch_ids_sum[1h])) / sum(increase(dsr_batch_ids_count[1h]))": "ids"},
    ),
    Panel(
        "Seconds between two calls",
        "1 at full pace; more after a 429.",
        "s",
        {"max by (project) (dsr_lane_interval_seconds)": "{{project}}"},
    ),
    Panel(
        "Waiting, and why",
        "Requests for which the lane has something to do; and reasons, where it waits.",
        "short",
        {
            "sum by (project) (dsr_lane_waiting_requests)": "{{project}}",
            "max by (project, reason) (dsr_lane_waiting_reason)": "{{project}} {{reason}}",
        },
    ),
    Panel(
        "Ids sent again",
        "An answer was lost. Harmless, but it costs slots and e-mails.",
        "short",
        {"sum by (project) (increase(dsr_resubmitted_ids_total[1h]))": "{{project}}"},
    ),
]

COPIES = [
    Panel(
        "Copies that are not delivered",
        "And those of them that Amplitude is making.",
        "short",
        {"sum by (org) (dsr_copies_waiting)": "{{org}} open", "sum by (org) (dsr_copies_jobs)": "{{org}} at Amplitude"},
    ),
    Panel(
        "The oldest",
        "Amplitude takes up to three days.",
        "s",
        {"max by (org) (dsr_copies_oldest_age_seconds)": "{{org}}"},
    ),
    Panel(
        "Units a second",
        "8 for a question, 1 for a look and for a file; 4 a second is all there is.",
        "short",
        {
            f'8 * sum by (project) (rate(dsr_amplitude_calls_total{{method="DSAR_POST"}}[{RATE}])) + '
            f'sum by (project) (rate(dsr_amplitude_calls_total{{method=~"DSAR_GET|DSAR_OUTPUT"}}[{RATE}]))': "{{project}}"
        },
    ),
    Panel(
        "Units that may be spent now",
        "300 when nothing is to be done; none under a backlog.",
        "short",
        {"sum by (org) (dsr_copies_budget_units)": "{{org}}"},
    ),
    Panel(
        "Delivered in the last hour",
        "Packages, and copies of whom nothing is held.",
        "short",
        {
            'sum by (stage) (increase(dsr_outcomes_total{kind="stage",stage=~"delivered|not_found|expired"}[1h]))': "{{stage}}"
        },
    ),
    Panel(
        "Kept back, and why",
        "Keys, Amplitude or the store.",
        "short",
        {
            "max by (org) (dsr_copies_circuit_open)": "{{org}} circuit open",
            "max by (org, reason) (dsr_copies_waiting_reason)": "{{org}} {{reason}}",
        },
    ),
]

DISCOVERY = [
    Panel(
        "Read and scanned",
        "Compressed bytes as they arrive, and the text in them.",
        "Bps",
        {
            f"sum by (project) (rate(dsr_discovery_read_bytes_total[{RATE}]))": "{{project}} read",
            f"sum by (project) (rate(dsr_discovery_scanned_bytes_total[{RATE}]))": "{{project}} scanned",
        },
    ),
    Panel(
        "Hours that are open",
        "Asked for and not answered.",
        "short",
        {"max by (project) (dsr_discovery_open_hours)": "{{project}}"},
    ),
    Panel(
        "Hours answered in the last hour",
        "Scanned, empty, split or refused.",
        "short",
        {"sum by (project, state) (increase(dsr_discovery_hours_total[1h]))": "{{project}} {{state}}"},
    ),
    Panel(
        "Fields with personal data where none is expected",
        "`dsr inventory` names them.",
        "short",
        {"max by (project) (dsr_fields_dirty)": "{{project}}"},
    ),
    Panel(
        "Fields that changed in the last hour",
        "Became dirty, or clean again.",
        "short",
        {"sum by (project, state) (increase(dsr_field_changes_total[1h]))": "{{project}} {{state}}"},
    ),
    Panel(
        "Time of a window, 95 %",
        "From the request to the result.",
        "s",
        {"histogram_quantile(0.95, sum by (le) (increase(dsr_discovery_window_seconds_bucket[1h])))": "seconds"},
    ),
    Panel(
        "Failed tries, and bytes unaccounted for",
        "Tries are repeated; bytes that went nowhere are a bug.",
        "short",
        {
            "sum by (project, reason) (increase(dsr_discovery_failures_total[1h]))": "{{project}} {{reason}}",
            "sum by (project) (dsr_discovery_unaccounted_bytes_total)": "{{project}} bytes",
        },
    ),
]

KAFKA = [
    Panel(
        "Commands that wait to be taken in",
        "By partition. It stays near zero.",
        "short",
        {"max by (partition) (dsr_consumer_lag_records)": "{{partition}}"},
    ),
    Panel(
        "Rebalances in an hour",
        "Each moves ledgers, which must be restored.",
        "short",
        {"sum by (instance) (increase(dsr_rebalances_total[1h]))": "{{instance}}"},
    ),
    Panel(
        "Members that are ready",
        "And what each owns.",
        "short",
        {"sum(dsr_ready)": "ready", "sum by (instance) (dsr_owned_partitions)": "{{instance}} partitions"},
    ),
    Panel(
        "Since the last transaction",
        "An idle member commits several times in a session time-out; without, it calls nobody.",
        "s",
        {"max by (instance) (dsr_last_transaction_age_seconds)": "{{instance}}"},
    ),
    Panel(
        "Since the Kafka thread's last turn",
        "Over a minute the process ends itself.",
        "s",
        {"max by (instance) (dsr_kafka_thread_turn_age_seconds)": "{{instance}}"},
    ),
    Panel(
        "Time of a transaction, 99 %",
        "One turn, durable.",
        "s",
        {f"histogram_quantile(0.99, sum by (le) (rate(dsr_transaction_seconds_bucket[{RATE}])))": "seconds"},
    ),
    Panel(
        "Restoring",
        "Partitions whose ledger is being read back, and how long the last ones took.",
        "short",
        {
            "sum(dsr_restoring_partitions)": "partitions",
            "sum(dsr_restore_seconds_sum) / sum(dsr_restore_seconds_count)": "seconds each",
        },
    ),
    Panel(
        "Intake that does not run",
        "Halted by dead letters (a person must lift it), a full backlog, or the registry.",
        "short",
        {"max by (reason) (dsr_intake_paused)": "{{reason}}"},
    ),
    Panel(
        "Memory of a member",
        "600 bytes for an open request, 100 for a closed one.",
        "bytes",
        {"max by (instance) (process_resident_memory_bytes)": "{{instance}}"},
    ),
]

DASHBOARDS = {
    "requests": ("Amplitude DSR: requests", REQUESTS),
    "lanes": ("Amplitude DSR: lanes to Amplitude", LANES),
    "copies": ("Amplitude DSR: copies", COPIES),
    "discovery": ("Amplitude DSR: discovery", DISCOVERY),
    "kafka": ("Amplitude DSR: Kafka", KAFKA),
}


def dashboard(name: str) -> dict[str, Any]:
    """One dashboard as Grafana reads it."""
    title, panels = DASHBOARDS[name]
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus", "refresh": 1}
    links = [
        {
            "type": "dashboards",
            "tags": ["amplitude-dsr"],
            "asDropdown": False,
            "title": "",
            "includeVars": True,
            "keepTime": True,
            "targetBlank": False,
            "icon": "external link",
            "tooltip": "",
        }
    ]
    return {
        "uid": f"amplitude-dsr-{name}",
        "title": title,
        "tags": ["amplitude-dsr"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": [source]},
        "links": links,
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    at = {"w": WIDTH, "h": HEIGHT, "x": number * WIDTH % COLUMNS, "y": number * WIDTH // COLUMNS * HEIGHT}
    targets = [
        {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": query, "legendFormat": legend}
        for index, (query, legend) in enumerate(panel.queries.items())
    ]
    style = {"lineWidth": 2, "fillOpacity": 8, "showPoints": "never", "spanNulls": True}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.tells,
        "gridPos": at,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": style}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    }


def written(name: str) -> str:
    """The file's text."""
    return json.dumps(dashboard(name), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for each in DASHBOARDS:
        (HERE / "dashboards" / f"{each}.json").write_text(written(each), encoding="utf-8")
