"""The README says what is true, and is short enough to be read."""

import re
import tomllib

from confluent_kafka import Producer
from typer.testing import CliRunner

from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from consumer.cli import app
from consumer.domain.command import parse
from consumer.sandbox.broker import EmbeddedBroker
from consumer.settings import load
from scanner.cli import app as scanner_app
from tests.pages import ROOT, blocks, every, read, section, told

README = read("README.md")
SCAN = section("README.md", "## Scan a file")


def block(language, page="README.md"):
    """The first one of its language."""
    return next(each.text for each in blocks(ROOT / page) if each.language == language)


def test_it_is_short():
    """It sells and starts; everything else is a page of docs/."""
    assert README.count("\n") <= 210


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
        exec(block("python", "docs/producing.md").replace("127.0.0.1:9092", broker.bootstrap), names)
        assert isinstance(names["producer"], Producer)
        codec = Codec(DirectorySource())
        value = codec.encode("dsr.commands-value", names["command"])
        assert parse(codec.decode_command(value), names["now"]).project == "shop"


def test_every_dsr_command_that_is_shown_exists():
    """And the ones that are missing are listed as missing, not shown."""
    known = {c.name or c.callback.__name__ for c in app.registered_commands} | {g.name for g in app.registered_groups}
    for path in every():
        assert set(re.findall(r"bin/dsr (\w+)", path.read_text(encoding="utf-8"))) <= known, path


def test_every_dsr_command_in_running_text_exists():
    """`dsr dlq show` as well, in all pages that teach."""
    known = {c.name or c.callback.__name__ for c in app.registered_commands} | {g.name for g in app.registered_groups}
    for path in told():
        named = set(re.findall(r"`dsr (\w+)", path.read_text(encoding="utf-8")))
        assert named <= known, path


def test_the_text_of_the_example_is_found_as_shown():
    """The table in the README is what the command prints."""
    shown = SCAN.split("dsr scan --text\n")[1].split("\n```")[0]
    text = re.search(r"echo '(.*)' \| .venv/bin/dsr scan --text", SCAN)[1]
    printed = CliRunner().invoke(scanner_app, ["scan", "--text"], input=f"{text}\n").stdout
    assert shown.splitlines() == [line.rstrip() for line in printed.splitlines()]
    assert shown in read("docs/scanning.md")


def test_each_page_of_docs_is_in_the_table_of_contents():
    """Nobody finds it otherwise."""
    contents, decisions = read("docs/README.md"), read("docs/decisions/README.md")
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name == "README.md" or f"]({path.name}" in contents
    for path in (ROOT / "docs" / "decisions").glob("*.md"):
        assert path.name == "README.md" or f"]({path.name})" in decisions
