"""What the rules find in one text: grades, contexts, overlaps; the same under every mask that leaves nothing out."""

import base64
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.confirm import Meaning
from scanner.context import NOWHERE
from scanner.derived import base64_decoded, folded_digits, json_leaves, percent_decoded
from scanner.findings import Finding, Grade, Reason, Via
from scanner.hits import Hit, Spans, resolve
from scanner.rules.reading import compiled
from tests.fakes.scanner_rules import found, meaning, number_of, ruleset, told, wide

VISA, IMEI, SSN = "4111111111111111", "490154203237518", "536904399"


def reasons(text, field=""):
    return [hit.reasons for hit in found(text, field)]


def test_a_finding_says_type_place_grade_and_why():
    (hit,) = found("write to ana@example.com today")
    assert Finding("EMAIL", 9, 24, Grade.CONFIRMED, Reason.FORMAT | Reason.CHECKSUM) == hit.finding
    assert (number_of("test.email"), "ana@example.com") == (hit.rule, hit.value)


def test_every_occurrence_is_found_in_order():
    text = "81.2.69.142, ana@example.com; eve@example.org 8.8.8.8"
    assert ["81.2.69.142", "ana@example.com", "eve@example.org", "8.8.8.8"] == [hit.value for hit in found(text)]


@pytest.mark.parametrize("text", ["", " ", "nothing here", "127.0.0.1", "4111111111111112", SSN, "Ana Lima"])
def test_what_no_rule_says_is_not_found(text):
    assert [] == found(text)


def test_a_phrase_on_the_key_path_raises_the_grade():
    checked = Reason.FORMAT | Reason.CHECKSUM
    assert [("CREDIT_CARD", "likely", VISA)] == told(VISA)
    assert [("CREDIT_CARD", "confirmed", VISA)] == told(VISA, "creditCard.number")
    assert [checked] == reasons(VISA)
    assert [checked | Reason.KEY] == reasons(VISA, "creditCard.number")


def test_a_phrase_before_the_match_raises_the_grade():
    assert [("CREDIT_CARD", "confirmed", VISA)] == told(f"my card: {VISA}")
    assert [("CREDIT_CARD", "likely", VISA)] == told(f"{VISA} is my card")
    assert [Reason.FORMAT | Reason.CHECKSUM | Reason.NEARBY] == reasons(f"my card: {VISA}")


@pytest.mark.parametrize(("gap", "grade"), [(35, "confirmed"), (36, "confirmed"), (37, "likely")])
def test_nearby_ends_at_forty_characters(gap, grade):
    assert [("CREDIT_CARD", grade, VISA)] == told("card" + "." * (gap - 1) + " " + VISA)


def test_a_veto_of_the_own_key_makes_it_possible():
    assert [("CREDIT_CARD", "possible", VISA)] == told(VISA, "sku")
    assert [("CREDIT_CARD", "possible", VISA)] == told(VISA, "card.sku")
    assert [Reason.FORMAT | Reason.CHECKSUM | Reason.KEY | Reason.VETO] == reasons(VISA, "card.sku")
    assert [("CREDIT_CARD", "likely", VISA)] == told(VISA, "sku.value")


def test_a_bare_form_needs_a_context():
    assert [] == told(SSN)
    assert [] == told(SSN, "userId")
    assert [("US_SSN", "likely", SSN)] == told(SSN, "userSsn")
    assert [("US_SSN", "likely", SSN)] == told(f"my social security number is {SSN}")
    assert [] == told(f"{SSN} is my social security number")


def test_each_bare_match_needs_a_context_of_its_own():
    text = f"ssn {SSN}" + " and the order number which we shipped yesterday is 536904388"
    assert [("US_SSN", "likely", SSN)] == told(text)


def test_a_whole_pattern_matches_the_value_but_for_blanks_and_never_prose():
    assert [("PERSON_NAME", "likely", "Ana Lima")] == told("  Ana Lima\n", "profile.full_name")
    assert [] == told("Ana Lima, 3 times", "profile.full_name")
    assert [] == told("the full name is Ana Lima")


def test_keys_phrases_are_looked_for_in_the_own_key_only():
    assert [] == told("Ana Lima", "full_name.note")


