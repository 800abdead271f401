import json
import random

import hypothesis.strategies as st
from hypothesis import given, settings

from scanner.evidence import Evidence, Field, Hits, Key, Shape, smallest
from scanner.findings import Reason, Via
from scanner.sketch import Sketch
from scanner.summary import Limits, Summary, Tally, merged

ENOUGH = settings(max_examples=40, deadline=None)
LIMITS = Limits(fields=4, rows=5)

small = st.integers(0, 5)
hours = st.sampled_from(["", "2026-01-01 00", "2026-01-01 05", "2026-02-01 00"])
fields = st.builds(Field, st.sampled_from(["click", "view"]), st.sampled_from(["/a", "/b", "/b/c", "/b/d", "/b/c/d"]))
fingerprints = st.integers(0, 2**64 - 1)


def _sketch(seed, count):
    source = random.Random(seed)
    return Sketch.of(source.getrandbits(64) for _ in range(count))


SKETCHES = [_sketch(seed, count) for seed in range(3) for count in (0, 1, 5, 70, 127, 128, 400)]


def flags(kind):
    return st.lists(st.sampled_from(list(kind)), max_size=2).map(
        lambda some: kind(sum(flag.value for flag in set(some)))
    )


evidence = st.builds(
    Evidence,
    st.builds(Hits, small, small, small),
    flags(Reason),
    flags(Via),
    st.sampled_from(SKETCHES),
    st.lists(st.builds(Shape, fingerprints, st.sampled_from("abcdef")), max_size=4).map(smallest),
    hours,
    hours,
)


@st.composite
def tallies(draw):
    seen = draw(st.dictionaries(fields, st.integers(1, 9), max_size=5))
    keys = st.builds(lambda place, kind: Key(*place, kind), fields, st.sampled_from(["EMAIL", "IBAN"]))
    rows = draw(st.dictionaries(keys, evidence, max_size=4))
    account = draw(st.dictionaries(st.sampled_from(["lines", "bytes", "skipped"]), small))
    return Tally.of(seen, rows, account, LIMITS)


@ENOUGH
@given(tallies(), tallies(), tallies())
def test_tallies_add_up_in_any_order_and_grouping(a, b, c):
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a


@ENOUGH
@given(tallies())
def test_an_empty_tally_changes_nothing(a):
    empty = Tally(limits=LIMITS)
    assert a == a + empty == empty + a


@ENOUGH
@given(tallies(), tallies())
def test_no_event_is_lost_to_the_limits(a, b):
    assert sum(a.seen.values()) + sum(b.seen.values()) == sum((a + b).seen.values())
    counted = [sum(row.hits.total for row in tally.rows.values()) for tally in (a, b, a + b)]
    assert counted[0] + counted[1] == counted[2]
    assert len((a + b).seen) <= LIMITS.fields + 1


@ENOUGH
@given(st.lists(tallies(), min_size=3, max_size=3), st.lists(st.integers(0, 2), max_size=6))
def test_merging_counts_every_source_once(parts, again):
    sources = [Summary(frozenset({name}), "r", "k", part) for name, part in zip("abc", parts, strict=True)]
    whole, some = merged(sources), merged(sources[number] for number in again)
    assert whole == whole | some == some | whole
    assert some == some | some == some | Summary() == Summary() | some


@ENOUGH
@given(st.lists(tallies(), min_size=3, max_size=3))
def test_disjoint_summaries_merge_in_any_order_and_grouping(parts):
    a, b, c = (Summary(frozenset({name}), "r", "k", part) for name, part in zip("abc", parts, strict=True))
    assert (a | b) | c == a | (b | c)
    assert a | b == b | a


@ENOUGH
@given(tallies())
def test_json_keeps_everything(tally):
    whole = Summary(frozenset({"a"}), "r", "k", tally)
    assert whole == Summary.from_json(json.loads(json.dumps(whole.to_json())))
