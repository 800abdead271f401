"""Rules made ready to scan with, on files: what is found, what cannot be read, and what would be counted twice."""

import gzip
import json
from pathlib import Path

import pytest

from scanner.engine import make_engine
from scanner.errors import BadInput, Fault
from scanner.findings import Finding, Grade, Reason
from scanner.kernel import NATIVE
from scanner.ports import Wanted
from scanner.rules import load
from tests.fakes.archives import export_of

ONE_RULE = """
[[rule]]
id = "test.badge"
type = "BADGE"
name = "Badge"
group = "personal"
examples = ["B-1234"]
counter_examples = ["B-123"]

  [[rule.pattern]]
  regex = '(?<![0-9A-Za-z])B-[0-9]{4}(?![0-9A-Za-z])'
  alone = "likely"
  with_context = "likely"
"""
ENGINES = ["reference", *(["native"] if NATIVE else [])]


@pytest.fixture(params=ENGINES)
def engine(request, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "rules.toml").write_text(ONE_RULE)
    return make_engine(Wanted(load([tmp_path / "rules.toml"], shipped=False), request.param, 1, b"key"))


def lines(first, count=10):
    events = [{"event_type": "view", "event_properties": {"note": f"B-{first + n}"}} for n in range(count)]
    return "".join(json.dumps(event) + "\n" for event in events).encode()


def written(folder, **contents):
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [str(folder / name) for name in contents]


def told_nobody(input_bytes, text_bytes):
    """Nobody watches the progress."""


def hits(scanned):
    return {key: row.hits.total for key, row in scanned.summary.tally.rows.items()}


def test_files_of_any_kind_are_counted_together(engine, tmp_path):
    names = written(tmp_path, a=lines(1000), b=gzip.compress(lines(2000)), c=export_of(lines(3000), lines(4000)))
    scanned = engine.scan_sources(names, told_nobody)
    assert {("view", "/event_properties/note", "BADGE"): 40} == hits(scanned)
    assert (40, 3, ()) == (scanned.summary.tally.account["lines"], len(scanned.summary.sources), scanned.incidents)


def test_an_engine_scans_again_from_the_start(engine, tmp_path):
    (name,) = written(tmp_path, a=lines(1000))
    first, again = (engine.scan_sources([name], told_nobody).summary for _ in range(2))
    assert first == again


def test_progress_is_told_in_steps_that_add_up(engine, tmp_path):
    steps = []
    content = lines(1000)
    engine.scan_sources(written(tmp_path, a=content, b=content + lines(2000)), lambda *step: steps.append(step))
    assert (3 * len(content), 3 * len(content)) == tuple(map(sum, zip(*steps, strict=True)))


def test_the_same_content_twice_is_refused_because_it_would_count_twice(engine, tmp_path):
    with pytest.raises(BadInput) as refused:
        engine.scan_sources(written(tmp_path, a=lines(1000), b=lines(1000)), told_nobody)
    assert Fault.SAME_INPUT is refused.value.fault


def test_empty_files_are_no_two_of_the_same(engine, tmp_path):
    scanned = engine.scan_sources(written(tmp_path, a=b"", b=b""), told_nobody)
    assert (frozenset(), {}) == (scanned.summary.sources, hits(scanned))


def test_what_cannot_be_read_is_an_incident_and_the_rest_is_scanned(engine, tmp_path):
    missing = [str(tmp_path / name) for name in ("one", "two")]
    scanned = engine.scan_sources([*missing, *written(tmp_path, a=lines(1000))], told_nobody)
    assert 10 == sum(hits(scanned).values())
    assert [("one", Fault.UNREADABLE), ("two", Fault.UNREADABLE)] == [each[:2] for each in scanned.incidents]
    assert not [each for each in scanned.incidents if str(Path(tmp_path)) in each.message]


def test_a_text_is_judged_in_its_field(engine):
    (finding,) = engine.scan_text("badge B-1234!", "note")
    assert Finding("BADGE", 6, 12, Grade.LIKELY, Reason.FORMAT) == finding
    assert [] == list(engine.scan_text("B-12345"))
