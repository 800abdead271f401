"""`dsr sandbox` and `dsr run --embedded` as processes, and the other commands beside them. No test of a guarantee."""

import json
import os
import signal
import subprocess
import time
import tomllib
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest
from confluent_kafka import Producer

from tests.integration.test_intake_on_kafka import ROOT
from tests.integration.test_run_command import DSR

PATIENCE_S = 60


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory of this test alone, where a state file would be, and no settings from outside."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("DSR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DSR_ADMIN__PORT", "0")
    return tmp_path


@contextmanager
def running(here, *arguments, until):
    """A command that serves, up to its SIGINT; yields the files with what it prints."""
    printed, remarks = here / f"{arguments[0]}.out", here / f"{arguments[0]}.err"
    with printed.open("wb") as out, remarks.open("wb") as err:
        process = subprocess.Popen([*DSR, *arguments], cwd=ROOT, stdout=out, stderr=err)
    try:
        wait_for(lambda: until in printed.read_text() + remarks.read_text() or process.poll() is not None)
        assert process.poll() is None, remarks.read_text()
        yield printed, remarks
        process.send_signal(signal.SIGINT)
        assert 0 == process.wait(30), remarks.read_text()
    finally:
        process.kill()
        process.wait()


def wait_for(true):
    until = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < until
        time.sleep(0.1)


def dsr(*arguments, code=0, given=""):
    done = subprocess.run([*DSR, *arguments], cwd=ROOT, capture_output=True, text=True, input=given, timeout=90)
    assert code == done.returncode, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()] if "--json" in arguments else done


@pytest.fixture
def sandbox(here):
    """The sandbox's own snippet as the settings of everything else."""
    with running(here, "sandbox", "--project", "shop", "--project", "game:::eu", until="Ctrl-C") as (printed, _):
        yield printed


@pytest.fixture
def service(here, sandbox, monkeypatch):
    """The service on its embedded broker; the other commands are told nothing about it."""
    monkeypatch.setenv("DSR_COPIES__STORE", (here / "packages").as_uri())
    monkeypatch.setenv("DSR_SETTINGS", str(sandbox))
    with running(here, "run", "--embedded", until='"started"') as (_, remarks):
        yield remarks


def test_requests_are_submitted_followed_and_cancelled_beside_the_embedded_service(service, here):
    """Found by its state file; which broker is used is said on stderr; nobody is named anywhere."""
    assert "Nothing survives" in service.read_text()
    gone = dsr("submit", "erase", "-p", "shop", "-u", "ghost-1", "--wait")
    assert "not_found(nothing_held)" in gone.stdout
    assert "using the embedded broker" in gone.stderr
    (sent,) = dsr("submit", "erase", "-p", "game", "-u", "jane-roe", "--json")
    wait_for(lambda: dsr("status", "--json")[0]["projects"][0]["stages"] == {"scheduled": 1})
    dsr("cancel", sent["request_id"], "--embedded")
    wait_for(lambda: dsr("status", sent["request_id"], "--json")[0]["projects"][0]["stage"] == "cancelled")
    (one,) = dsr("status", sent["request_id"], "--json")
    told = [outcome["stage"] for outcome in one["history"]]
    assert ["accepted", "dispatching", "scheduled", "cancelling", "cancelled"] == told
    assert "jane" not in json.dumps(one) + dsr("status", sent["request_id"]).stdout
    assert "jane" not in "".join(file.read_text() for file in here.iterdir() if file.is_file())


def test_a_request_that_does_not_end_well_is_one(service):
    """`--wait` follows it to its end; a cancelled erasure is not what was asked for."""
    command = [*DSR, "submit", "erase", "-p", "shop", "-u", "u-1", "--wait", "--json"]
    waiting = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        request = json.loads(waiting.stdout.readline())["request_id"]
        assert "accepted" == json.loads(waiting.stdout.readline())["stage"]
        dsr("cancel", request, "-p", "shop")
        rest, _ = waiting.communicate(timeout=PATIENCE_S)
        assert "cancelled" == json.loads(rest.splitlines()[-1])["stage"]
        assert 1 == waiting.returncode
    finally:
        waiting.kill()
        waiting.wait()


def test_a_paused_project_waits_and_what_is_said_can_be_watched(service, here):
    """The answer to the command, then nothing of the request until it is resumed; Ctrl-C ends a watch with 0."""
    dsr("pause", "shop")
    wait_for(lambda: [row["paused"] for row in dsr("status", "--json")[0]["projects"]] == [True])
    (sent,) = dsr("submit", "erase", "-p", "shop", "-u", "ghost-2", "--json")
    wait_for(lambda: dsr("status", sent["request_id"], "--json", code=0)[0]["projects"][0]["stage"] == "accepted")
    dsr("resume", "shop")
    with running(here, "watch", "--since", "1h", "--json", until="not_found") as (printed, _):
        pass
    outcomes = [json.loads(line) for line in printed.read_text().splitlines()]
    assert 2 == sum(outcome["kind"] == "reply" for outcome in outcomes)
    ours = [outcome["stage"] for outcome in outcomes if outcome["subject_request_id"] == sent["request_id"]]
    assert ["accepted", "dispatching", "not_found"] == ours


