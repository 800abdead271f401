import io
import json
import threading
from dataclasses import replace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from scanner.cli import app, progress
from scanner.errors import BadRules, Fault
from scanner.ports import Checked, Incident, Machinery, RuleCheck
from scanner.report import machine
from scanner.summary import Summary, Tally
from tests.fakes.scanned import machinery, reported, scanned

CLEAN = replace(scanned(), summary=Summary(frozenset("a"), tally=Tally(account={"text_bytes": 5, "text_scanned": 5})))


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "export.jsonl"
    path.write_text('{"event_type": "x"}\n')
    return str(path)


def run(*arguments, scan=None, checked=None, stdin=None, env=None):
    parts, wanted = machinery(scan, checked)
    result = CliRunner().invoke(app, list(arguments), obj=parts, input=stdin, env=env)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result, wanted


def exit_code(*arguments, **more):
    return run(*arguments, **more)[0].exit_code


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 1),
        (["--fail-on", "confirmed"], 1),
        (["--fail-on", "possible", "--min-grade", "confirmed"], 1),
        (["--fail-on", "certain"], 2),
        (["--processes", "0"], 2),
    ],
)
def test_the_exit_code_tells_whether_something_counts(export, options, code):
    assert code == exit_code("scan", export, *options)


def test_a_clean_scan_ends_with_zero(export):
    assert 0 == exit_code("scan", export, "--fail-on", "possible", scan=CLEAN)


@pytest.mark.parametrize(("fault", "code"), [(Fault.TRUNCATED, 2), (Fault.UNREADABLE, 2), (Fault.WRONG_TYPE, 0)])
def test_what_could_not_be_read_is_an_error_though_nothing_was_found(export, fault, code):
    assert code == exit_code("scan", export, scan=replace(CLEAN, incidents=(Incident("export", fault, "why"),)))


def test_bytes_that_went_nowhere_are_an_error(export):
    tally = Tally(account={"text_bytes": 5, "text_scanned": 4})
    assert 2 == exit_code("scan", export, scan=replace(CLEAN, summary=Summary(frozenset("a"), tally=tally)))


def test_a_baseline_lets_only_new_findings_count(export, tmp_path):
    last = tmp_path / "last.json"
    assert 1 == exit_code("scan", export, "-o", str(last))
    assert 0 == exit_code("scan", export, "--baseline", str(last))


def test_an_allow_list_takes_findings_out_and_tells_of_entries_that_no_longer_hold(export, tmp_path):
    allow = tmp_path / "allow.toml"
    old = '[[allow]]\nreason = "old"\nfield = "*"\nuntil = 2020-01-01\n'
    allow.write_text(f'{old}[[allow]]\nreason = "all of it"\nfield = "*"\n')
    result, _ = run("scan", export, "--allow", str(allow), "-f", "json")
    told = json.loads(result.stdout)
    assert (0, [], {"all of it"}) == (result.exit_code, told["rows"], {row["allowed"] for row in told["allowed"]})
    assert "1 entry of the allow-list no longer" in result.stderr


@pytest.mark.parametrize(
    ("ending", "start"), [("json", "{"), ("jsonl", '{"event_type"'), ("csv", "grade,"), ("html", "<!doctype")]
)
def test_the_name_of_the_output_tells_the_format(export, tmp_path, ending, start):
    output = tmp_path / f"report.{ending}"
    result, _ = run("scan", export, "--output", str(output))
    assert ("", 1) == (result.stdout, result.exit_code)
    assert output.read_text("utf-8").startswith(start)


def test_people_read_a_table_wide_enough_for_a_pipe(export):
    result, _ = run("scan", export)
    assert "/user_properties/email" in result.stdout
    assert "Every byte accounted for" in result.stdout
    assert "\x1b" not in result.stdout


def test_a_file_for_people_has_no_colours(export, tmp_path):
    run("scan", export, "-o", str(tmp_path / "report.txt"))
    assert "No personal" not in (tmp_path / "report.txt").read_text("utf-8")
    assert "\x1b" not in (tmp_path / "report.txt").read_text("utf-8")


