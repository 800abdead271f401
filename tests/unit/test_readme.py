"""The README says what is true."""

import gzip
import re
import tomllib
from pathlib import Path

import typer
from confluent_kafka import Producer
from typer.testing import CliRunner

from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.cli import app
from consumer.domain.command import parse
from consumer.domain.errors import Reason
from consumer.domain.lifecycle import COPY_NEXT, mermaid
from consumer.sandbox.broker import EmbeddedBroker
from consumer.settings import (
    AdminSettings,
    CopySettings,
    DiscoverySettings,
    KafkaSettings,
    OrgSettings,
    ProjectSettings,
    RegistrySettings,
    Settings,
    load,
)
from scanner.baseline import read_allow_list
from scanner.cli import app as scanner_app
from scanner.cli.rules import list_rules
from scanner.cli.scan import scan
from scanner.rules import load as load_rules

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


SCANNER = README.split("## Find personal data")[1].split("\n## ")[0]

COPIES = README.split("## Deliver copies")[1].split("\n## ")[0]


def block(language, within=README):
    return re.search(rf"```{language}\n(.*?)```", within, re.DOTALL)[1]


def test_the_picture_of_the_life_cycle_is_the_table():
    """Generated from it, so it cannot lie."""
    assert mermaid() == block("mermaid").strip()
    assert mermaid(COPY_NEXT) == block("mermaid", COPIES).strip()


def test_every_reason_has_its_row_and_every_row_its_reason():
    """The catalogue is complete."""
    catalogue = README.split("| reason | what it means |")[1].split("\n\n")[0]
    assert {reason.value for reason in Reason} == set(re.findall(r"^\| `(\w+)` \|", catalogue, re.MULTILINE))


def test_every_setting_is_named():
    """In the table, or in the example above it."""
    start = README.split("## Start with your own Kafka")[1].split("## Ask, follow, mend")[0]
    parts = [Settings, KafkaSettings, ProjectSettings, OrgSettings, RegistrySettings, AdminSettings]
    parts += [DiscoverySettings, CopySettings]
    tables = {"kafka", "projects", "admin", "schema_registry", "discovery"}
    names = {name for part in parts for name in part.model_fields} - tables
    said_with_its_file = {"api_key", "secret_key", "password", "fingerprint_key"}
    assert not {name for name in names - said_with_its_file if not re.search(rf"\b{name}\b", start)}


def test_the_settings_of_the_five_minute_start_are_accepted(tmp_path):
    """As they stand there."""
    file = tmp_path / "dsr.toml"
    file.write_text(block("toml"), encoding="utf-8")
    settings = load(file)
    assert settings.rules()["shop"].org == "acme"
    assert tomllib.loads(block("toml"))["linger_s"] == settings.linger_s


def test_the_settings_for_copies_are_accepted(tmp_path):
    """Beside those of the five-minute start."""
    started, more = tomllib.loads(block("toml")), tomllib.loads(block("toml", COPIES))
    more["copies"]["recipients"] = []
    Settings(**{**started, **more, "projects": {"shop": started["projects"]["shop"] | more["projects"]["shop"]}})


def test_the_sample_producer_runs():
    """Against the embedded broker, with nothing but the address replaced; what it sends can be taken in."""
    with EmbeddedBroker({"dsr.commands": 1}) as broker:
        names = {}
        exec(block("python").replace("127.0.0.1:9092", broker.bootstrap), names)
        assert isinstance(names["producer"], Producer)
        codec = Codec(DirectorySource())
        value = codec.encode("dsr.commands-value", names["command"])
        assert parse(codec.decode_command(value), names["now"]).project == "shop"


def test_every_dsr_command_that_is_shown_exists():
    """And the ones that are missing are listed as missing, not shown."""
    known = {c.name or c.callback.__name__ for c in app.registered_commands} | {g.name for g in app.registered_groups}
    assert set(re.findall(r"bin/dsr (\w+)", README)) <= known


def test_every_option_of_the_scanner_that_is_shown_exists():
    """Of `scan` or of `rules`, by their long names."""
    known = {name for command in (scan, list_rules) for name in options_of(command)}
    assert set(re.findall(r"(?<![\w-])--[a-z-]+", SCANNER)) <= known


def options_of(command):
    group = typer.Typer()
    group.command()(command)
    return {name for parameter in typer.main.get_command(group).params for name in parameter.opts}


def test_the_allow_list_of_the_readme_is_accepted(tmp_path):
    """As it stands there."""
    file = tmp_path / "allow.toml"
    file.write_text(block("toml", SCANNER), encoding="utf-8")
    (entry,) = read_allow_list(file).entries
    assert ("EMAIL", "/user_properties/email") == (entry.data_type, entry.path)


def test_the_python_of_the_scanner_runs(tmp_path, monkeypatch, capsys):
    """On a file of that name, with the output that it would have."""
    event = b'{"event_type":"search","event_properties":{"q":"ana@example.com"}}\n'
    (tmp_path / "shop.json.gz").write_bytes(gzip.compress(event * 3))
    monkeypatch.chdir(tmp_path)
    exec(block("python", SCANNER), {})
    told = capsys.readouterr().out.splitlines()
    assert ["PHONE 11 27 confirmed ('format', 'checksum')", "search /event_properties/q EMAIL 3"] == told


def test_the_text_of_the_example_is_found_as_shown():
    """The table in the README is what the command prints."""
    shown = SCANNER.split("dsr scan --text\n")[1].split("\n```")[0]
    text = re.search(r"echo '(.*)' \| .venv/bin/dsr scan --text", SCANNER)[1]
    printed = CliRunner().invoke(scanner_app, ["scan", "--text"], input=f"{text}\n").stdout
    assert shown.splitlines() == [line.rstrip() for line in printed.splitlines()]


def test_the_number_of_rules_and_the_rule_that_is_shown_are_true():
    """They grow, so the README says less."""
    rules = load_rules().rules
    assert len(rules) > 400
    assert "es.nie" in {rule.id for rule in rules}
    assert len({rule.country for rule in rules}) > 100


def test_every_file_that_is_linked_exists():
    """Pictures, too."""
    links = {link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")}
    assert not {link for link in links if link and not (ROOT / link).exists()}
