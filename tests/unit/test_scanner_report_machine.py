import csv
import io
import json
from pathlib import Path

import pytest

from scanner.findings import Grade
from scanner.report import machine
from scanner.report.model import Judgement
from tests.fakes.scanned import HOSTILE, hostile, reported

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize(
    ("write", "ending"), [(machine.as_json, "json"), (machine.as_jsonl, "jsonl"), (machine.as_csv, "csv")]
)
def test_a_report_is_written_as_it_always_was(write, ending):
    golden = (GOLDEN / f"scan-report.{ending}").read_bytes().decode()
    assert golden == write(reported())


def test_the_document_says_what_was_left_out():
    told = machine.document(reported(judgement=Judgement(least=Grade.CONFIRMED)))
    assert 5 == told["totals"]["hidden"]
    assert {"confirmed"} == {row["grade"] for row in told["rows"]}


def test_every_byte_is_accounted_for_or_counted():
    assert 0 == machine.document(reported())["totals"]["unaccounted_bytes"]


def test_json_lines_have_one_row_a_line_whatever_the_names():
    lines = machine.as_jsonl(reported(hostile())).splitlines()
    assert set(HOSTILE) <= {json.loads(line)["event_type"] for line in lines}
    assert all(line.isascii() for line in lines)


def test_no_cell_of_the_csv_is_a_formula():
    cells = [cell for row in csv.reader(io.StringIO(machine.as_csv(reported(hostile())))) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert "'=HYPERLINK(1)" in cells
    assert "'+99 99 9{4} 9{4}" in cells


def test_the_csv_of_hostile_names_can_be_written_and_read_again():
    text = machine.as_csv(reported(hostile())).encode("utf-8").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(reported(hostile()).rows) == len(rows)
    assert "a" * 10_000 in {row["event_type"] for row in rows}
