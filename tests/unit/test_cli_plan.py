"""`dsr plan`: the service's own parser, judge and planner, and never a value in print."""

import json
import sys
import time
from uuid import uuid4

import pytest

from consumer.cli import main
from consumer.domain.command import ProjectRule
from consumer.domain.errors import Reason
from consumer.domain.forecast import Rehearsal
from tests.fakes.commands import NOW, fields, identity

SETTINGS = """
linger_s = 60
[projects.shop]
api_key = "a"
secret_key = "b"
daily_cap = 120
"""
RULES = {
    "shop": ProjectRule("shop", "acme", daily_cap=120),
    "game": ProjectRule("game", "acme", hold_ms=3_600_000),
}


@pytest.fixture
def plan(tmp_path, monkeypatch, capsys):
    """Run it over lines; the exit code and what it printed."""
    (tmp_path / "dsr.toml").write_text(SETTINGS, "utf-8")

    def run(lines, *arguments):
        (tmp_path / "lines").write_text("\n".join(lines), "utf-8")
        told = ["dsr", "plan", str(tmp_path / "lines"), "-s", str(tmp_path / "dsr.toml"), *arguments]
        monkeypatch.setattr(sys, "argv", told)
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().out

    return run


def rehearse(*commands, linger_s=60.0):
    rehearsal = Rehearsal(RULES, NOW, linger_s)
    for line, command in enumerate(commands, 1):
        rehearsal.take(line, command)
    return rehearsal


def test_posts_are_full_and_a_second_apart():
    """250 ids are three POSTs; the last one, not full, lingers for company."""
    rules = {"shop": ProjectRule("shop", "acme")}
    rehearsal = Rehearsal(rules, NOW, 60.0)
    for n in range(250):
        rehearsal.take(n, fields(f"u-{n}"))
    (forecast,) = rehearsal.forecasts()
    assert ([100, 100, 50], 62.0) == (forecast.posts, forecast.seconds)


def test_an_id_named_twice_is_asked_once():
    """As the service's planner does, also across requests and full batches."""
    people = [f"u-{n}" for n in range(100)]
    (forecast,) = rehearse(fields(*people), fields("u-7", "u-100")).forecasts()
    assert ([100, 1], 1) == (forecast.posts, forecast.repeated)


def test_what_the_cap_holds_is_counted_apart():
    """Its POSTs come only after an approval."""
    (forecast,) = rehearse(*(fields(f"u-{n}") for n in range(130))).forecasts()
    assert ({Reason.DAILY_CAP: 10}, [100, 20], [10]) == (forecast.held, forecast.posts, forecast.posts_of_held)


def test_a_hold_period_holds_everything():
    """Nothing is sent at once, and the deadline is reckoned from the release."""
    (forecast,) = rehearse(fields("u-1", project="game")).forecasts()
    assert ({Reason.HOLD_PERIOD: 1}, [], [1]) == (forecast.held, forecast.posts, forecast.posts_of_held)


def test_scope_org_is_one_request_for_each_project():
    """As intake does it."""
    rehearsal = rehearse(fields("u-1", project=None, org="acme", scope="org"))
    assert [("game", 1), ("shop", 1)] == [(each.project, each.requests) for each in rehearsal.forecasts()]


def test_objections_name_the_line_and_the_position():
    """A refused identity among good ones does not refuse the request."""
    body = fields("u-1")
    rehearsal = rehearse(
        body,
        body | {"command_id": "other"},
        body | {"subject_identities": [identity("u-2")]},
        fields("u-3", project="mars"),
        fields(subject_identities=[identity("u-4"), identity("a@example.com", "email")]),
        fields("u-5", subject_request_type="access"),
    )
    objections = [(each.line, each.reason.value, each.position) for each in rehearsal.objections]
    assert [
        (3, "conflicting_duplicate", None),
        (4, "unknown_project", None),
        (5, "email_is_not_user_id", 1),
        (6, "unsupported_request_type", None),
    ] == objections
    assert 1 == rehearsal.duplicates


def test_deadlines_in_danger_are_found_by_line():
    """Within 17 days (14 expected, 3 of slack) at risk; in the past breached."""
    day = 86_400_000
    commands = [fields(f"u-{d}", submitted_time=NOW - 60 * day, deadline=NOW + d * day) for d in (-1, 16, 18)]
    (forecast,) = rehearse(*commands).forecasts()
    assert ([2], [1]) == (forecast.at_risk, forecast.breached)


def test_a_file_of_ids_is_planned_and_blank_lines_are_left_out(plan):
    """Nothing refused: exit code 0."""
    code, printed = plan(["u-1", "", "u-2"], "-p", "shop", "--json")
    told = json.loads(printed)
    assert (0, 2, [2]) == (code, told["lines"], told["projects"][0]["ids_per_post"])


def test_lines_that_are_no_commands_are_named_by_number_and_never_quoted(plan):
    """Exit code 1; what cannot be a record, has unknown fields or wrong types is undecodable."""
    good = fields("jane-roe", submitted_time=int(time.time() * 1000))
    lines = [good, good | {"colour": "jane"}, good | {"issued_time": "jane"}]
    code, printed = plan([*map(json.dumps, lines), "jane,roe", "[]"])
    assert 1 == code
    assert [f"line {n}: undecodable" in printed for n in range(1, 6)] == [False, True, True, True, True]
    assert "jane" not in printed


def test_a_command_without_a_project_gets_the_one_that_was_named(plan):
    """And one with its own keeps it."""
    command = fields("u-1", subject_request_id=str(uuid4()), submitted_time=int(time.time() * 1000))
    del command["project"]
    code, printed = plan([json.dumps(command)], "-p", "shop", "--json")
    assert (0, "shop") == (code, json.loads(printed)["projects"][0]["project"])


@pytest.mark.parametrize(("arguments", "code"), [((), 2), (("-p", "mars"), 1)])
def test_ids_need_a_project_of_the_settings(plan, arguments, code):
    """None is wrong usage, another one is refused as everywhere."""
    assert code == plan(["u-1"], *arguments)[0]


def test_a_line_that_is_hardly_an_id_is_objected_to(plan):
    """As `dsr submit` does; in a file of ids a command is none."""
    code, printed = plan(["u-1", '{"command": "submit"}', "u-2\tx"], "-p", "shop")
    assert 1 == code
    assert [False, True, True] == [f"line {n}: unsupported_identity" in printed for n in (1, 2, 3)]
