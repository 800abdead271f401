"""The chart, by helm itself, and what it makes, by Kubernetes' own schemas."""

import copy
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from consumer.settings import load
from tests.deploy.tools import ROOT, run

CHART = ROOT / "deploy" / "helm" / "amplitude-dsr"
VALUES = Path(__file__).parent / "values"
CASES = sorted(file.stem for file in VALUES.iterdir())
KUBERNETES = ("1.27.0", "1.31.0", "1.37.0")
OTHERS = {
    "ScaledObject": ("github.com/kedacore/keda/v2@v2.17.0", "config/crd/bases/keda.sh_scaledobjects.yaml"),
    "ServiceMonitor": (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
    "PrometheusRule": (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
}


def rendered(helm, case, version="1.31.0"):
    given = ["--values", VALUES / f"{case}.yaml"]
    done = run(helm, "template", "privacy", CHART, "--kube-version", version, *given)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of(objects, kind, name=""):
    return [each for each in objects if each["kind"] == kind and each["metadata"]["name"].endswith(name)]


def pods(objects):
    found = [each for each in objects if each["kind"] in {"StatefulSet", "Job"}]
    return [each["spec"]["template"]["spec"] for each in found]


@pytest.mark.parametrize("case", CASES)
def test_helm_finds_nothing_to_blame(helm, case):
    """Warnings are errors."""
    done = run(helm, "lint", "--strict", CHART, "--kube-version", "1.31.0", "--values", VALUES / f"{case}.yaml")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("case", CASES)
def test_kubernetes_knows_every_field(helm, module, case, version):
    """By the schemas of the oldest version that the chart takes, and of newer ones; and by KEDA's and Prometheus'."""
    for each in rendered(helm, case, version):
        if each["kind"] in OTHERS:
            jsonschema.validate(each, _schema_of(module, each["kind"]))
        else:
            kubernetes_validate.validate(each, version.rpartition(".")[0], strict=True)


def _schema_of(module, kind):
    name, path = OTHERS[kind]
    definition = yaml.safe_load((module(name) / path).read_text(encoding="utf-8"))
    return _closed(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def _closed(schema):
    """A field that is not known is wrong, as for `kubectl --validate=strict`. Patterns are Go's, and left out."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: _closed(part) for name, part in schema.items() if name != "pattern"}
    return {"additionalProperties": False} | parts if "properties" in schema else parts


def test_an_unknown_field_would_be_found(helm, module):
    """The check can fail."""
    objects = rendered(helm, "everything")
    stateful, scaled = of(objects, "StatefulSet")[0], of(objects, "ScaledObject")[0]
    broken = copy.deepcopy(stateful)
    broken["spec"]["template"]["spec"]["containers"][0]["readOnly"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.31", strict=True)
    broken = copy.deepcopy(scaled)
    broken["spec"]["maxReplicas"] = 3
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, _schema_of(module, "ScaledObject"))


@pytest.mark.parametrize("case", CASES)
def test_no_pod_may_do_more_than_it_must(helm, case):
    """Nobody's user, nothing writable, no capability, no token, limits on memory, keys as files."""
    for pod in pods(rendered(helm, case)):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            own = container["securityContext"]
            assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False)
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            assert not [variable for variable in container.get("env", []) if "secretKeyRef" in str(variable)]


@pytest.mark.parametrize("case", CASES)
def test_the_settings_are_settings_and_the_command_lines_are_commands(helm, case, tmp_path, monkeypatch):
    """What pods are given is what the program takes."""
    monkeypatch.setattr("consumer.setting_parts._current", lambda *_: "k")
    objects = rendered(helm, case)
    (settings,) = of(objects, "ConfigMap")
    (tmp_path / "dsr.toml").write_text(settings["data"]["dsr.toml"])
    assert load(tmp_path / "dsr.toml").kafka.bootstrap_servers
    told = [container["args"] for pod in pods(objects) for container in pod["containers"]]
    assert {"run", "discover", "topics"} >= {each[0] for each in told}
    variables = {v["name"] for pod in pods(objects) for c in pod["containers"] for v in c.get("env", [])}
    assert variables >= {"DSR_SETTINGS", "DSR_ADMIN__HOST", "DSR_ADMIN__PORT", "DSR_KAFKA__REPLICA"}


def test_discovery_is_scaled_by_its_tasks_and_requests_by_nobody(helm):
    """One replica count, one owner of it."""
    objects = rendered(helm, "everything")
    (scaled,) = of(objects, "ScaledObject")
    (workers,) = of(objects, "StatefulSet", "-discovery")
    (requests,) = of(objects, "StatefulSet", "-requests")
    assert scaled["spec"]["scaleTargetRef"]["name"] == workers["metadata"]["name"]
    assert "replicas" not in workers["spec"]
    assert requests["spec"]["replicas"] == 3
    assert [] == of(rendered(helm, "minimal"), "StatefulSet", "-discovery")


def test_the_alerts_are_those_that_are_tested(helm):
    """A chart can only read its own folder, so there is a copy: `make contracts` writes it."""
    original = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    assert original == (CHART / "files" / "alerts.yml").read_text(encoding="utf-8")
    (rule,) = of(rendered(helm, "everything"), "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(original)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("terminationGracePeriodSeconds=5", "terminationGracePeriodSeconds"),
        ("settings=nothing", "settings"),
        ("discovery.autoscaling.minReplicas=0", "minReplicas"),
        ("reqests.replicas=3", "reqests"),
    ],
)
def test_values_that_cannot_work_are_refused(helm, given, said):
    """Before anything is installed; a misspelt name, too."""
    done = run(helm, "template", "privacy", CHART, "--kube-version", "1.31.0", "--set", given)
    assert done.returncode != 0
    assert said in done.stderr
