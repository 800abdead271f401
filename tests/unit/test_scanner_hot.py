"""What the kernel knows by itself is what the shipped rules say: of addresses, device ids, digits without Luhn's."""

import json
import random
import string
from functools import cache, partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner import automaton, validators
from scanner.confirm import Meaning
from scanner.context import NOWHERE
from scanner.hot import SPECIMENS, Kind
from scanner.kernel import NATIVE
from scanner.native import NativeEngine
from scanner.plain import ReferenceEngine
from scanner.rules import load
from scanner.rules.reading import compiled
from scanner.sketch import Fingerprints
from tests.fakes.differential import Pair

pytestmark = pytest.mark.skipif(NATIVE is None, reason="the native kernel is not built")

PATHS = [
    (),
    ("ip_address",),
    ("device_id",),
    ("event_properties", "client_ip"),
    ("event_properties", "ipv6"),
    ("event_properties", "device_fingerprint"),
    ("event_properties", "device_type_push_token"),
    ("event_properties", "android_id"),
    ("event_properties", "order_device_id"),
    ("event_properties", "app_version"),
    ("event_properties", "version_ip"),
    ("event_properties", "note"),
    ("event_properties", "zip code"),
    ("user_properties", "phone"),
    ("user_properties", "card"),
    ("user_properties", "imei"),
    ("user_properties", "passport number"),
]
"""Keys that speak for the rules of hot values, for others, for both and against them."""


@cache
def rules():
    return load()


@cache
def meaning():
    return Meaning(rules())


@pytest.fixture(scope="module")
def pair():
    return Pair(rules(), automaton.load(rules()))


def is_hot(kind, text):
    from scanner.kernel import _kernel  # noqa: PLC0415  (there only if it was built)

    return _kernel.is_hot(kind, text.encode())


octet = st.integers(1, 255).map(str)
group = st.text("0123456789abcdefABCDEF", min_size=1, max_size=4)
alphanumeric = st.characters(categories=(), include_characters=string.ascii_letters + string.digits)
NEARLY = {
    Kind.IPV4: st.lists(octet, min_size=4, max_size=4).map(".".join),
    Kind.TOKEN: st.text(alphanumeric, min_size=8, max_size=66) | st.text("0123456789abcdef", min_size=8, max_size=40),
    Kind.IPV6: st.lists(group, min_size=8, max_size=8).map(":".join),
    Kind.SHORT_IPV6: st.tuples(*[st.lists(group, min_size=1, max_size=4).map(":".join)] * 2).map("::".join),
}
"""Most are hot."""


@st.composite
def damaged(draw, near):
    """A character is missing, of another kind, or too many."""
    text = draw(near)
    at = draw(st.integers(0, len(text)))
    return (
        text[:at]
        + draw(st.sampled_from(["", "0", "00", "9", ".", ":", "::", "g", "F", " ", "%", "-"]))
        + text[at + 1 :]
    )


kinds = st.sampled_from(Kind)
texts = kinds.flatmap(lambda kind: st.tuples(st.just(kind), NEARLY[kind] | damaged(NEARLY[kind])))
hot_texts = texts.filter(lambda drawn: is_hot(*drawn))
generous = settings(max_examples=1000)


def place(kind):
    return next(n for n, rule in enumerate(rules().rules) if rule.id == SPECIMENS[kind].rule)


def whole_matches(kind, text):
    """The patterns of the kind's rule that match the whole text and whose validators take all of it."""
    for pattern in rules().rules[place(kind)].patterns:
        match = compiled(pattern.regex).fullmatch(text)
        validator = validators.lookup(pattern.validator) if pattern.validator else len
        if match is not None and "value" not in match.groupdict() and validator(text) == len(text):
            yield pattern


@pytest.mark.parametrize("kind", Kind)
def test_a_specimen_is_itself_hot(kind):
    assert is_hot(kind, SPECIMENS[kind].text)
    assert [kind] == [other for other in Kind if is_hot(other, SPECIMENS[kind].text)]


@pytest.mark.parametrize("kind", Kind)
def test_the_texts_of_these_tests_are_hot_often_enough(kind):
    hot = []

    @given(NEARLY[kind] | damaged(NEARLY[kind]))
    @settings(max_examples=300, derandomize=True, database=None)
    def drawn(text):
        hot.append(is_hot(kind, text))

    drawn()
    assert len(hot) / 4 < sum(hot) < len(hot) - 10


@generous
@given(hot_texts)
def test_everything_hot_is_a_whole_match_of_its_rule_that_passes_the_validator(drawn):
    kind, text = drawn
    assert [*whole_matches(kind, text)]
    assert not [other for other in Kind if other is not kind and is_hot(other, text)]


