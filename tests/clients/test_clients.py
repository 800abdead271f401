"""The clients of schemas/clients, as their README starts them, against a running service on a real Kafka."""

import json
import os
import shutil
import subprocess
import sys
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from tests.deploy.tools import ROOT
from tests.integration.test_cli_embedded import dsr, here, running, wait_for

__all__ = ["here"]

CLIENTS = ROOT / "schemas" / "clients"
TOPICS = ("commands", "outcomes", "dead_letters", "ledger")
MAVEN, KCAT = shutil.which("mvn"), shutil.which("kcat")


@pytest.fixture
def topics(here, monkeypatch, kafka_bootstrap):
    """The names of this test's topics; the service runs on them, and on a stand-in for Amplitude."""
    names = {topic: f"clients-{uuid4().hex[:8]}.{topic}" for topic in TOPICS}
    monkeypatch.setenv("DSR_KAFKA__BOOTSTRAP_SERVERS", kafka_bootstrap)
    monkeypatch.setenv("DSR_KAFKA__GROUP_ID", names["commands"])
    monkeypatch.setenv("DSR_LINGER_S", "0.1")
    for topic, name in names.items():
        monkeypatch.setenv(f"DSR_KAFKA__{topic.upper()}", name)
    with running(here, "sandbox", "--project", "shop", until="Ctrl-C") as (settings, _):
        monkeypatch.setenv("DSR_SETTINGS", str(settings))
        dsr("topics", "create")
        with running(here, "run", until='"started"'):
            yield names


def ran(command, code, **variables):
    done = subprocess.run(
        [*map(str, command)], env=os.environ | variables, cwd=ROOT, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == code, done.stdout + done.stderr
    lines = [line[line.find("{") :] for line in done.stdout.splitlines()]  # Maven colours its terminal, whatever it is
    return [json.loads(line) for line in lines if line.startswith("{")]


def python(topics, bootstrap, project, code):
    where = ["--bootstrap", bootstrap, "--commands", topics["commands"], "--outcomes", topics["outcomes"]]
    asked = ["--project", project, "--user-id", "u-1001", "--until", "scheduled", "--seconds", "90"]
    return ran([sys.executable, CLIENTS / "python" / "erase.py", *where, *asked], code)


def java(topics, bootstrap, folder, project, code):
    told = {"BOOTSTRAP": bootstrap, "COMMANDS": topics["commands"], "OUTCOMES": topics["outcomes"], "SECONDS": "90"}
    command = [MAVEN, "-q", "-B", "-f", folder / "pom.xml", "compile", "exec:java"]
    return ran([*command, f"-Dexec.args={project} u-1002 scheduled"], code, SCHEMAS=str(ROOT / "schemas"), **told)


def stages(said):
    return [outcome["stage"] for outcome in said[1:]]


def test_a_python_program_asks_and_follows(topics, kafka_bootstrap):
    """To a stage; and what a project that nobody knows looks like. Nothing of ours is imported."""
    said = python(topics, kafka_bootstrap, "shop", 0)
    assert ["accepted", "dispatching", "scheduled"] == stages(said)
    (refused,) = python(topics, kafka_bootstrap, "nowhere", 1)[1:]
    assert ("refused", "unknown_project") == (refused["stage"], refused["reason"])
    assert not [line for line in (CLIENTS / "python" / "erase.py").read_text().splitlines() if "import schemas" in line]


@pytest.mark.skipif(MAVEN is None, reason="there is no Maven")
def test_a_java_program_asks_and_follows(topics, kafka_bootstrap, tmp_path):
    """The same with Apache's own client and Avro."""
    folder = shutil.copytree(CLIENTS / "java", tmp_path / "java")
    assert ["accepted", "dispatching", "scheduled"] == stages(java(topics, kafka_bootstrap, folder, "shop", 0))
    (refused,) = java(topics, kafka_bootstrap, folder, "nowhere", 1)[1:]
    assert ("refused", "unknown_project") == (refused["stage"], refused["reason"])


@pytest.mark.skipif(KCAT is None, reason="there is no kcat")
def test_a_shell_reads_outcomes_and_dead_letters(topics, kafka_bootstrap):
    """By their headers; what cannot be decoded is found by its reason."""
    (request,) = (one["request"] for one in python(topics, kafka_bootstrap, "shop", 0)[:1])
    script = [CLIENTS / "shell" / "outcomes.sh", kafka_bootstrap]
    shown = subprocess.run([*script, topics["outcomes"]], capture_output=True, text=True, timeout=60, check=True)
    ours = [line for line in shown.stdout.splitlines() if line.startswith(request)]
    assert 3 == len(ours)
    assert all("ce_type=dsr.outcome.stage" in line for line in ours)
    assert "u-1001" not in shown.stdout
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    producer.produce(topics["commands"], b"not avro")
    producer.flush(10)

    def buried():
        told = subprocess.run([*script, topics["dead_letters"]], capture_output=True, text=True, timeout=60)
        return "dsr.reason=undecodable" in told.stdout

    wait_for(buried)


def test_the_readme_shows_what_is_printed(topics, kafka_bootstrap):
    """The same fields in the same order, and the same stages."""
    shown = (CLIENTS / "README.md").read_text(encoding="utf-8").split("```console\n")[1].split("```")[0]
    printed = [json.loads(line) for line in shown.splitlines()]
    said = python(topics, kafka_bootstrap, "shop", 0)
    assert stages(printed) == stages(said)
    assert [list(one) for one in printed] == [list(one) for one in said]
