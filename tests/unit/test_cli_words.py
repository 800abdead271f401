"""How the command line reads times and ids, and what it says of outcomes."""

import os
import subprocess
import sys
from typing import get_type_hints

import pytest
import typer
from rich.text import Text

from consumer.cli import app, embedded, main
from consumer.cli.embedded import Place
from consumer.cli.identities import IdType, given, listed
from consumer.cli.options import instant, now
from consumer.cli.printing import iso, lines, slack
from consumer.cli.sending import Awaited
from consumer.cli.stories import word
from consumer.domain.deadline import span
from consumer.domain.errors import Fatal

PLACE = {"bootstrap": "127.0.0.1:1", "partitions": 3, "topics": {"commands": "c", "inventory": "i"}}


def test_times_are_utc_unless_they_say_otherwise():
    """A date, an instant with or without a zone, or so long ago."""
    assert "2026-06-16T00:00:00Z" == iso(instant("2026-06-16"))
    assert "2026-06-16T09:30:00Z" == iso(instant("2026-06-16T09:30"))
    assert "2026-06-16T07:30:00Z" == iso(instant("2026-06-16T09:30+02:00"))
    assert 0 <= now() - instant("90m") - 5_400_000 < 60_000
    for text in ("yesterday", "12", "3w", "-3d"):
        with pytest.raises(typer.BadParameter):
            instant(text)


def test_spans_are_told_in_their_two_largest_units():
    """Late ones with a minus."""
    assert ("12 d 3 h", "-1 min 1 s", "0 s") == (span(12 * 86_400_000 + 3 * 3_600_000 + 5), span(-61_000), span(3))


def test_a_line_is_a_person_and_is_taken_exactly(tmp_path):
    """Only the line's end is cut off, and a byte order mark; blank lines are left out, and numbers are of the file."""
    file = tmp_path / "ids"
    file.write_bytes("\ufeffu-1\r\n\r\n u-2 \nü\n".encode())
    people = listed(str(file), IdType.USER_ID, together=False)
    assert [(1, "u-1"), (3, " u-2 "), (4, "ü")] == [(p.line, p.identities[0]["identity_value"]) for p in people]
    (one,) = listed(str(file), IdType.EMAIL, together=True)
    assert ["email"] * 3 == [identity["identity_type"] for identity in one.identities]
    assert "u-1" not in repr(people)


def test_options_are_one_person():
    """All of them together are one request; none at all is nobody."""
    (person,) = given(["u-1"], ["7"], ["a@example.com"])
    types = [identity["identity_type"] for identity in person.identities]
    assert ["controller_customer_id", "amplitude_id", "email"] == types
    assert [] == given([], [], [])


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_wrong_usage(tmp_path, content):
    """Missing, or not UTF-8."""
    if content is not None:
        (tmp_path / "ids").write_bytes(content)
    with pytest.raises(typer.BadParameter):
        listed(str(tmp_path / "ids"), IdType.USER_ID, together=False)


def outcome(stage, **more):
    told = {"subject_request_id": "r", "command_id": "c", "project": "shop", "kind": "stage", "stage": stage}
    return told | {"reason": None, "notice": None, "duplicate_of": None} | more


def test_waiting_ends_when_every_request_has_ended_everywhere():
    """Done and not found are well; anything else is not."""
    awaited = Awaited({"r": "c"}, frozenset({"shop", "game"}))
    assert not awaited.hear(outcome("done", subject_request_id="another"))
    for said in (outcome("erased"), outcome("done"), outcome("scheduled", project="game")):
        assert awaited.hear(said)
    assert not awaited.over
    awaited.hear(outcome("not_found", project="game"))
    assert awaited.over
    assert awaited.well
    awaited.hear(outcome("failed", project="game"))
    assert not awaited.well


def test_waiting_ends_with_the_answer_to_the_very_command():
    """A refusal of it, or that it repeats a request that has ended; another command's answer says nothing."""
    awaited = Awaited({"r": "c"}, frozenset({"shop"}))
    awaited.hear(outcome("refused", kind="reply", command_id="another"))
    awaited.hear(outcome("scheduled", kind="reply", duplicate_of="first"))
    assert not awaited.over
    awaited.hear(outcome("refused", kind="reply", reason="conflicting_duplicate"))
    assert (True, False) == (awaited.over, awaited.well)


def test_a_request_that_no_project_takes_has_ended():
    """Its refusal names no project of ours."""
    awaited = Awaited({"r": "c"}, frozenset({"shop"}))
    awaited.hear(outcome("refused", project=None, reason="unknown_project"))
    assert (True, False) == (awaited.over, awaited.well)


def test_answers_are_told_from_stages():
    """So that nobody takes the answer to a pause for an accepted request."""
    assert "held(daily_cap)" == word(outcome("held", reason="daily_cap"))
    assert "waiting(throttled)" == word(outcome("scheduled", notice="waiting", reason="throttled"))
    assert "answer: accepted" == word(outcome("accepted", kind="reply"))
    assert "answer: duplicate, done" == word(outcome("done", kind="reply", duplicate_of="x"))


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "amplitude-dsr" / "embedded.json"


def test_the_embedded_broker_is_found_while_its_process_lives(runtime):
    """Only by its owner, and gone afterwards."""
    place = Place(pid=os.getpid(), **PLACE)
    assert embedded.find() is None
    with embedded.announced(place):
        assert place == embedded.find()
        assert 0o600 == runtime.stat().st_mode & 0o777
        with pytest.raises(Fatal, match="running already"), embedded.announced(place):
            pass
    assert not runtime.exists()


