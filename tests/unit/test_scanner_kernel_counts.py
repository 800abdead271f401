"""What the native kernel counts, remembers, tells its caller, and survives."""

from __future__ import annotations

import gc
import json
import resource
import weakref
from collections import Counter

import pytest

from scanner.kernel import NATIVE
from tests.fakes import packed
from tests.fakes.kernel_caller import Caller, Row

pytestmark = pytest.mark.skipif(NATIVE is None, reason="the native kernel is not built")

MAIL, CARD, PHONE = 1, 2, 3
POSSIBLE, LIKELY, CONFIRMED = 1, 2, 3


def judge(value: bytes) -> list[Row]:
    """`mail3` is one at grade 3, `card2+mail1` are two: the names and grades are in the value."""
    types = {b"mail": MAIL, b"card": CARD, b"phone": PHONE}
    parts = [part for part in value.split(b"+") if part[:-1] in types]
    return [(0, types[part[:-1]], int(part[-1:]), 1 << types[part[:-1]], int(part[-1:])) for part in parts]


def counts(caller: Caller) -> dict[tuple[str, tuple[str | None, ...], int, int], tuple[int, int, int]]:
    """(event type, path, sub, type) -> events per grade"""
    names = caller.kernel.event_types()
    rows = caller.kernel.take()["counters"]
    return {(names[row[0]], caller.paths[row[1]], row[2], row[3]): row[4] for row in rows}


def seen(caller: Caller) -> dict[tuple[str, tuple[str | None, ...]], int]:
    names = caller.kernel.event_types()
    return {(names[event], caller.paths[path]): count for event, path, count in caller.kernel.take()["seen"]}


def test_an_event_counts_once_for_a_field_and_type_at_its_best_grade():
    caller = Caller(judge)
    caller.scan(
        '{"event_type":"e","a":["mail1","mail3","mail2","card1"]}',
        '{"event_type":"e","a":["mail2","mail2"]}',
        '{"event_type":"e","a":["mail3","mail3"],"b":"mail1"}',
    )
    expected = {
        ("e", ("a", None), 0, MAIL): (0, 1, 2),
        ("e", ("a", None), 0, CARD): (1, 0, 0),
        ("e", ("b",), 0, MAIL): (1, 0, 0),
    }
    assert expected == counts(caller)


def test_all_findings_of_a_value_count_and_their_reasons_add_up():
    caller = Caller(judge)
    caller.scan('{"a":"mail1+card3"}', '{"a":"mail2"}')
    rows = {row[3]: row[4:7] for row in caller.kernel.take()["counters"]}
    assert {MAIL: ((1, 1, 0), 1 << MAIL, 1 | 2), CARD: ((0, 0, 1), 1 << CARD, 3)} == rows


def test_an_inner_path_is_a_counter_of_its_own():
    caller = Caller(lambda value: [(7, MAIL, LIKELY, 0, 0), (8, MAIL, POSSIBLE, 0, 0)])
    caller.scan('{"a":"{}"}')
    assert {("", ("a",), 7, MAIL): (0, 1, 0), ("", ("a",), 8, MAIL): (1, 0, 0)} == counts(caller)


def test_a_field_is_seen_once_in_an_event_if_it_holds_a_string_or_a_number():
    caller = Caller()
    caller.scan(
        '{"event_type":"e","a":["x","y",1],"b":"","c":null,"d":true,"f":{"g":0}}',
        '{"a":[""],"b":"x","event_type":"e"}',
        '"root"',
    )
    expected = {("e", ("event_type",)): 2, ("e", ("a", None)): 1, ("e", ("f", "g")): 1, ("e", ("b",)): 1, ("", ()): 1}
    assert expected == seen(caller)


def test_a_repeated_key_is_seen_and_counted_once():
    caller = Caller(judge)
    caller.scan('{"a":"mail1","a":"mail2"}')
    assert {("", ("a",), 0, MAIL): (0, 1, 0)} == counts(caller)