def test_the_engine_that_is_wanted_is_asked_for(export, tmp_path):
    key = tmp_path / "key"
    key.write_text("0123456789abcdef\n")
    _, (wanted,) = run("scan", export, "--engine", "reference", "--processes", "3", "--key-file", str(key))
    assert ("reference", 3, b"0123456789abcdef") == (wanted.engine, wanted.processes, wanted.key)


def test_the_key_comes_from_the_environment_or_is_random(export):
    _, (given,) = run("scan", export, env={"DSR_FINGERPRINT_KEY": "0123456789abcdef"})
    (_, (one,)), (_, (other,)) = run("scan", export), run("scan", export)
    assert (b"0123456789abcdef", 32) == (given.key, len(one.key))
    assert one.key != other.key


def test_a_key_that_could_be_guessed_is_refused(export):
    result, _ = run("scan", export, env={"DSR_FINGERPRINT_KEY": "secret"})
    assert (2, "") == (result.exit_code, result.stdout)
    assert "secret" not in result.stderr


@pytest.mark.parametrize("option", ["--allow", "--baseline", "--rules", "--key-file"])
def test_a_file_that_is_not_there_is_wrong_usage(export, option):
    assert 2 == exit_code("scan", export, option, "nowhere")


def test_the_progress_bar_has_no_thread_that_would_forbid_to_fork(export):
    screen, threads = Console(file=io.StringIO(), force_terminal=True, width=100), threading.active_count()
    with progress.shown(progress.size_of([export]), screen) as moved:
        moved(10, 1_000_000)
        assert threads == threading.active_count()
    assert "MB/s" in screen.file.getvalue()


def test_bad_rules_are_told_in_our_words(export):
    def refuse(extra):
        raise BadRules(Fault.RULE_SYNTAX, "mine.toml: rule 1: no id\nmine.toml: rule 2: no id")

    parts, _ = machinery()
    broken = Machinery(parts.make_engine, refuse, parts.check_rules)
    result = CliRunner().invoke(app, ["scan", export], obj=broken)
    assert 2 == result.exit_code
    assert [
        "rule_syntax: mine.toml: rule 1: no id",
        "rule_syntax: mine.toml: rule 2: no id",
    ] == result.stderr.splitlines()


def test_text_lines_give_one_json_object_a_finding():
    result, _ = run("scan", "--text", "-f", "jsonl", "-", stdin="nothing\r\nhi a@b.de, c@d.de\n\nx@y.z")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(2, 3, 9), (2, 11, 17), (4, 0, 5)] == [(one["line"], one["start"], one["end"]) for one in found]
    assert {"input", "line", "data_type", "start", "end", "grade", "reasons", "via"} == found[0].keys()
    assert 1 == result.exit_code


def test_the_field_of_text_lines_is_context():
    result, _ = run("scan", "--text", "--field", "mail", "-f", "jsonl", "-", "--min-grade", "confirmed", stdin="a@b.de")
    assert "confirmed" == json.loads(result.stdout)["grade"]
    assert 0 == exit_code("scan", "--text", "-", "--fail-on", "confirmed", stdin="a@b.de")


def test_text_that_is_not_utf8_is_scanned_all_the_same():
    result, _ = run("scan", "--text", "-f", "jsonl", "-", stdin=b"\xff\xfe a@b.de\n")
    assert (3, 9) == (json.loads(result.stdout)["start"], json.loads(result.stdout)["end"])


def test_people_read_a_table_of_text_findings_without_the_values():
    result, _ = run("scan", "--text", "-", stdin="hi a@b.de\n")
    assert "EMAIL" in result.stdout
    assert "1 finding." in result.stdout
    assert "a@b.de" not in result.stdout
    assert "No personal data found." in run("scan", "--text", "-", stdin="nothing")[0].stdout


def test_text_comes_from_standard_input_where_no_file_is_named():
    result, _ = run("scan", "--text", "-f", "jsonl", stdin="hi a@b.de\n")
    told = json.loads(result.stdout)
    assert ("(standard input)", 3, 9, 1) == (told["input"], told["start"], told["end"], result.exit_code)