def test_two_embedded_services_on_one_machine_are_one_too_many(service):
    """The commands would not know which is meant."""
    assert "running already" in dsr("run", "--embedded", code=2).stderr


def test_the_state_file_is_gone_with_the_service(here, sandbox, monkeypatch):
    """Readable by this user only while it lives; afterwards `--embedded` finds nothing."""
    monkeypatch.setenv("DSR_SETTINGS", str(sandbox))
    state = here / "amplitude-dsr" / "embedded.json"
    with running(here, "run", "--embedded", until='"started"'):
        assert 0o600 == state.stat().st_mode & 0o777
    assert not state.exists()
    assert "no `dsr run --embedded` is running" in dsr("status", "--embedded", code=2).stderr


def test_what_would_be_refused_is_not_sent(service):
    """With the reason and the line, and without the value."""
    done = dsr("submit", "erase", "-p", "shop", "-f", "-", "-t", "email", code=1, given="jane@example.com\n")
    assert "line 1: email_is_not_user_id" in done.stderr
    assert "jane" not in done.stderr + done.stdout
    assert "unknown_project" in dsr("submit", "erase", "-p", "nope", "-u", "x", code=1).stderr
    assert [] == dsr("status", "--json")[0]["projects"]


def test_the_sandbox_with_a_broker_serves_a_whole_installation(here):
    """Its snippet is all that `dsr run` needs; dead letters of the embedded broker can be produced again."""
    with running(here, "sandbox", "--kafka", until="Ctrl-C") as (snippet, _):
        settings = ("-s", str(snippet))
        with running(here, "run", *settings, until='"started"'):
            done = dsr("submit", "erase", "-p", "shop", "-u", "ghost-1", "--wait", *settings)
            assert "not_found" in done.stdout
            assert "embedded" not in done.stderr
            assert "reads every command again" in snippet.read_text()
            bootstrap = tomllib.loads(snippet.read_text())["kafka"]["bootstrap_servers"]
            producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
            producer.produce("dsr.commands", b"jane-roe", b"jane")
            assert producer.flush(10) == 0
            wait_for(lambda: dsr("dlq", "list", "--json", *settings))
            listed = dsr("dlq", "list", *settings).stdout
            assert "undecodable" in listed
            assert "jane" not in listed
            dsr("dlq", "redrive", "0/0", *settings)
            wait_for(lambda: len(dsr("dlq", "list", "--all", "--json", *settings)) == 2)
            with running(here, "watch", "--since", "1h", *settings, until="not_found"):
                pass


def test_a_copy_is_submitted_delivered_looked_at_and_fetched(service, here):
    """From the command line alone: the package is whole, and what is fetched is what was delivered."""
    told = dsr("submit", "copy", "-p", "shop", "-u", "u-1", "--wait", "--json")
    request, last = told[0]["request_id"], told[-1]
    assert ("delivered", 25) == (last["stage"], last["results_count"])
    assert last["results_url"] == (here / "packages" / request / "manifest.json").as_uri()
    [found] = dsr("copy", request, "--json", "-o", str(here / "fetched"))
    assert found["intact"]
    assert found["manifest_sha256"] == last["sha256"]
    assert {each["name"] for each in (*found["files"], found["page"])} | {"manifest.json"} == {
        path.relative_to(here / "fetched").as_posix() for path in (here / "fetched").rglob("*") if path.is_file()
    }
    (here / "fetched" / found["page"]["name"]).read_text().index("u-1")
    next((here / "packages" / request / "events").iterdir()).write_bytes(b"changed")
    assert "missing or different" in dsr("copy", request, code=1).stdout
    [one] = dsr("status", request, "--json")
    assert one["projects"][0]["package"]["events"] == 25


def test_a_copy_of_several_projects_is_cancelled_by_its_org(service, sandbox):
    """It has no project of its own. Nobody hears that Amplitude has made it."""
    url = tomllib.loads(sandbox.read_text())["orgs"]["36001"]["base_url"]
    fault = json.dumps({"kind": "status", "method": "DSAR_GET", "status": 500, "count": None}).encode()
    urlopen(Request(f"{url}/fake/faults", fault, {"Content-Type": "application/json"}), timeout=5).close()
    request = dsr("submit", "copy", "--org", "36001", "-u", "u-2").stdout.strip()
    wait_for(lambda: "requested" in dsr("status", request).stdout)
    dsr("cancel", request)
    wait_for(lambda: "cancelled" in dsr("status", request).stdout)
