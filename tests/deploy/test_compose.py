"""The compose file, by Compose's own library; and what it gives to our programs, by those."""

import json
import shutil
import subprocess

import pytest
import yaml

from consumer.settings import load
from tests.deploy.tools import ROOT, run

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
OURS = {"topics", "dsr", "discover", "amplitude"}


@pytest.fixture(scope="module")
def project(reader):
    done = run(reader, "compose", COMPOSE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "broken",
    [
        ("read_only: true", "read_onlyy: true"),
        ("condition: service_healthy", "condition: healthy"),
        ("secrets: [shop.api,", "secrets: [shop.apii,"),
        ("127.0.0.1:9090:9090", "127.0.0.1:ninety:9090"),
    ],
    ids=["field", "condition", "secret", "port"],
)
def test_compose_would_find_it(reader, tmp_path, broken):
    """The check can fail."""
    text = COMPOSE.read_text(encoding="utf-8")
    assert broken[0] in text
    (tmp_path / "compose.yaml").write_text(text.replace(*broken))
    assert run(reader, "compose", tmp_path / "compose.yaml").returncode == 1


def test_every_file_that_it_mounts_is_there(project):
    """Docker makes an empty folder of one that is not."""
    mounted = [v["source"] for s in project["services"].values() for v in s.get("volumes", []) if v["type"] == "bind"]
    named = [each["file"] for part in ("configs", "secrets") for each in project[part].values()]
    assert mounted
    for path in [*mounted, *named]:
        assert (ROOT / path).exists(), path


def test_nothing_listens_beyond_this_machine_and_nothing_of_ours_may_write(project):
    """Ports are on the loopback."""
    services = project["services"]
    assert {p["host_ip"] for s in services.values() for p in s.get("ports", [])} == {"127.0.0.1"}
    for name in OURS:
        told = services[name]
        assert (told["read_only"], told["cap_drop"]) == (True, ["ALL"])
    assert {name for name, told in services.items() if told.get("profiles")} == {"amplitude"}


def test_the_service_takes_the_settings(project, tmp_path, monkeypatch):
    """File, environment and secrets as in the container, with its paths moved."""
    keys = DEPLOY / "compose" / "keys"
    text = (DEPLOY / "compose" / "dsr.toml").read_text(encoding="utf-8")
    (tmp_path / "dsr.toml").write_text(text.replace("/run/secrets/", f"{keys}/"))
    for name, value in project["services"]["dsr"]["environment"].items():
        if name != "DSR_SETTINGS":
            monkeypatch.setenv(name, value)
    settings = load(tmp_path / "dsr.toml")
    assert (settings.kafka.bootstrap_servers, settings.kafka.replica) == ("kafka:9092", "dsr-0")
    assert settings.access("shop").keys.api_key.reveal() == "made-up-api"
    assert settings.discovery.key()
    given = project["services"]["amplitude"]["command"]
    assert f"829000:made-up-api:{settings.access('shop').keys.secret_key.reveal()}" in given
    assert settings.access("shop").base_url == "http://amplitude:8080"


def test_prometheus_takes_its_file_and_scrapes_who_serves(project):
    """By promtool, where it is; and every target is a service with that port."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = config["scrape_configs"]
    assert {target.split(":")[0] for target in job["static_configs"][0]["targets"]} <= project["services"].keys()
    if promtool := shutil.which("promtool"):
        subprocess.run([promtool, "check", "config", DEPLOY / "prometheus" / "prometheus.yml"], check=True)