@pytest.mark.parametrize(
    ("line", "event_type"),
    [
        ('{"event_type":"first","a":"mail1"}', "first"),
        ('{"a":"mail1","event_type":"last"}', "last"),
        ('{"event_typ\\u0065":"\\u00e9\\n","a":"mail1"}', "é\n"),
        ('{"event_type":"x","event_type":"y","a":"mail1"}', "y"),
        ('{"event_type":"x","event_type":null,"a":"mail1"}', ""),
        ('{"event_type":7,"a":"mail1"}', ""),
        ('{"event_type":["x"],"a":"mail1"}', ""),
        ('{"event_type":{"event_type":"x"},"a":"mail1"}', ""),
        ('{"b":{"event_type":"x"},"a":"mail1"}', ""),
        ('{"a":"mail1"}', ""),
    ],
)
def test_the_event_type_is_the_last_top_level_string_of_that_key(line, event_type):
    caller = Caller(judge)
    caller.scan('{"event_type":"before"}', line)
    assert [event_type] == [key[0] for key in counts(caller)]


@pytest.mark.parametrize(
    ("time", "hour"),
    [
        ("2024-03-01 05:53:59.376326", 2024030105),
        ("2024-03-01T23", 2024030123),
        ("2024-03-01 5:53", 0),
        ("2024/03/01 05:53", 0),
        ("2024-03-01_05", 0),
        ("2024-03-01", 0),
        ("", 0),
    ],
)
def test_the_hour_is_read_from_the_event_time(time, hour):
    caller = Caller(judge)
    caller.scan(json.dumps({"a": "mail1", "event_time": time}))
    assert [(hour, hour)] == [row[7:9] for row in caller.kernel.take()["counters"]]


def test_first_and_last_hour_are_kept_whatever_the_order():
    caller = Caller(judge)
    hours = ("2024-03-02 05", "2024-03-01 07", "2024-03-09 01", "nonsense")
    caller.scan(*(json.dumps({"event_time": hour, "a": "mail1"}) for hour in hours))
    assert [(2024030107, 2024030901)] == [row[7:9] for row in caller.kernel.take()["counters"]]


def test_other_names_of_event_type_and_time_can_be_given():
    caller = Caller(judge, event_type=b"name", event_time=b"at")
    caller.scan('{"event_type":"x","name":"y","at":"2024-03-01 07","event_time":"2025-03-01 07","a":"mail1"}')
    assert ["", "y"] == caller.kernel.event_types()
    assert [(2024030107, 2024030107)] == [row[7:9] for row in caller.kernel.take()["counters"]]


@pytest.mark.parametrize("limit", [1, 2, 4, 4096])
def test_lines_of_event_types_beyond_the_limit_are_handed_back(limit):
    """The empty type is one of those that there is room for."""
    caller = Caller(judge, event_types=limit)
    lines = [json.dumps({"event_type": f"e{number}", "a": "mail1"}).encode() for number in range(limit + 6)]
    caller.scan(*lines)
    taken = caller.kernel.take()
    named = [f"e{number}" for number in range(limit - 1)]
    assert ["", *named] == caller.kernel.event_types()
    assert lines[limit - 1 :] == caller.refused
    assert (limit + 6, 7) == (taken["lines"], taken["refused_lines"])
    assert dict.fromkeys(range(1, limit), 1) == {row[0]: sum(row[4]) for row in taken["counters"]}
    caller.scan(*lines, '{"a":"mail2"}', '{"event_type":"","a":"mail2"}', '{"event_type":null,"a":"mail2"}')
    assert lines[limit - 1 :] * 2 == caller.refused
    assert {("", ("a",)): 3} | {(name, (key,)): 1 for name in named for key in ("a", "event_type")} == seen(caller)


def test_a_line_that_names_one_type_too_many_is_handed_back_even_if_it_takes_it_back():
    caller = Caller(judge, event_types=2)
    line = b'{"event_type":"two","event_type":"one","a":"mail1"}'
    caller.scan('{"event_type":"one"}', line, '{"event_type":"one"}')
    assert [line] == caller.refused
    assert {("one", ("event_type",)): 2} == seen(caller)


