import pytest

from scanner.column import judged
from scanner.evidence import Evidence, Field, Hits, Key, Shape
from scanner.findings import Grade, Reason
from scanner.rules.model import Pattern, Rule, RuleSet
from scanner.sketch import Sketch
from scanner.summary import OTHER, Summary, Tally

F, C = Reason.FORMAT, Reason.CHECKSUM
NUMBER = Key("view", "/event_properties/number", "TAX_ID")


def rule(data_type, column="", name="a"):
    return Rule(f"{data_type}.{name}", data_type, "", "tax_id", (Pattern("x", None, Grade.LIKELY),), column=column)


NOISY = RuleSet((rule("TAX_ID", "noisy"),))
STRONG = RuleSet((rule("TAX_ID"),))
MIXED = RuleSet((rule("TAX_ID", "noisy"), rule("TAX_ID", name="b")))


def judge(hits, seen, reasons, rules=STRONG, key=NUMBER):
    tally = Tally({key.field: seen}, {key: Evidence(hits=hits, reasons=reasons)})
    (row,) = judged(Summary(frozenset("a"), tally=tally), rules)
    return row.grade, row.reasons


@pytest.mark.parametrize(
    ("hits", "seen", "rules", "grade"),
    [
        (Hits(likely=9), 20, NOISY, Grade.POSSIBLE),
        (Hits(likely=9), 19, NOISY, Grade.LIKELY),
        (Hits(likely=10), 20, NOISY, Grade.LIKELY),
        (Hits(likely=9), 20, STRONG, Grade.LIKELY),
        (Hits(likely=9), 20, MIXED, Grade.LIKELY),
        (Hits(confirmed=1), 1_000, NOISY, Grade.POSSIBLE),
    ],
)
def test_a_noisy_type_is_lowered_where_few_events_pass(hits, seen, rules, grade):
    found, reasons = judge(hits, seen, F, rules)
    assert (grade, grade is not hits.best) == (found, Reason.COLUMN in reasons)


@pytest.mark.parametrize("named", [Reason.KEY, Reason.NEARBY])
def test_a_noisy_type_that_key_or_text_names_keeps_its_grade(named):
    assert (Grade.CONFIRMED, F | C | named) == judge(Hits(confirmed=3), 1_000, F | C | named, NOISY)


@pytest.mark.parametrize(
    ("hits", "seen", "reasons", "grade"),
    [
        (Hits(possible=45), 50, F | C, Grade.LIKELY),
        (Hits(likely=45), 50, F | C, Grade.CONFIRMED),
        (Hits(confirmed=50), 50, F | C, Grade.CONFIRMED),
        (Hits(likely=44), 50, F | C, Grade.LIKELY),
        (Hits(likely=49), 49, F | C, Grade.LIKELY),
        (Hits(likely=50), 50, F, Grade.LIKELY),
        (Hits(possible=50), 50, F | C | Reason.VETO, Grade.POSSIBLE),
        (Hits(possible=50), 50, F | C | Reason.OVERLAP, Grade.POSSIBLE),
    ],
)
def test_a_column_that_passes_a_checksum_nearly_everywhere_is_raised_by_one(hits, seen, reasons, grade):
    found, told = judge(hits, seen, reasons)
    assert (grade, grade is not hits.best) == (found, Reason.COLUMN in told)


def test_what_lies_beyond_the_limits_has_no_share_and_keeps_its_grade():
    key = Key(*OTHER, "TAX_ID")
    tally = Tally({OTHER: 1_000}, {key: Evidence(Hits(likely=1), F)})
    (row,) = judged(Summary(frozenset("a"), tally=tally), NOISY)
    assert (Grade.LIKELY, None, None) == (row.grade, row.seen, row.share)


def test_a_known_field_holds_its_type_in_every_event():
    rules = RuleSet((), {"/ip_address": "IP_ADDRESS"})
    place = Field("login", "/ip_address")
    (row,) = judged(Summary(frozenset("a"), tally=Tally({place: 70})), rules)
    assert (Grade.CONFIRMED, Hits(confirmed=70), Reason.FIELD) == (row.grade, row.hits, row.reasons)
    assert (1.0, None, ()) == (row.share, row.distinct, row.shapes)


def test_what_was_found_in_a_known_field_is_told_with_it():
    rules = RuleSet((), {"/ip_address": "IP_ADDRESS"})
    place = Field("login", "/ip_address")
    found = Evidence(Hits(likely=60), F, distinct=Sketch.of([1, 2]), shapes=(Shape(1, "#.#.#.#"),))
    tally = Tally({place: 70}, {Key(*place, "IP_ADDRESS"): found, Key(*place, "PHONE"): Evidence(Hits(possible=1), F)})
    known, phone = judged(Summary(frozenset("a"), tally=tally), rules)
    assert (Hits(confirmed=70), F | Reason.FIELD, 2, ("#.#.#.#",)) == (
        *(known.hits, known.reasons),
        *(known.distinct.estimate, known.shapes),
    )
    assert ("PHONE", Grade.POSSIBLE) == (phone.key.data_type, phone.grade)


def test_the_surest_and_most_frequent_rows_come_first():
    rows = {
        Key("b", "/x", "EMAIL"): Evidence(Hits(likely=5)),
        Key("a", "/x", "EMAIL"): Evidence(Hits(likely=5)),
        Key("a", "/y", "EMAIL"): Evidence(Hits(likely=9)),
        Key("a", "/z", "EMAIL"): Evidence(Hits(confirmed=1)),
        Key("a", "/w", "EMAIL"): Evidence(Hits(possible=99)),
    }
    order = [row.key[:2] for row in judged(Summary(frozenset("a"), tally=Tally(rows=rows)), STRONG)]
    assert [("a", "/z"), ("a", "/y"), ("a", "/x"), ("b", "/x"), ("a", "/w")] == order
