"""The AsyncAPI document: the file is what the code says, and what it says is true of the code."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import schemas
from consumer.adapters.kafka.topics import Role, table
from consumer.asyncapi import WAYS, document
from consumer.cli import app
from consumer.service import topic_specs
from consumer.settings import KafkaSettings, Settings

FILE = Path(__file__).parents[2] / "schemas" / "asyncapi.yaml"
HEAD = "# Made by `make contracts`; for the names of your own settings: dsr schemas asyncapi\n"


def made():
    """The document of the default settings."""
    return document(topic_specs(Settings(kafka=KafkaSettings(replica="any"))), "0.1.0")


def written():
    """As YAML, long texts on one line."""
    return HEAD + yaml.safe_dump(made(), sort_keys=False, allow_unicode=True, width=10_000)


def references(value):
    if isinstance(value, dict):
        yield from [value["$ref"]] if "$ref" in value else []
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(reference):
    found = made()
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_the_file_is_what_the_code_says():
    """`make contracts` writes it."""
    assert FILE.read_text(encoding="utf-8") == written()


def test_every_topic_is_in_it_with_its_settings():
    """Also for other names."""
    specs = table(12, {Role.COMMANDS: "privacy.commands"})
    told = document(specs, "1")
    kafka = [channel["bindings"]["kafka"] for channel in told["channels"].values()]
    assert {channel["address"] for channel in told["channels"].values()} == {spec.name for spec in specs}
    assert {binding["partitions"] for binding in kafka} == {12}
    for spec, binding in zip(specs, kafka, strict=True):
        assert binding["topicConfiguration"].get("retention.ms") == spec.retention_ms
        assert binding["topicConfiguration"]["max.message.bytes"] == spec.max_message_bytes
        assert binding["topicConfiguration"]["cleanup.policy"] == [spec.cleanup.value]


def test_every_schema_is_in_it_in_its_newest_version():
    """A producer can generate code from this one file."""
    messages = made()["components"]["messages"].values()
    payloads = [message["payload"]["schema"] for message in messages if "payload" in message]
    assert sorted(map(json.dumps, payloads)) == sorted(json.dumps(schemas.load(s)) for s in schemas.subjects())
    assert {way.subject for way in WAYS.values()} - {None} == set(schemas.subjects())


def test_every_reference_leads_somewhere():
    """Inside the document."""
    found = set(references(made()))
    assert len(found) == len(made()["channels"]) + len(made()["operations"])
    assert all(resolved(reference) for reference in found)


def test_what_is_the_services_alone_has_no_operation():
    """Ledgers, tasks and results are nobody else's business."""
    own = {"ledger", "discovery_tasks", "discovery_results", "discovery_ledger"}
    used = {operation["channel"]["$ref"].split("/")[-1] for operation in made()["operations"].values()}
    assert used == set(made()["channels"]) - own


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_command_line_prints_it_with_the_names_of_the_settings(options, tmp_path):
    """As JSON, which is YAML."""
    (tmp_path / "dsr.toml").write_text('[kafka]\ncommands = "privacy.commands"\nreplica = "any"\n')
    ran = CliRunner().invoke(app, ["schemas", "asyncapi", "-s", str(tmp_path / "dsr.toml"), *options])
    assert json.loads(ran.stdout)["channels"]["commands"]["address"] == "privacy.commands"


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
