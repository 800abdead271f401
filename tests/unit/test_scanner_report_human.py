import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from scanner.baseline import Allowance, AllowList, Baseline
from scanner.errors import Fault
from scanner.evidence import Hits
from scanner.findings import Grade, Via
from scanner.ports import Incident
from scanner.report import human
from scanner.report.model import Judgement
from scanner.report.text import listed, percent, shortened, size, visible
from scanner.summary import Summary, Tally
from tests.fakes.scanned import F, hostile, reported, scanned

GOLDEN = Path(__file__).parents[1] / "golden"


def told(report, width=160):
    text = io.StringIO()
    human.write(report, Console(file=text, width=width))
    return text.getvalue()


@pytest.mark.parametrize("width", [80, 160])
def test_a_report_reads_as_it_always_did(width):
    assert (GOLDEN / f"scan-report-{width}.txt").read_text("utf-8") == told(reported(), width)


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_line_of_the_table_is_wider_than_the_terminal(width):
    table, _ = told(reported(hostile()), width).split("\n\n")
    assert width >= max(map(cell_len, table.splitlines()))


def test_names_cannot_steer_the_terminal():
    text = told(reported(hostile()))
    assert not {"\x1b", "\x07", "\u202e", "\u2066"} & set(text)
    assert "[31mred" in text


def test_what_is_left_out_is_counted():
    allow = AllowList((Allowance("known", data_type="EMAIL", until=date(2027, 1, 1)),))
    text = told(reported(judgement=Judgement(allow, Baseline({}), Grade.LIKELY)))
    assert "5 of them new; 4 allowed; 2 hidden below the least grade." in text


def test_bytes_that_went_nowhere_are_called_a_bug():
    scan = scanned()
    account = {**scan.summary.tally.account, "text_scanned": 45_299_990}
    scan = replace(scan, summary=replace(scan.summary, tally=replace(scan.summary.tally, account=account)))
    assert "10 bytes are NOT accounted for" in told(reported(scan))


def test_incidents_are_told_with_their_place():
    scan = replace(scanned(), incidents=(Incident("a.zip", Fault.TRUNCATED, "member 3 ends before its time"),) * 30)
    text = told(reported(scan))
    assert "a.zip: member 3 ends before its time (truncated)" in text
    assert "and 10 more" in text


def test_a_clean_scan_says_so():
    account = {"lines": 1, "text_bytes": 5, "text_scanned": 5}
    scan = replace(scanned(), summary=Summary(frozenset("a"), tally=Tally(account=account)))
    assert "No personal data found." in told(reported(scan))


def test_nothing_is_not_called_clean():
    text = told(reported(replace(scanned(), summary=Summary())))
    assert "Nothing to scan" in text
    assert "No personal data" not in text


def test_what_known_fields_hold_is_one_line():
    table, closing = told(reported()).split("\n\n")
    assert "/ip_address" not in table
    assert "1 of them, not listed, is what this field always holds: /ip_address." in closing


def test_what_rules_call_the_values_of_a_known_field_is_no_discovery_but_anything_else_in_it_is():
    rows = [("login", "/ip_address", kind, 4_000, Hits(confirmed=9), F, Via(0), 1, "x") for kind in ("IPV4", "EMAIL")]
    table, closing = told(reported(scanned(more=rows))).split("\n\n")
    assert ["EMAIL"] == [line.split()[2] for line in table.splitlines() if "/ip_address" in line]
    assert "2 of them, not listed, are what this field always holds: /ip_address." in closing


def test_a_known_field_that_a_baseline_does_not_have_is_listed():
    known = {row.key: row.grade for row in reported().rows if row.key.path != "/ip_address"}
    table, closing = told(reported(judgement=Judgement(baseline=Baseline(known)))).split("\n\n")
    assert "● confirmed new  IP_ADDRESS   /ip_address" in table.splitlines()[1]
    assert "not listed" not in closing


def test_a_terminal_gets_the_first_lines_and_how_many_follow():
    text = io.StringIO()
    human.write(reported(), Console(file=text, width=160), most=5)
    table, closing = text.getvalue().split("\n\n")
    assert 1 + 5 == len(table.splitlines())
    assert "4 more lines, 2 likely and 2 possible: -o report.html" in closing


@pytest.mark.parametrize("width", [100, 120, 140, 180])
def test_columns_are_left_out_before_a_name_is_broken(width):
    table, _ = told(reported(), width).split("\n\n")
    assert 1 + 9 == len(table.splitlines())


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (454_200_000, "454.2 MB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_sizes_are_in_decimal_units(count, text):
    assert text == size(count)


@pytest.mark.parametrize(
    ("share", "text"), [(None, "-"), (0, "0 %"), (0.001, "< 1 %"), (0.5, "50 %"), (0.999, "> 99 %"), (1, "100 %")]
)
def test_small_shares_are_not_called_zero_and_large_ones_not_all(share, text):
    assert text == percent(share)


def test_a_long_name_keeps_its_beginning_and_its_end():
    assert "/event…/email" == shortened("/event_properties/email", 13)
    assert "short" == shortened("short", 13)


def test_only_what_acts_is_escaped():
    assert "naïve \\x1b \\u202e \\ud800 👩‍👩‍👧 \\u2028" == visible("naïve \x1b \u202e \ud800 👩‍👩‍👧 \u2028")


def test_lists_read_as_sentences_do():
    assert ["", "a", "a and b", "a, b and c"] == [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])]
