"""`import scanner` and its two functions, as another program uses them."""

import gzip
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import scanner
from scanner.errors import BadInput, Fault
from scanner.evidence import Key
from scanner.summary import Summary

EVENT = b'{"event_type":"signup","event_properties":{"note":"write to ana@example.com"}}\n'


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "export.jsonl"
    path.write_bytes(EVENT)
    return path


def test_a_finding_says_what_where_how_sure_and_why():
    (found,) = scanner.scan_text("write to ana@example.com")
    assert ("EMAIL", 9, 24, scanner.Grade.CONFIRMED) == (found.data_type, found.start, found.end, found.grade)
    assert scanner.Reason.FORMAT in found.reasons


def test_offsets_count_characters():
    (found,) = scanner.scan_text("👩‍👧 ünï → ana@example.com \ud800")
    assert "ana@example.com" == "👩‍👧 ünï → ana@example.com \ud800"[found.start : found.end]


def test_the_field_is_context():
    assert [] == scanner.scan_text("219099992", "order_id")
    assert ["US_SSN"] == [found.data_type for found in scanner.scan_text("219099992", "user_properties.ssn")]


def test_a_clean_text_has_no_findings():
    assert [] == scanner.scan_text("") == scanner.scan_text("nothing to see")


def test_a_file_is_counted_by_event_type_field_and_type(export):
    summary = scanner.scan_file(export, processes=1)
    assert isinstance(summary, Summary)
    assert [Key("signup", "/event_properties/note", "EMAIL")] == [*summary.tally.rows]
    assert {} == summary.incidents


def test_summaries_of_two_files_merge(export, tmp_path):
    other = tmp_path / "other.gz"
    other.write_bytes(gzip.compress(EVENT * 2))
    summary = scanner.scan_file(str(export)) | scanner.scan_file(other)
    assert [3] == [evidence.hits.total for evidence in summary.tally.rows.values()]


def test_threads_may_scan_at_once(export, tmp_path):
    sources = [tmp_path / f"{number}.jsonl" for number in range(4)]
    for number, source in enumerate(sources, 1):
        source.write_bytes(EVENT * number)
    with ThreadPoolExecutor(4) as pool:
        texts = pool.map(scanner.scan_text, ["write to ana@example.com"] * 50)
        files = pool.map(lambda source: scanner.scan_file(source, 1), sources)
        assert {1} == {len(found) for found in texts}
        assert [1, 2, 3, 4] == [evidence.hits.total for one in files for evidence in one.tally.rows.values()]


def test_what_is_damaged_is_in_the_summary(tmp_path):
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(EVENT * 1000)[:-9])
    assert {"truncated"} == scanner.scan_file(cut, 1).incidents.keys()


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(BadInput) as told:
        scanner.scan_file(tmp_path / "nowhere.zip", 1)
    assert Fault.UNREADABLE is told.value.fault


def test_importing_the_scanner_loads_no_rules_and_no_validators():
    code = "import scanner, sys; print(sorted({'stdnum', 'phonenumbers', 'typer', 'scanner.engine'} & {*sys.modules}))"
    assert "[]\n" == subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_the_help_of_the_command_loads_no_validators():
    code = "import scanner.cli, sys; print(sorted({'stdnum', 'phonenumbers', 'scanner.engine'} & {*sys.modules}))"
    assert "[]\n" == subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