@generous
@given(hot_texts, st.data())
def test_the_verdict_of_the_specimen_is_the_verdict_of_every_hot_value(drawn, data):
    kind, text = drawn
    context = meaning().contexts.in_event(data.draw(st.sampled_from(judged_alike(kind))))
    specimen = meaning().hot.verdict(kind, context)
    mask = 0 if kind is Kind.TOKEN else 1 << place(kind)
    (hit,) = meaning().confirm(text, mask, context)
    assert (0, len(text), text) == (hit.start, hit.end, hit.value)
    assert specimen == hit._replace(end=len(SPECIMENS[kind].text), value=SPECIMENS[kind].text)


@cache
def judged_alike(kind):
    return [path for path in PATHS if meaning().hot.verdict(kind, meaning().contexts.in_event(path))]


def test_the_contexts_of_these_tests_are_such_that_some_judge_alike_and_some_do_not():
    for kind in Kind:
        assert 1 < len(judged_alike(kind)) < len(PATHS), kind
    assert () in judged_alike(Kind.IPV4)
    assert () not in judged_alike(Kind.TOKEN)
    assert ("event_properties", "android_id") in judged_alike(Kind.TOKEN)


def line_of(path, value, **more):
    """An event with a value at a path; at the root's, in a key of no meaning."""
    for key in reversed(path or ("x",)):
        value = {key: value}
    return json.dumps(value | more).encode()


def test_both_engines_find_the_same_in_hot_values_of_every_context(pair):
    drawn = []

    @given(st.lists(st.tuples(st.sampled_from(PATHS), texts), min_size=40, max_size=40))
    @settings(max_examples=40, derandomize=True, database=None)
    def draw(several):
        drawn.extend((path, text) for path, (_, text) in several)

    draw()
    lines = [line_of(path, text, event_type="e") for path, text in drawn]
    hot = sum(any(is_hot(kind, text) for kind in Kind) for _, text in drawn)
    assert len(lines) / 4 < hot < len(lines) - 100
    assert [] == pair.differing(lines)


LUHN_PATHS = [*PATHS, ("event_properties", "iccid"), ("event_properties", "credit_card"), ("event_properties", "sin")]


def digits(chance):
    """Nine to twenty, often with the first ones of a card, a SIM or a phone, and one in four passes Luhn's check."""
    size = chance.randint(9, 20)
    start = chance.choice(["", "", "4", "5", "37", "35", "86", "89", "8931", "01", "6", "62", "2131", "0", "1"])
    run = (start + "".join(chance.choices("0123456789", k=size)))[:size]
    return passing(run) if chance.random() < 0.25 else run


def passing(run):
    return next(run[:-1] + last for last in "0123456789" if validators.basic.passes_luhn(run[:-1] + last))


@pytest.mark.parametrize("seed", range(4))
def test_digits_without_luhns_check_lose_no_finding(pair, seed):
    chance = random.Random(f"luhn {seed}")
    lines = []
    for _ in range(1500):
        run, path = digits(chance), chance.choice(LUHN_PATHS)
        number = run[0] != "0" and chance.random() < 0.4
        lines.append(line_of(path, int(run) if number else run, event_type=chance.choice("ab")))
    found = pair.found
    assert [] == pair.differing(lines)
    assert pair.found - found > 100


def test_every_rule_that_is_kept_from_digits_refuses_those_that_fail():
    """By itself, and whatever its patterns."""
    luhn = int.from_bytes(meaning().hot.luhn, "little")
    named = {rule.id for number, rule in enumerate(rules().rules) if luhn >> number & 1}
    assert {"payment.card", "device.imei", "device.iccid"} <= named
    chance = random.Random(11)
    for _ in range(3000):
        run = digits(chance)
        if validators.basic.passes_luhn(run):
            continue
        hits = meaning().confirm(run, luhn, NOWHERE)
        assert [] == [hit for hit in hits if luhn >> hit.rule & 1], run


def test_a_memo_that_is_emptied_again_and_again_changes_nothing():
    """Values are decided anew, shapes are told by new tokens, and what keys say is not forgotten."""
    fingerprints, chance = Fingerprints(b"a key for tests"), random.Random(12)
    plain = ReferenceEngine(Meaning(rules()), fingerprints)
    slow = ReferenceEngine(Meaning(rules()), fingerprints)
    native = NativeEngine(
        partial(NATIVE, memo=20), Meaning(rules()), automaton.load(rules()).packed, fingerprints, slow
    )
    people = [f"{name}.{number}@example.com" for name in ("ana", "bo", "cy") for number in range(30)]
    for _ in range(3):
        lines = []
        for _ in range(200):
            key = chance.choice(people[:5]) if chance.random() < 0.3 else "note"
            values = [*chance.choices(people, k=4), "203.0.113.77", "9774d56d682e549c", "203.0.113.78"]
            lines.append(json.dumps({"event_type": "e", "device_id": chance.choice(people), key: values}).encode())
        data = b"".join(line + b"\n" for line in lines)
        for engine in (native, plain):
            engine.feed(data, 0, len(data))
        counted = plain.take()
        assert counted == native.take()
        assert len(counted.rows) > 4