@pytest.mark.parametrize("mark", ["a", "\\u0061", "é", "\\u00e9", "\\ud800"])
def test_an_event_type_has_at_most_4096_bytes(mark):
    width = len(json.loads(f'"{mark}"').encode("utf-8", "surrogatepass"))
    name = mark * (4096 // width) + "b" * (4096 % width)
    lines = [f'{{"event_type":"{name}{more}","a":"mail1"}}'.encode() for more in ("", "b", mark * 70_000)]
    caller = Caller(judge)
    caller.scan(*lines)
    assert lines[1:] == caller.refused
    assert ["", json.loads(f'"{name}"')] == caller.kernel.event_types()
    assert [(1, (1, 0, 0))] == [(row[0], row[4]) for row in caller.kernel.take()["counters"]]


def test_a_key_with_findings_counts_each_time_it_occurs():
    caller = Caller(key_rows=lambda key: [(0, MAIL, LIKELY, 0, 0)] if "@" in key else [])
    caller.scan('{"a@b":null,"c":1}', '{"a@b":{},"d":{"a@b":[]}}', '{"a@b":1,"a@b":2}', '{"a\\u0040b":1}')
    expected = {("", ("a@b",), 0, MAIL): (0, 4, 0), ("", ("d", "a@b"), 0, MAIL): (0, 1, 0)}
    assert expected == counts(caller)


def test_nothing_of_a_refused_line_counts():
    caller = Caller(judge, key_rows=lambda key: [(0, MAIL, LIKELY, 0, 0)] if "@" in key else [])
    caller.scan('{"a@b":"mail1","event_type":"x"', '{"a":"mail1"} x', "   ", "")
    taken = caller.kernel.take()
    assert [] == taken["counters"] == taken["seen"] == caller.traced == caller.firsts
    assert (4, 2, 2) == (taken["lines"], taken["refused_lines"], taken["blank_lines"])


def test_taking_resets_the_counts_and_nothing_else():
    caller = Caller(judge)
    caller.scan('{"event_type":"e","a":"mail1"}')
    first = caller.kernel.take()
    empty = caller.kernel.take()
    assert ([], [], 0, 0) == (empty["seen"], empty["counters"], empty["lines"], empty["bytes"])
    caller.scan('{"event_type":"e","a":"mail1"}')
    assert first == caller.kernel.take()
    assert 1 == len([value for value, _, _ in caller.decided if value == b"mail1"])


def test_counts_over_many_types_and_paths_are_exact():
    caller, expected = Caller(judge), Counter()
    lines = []
    for number in range(6000):
        event, key = f"e{number % 97}", f"k{number % 1013}"
        lines.append(json.dumps({"event_type": event, key: f"mail{number % 3 + 1}"}))
        expected[event, (key,)] += 1
    caller.scan(*lines)
    rows = caller.kernel.take()
    names = caller.kernel.event_types()
    found = {(names[event], caller.paths[path]): count for event, path, count in rows["seen"]}
    assert expected == {key: count for key, count in found.items() if key[1] != ("event_type",)}
    assert expected == {(names[row[0]], caller.paths[row[1]]): sum(row[4]) for row in rows["counters"]}


def test_full_counters_stop_the_scan_at_a_line_and_taking_goes_on():
    """Each of 1,000 event types touches all 160 pages of 64 paths: more pages than are kept."""
    caller = Caller(emits=lambda path: False)
    caller.scan("{" + ",".join(f'"k{number}":null' for number in range(64 * 160)) + "}")
    line = "{" + "".join(f'"k{number}":1,' for number in range(0, 64 * 160, 64))
    text = b"".join(f'{line}"event_type":"e{number}"}}\n'.encode() for number in range(1000))
    start, rounds, total = 0, 0, 0
    while start < len(text):
        start += caller.kernel.scan(text, start, len(text))[1]
        total += len(caller.kernel.take()["seen"])
        rounds += 1
    assert rounds > 1
    assert 1000 * (160 + 1) == total


def test_a_value_is_decided_once_for_a_context_and_kind():
    caller = Caller(judge)
    caller.scan(
        '{"a":"12345678901"}', '{"a":"12345678901"}', '{"a":12345678901}', '{"b":"12345678901","a":12345678901}'
    )
    expected = [(("a",), b"12345678901"), (("a",), b"12345678901"), (("b",), b"12345678901")]
    assert expected == [(caller.paths[context], value) for value, _, context in caller.decided]


def test_values_over_4096_bytes_are_decided_each_time():
    caller = Caller(judge)
    caller.scan(*[json.dumps({"a": "x" * size}) for size in (4096, 4096, 4097, 4097)])
    assert [4096, 4097, 4097] == [len(value) for value, _, _ in caller.decided]


def test_a_full_memo_is_forgotten_at_a_lines_end_and_nothing_changes():
    lines = [json.dumps({"event_type": "e", "a": [f"mail{n % 3 + 1}", f"v{n}", f"card1+{n % 50}"]}) for n in range(500)]
    roomy, narrow = Caller(judge), Caller(judge, memo=16)
    roomy.scan(*lines)
    narrow.scan(*lines)
    assert narrow.forgotten > 10
    assert roomy.forgotten == 0
    expected, got = roomy.kernel.take(), narrow.kernel.take()
    assert expected["counters"] == got["counters"]
    assert expected["seen"] == got["seen"]
    assert len(narrow.decided) > len(roomy.decided)


def test_resetting_the_memo_decides_anew():
    caller = Caller(judge)
    caller.scan('{"a":"mail1"}')
    caller.reset_memo()
    caller.scan('{"a":"mail1"}')
    assert [b"mail1"] * 2 == [value for value, _, _ in caller.decided]


def test_findings_are_traced_with_the_number_of_their_line():
    caller = Caller(judge)
    caller.scan("", '{"a":"mail1"}', "{", '{"a":["mail1","mail2"]}')
    assert [(1, b"mail1"), (3, b"mail1"), (3, b"mail2")] == [(line, value) for line, _, _, value in caller.traced]


class Broken(Exception):
    pass


@pytest.mark.parametrize("callback", ["learn", "decide", "first", "refuse", "specimen", "forget", "trace"])
def test_an_exception_of_a_callback_comes_out_and_the_kernel_scans_no_more(callback):
    def fail(*_):
        raise Broken

    calls = {
        "learn": lambda path, parent, key: (0, True, 0),
        "decide": lambda value, mask, context: kernel.value(kernel.verdict([(0, MAIL, LIKELY, 0, 0)]), [7]),
        "first": lambda *_: None,
        "refuse": lambda line: None,
        "specimen": lambda kind, context: 0,
        "forget": lambda: None,
        "trace": lambda *_: None,
    }
    kernel = NATIVE(packed.tables(), **calls | {callback: fail}, memo=1)
    text = b'{"a":["x","y","9774d56d682e549c"]}\n{\n'
    with pytest.raises(Broken):
        kernel.scan(text, 0, len(text))
    for use in (lambda: kernel.scan(text, 0, len(text)), kernel.take, kernel.reset_memo):
        with pytest.raises(RuntimeError, match="middle of a line"):
            use()


@pytest.mark.parametrize(
    ("calls", "error"),
    [
        ({"learn": lambda *_: None}, TypeError),
        ({"learn": lambda *_: (0, True)}, TypeError),
        ({"learn": lambda *_: ("x", True, 0)}, TypeError),
        ({"learn": lambda *_: (-1, True, 0)}, OverflowError),
        ({"learn": lambda *_: (1 << 32, True, 0)}, OverflowError),
        ({"learn": lambda *_: (0, True, 5)}, ValueError),
        ({"learn": lambda *_: (0, True, 1)}, ValueError),
        ({"learn": lambda *_: (0, True, 1 | 1 << 63)}, ValueError),
        ({"decide": lambda *_: None}, TypeError),
        ({"decide": lambda *_: -1}, OverflowError),
        ({"decide": lambda *_: 1 << 64}, OverflowError),
        ({"decide": lambda *_: 1}, ValueError),
        ({"decide": lambda *_: 1 | 1 << 32}, ValueError),
        ({"decide": lambda *_: 2}, ValueError),
        ({"specimen": lambda *_: None}, TypeError),
        ({"specimen": lambda *_: -1}, OverflowError),
        ({"specimen": lambda *_: 1 << 32}, OverflowError),
        ({"specimen": lambda *_: 2}, ValueError),
    ],
)
def test_nonsense_from_a_callback_is_an_error(calls, error):
    usual = {"learn": lambda *_: (0, True, 0), "decide": lambda *_: 0, "first": print, "refuse": print}
    kernel, line = NATIVE(packed.tables(), **usual | calls), b'{"a":["x","9774d56d682e549c"]}\n'
    assert 1 == kernel.verdict([(0, MAIL, LIKELY, 0, 0)])
    with pytest.raises(error):
        kernel.scan(line, 0, len(line))


def test_a_callback_may_ask_for_masks_and_verdicts_but_not_scan():
    errors = []

    def decide(value, mask, context):
        assert packed.mask(b"a@b%40" * 1000) == kernel.mask(b"a@b%40" * 1000)
        for use in (lambda: kernel.scan(b"1\n", 0, 2), kernel.take, kernel.reset_memo):
            with pytest.raises(RuntimeError) as error:
                use()
            errors.append(error)
        return kernel.value(kernel.verdict([(0, MAIL, LIKELY, 0, 0)] * 100), range(1, 101))

    kernel = NATIVE(packed.tables(), learn=lambda *_: (0, True, 0), decide=decide, first=lambda *_: 0, refuse=print)
    text = b'{"a":["x%40","y%41\\n","z%42"]}\n'
    assert (1, len(text)) == kernel.scan(text, 0, len(text))
    assert 9 == len(errors)


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (0, 3), (1, 0), (0, 1), (2, 5)])
def test_a_range_that_is_not_whole_lines_is_refused(start, end):
    with pytest.raises(ValueError, match="whole lines"):
        Caller().kernel.scan(b"1\n", start, end)
    assert (0, 0) == Caller().kernel.scan(b"1", 0, 0)


