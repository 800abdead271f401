import json

import pytest

from scanner.errors import BadInput, Fault, ScanError
from scanner.evidence import SHAPES, Evidence, Field, Hits, Key, Shape, smallest
from scanner.findings import Grade, Reason, Via
from scanner.recorder import Recorder
from scanner.sketch import Sketch
from scanner.summary import OTHER, Limits, Summary, Tally, merged

EMAIL = Key("signup", "/user_properties/email", "EMAIL")


def evidence(events=1, **more):
    return Evidence(hits=Hits.at(Grade.LIKELY, events), **more)


def summary(*sources, events=1, rules="r", key="k"):
    return Summary(frozenset(sources), rules, key, Tally({EMAIL.field: events}, {EMAIL: evidence(events)}))


def test_the_grade_of_evidence_is_the_best_that_an_event_reached():
    assert Grade.CONFIRMED is Hits(possible=900, confirmed=1).best
    assert Grade.POSSIBLE is Hits().best


def test_evidence_of_two_parts_adds_up():
    one = Evidence(Hits(1, 2, 3), Reason.FORMAT, Via.JSON, Sketch.of([1, 2]), (Shape(5, "a"),), "2026-01-02 03", "")
    other = Evidence(Hits(1, 0, 0), Reason.KEY, Via(0), Sketch.of([2, 3]), (Shape(4, "b"),), "", "2026-01-09 00")
    both = one + other
    assert (2, 2, 3) == both.hits
    assert (Reason.FORMAT | Reason.KEY) == both.reasons
    assert (3, (Shape(4, "b"), Shape(5, "a"))) == (both.distinct.estimate, both.shapes)
    assert ("2026-01-02 03", "2026-01-09 00") == (both.first_hour, both.last_hour)


def test_the_shapes_that_stay_are_those_with_the_smallest_fingerprints():
    shapes = [Shape(9, "d"), Shape(3, "a"), Shape(1, "a"), Shape(3, "a"), Shape(7, "c"), Shape(5, "b")]
    assert (Shape(1, "a"), Shape(3, "a"), Shape(5, "b")) == smallest(shapes)
    assert SHAPES == 3


def test_a_source_is_counted_once_however_often_it_is_merged():
    both = summary("a") | summary("b", events=5)
    assert 6 == both.tally.rows[EMAIL].hits.total
    assert both == both | summary("a") == summary("b", events=5) | both == both | both
    assert both == merged([summary("a"), Summary(), summary("b", events=5), summary("a")])


@pytest.mark.parametrize(
    "other", [summary("b", "c"), summary("c", rules="other"), summary("c", key="other")], ids=["shared", "rules", "key"]
)
def test_what_cannot_be_told_from_the_counters_is_refused(other):
    with pytest.raises(ScanError) as refused:
        summary("a", "b") | other
    assert refused.value.fault is Fault.UNMERGEABLE


def test_fields_beyond_the_limit_lose_their_place_and_nothing_else():
    recorder = Recorder(Limits(fields=10, rows=10))
    for number in range(30):
        key = Key("view", f"/event_properties/{number}", "EMAIL")
        recorder.saw(key.field, 2)
        recorder.hit(key, Hits(likely=1))
        recorder.value(key, Reason.FORMAT, Via(0), number, f"lee{number}@example.com")
    tally = recorder.tally()
    rest = tally.rows[Key(*OTHER, "EMAIL")]
    assert (11, 11) == (len(tally.seen), len(tally.rows))
    assert (20, 40, 20) == (rest.hits.likely, tally.seen[OTHER], rest.distinct.estimate)
    assert 30 == sum(row.hits.total for row in tally.rows.values())


def test_rows_are_limited_apart_from_fields():
    fields = {Field("view", f"/{number}"): 1 for number in range(8)}
    rows = {Key(*place, "EMAIL"): evidence() for place in fields}
    tally = Tally.of(fields, rows, {}, Limits(fields=8, rows=3))
    assert (8, 4, 5) == (len(tally.seen), len(tally.rows), tally.rows[Key(*OTHER, "EMAIL")].hits.total)


def test_deep_paths_give_way_before_shallow_ones():
    fields = {Field("view", f"/a/b/{number}"): 1 for number in range(50)} | {Field("view", "/ip_address"): 1}
    tally = Tally.of(fields, {}, {}, Limits(fields=5, rows=5))
    assert Field("view", "/ip_address") in tally.seen


def test_a_recorder_counts_events_and_values_apart():
    recorder = Recorder()
    recorder.saw(EMAIL.field, 10)
    recorder.hit(EMAIL, Hits(likely=7), "2026-01-01 00", "2026-01-01 05")
    recorder.hit(EMAIL, Hits(confirmed=1), "2025-12-31 23")
    for fingerprint in range(3_000):
        recorder.value(EMAIL, Reason.FORMAT, Via(0), fingerprint << 44, f"lee{fingerprint}@example.com")
    recorder.value(EMAIL, Reason.KEY, Via.PERCENT, 0, "lee0@example.com")
    recorder.read("lines", 10)
    row = recorder.tally().rows[EMAIL]
    assert ((0, 7, 1), "2025-12-31 23", "2026-01-01 05") == (row.hits, row.first_hour, row.last_hour)
    assert (Reason.FORMAT | Reason.KEY, Via.PERCENT) == (row.reasons, row.via)
    assert row.distinct == Sketch.of(fingerprint << 44 for fingerprint in range(3_000))
    assert ["a{3}9@a{7}.a{3}"] * 3 == [shape.masked for shape in row.shapes]
    assert {"lines": 10} == recorder.tally().account


def test_of_a_value_only_its_shape_is_kept():
    recorder = Recorder()
    recorder.hit(EMAIL, Hits(likely=1))
    recorder.value(EMAIL, Reason.FORMAT, Via(0), 7, "lee@example.com")
    told = json.dumps(Summary(frozenset({"a"}), "r", "k", recorder.tally()).to_json())
    assert "a{3}@a{7}.a{3}" in told
    assert "lee" not in told
    assert "example" not in told


def test_it_comes_back_from_json():
    recorder = Recorder(Limits(fields=20, rows=20))
    recorder.saw(EMAIL.field, 10)
    recorder.hit(EMAIL, Hits(likely=7), "2026-01-01 00")
    recorder.value(EMAIL, Reason.FORMAT | Reason.CHECKSUM, Via.JSON, 2**64 - 1, "a\U0001f600</script>")
    recorder.read("bytes", 2**40)
    whole = Summary(frozenset({"a", "b"}), "r", "k", recorder.tally())
    assert whole == Summary.from_json(json.loads(json.dumps(whole.to_json())))


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"format": 2},
        {**summary("a").to_json(), "rows": [["only", "three", "words"]]},
        {**summary("a").to_json(), "seen": {"a": 1}},
        {**summary("a").to_json(), "account": []},
        {**summary("a").to_json(), "limits": [1, 2, 3]},
    ],
)
def test_json_that_is_no_summary_is_refused(told):
    with pytest.raises(BadInput) as refused:
        Summary.from_json(told)
    assert refused.value.fault is Fault.BAD_SUMMARY