def test_a_file_that_is_left_over_or_not_ours_is_no_file(runtime):
    """A dead process, somebody who may write to it, or nonsense."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with embedded.announced(Place(pid=gone.pid, **PLACE)):
        assert embedded.find() is None
    with embedded.announced(Place(pid=os.getpid(), **PLACE)):
        runtime.chmod(0o622)
        assert embedded.find() is None
        runtime.chmod(0o600)
        runtime.write_text('{"pid": 1}', "utf-8")
        assert embedded.find() is None


def commands():
    for command in app.registered_commands:
        yield (command.name or command.callback.__name__,), command.callback
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands:
            yield (group.name, command.name or command.callback.__name__), command.callback


@pytest.mark.parametrize(("name", "callback"), [pytest.param(*each, id="-".join(each[0])) for each in commands()])
def test_every_help_teaches(name, callback, monkeypatch, capsys):
    """With an example of itself and its exit codes, in lines that fit a terminal."""
    monkeypatch.setattr(sys, "argv", ["dsr", *name, "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert 0 == ended.value.code
    printed = capsys.readouterr().out
    assert f"dsr {' '.join(name)}" in printed
    assert "Example" in printed
    assert "Exit codes: 0" in printed
    assert [] == [line for line in callback.__doc__.splitlines()[1:] if len(line) > 82]


def texts(callback):
    for parameter in get_type_hints(callback, include_extras=True).values():
        yield from (each.help for each in getattr(parameter, "__metadata__", ()) if getattr(each, "help", None))


@pytest.mark.parametrize(("name", "callback"), [pytest.param(*each, id="-".join(each[0])) for each in commands()])
def test_no_word_of_a_help_text_is_eaten(name, callback):
    """Square brackets are markup to whoever prints it, and leave a gap; words run together when a string is split."""
    for text in texts(callback):
        assert text == Text.from_markup(text).plain
        assert "  " not in text.strip()
        assert text.endswith(".")
    written = callback.__doc__.replace("\b", "")
    assert written == Text.from_markup(written).plain


def test_a_registry_is_named_by_its_setting(monkeypatch, capsys):
    """The sentence as it is printed."""
    monkeypatch.setattr(sys, "argv", ["dsr", "schemas", "check", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert "Else schema_registry.url of the settings." in " ".join(capsys.readouterr().out.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("schemas", "check"), "no registry: say --registry URL"),
        (("status", "--embedded"), "no `dsr run --embedded` is running"),
        (("dlq", "list", "--reason", "foo"), "undecodable, unknown_schema"),
        (("resume", "shop", "--halted"), "not both"),
        (("resume", "shop", "--partition", "1"), "--partition goes with --halted"),
        (("submit", "erase", "-p", "shop", "-f", "nowhere"), "the file does not exist"),
        (("submit", "erase", "-p", "shop", "-f", "."), "that is a directory"),
        (("submit", "erase", "-p", "shop", "-f", "/dev/null"), "the file is empty"),
    ],
)
def test_usage_errors_say_what_is_wrong_and_bear_no_reason(monkeypatch, capsys, tmp_path, arguments, said):
    """A `Reason` is a word of the records and of the settings; what was typed is neither."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["dsr", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert (2, True) == (ended.value.code, said in printed), printed
    assert "invalid_settings" not in printed


def test_numbers_of_lines_are_grouped():
    """As people write them; there may be a million."""
    assert ["line 3", "lines 1-3, 7"] == [lines([3]), lines([1, 2, 3, 7])]
    assert "lines 1, 3" in lines(list(range(1, 100, 2)))
    assert lines(list(range(1, 100, 2))).endswith(" and 30 more places")


def test_a_deadline_that_will_be_missed_is_late():
    """And no negative slack."""
    assert ("late by 12 d", "slack 1 h") == (slack(-12 * 86_400), slack(3_600))


def test_a_bug_is_told_by_its_place_and_not_by_its_text(monkeypatch, capsys):
    """An exception's text can quote an identifier; a traceback shows locals."""
    monkeypatch.setattr(sys, "argv", ["dsr", "schemas", "list"])
    monkeypatch.setattr("schemas.subjects", lambda: 1 / 0 if "jane" else ())
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert 3 == ended.value.code
    assert "a bug: ZeroDivisionError" in printed.err
    assert "Traceback" not in printed.err
    assert "division" not in printed.err


def test_the_version_is_printed(monkeypatch, capsys):
    """For bug reports."""
    monkeypatch.setattr(sys, "argv", ["dsr", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out.startswith("dsr 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ("submit", "erase", "-u", "x"),
        ("submit", "erase", "-p", "shop"),
        ("submit", "erase", "-p", "shop", "-u", "x", "-f", "-"),
        ("submit", "erase", "--scope-org", "-u", "x"),
        ("submit", "erase", "-p", "shop", "-f", "nowhere"),
        ("submit", "erase", "-p", "shop", "-u", "x", "--deadline", "soon"),
        ("cancel",),
        ("cancel", "--since", "1h"),
        ("cancel", "not-a-uuid"),
        ("approve",),
        ("resume",),
        ("resume", "shop", "--halted"),
        ("resume", "shop", "--partition", "1"),
        ("dlq", "redrive", "1", "--reason", "undecodable"),
        ("dlq", "show", "x"),
        ("sandbox", "--project", "shop:::mars"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_two(monkeypatch, capsys, arguments):
    """Before any broker is asked: there is none here."""
    monkeypatch.setattr(sys, "argv", ["dsr", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert 2 == ended.value.code
    assert "Traceback" not in capsys.readouterr().err
