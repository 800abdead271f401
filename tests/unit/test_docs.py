"""The pages of docs/ say what is true: what is made from code is as it was made, the rest is tried out."""

import gzip
import importlib.util
import re
import tomllib

import pytest
import typer

from consumer.domain.errors import Reason
from consumer.domain.lifecycle import COPY_NEXT, NEXT, Stage, mermaid
from consumer.settings import Settings, load
from scanner.baseline import read_allow_list
from scanner.cli.rules import list_rules
from scanner.cli.scan import scan
from scanner.rules import load as load_rules
from tests.pages import ROOT, blocks, read, section

spec = importlib.util.spec_from_file_location("build", ROOT / "docs" / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

SETTINGS = [setting for table in build.tables() for setting in table.settings]
SCANNING = read("docs/scanning.md")
KEYS = {"api_key": "k", "secret_key": "s"}


def block(language, page):
    return next(each.text for each in blocks(ROOT / page) if each.language == language)


@pytest.mark.parametrize("path", build.pages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_is_what_the_code_says(path):
    """`make contracts` writes the parts that are made."""
    text = path.read_text(encoding="utf-8")
    assert text == build.page(text)


def test_every_part_that_is_made_is_used_and_every_mark_is_one():
    """A mark that is misspelt would leave its part as it was for ever."""
    text = "".join(path.read_text(encoding="utf-8") for path in build.pages())
    assert {name for _, name, _ in build.MARKED.findall(text)} == set(build.PARTS)
    assert text.count("made by make contracts") == len(build.MARKED.findall(text)) == text.count("<!-- end -->")


def test_a_part_that_is_out_of_date_is_made_again():
    """The comparison above could not fail otherwise."""
    text = read("docs/configuration.md")
    assert build.page(text.replace("`linger_s`", "`lingers`")) == text


def test_the_pictures_of_the_life_cycles_are_the_tables():
    """Both in their page, and that of an erasure in the README: generated, so they cannot lie."""
    pictures = [each.text.strip() for each in blocks(ROOT / "docs/life-cycle.md") if each.language == "mermaid"]
    assert [mermaid(NEXT), mermaid(COPY_NEXT)] == pictures
    assert [mermaid()] == [each.text.strip() for each in blocks(ROOT / "README.md") if each.language == "mermaid"]


def test_every_stage_is_explained():
    """In the tables of the life cycles' page."""
    rows = re.findall(r"^\| ((?:`\w+`,? ?)+)\|", read("docs/life-cycle.md").split("## OpenDSR")[0], re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == {stage.value for stage in Stage}


def test_every_reason_has_its_row_and_every_row_its_reason():
    """The catalogue is complete."""
    catalogue = section("docs/consuming.md", "## Reasons").split("| reason | what it means |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", catalogue, re.MULTILINE)
    assert {reason.value for reason in Reason} == {name for name, _ in rows}
    assert len(rows) == len(Reason)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: ".".join(setting.path))
def test_a_setting_has_its_row_with_a_meaning(setting):
    """A sentence, which stands beside the field that it is about."""
    assert setting.meaning.endswith(".")
    (row,) = re.findall(rf"^\| `\w+` \| .* \| `{setting.variable}` \| .*$", read("docs/configuration.md"), re.MULTILINE)
    assert row.startswith(f"| `{setting.path[-1]}` | ")
    assert row.endswith(f" | {setting.meaning} |")


def test_no_model_of_the_settings_is_forgotten():
    """Counted apart from how the tables are made."""

    def fields(model):
        for name, field in model.model_fields.items():
            parts = [
                p for p in (*build.typing.get_args(field.annotation), field.annotation) if hasattr(p, "model_fields")
            ]
            yield from fields(parts[0]) if parts else [name]

    assert sorted(fields(Settings)) == sorted(setting.path[-1] for setting in SETTINGS)


SAMPLES = {
    "text": "sample",
    "whole number": "5",
    "number": "2.5",
    "true or false": "true",
    "path": "/tmp/sample",
    "secret": "sample",
    "list of texts": '["sample"]',
    "list of paths": '["/tmp/sample"]',
    "table of text": '{"a": "b"}',
}
BESIDE = {("projects", "NAME"): KEYS, ("orgs", "NAME"): KEYS, ("schema_registry",): {"url": "http://127.0.0.1"}}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: ".".join(setting.path))
def test_the_variable_of_a_setting_sets_it(setting, monkeypatch, tmp_path):
    """With a value of the type that the table names, within its bounds; `NAME` is any name."""
    for name, value in BESIDE.get(setting.path[:-1], {}).items():
        if not setting.path[-1].startswith(name):
            monkeypatch.setenv(setting.variable.rsplit("__", 1)[0] + f"__{name.upper()}", value)
    default = setting.field.get_default(call_default_factory=True)
    kind, *bounds = build.type_of(setting.field).split(", ")
    sample = "false" if default is True else SAMPLES.get(kind) or kind.split(" or ")[-1].strip("`")
    least = next((bound.split()[-1].replace(",", "") for bound in bounds if "at least" in bound), "0")
    monkeypatch.setenv(setting.variable, max(sample, least, key=float) if sample == "5" else sample)
    monkeypatch.chdir(tmp_path)
    value = load()
    for name in setting.path:
        value = value["name"] if name == "NAME" else getattr(value, name)
    assert value not in (default, None)


def test_the_settings_for_copies_are_accepted():
    """Beside those of the five-minute start."""
    started, more = tomllib.loads(block("toml", "README.md")), tomllib.loads(block("toml", "docs/copies.md"))
    more["copies"]["recipients"] = []
    Settings(**{**started, **more, "projects": {"shop": started["projects"]["shop"] | more["projects"]["shop"]}})


def test_every_option_of_the_scanner_that_is_shown_exists():
    """Of `scan` or of `rules`, by their long names."""
    known = {name for command in (scan, list_rules) for name in options_of(command)}
    shown = SCANNING + read("docs/scanner-rules.md").replace("--restart", "")  # which is of `submit discover`
    assert set(re.findall(r"(?<![\w-])--[a-z-]+", shown)) <= known


def options_of(command):
    group = typer.Typer()
    group.command()(command)
    return {name for parameter in typer.main.get_command(group).params for name in parameter.opts}


def test_the_allow_list_that_is_shown_is_accepted(tmp_path):
    """As it stands there."""
    file = tmp_path / "allow.toml"
    file.write_text(block("toml", "docs/scanning.md"), encoding="utf-8")
    (entry,) = read_allow_list(file).entries
    assert ("EMAIL", "/user_properties/email") == (entry.data_type, entry.path)


def test_the_python_of_the_scanner_runs(tmp_path, monkeypatch, capsys):
    """On a file of that name, with the output that it would have."""
    event = b'{"event_type":"search","event_properties":{"q":"ana@example.com"}}\n'
    (tmp_path / "shop.json.gz").write_bytes(gzip.compress(event * 3))
    monkeypatch.chdir(tmp_path)
    exec(block("python", "docs/scanning.md"), {})
    told = capsys.readouterr().out.splitlines()
    assert ["PHONE 11 27 confirmed ('format', 'checksum')", "search /event_properties/q EMAIL 3"] == told


def test_the_number_of_rules_and_the_rule_that_is_shown_are_true():
    """They grow, so the page says less."""
    rules = load_rules().rules
    assert len(rules) > 400
    assert "es.nie" in {rule.id for rule in rules}
    assert len({rule.country for rule in rules}) > 100


def test_figures_of_the_comparison_are_the_measured_ones():
    """Row by row, as they stand in the results."""
    results = read("tests/benchmarks/RESULTS.md")
    rows = re.findall(
        r"^\| (?:this|Presidio|DataFog).* \|$", section("docs/comparison.md", "## The scanner"), re.MULTILINE
    )
    figures = [re.findall(r"(?<=\| )[\d.,]+(?= \|)", row) for row in rows]
    assert [["126.1", "1"], ["40.5"], ["0.107", "1,178"], ["2.63", "48"]] == figures
    for numbers in figures:
        assert re.search(r"\| " + r" \| ".join(numbers) + r" \|", results), numbers
    for figure in re.findall(r"98\.0 %|14,721|100 %|3,728", section("docs/comparison.md", "## The scanner")):
        assert figure in results