def test_without_text_a_file_must_be_named():
    result, wanted = run("scan", stdin="hi a@b.de\n")
    assert (2, "", []) == (result.exit_code, result.stdout, wanted)
    assert "name a FILE to scan, or - for standard input" in " ".join(result.stderr.split()).replace("│ ", "")


@pytest.mark.parametrize("written", ["json", "csv", "html"])
def test_text_findings_are_no_report(written):
    assert 2 == exit_code("scan", "--text", "-", "-f", written, stdin="x")


def test_rules_are_listed_by_what_is_asked():
    result, _ = run("rules", "list", "--country", "es", "--json")
    assert ["es_nie"] == [json.loads(line)["id"] for line in result.stdout.splitlines()]
    assert "2 rules, 2 data types" in run("rules", "list", "--group", "contact")[0].stdout
    assert ["email"] == [json.loads(run("rules", "list", "--type", "EMAIL", "--json")[0].stdout)["id"]]


def test_a_rule_is_shown_whole():
    result, _ = run("rules", "show", "de_tax_id")
    assert "German tax identification number" in result.stdout
    assert "noisy" in result.stdout
    assert "likely" == json.loads(run("rules", "show", "email", "--json")[0].stdout)["patterns"][0]["alone"]
    result, _ = run("rules", "show", "no.such")
    assert (2, "") == (result.exit_code, result.stdout)


def test_a_rule_that_is_misspelt_is_guessed():
    result, _ = run("rules", "show", "es_nia", env={"COLUMNS": "200"})
    assert "did you mean es_nie?" in result.stderr
    assert "rules list" in run("rules", "show", "zzzzzz", env={"COLUMNS": "200"})[0].stderr


def test_a_check_says_which_rule_does_not_hold_and_why():
    good, bad = RuleCheck("es.nie", 2, 2, 5, 5), RuleCheck("es.dni", 1, 1, 3, 2, ("example 2 is not found",))
    result, _ = run("rules", "check", checked=Checked((good,), 812))
    assert (0, ["1 rule, and every one holds."]) == (result.exit_code, result.stdout.splitlines()[:1])
    result, _ = run("rules", "check", checked=Checked((good, bad), 812))
    assert (1, "es.dni: example 2 is not found\n") == (result.exit_code, result.stderr)
    assert "1 of 2 rules do not hold.\n3 of 3 patterns proved, 7 of 8 examples passed\n812 states" in result.stdout
    assert "es.nie" not in result.stdout
    result, _ = run("rules", "check", "--json", checked=Checked((bad,), 812))
    assert ["example 2 is not found"] == json.loads(result.stdout)["faults"]


@pytest.mark.parametrize("command", [["--help"], ["scan", "--help"], ["rules", "check", "--help"]])
def test_help_teaches(command):
    result, _ = run(*command)
    assert 0 == result.exit_code
    assert "scan" in result.stdout.lower() or "rule" in result.stdout


def test_the_default_of_fail_on_is_told():
    assert "likely" in run("scan", "--help", env={"COLUMNS": "200"})[0].stdout


def test_the_json_of_the_command_is_the_document(export):
    told = json.loads(run("scan", export, "-f", "json")[0].stdout)
    assert machine.document(reported())["rows"] == told["rows"]
    assert ["export.jsonl"] == told["origin"]["inputs"]


def test_without_a_machinery_of_the_caller_the_installed_one_runs():
    arguments = ["scan", "--text", "--engine", "reference", "-f", "jsonl", "-"]
    result = CliRunner().invoke(app, arguments, input="write to ana@example.com\n")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert (1, [("EMAIL", 9, 24)]) == (result.exit_code, [(row["data_type"], row["start"], row["end"]) for row in told])


def test_one_input_given_twice_is_refused_in_a_sentence(export, tmp_path):
    other = tmp_path / "copy.jsonl"
    other.write_text('{"event_type": "x"}\n')
    arguments = ["scan", "--engine", "reference", "--processes", "1", export, str(other)]
    result = CliRunner().invoke(app, arguments)
    assert 2 == result.exit_code
    assert "same content" in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
