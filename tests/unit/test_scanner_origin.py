"""Where a finding comes from: hour, app version and library of an event that held it."""

import json

import pytest

from scanner.confirm import Meaning
from scanner.engine import line_engine, make_engine
from scanner.evidence import Evidence, Hits, Key, Origin
from scanner.ports import Wanted
from scanner.rules import load
from scanner.sketch import Fingerprints
from scanner.summary import Tally

KEY = Key("sign_up", "/event_properties/contact", "EMAIL")
MAIL = "jane.roe@example.com"


@pytest.fixture(scope="module", params=["native", "reference"])
def engine(request):
    meaning = Meaning(load())
    if request.param == "reference":
        return line_engine(meaning, Fingerprints(b"k" * 16), b"")
    return make_engine(Wanted(load(), "auto", 1, b"k" * 16)).lines


def line(value=MAIL, time="2026-06-16 11:57:13.345000", **more):
    event = {"event_type": "sign_up", "event_time": time, "event_properties": {"contact": value}, **more}
    return json.dumps(event).encode() + b"\n"


def taken(engine, *lines):
    data = b"".join(lines)
    engine.feed(data, 0, len(data))
    return engine.take()


def test_the_event_tells_its_hour_version_and_library(engine):
    tally = taken(engine, line("nothing"), line(version_name="4.2.0", library="amplitude-ts/2.9.0"))
    assert tally.origins[KEY] == Origin("2026-06-16 11", "4.2.0", "amplitude-ts/2.9.0")
    assert tally.origins.keys() == tally.rows.keys()


def test_a_value_that_is_known_has_its_origin_told_again_after_a_take(engine):
    taken(engine, line(version_name="1"))
    assert taken(engine, line(version_name="2")).origins[KEY].app_version == "2"


@pytest.mark.parametrize("told", ["max.mustermann@example.com", "call +49 151 23456789", "x" * 65, "a\nb", 7, None])
def test_what_could_be_personal_data_is_no_version(engine, told):
    origin = taken(engine, line(version_name=told, library="http/2.0")).origins[KEY]
    assert origin == Origin("2026-06-16 11", "", "http/2.0")


@pytest.mark.parametrize("told", ["4.2.0", "12.0.1.4", "2026.11.3-beta+7", "release (arm64)"])
def test_a_version_is_kept(engine, told):
    assert taken(engine, line(version_name=told)).origins[KEY].app_version == told


def test_an_event_that_tells_nothing(engine):
    assert taken(engine, line(time="soon")).origins[KEY] == Origin()


def test_the_earliest_of_both_parts_is_kept_and_does_not_make_them_differ():
    def part(*told):
        return Tally(origins={KEY: Origin(*told)}, rows=taken_rows)

    taken_rows = {KEY: Evidence(Hits(confirmed=1))}
    early, late, unknown = part("2026-06-16 10", "1", ""), part("2026-06-16 11", "0", ""), part("", "0", "")
    for order in ((early, late, unknown), (unknown, late, early), (late, unknown, early)):
        assert (order[0] + order[1] + order[2]).origins == early.origins
    assert early == late
