import json
from datetime import date

import pytest

from scanner.baseline import read_allow_list, read_baseline
from scanner.errors import BadInput, Fault
from scanner.report import machine
from scanner.report.model import Judgement
from tests.fakes.scanned import reported

TODAY = date(2026, 6, 17)


def written(path, text):
    path.write_text(text, "utf-8")
    return path


def allow_list(tmp_path, text):
    return read_allow_list(written(tmp_path / "allow.toml", text))


@pytest.mark.parametrize(
    ("entry", "count"),
    [
        ('type = "EMAIL"', 4),
        ('type = "EMAIL"\nevent_type = "signup"', 1),
        ('field = "/event_properties/*"', 6),
        ('field = "*memo"\ntype = "IBAN"', 1),
        ('event_type = "[Amplitude] *"', 1),
        ('field = "/user_properties/emai?"', 0),
        ('type = "email"', 0),
    ],
)
def test_an_entry_answers_for_the_rows_that_fit_all_it_says(tmp_path, entry, count):
    allow = allow_list(tmp_path, f'[[allow]]\nreason = "known"\n{entry}\n')
    rows = reported().rows
    remaining, allowed = allow.split(rows, TODAY)
    assert (len(rows) - count, count) == (len(remaining), len(allowed))
    assert {"known"} >= {one.reason for one in allowed}


def test_an_entry_holds_to_the_end_of_its_day(tmp_path):
    allow = allow_list(tmp_path, '[[allow]]\nreason = "known"\ntype = "EMAIL"\nuntil = 2026-06-17\n')
    assert 4 == len(allow.split(reported().rows, TODAY)[1])
    assert 0 == len(allow.split(reported().rows, date(2026, 6, 18))[1])
    assert (0, 1) == (allow.expired(TODAY), allow.expired(date(2026, 6, 18)))


@pytest.mark.parametrize(
    "text",
    [
        "[[allow",
        "",
        'allow = "EMAIL"',
        "allow = [1]",
        '[[allow]]\ntype = "EMAIL"\n',
        '[[allow]]\nreason = "everything"\n',
        '[[allow]]\nreason = "r"\ntype = 1\n',
        '[[allow]]\nreason = "r"\ntype = "EMAIL"\nuntil = "2026-06-17"\n',
        '[[allow]]\nreason = "r"\ntype = "EMAIL"\nuntil = 2026-06-17T00:00:00\n',
        '[[allow]]\nreason = "r"\ntypo = "EMAIL"\ntype = "EMAIL"\n',
        '[other]\n[[allow]]\nreason = "r"\ntype = "EMAIL"\n',
    ],
)
def test_a_file_that_is_no_allow_list_is_refused_without_quoting_it(tmp_path, text):
    with pytest.raises(BadInput) as refused:
        allow_list(tmp_path, text)
    assert refused.value.fault is Fault.BAD_ALLOW_LIST
    assert "EMAIL" not in str(refused.value)


def test_what_an_earlier_report_had_is_not_new(tmp_path):
    before = written(tmp_path / "last.json", machine.as_json(reported()))
    assert frozenset() == reported(judgement=Judgement(baseline=read_baseline(before))).new


def test_new_rows_and_rows_of_a_higher_grade_are_new(tmp_path):
    told = machine.document(reported())
    told["rows"] = [
        {**row, "grade": "possible"} if row["data_type"] == "IBAN" else row
        for row in told["rows"]
        if row["data_type"] != "PHONE"
    ]
    before = written(tmp_path / "last.json", json.dumps(told))
    now = reported(judgement=Judgement(baseline=read_baseline(before)))
    assert {"IBAN", "PHONE"} == {key.data_type for key in now.new}
    assert (1, 2) == (now.failing(3), now.failing(2))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [{}], "allowed": []}', "[" * 100_000, "3"])
def test_a_file_that_is_no_report_is_refused(tmp_path, text):
    with pytest.raises(BadInput) as refused:
        read_baseline(written(tmp_path / "last.json", text))
    assert refused.value.fault is Fault.BAD_BASELINE


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(BadInput) as refused:
        read_allow_list(tmp_path / "nowhere.toml")
    assert refused.value.fault is Fault.UNREADABLE
    (tmp_path / "latin.toml").write_bytes(b"\xff")
    with pytest.raises(BadInput) as refused:
        read_allow_list(tmp_path / "latin.toml")
    assert refused.value.fault is Fault.WRONG_TYPE
