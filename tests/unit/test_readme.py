"""The README says what is true."""

import re
import tomllib
from pathlib import Path

from confluent_kafka import Producer

from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.cli import app
from consumer.domain.command import parse
from consumer.domain.errors import Reason
from consumer.domain.lifecycle import mermaid
from consumer.sandbox.broker import EmbeddedBroker
from consumer.settings import AdminSettings, KafkaSettings, ProjectSettings, RegistrySettings, Settings, load

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language):
    return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1]


def test_the_picture_of_the_life_cycle_is_the_table():
    """Generated from it, so it cannot lie."""
    assert mermaid() == block("mermaid").strip()


def test_every_reason_has_its_row_and_every_row_its_reason():
    """The catalogue is complete."""
    catalogue = README.split("| reason | what it means |")[1].split("\n\n")[0]
    assert {reason.value for reason in Reason} == set(re.findall(r"^\| `(\w+)` \|", catalogue, re.MULTILINE))


def test_every_setting_is_named():
    """In the table, or in the example above it."""
    start = README.split("## Start with your own Kafka")[1].split("## Ask, follow, mend")[0]
    parts = [Settings, KafkaSettings, ProjectSettings, RegistrySettings, AdminSettings]
    names = {name for part in parts for name in part.model_fields} - {"kafka", "projects", "admin", "schema_registry"}
    said_with_its_file = {"api_key", "secret_key", "password"}
    assert not {name for name in names - said_with_its_file if not re.search(rf"\b{name}\b", start)}


def test_the_settings_of_the_five_minute_start_are_accepted(tmp_path):
    """As they stand there."""
    file = tmp_path / "dsr.toml"
    file.write_text(block("toml"), encoding="utf-8")
    settings = load(file)
    assert settings.rules()["shop"].org == "acme"
    assert tomllib.loads(block("toml"))["linger_s"] == settings.linger_s


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