@pytest.mark.parametrize(
    "wrong",
    [{"paths": 1}, {"paths": 1 << 20}, {"memo": 0}, {"event_types": 0}, {"event_types": 5000}],
)
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match="out of range"):
        Caller(**wrong)


def test_callbacks_must_be_there_and_callable():
    usual = {"learn": print, "decide": print, "first": print, "refuse": print}
    for name in usual:
        for wrong in ({}, {name: 5}, {name: None}):
            calls = {key: value for key, value in usual.items() if key != name} | wrong
            with pytest.raises(TypeError):
                NATIVE(packed.tables(), **calls)


@pytest.mark.parametrize("rows", [[(0, 0, 0, 0, 0)], [(0, 0, 4, 0, 0)], [(0, 0, 1)], [5], [(0, -1, 1, 0, 0)], 7])
def test_a_verdict_must_be_rows(rows):
    with pytest.raises((ValueError, TypeError, OverflowError)):
        Caller().kernel.verdict(rows)


@pytest.mark.parametrize(
    ("verdict", "fingerprints"),
    [
        (0, []),
        (2, [1, 2]),
        (-1, [1, 2]),
        ((1 << 32) + 1, [1, 2]),
        (1, []),
        (1, [1]),
        (1, [1, 2, 3]),
        (1, [1, 0]),
        (1, [1, -1]),
        (1, [1, 1 << 64]),
        (1, [1, None]),
        (1, 7),
    ],
)
def test_a_value_has_a_fingerprint_for_each_row_of_a_known_verdict(verdict, fingerprints):
    kernel = Caller().kernel
    assert 1 == kernel.verdict([(0, MAIL, LIKELY, 0, 0)] * 2)
    with pytest.raises((ValueError, TypeError, OverflowError)):
        kernel.value(verdict, fingerprints)
    assert 1 == kernel.value(1, [1, (1 << 64) - 1])