def test_the_group_value_is_the_finding():
    assert [("PIN", "likely", "4711")] == told("PIN: 4711!")


def test_a_check_may_accept_less_than_was_matched_and_the_rest_is_read_on():
    german, british = "DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19"
    assert [("IBAN", "confirmed", german), ("IBAN", "confirmed", british)] == told(f"{german} {british} thanks")


def test_a_refused_match_does_not_hide_one_that_begins_inside_it():
    text = f"1111 1111 1111 1111 {VISA}"
    assert [("CREDIT_CARD", "likely", VISA)] == told(text)
    assert ["81.2.69.142"] == [hit.value for hit in found("999.81.2.69.142 81.2.69.142")]


def hit(data_type, start, end, grade=Grade.LIKELY, rule=0):
    return Hit(rule, data_type, start, end, grade, Reason.FORMAT, Via(0), "", "x" * (end - start))


def resolved(*hits, priorities=(50, 50, 50)):
    return [
        (one.data_type, one.grade.word, Reason.OVERLAP in one.reasons) for one in resolve(list(hits), priorities)
    ]  # fmt: skip


def test_findings_that_touch_nothing_keep_their_grades_in_order_of_place():
    hits = (hit("B", 5, 9), hit("A", 0, 5, Grade.POSSIBLE), hit("C", 9, 10, Grade.CONFIRMED))
    assert [("A", "possible", False), ("B", "likely", False), ("C", "confirmed", False)] == resolved(*hits)


def test_of_two_types_over_the_same_characters_the_surer_keeps_its_grade():
    hits = (hit("A", 0, 9), hit("B", 3, 12, Grade.CONFIRMED))
    assert [("A", "possible", True), ("B", "confirmed", False)] == resolved(*hits)


@pytest.mark.parametrize(
    ("first", "second", "priorities", "winner"),
    [
        (hit("A", 0, 9, rule=0), hit("B", 0, 9, rule=1), (40, 60), "B"),  # priority
        (hit("A", 0, 9, rule=0), hit("B", 0, 12, rule=1), (50, 50), "B"),  # length
        (hit("A", 0, 9, rule=0), hit("B", 3, 12, rule=1), (50, 50), "A"),  # place
        (hit("A", 0, 9, rule=1), hit("B", 0, 9, rule=0), (50, 50), "B"),  # rule
    ],
)
def test_at_the_same_grade_priority_length_place_and_rule_decide(first, second, priorities, winner):
    for hits in ((first, second), (second, first)):
        assert [winner] == [each.data_type for each in resolve(list(hits), priorities) if each.grade is Grade.LIKELY]


def test_one_type_is_found_once_in_one_place():
    assert [("A", "likely", False)] == resolved(hit("A", 0, 9), hit("A", 3, 12), hit("A", 0, 9, Grade.POSSIBLE))


def test_a_possible_finding_under_another_is_dropped():
    assert [("A", "possible", False)] == resolved(hit("A", 0, 9, Grade.POSSIBLE), hit("B", 3, 8, Grade.POSSIBLE))


def test_what_lost_its_grade_takes_none_from_others():
    hits = (hit("A", 0, 9, Grade.CONFIRMED), hit("B", 5, 15), hit("C", 12, 20))
    assert [("A", "confirmed", False), ("B", "possible", True), ("C", "likely", False)] == resolved(
        *hits, priorities=(60, 50, 40)
    )


SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 8)).map(lambda span: (span[0], span[0] + span[1])))


@given(SPANS, st.tuples(st.integers(0, 40), st.integers(1, 8)))
def test_spans_touch_what_shares_a_position_with_one_of_them(pairs, asked):
    spans, kept = Spans(), []
    for start, end in pairs:
        if not spans.touch(start, end):
            spans.add(start, end)
            kept.append((start, end))
    start, end = asked[0], sum(asked)
    assert spans.touch(start, end) is any(start < last and first < end for first, last in kept)


