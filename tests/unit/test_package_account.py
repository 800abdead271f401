import gc
import json
import sys
from decimal import Decimal

import pytest

from consumer.domain.hours import Hour
from consumer.package.account import MOST_RECENT, NO_TYPE, Account
from consumer.package.bounded import MOST_LEFT_OUT, Bounded, Kind, Property, Span
from consumer.package.brief import brief
from consumer.sandbox.amplitude.events import made_up

DEEP = json.loads("[" * 900 + "]" * 900)
ODD = [
    None,
    "",
    "x",
    0,
    -1,
    10**5_000,
    1.5,
    float("nan"),
    True,
    [],
    {},
    [1],
    {"a": None},
    DEEP,
    b"x",
    object(),
    "\ud800",
]
KEYS = """event_time app event_type event_properties user_properties user_id amplitude_id device_id idfa adid
os_name os_version device_type device_family platform city region country ip_address
version_name language location_lat""".split()


def added(*events):
    account = Account()
    for event in events:
        account.add(event)
    return account


def spans(bounded):
    return {key: (span.count, span.first, span.last) for key, span in bounded.kept.items()}


def size_of(root):
    """Bytes of everything that the object alone keeps alive, types and functions left out."""
    seen, todo = {}, [root]
    while todo:
        one = todo.pop()
        if id(one) not in seen and not isinstance(one, type) and not callable(one):
            seen[id(one)] = sys.getsizeof(one)
            todo += gc.get_referents(one)
    return sum(seen.values())


def test_made_up_events_add_up():
    lines, truth = made_up("829000", Hour(490_000), 500)
    events = [json.loads(line) for line in lines]
    account = added(*events)
    assert truth.events == account.all.count == sum(span.count for span in account.kinds.kept.values())
    assert {"829000"} == set(account.projects.kept)
    assert (min(e["event_time"] for e in events)[:19], max(e["event_time"] for e in events)[:19]) == (
        account.all.first,
        account.all.last,
    )
    for name, kind in account.kinds.kept.items():
        for label, one in kind.properties.kept.items():
            assert truth.seen[name, f"/event_properties/{label}"] in {one.count, 0}, label


def test_each_kind_of_thing_is_counted_where_it_belongs():
    event = {
        "event_time": "2026-06-16 11:57:13.345000",
        "app": 829000,
        "event_type": "checkout_started",
        "event_properties": {"amount": 12.5, "tags": ["a"]},
        "user_id": "u-1001",
        "amplitude_id": 1610000000001,
        "device_id": "d-1",
        "adid": "ad-1",
        "os_name": "ios",
        "os_version": "17.5",
        "device_type": "Phone 9",
        "platform": "iOS",
        "city": "Springfield",
        "country": "United States",
        "ip_address": "203.0.113.42",
        "version_name": "4.2.0",
        "language": "English",
        "location_lat": 39.78,
    }
    account = added(event, {**event, "event_time": "2026-05-01 00:00:00.000000", "ip_address": "203.0.113.43"})
    both = (2, "2026-05-01 00:00:00", "2026-06-16 11:57:13")
    assert {"829000": both} == spans(account.projects)
    assert {"checkout_started": both} == spans(account.kinds)
    assert {"2026-05", "2026-06"} == set(account.months.kept)
    for ids, name in (
        (account.user_ids, "u-1001"),
        (account.amplitude_ids, "1610000000001"),
        (account.device_ids, "d-1"),
        (account.advertising_ids, "ad-1"),
        (account.devices, ("Phone 9", "ios 17.5", "iOS")),
        (account.places, ("Springfield", "", "United States")),
        (account.versions, "4.2.0"),
        (account.languages, "English"),
    ):
        assert {name: both} == spans(ids)
    assert {"203.0.113.42": 1, "203.0.113.43": 1} == {key: span.count for key, span in account.addresses.kept.items()}
    assert 2 == account.located


def test_a_user_property_has_the_value_it_had_last_by_the_events_time():
    def event(time, **properties):
        return {"event_time": time, "user_properties": properties}

    account = added(
        event("2026-03-01 00:00:00", tier="gold", seats=4),
        event("2026-01-01 00:00:00", tier="free", trial=True),
        event(None, tier="unknown"),
        event("2026-03-01 00:00:00", tier="platinum"),
    )
    found = {name: (one.text, one.time[:7]) for name, one in account.user_properties.kept.items()}
    assert {"tier": ("platinum", "2026-03"), "seats": ("4", "2026-03"), "trial": ("true", "2026-01")} == found


def test_examples_are_different_short_and_few():
    one = Property()
    for value in ("a", "a", None, "", "x" * 900, 7, "b"):
        one.add(value)
    assert (7, ["a", "x" * 79 + "…", "7"], True) == (one.count, one.examples, one.more)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{type(odd).__name__}")