@pytest.mark.parametrize(
    "wrong", [{"key": bytes(15)}, {"key": bytes(17)}, {"hot": bytes(12)}, {"hot": b""}, {"luhn": bytes(65)}]
)
def test_options_of_another_size_are_refused(wrong):
    with pytest.raises(ValueError, match="16 bytes"):
        Caller(**wrong)


def test_a_kernel_in_a_cycle_with_its_caller_is_collected():
    caller = Caller(judge)
    caller.scan('{"a":"mail1"}')
    gone = weakref.ref(caller)
    del caller
    gc.collect()
    assert gone() is None


def rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_memory_does_not_grow_with_use():
    text = b"".join(
        b'{"event_type":"e%d","a":["mail1","v%d\\n"],"b":{"c":%d}}\n{' % (n, n, n) + b"\n" for n in range(2000)
    )

    def use():
        caller = Caller(judge, memo=100, paths=64)
        for _ in range(10):
            caller.kernel.scan(text, 0, len(text))
            caller.kernel.take()
            caller.kernel.event_types()
        with pytest.raises(OverflowError):
            caller.kernel.verdict([(0, -1, 1, 0, 0)])
        caller.judge = None
        with pytest.raises(TypeError):
            caller.kernel.scan(b'{"a":"other"}\n', 0, 14)

    use()
    gc.collect()
    before = rss()
    for _ in range(20):
        use()
        gc.collect()
    assert rss() - before < 20_000