@given(
    st.lists(
        st.builds(
            lambda place, length, rule, grade: hit("ABA"[rule], place, place + length, grade, rule),
            st.integers(0, 30),
            st.integers(1, 9),
            st.integers(0, 2),
            st.sampled_from(Grade),
        )
    ),
    st.randoms(),
)
def test_the_order_in_which_rules_run_does_not_matter(hits, random):
    expected = resolve(list(hits), (50, 60, 50))
    random.shuffle(hits)
    assert expected == resolve(hits, (50, 60, 50))
    winners = [one for one in expected if Reason.OVERLAP not in one.reasons]
    assert all(one.end <= other.start for one, other in pairwise(winners))


def truth(text):
    """The smallest mask that leaves nothing out: what really matches, whatever the checks say of it."""
    bits, own = 0, meaning().mask
    for number, rule in enumerate(ruleset().rules):
        for pattern in rule.patterns:
            if not pattern.whole and compiled(pattern.regex).search(text):
                bits |= own.bare if pattern.alone is None else 1 << number
    if not meaning().contexts.mentioned(text):
        bits &= ~own.bare
    readers = {own.digits: folded_digits, own.percent: percent_decoded, own.base64: base64_decoded}
    bits |= sum(bit for bit, reader in readers.items() if next(reader(text), None))
    return bits | (own.json if next(json_leaves(text), None) else 0)


def emitting(mask, context):
    """What engines do for the values of a path that emits: nothing is cleared."""
    own = meaning().mask
    return mask | (own.bare | own.percent | own.base64 if context.emits else 0)


VALUES = ["ana@example.com", VISA, "4111 1111 1111 1111", IMEI, SSN, "536-90-4399", "81.2.69.142", "pin: 4711"]
PHRASES = ["my card", "ssn", "social security number", "userSsn", "カード番号", "Ana", "x", "é", "%40", "%2", "+"]
MARKS = [" ", ",", ":", "=", "-", ".", wide("4"), "٤", "{", "}", '"', "\n"]
PIECES = st.sampled_from([*VALUES, "DE89370400440532013000", *PHRASES, *MARKS])
PLAIN = st.lists(PIECES, max_size=8).map("".join)


def wrappings(texts):
    return st.one_of(
        st.tuples(st.text("abc ", max_size=3), texts).map(lambda parts: parts[0] + percent(parts[1])),
        texts.map(lambda text: base64.b64encode(text.encode()).decode()),
        texts.map(lambda text: "see " + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") + " there"),
        texts.map(wide),
        st.dictionaries(st.sampled_from(["full_name", "ssn", "sku", "a@b.co", "n"]), texts, max_size=3).map(json.dumps),
        st.lists(st.one_of(texts, st.integers(0, 10**18))).map(json.dumps),
    )


def percent(text):
    return "".join(f"%{byte:02X}" if byte in b"@ {}:%" or byte > 127 else chr(byte) for byte in text.encode())


TEXTS = st.recursive(PLAIN, wrappings, max_leaves=4)
FIELDS = st.sampled_from([(), ("ssn",), ("card", "sku"), ("profile", "full_name"), ("ip_version",), ("payload",)])


@given(TEXTS, FIELDS, st.data())
def test_every_mask_that_leaves_nothing_out_gives_the_same(text, path, data):
    everything = meaning().mask.all
    context = meaning().contexts.of(path) if path else NOWHERE
    expected = meaning().confirm(text, everything, context)
    exact = emitting(truth(text), context)
    assert expected == meaning().confirm(text, exact, context, truth)
    more = exact | data.draw(st.integers(0, everything))
    assert expected == meaning().confirm(text, more, context, truth)


@given(TEXTS, FIELDS)
def test_a_finding_covers_characters_of_the_text_and_its_own_value(text, path):
    for each in meaning().confirm(text, meaning().mask.all, meaning().contexts.of(path)):
        assert 0 <= each.start < each.end <= len(text)
        assert each.value
        if not each.via:
            assert each.value == text[each.start : each.end]


def test_two_meanings_of_one_rule_set_agree():
    other = Meaning(ruleset())
    text = f"my card {VISA}, ssn {SSN}"
    assert found(text) == other.confirm(text, other.mask.all, NOWHERE)


def test_the_bits_of_a_mask_lie_behind_those_of_the_rules():
    count = len(ruleset().rules)
    own = meaning().mask
    assert [1 << count + place for place in range(5)] == [own.bare, own.json, own.percent, own.base64, own.digits]
    assert (1 << count + 5) - 1 == own.all