@pytest.mark.parametrize("key", KEYS)
def test_any_value_under_any_key_is_counted_and_never_raises(key, odd):
    account = added({key: odd}, {"event_time": "2026-01-01 00:00:00", key: odd}, {"event_properties": {"p": odd}})
    assert 3 == account.all.count
    assert len(account.recent) <= 1


def test_an_event_without_anything_is_an_event():
    account = added({}, {})
    assert {NO_TYPE: (2, "", "")} == spans(account.kinds)
    assert (2, []) == (account.undated, account.recent)


@pytest.mark.parametrize(
    "time",
    [
        "2026-13-01 00:00:00",
        "2026-01-32 00:00:00",
        "2026-01-01 24:00:00",
        "2026-01-01",
        "٢٠٢٦-01-01 00:00:00",
        "yesterday",
    ],
)
def test_a_time_that_is_none_is_no_time(time):
    account = added({"event_time": time})
    assert (1, {}, "") == (account.undated, account.months.kept, account.all.first)


def test_times_with_a_t_are_times():
    assert "2026-01-02 03:04:05" == added({"event_time": "2026-01-02T03:04:05Z"}).all.first


def test_the_latest_events_are_the_latest_by_time_whatever_the_order():
    times = [f"2026-01-{1 + n % 28:02} 00:00:{n % 60:02}" for n in range(0, 7_000, 13)]
    account = added(*({"event_time": time, "event_type": str(n)} for n, time in enumerate(times)))
    wanted = sorted(((time, n) for n, time in enumerate(times)), reverse=True)[:MOST_RECENT]
    assert [(time, str(n)) for time, n in wanted] == [(one.time, one.kind) for one in account.recent]


def test_what_has_no_room_is_counted():
    account = added(*({"user_id": f"u-{n % 60}", "event_time": f"2026-01-01 00:00:{n % 60:02}"} for n in range(120)))
    assert (50, 10, 20) == (len(account.user_ids.kept), account.user_ids.left_out, account.user_ids.rest.count)
    assert "2026-01-01 00:00:50" == account.user_ids.rest.first


def test_that_many_are_left_out_is_known_only_up_to_a_bound():
    bounded = Bounded(1, Span)
    for n in range(3 * MOST_LEFT_OUT):
        bounded.at(str(n)).add("")
    assert (MOST_LEFT_OUT, 3 * MOST_LEFT_OUT - 1) == (bounded.left_out, bounded.rest.count)


def test_event_types_without_room_share_one_account():
    account = added(*({"event_type": f"t{n}", "event_properties": {f"p{n}": n}} for n in range(230)))
    assert (200, 30, 30) == (len(account.kinds.kept), account.kinds.left_out, account.kinds.rest.count)
    assert 30 == len(account.kinds.rest.properties.kept)
    assert {f"t{n}" for n in range(200)} == set(account.kinds.kept)


def test_memory_is_bounded_whatever_comes():
    def hostile(n):
        text = f"{n}-" + "x" * 20_000
        names = {f"{text}{m}": [text] * 50 for m in range(6)}
        return dict.fromkeys(KEYS, text) | {
            "event_time": f"20{n % 100:02}-01-01 00:00:00",
            "event_properties": {f"{n}-{m}": [text] * 50 for m in range(3)} | names,
            "user_properties": {f"{n}-{m}": {"deep": [text] * 50} for m in range(3)},
        }

    account = added(*map(hostile, range(300)))
    some = size_of(account)
    for n in range(300, 900):
        account.add(hostile(n))
    assert some < 8_000_000
    assert size_of(account) - some < 2_000_000
    assert max(len(kind.properties.kept) for kind in account.kinds.kept.values()) <= Kind.MOST_PROPERTIES


def test_the_account_does_not_print_whom_it_is_of():
    assert "Account(1 events)" == repr(added({"user_id": "u-1001"}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("plain", "plain"),
        (True, "true"),
        (12.5, "12.5"),
        (Decimal("1E+9"), "1E+9"),
        ({"a": [1, None, {"b": "c"}]}, '{"a": [1, null, {"b": "c"}]}'),
        ({1: 2}, "{1: 2}"),
        (DEEP, "[[[[[[…]]]]]]"),
        (10**5_000, "a very large number"),
        (b"bytes", "(bytes)"),
        ("x" * 41, "x" * 39 + "…"),
        ([1] * 10**6, "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,…"),
    ],
    ids=lambda one: str(type(one)),
)
def test_values_are_brief(value, text):
    assert text == brief(value, 40)


def test_a_long_list_is_not_read_to_its_end():
    class Long(list):
        def __iter__(self):
            yield from range(100)
            raise AssertionError

    assert 40 == len(brief(Long(), 40))
