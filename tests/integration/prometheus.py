"""A real Prometheus for tests: Debian's package, with one target and our rules without their patience."""

import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

ALERTS = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yml"
PROGRAM = shutil.which("prometheus")
PATIENCE_S = 60


class Prometheus:
    """A context manager. It scrapes and evaluates every second; `for` is left out of the rules, and nothing else."""

    def __init__(self, directory, port, target_port):
        self._directory, self.url = directory, f"http://127.0.0.1:{port}"
        rules = re.sub(r"\n\s+for: \w+", "", ALERTS.read_text(encoding="utf-8"))
        (directory / "alerts.yml").write_text(rules, encoding="utf-8")
        (directory / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            "rule_files: [alerts.yml]\n"
            "scrape_configs:\n"
            f"  - {{job_name: dsr, static_configs: [{{targets: ['127.0.0.1:{target_port}']}}]}}\n",
            encoding="utf-8",
        )
        self._command = [PROGRAM, f"--config.file={directory / 'prometheus.yml'}"]
        self._command += [f"--storage.tsdb.path={directory / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"]

    def __enter__(self):
        with (self._directory / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_for(lambda: self._answers("/-/ready"))
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def _answers(self, path):
        try:
            with urlopen(self.url + path, timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def _get(self, path, **query):
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(query)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def ask(self, query):
        """The samples of an instant query."""
        return self._get("query", query=query)["result"]

    def firing(self):
        """The names of the alerts that fire now, and each with its project as `NAME project`."""
        labels = [alert["labels"] for alert in self._get("alerts")["alerts"] if alert["state"] == "firing"]
        return {each["alertname"] for each in labels} | {
            f"{each['alertname']} {each.get('project')}" for each in labels
        }

    def rules(self):
        """Name and health of each rule."""
        return {rule["name"]: rule["health"] for group in self._get("rules")["groups"] for rule in group["rules"]}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(true, seconds=PATIENCE_S):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.2)
