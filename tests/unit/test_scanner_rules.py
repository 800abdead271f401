"""Rule files: what is read, and how every mistake is told."""

from pathlib import Path

import pytest

from scanner.errors import BadRules, Fault
from scanner.findings import Grade
from scanner.rules import load
from scanner.rules.checking import examples_failing
from scanner.rules.model import Example
from tests.fakes.scanner_rules import FILE, ruleset

RULE = """
[[rule]]
id = "xx.badge"
type = "BADGE"
name = "Badge"
group = "device"
context = ["badge"]
examples = ["B-1234"]
{rule}

  [[rule.pattern]]
  regex = 'B-[0-9]{{4}}'
  alone = "likely"
  with_context = "confirmed"
  {pattern}
"""


def written(folder, text, name="mine.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def one(folder, rule="", pattern="", replace=()):
    text = RULE.format(rule=rule, pattern=pattern)
    for old, new in replace:
        assert old in text
        text = text.replace(old, new)
    return load([written(folder, text)], shipped=False)


def refused(folder, **changes):
    with pytest.raises(BadRules) as caught:
        one(folder, **changes)
    assert Fault.RULE_SYNTAX is caught.value.fault
    return str(caught.value).splitlines()


def test_a_rule_says_what_its_table_says(tmp_path):
    rules = one(tmp_path, rule='keys = ["pass"]\ncountry = "XX"', pattern="whole = true").rules
    (rule,) = rules
    assert ("xx.badge", "BADGE", "XX", 50, ("badge",), ("pass",)) == (
        rule.id, rule.data_type, rule.country, rule.priority, rule.context, rule.keys
    )  # fmt: skip
    assert (Example("B-1234"),) == rule.examples
    (pattern,) = rule.patterns
    assert (Grade.LIKELY, Grade.CONFIRMED, True) == (pattern.alone, pattern.with_context, pattern.whole)


def test_an_example_may_stand_in_a_field(tmp_path):
    examples = '["B-1", { text = "B-2" }, { text = "B-3", field = "a.b" }]'
    (rule,) = one(tmp_path, replace=[('["B-1234"]', examples)]).rules
    assert (Example("B-1"), Example("B-2"), Example("B-3", "a.b")) == rule.examples


def test_none_as_grade_means_only_with_context(tmp_path):
    (rule,) = one(tmp_path, replace=[('"likely"', '"none"')]).rules
    assert rule.patterns[0].alone is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rule": "colour = 3"}, "mine.toml: xx.badge: colour: is not a known key"),
        ({"pattern": 'flags = "i"'}, "mine.toml: xx.badge: pattern 1: flags: is not a known key"),
        ({"rule": 'priority = "high"'}, "mine.toml: xx.badge: priority: must be a whole number"),
        ({"rule": "priority = true"}, "mine.toml: xx.badge: priority: must be a whole number"),
        ({"pattern": "whole = 1"}, "mine.toml: xx.badge: pattern 1: whole: must be true or false"),
        ({"rule": "veto = [1]"}, "mine.toml: xx.badge: veto: must be a list of texts that are not empty"),
        ({"rule": 'veto = "sku"'}, "mine.toml: xx.badge: veto: must be a list"),
        ({"rule": 'column = "loud"'}, "mine.toml: xx.badge: column: must be noisy, or be left out"),
        ({"rule": "counter_examples = [1]"}, "counter_examples: must be a list of texts or of { text"),
        ({"rule": 'counter_examples = [{ text = "a", place = "b" }]'}, "counter_examples: must be a list of texts"),
        ({"pattern": 'validator = "lune"'}, "pattern 1: validator: lune is not a known validator"),
        ({"pattern": 'validator = "stdnum:xx.nothing"'}, "validator: stdnum:xx.nothing is not a known validator"),
        ({"replace": [("xx.badge", "XX Badge")]}, "id: must be lower-case words with dots between them"),
        ({"replace": [("BADGE", "Badge")]}, "mine.toml: xx.badge: type: must be upper-case words"),
        ({"replace": [('"device"', '"devise"')]}, "xx.badge: group: must be one of contact, payment"),
        ({"replace": [('examples = ["B-1234"]', "")]}, "xx.badge: examples: is missing"),
        ({"replace": [('name = "Badge"', "")]}, "xx.badge: name: is missing"),
        ({"replace": [('id = "xx.badge"', "")]}, "mine.toml: rule 1: id: is missing"),
        ({"replace": [('"likely"', '"sure"')]}, "alone: must be one of possible, likely, confirmed, none"),
        ({"replace": [('"confirmed"', '"none"')]}, "with_context: must be one of possible, likely, confirmed"),
        ({"replace": [('"confirmed"', '"possible"')]}, "pattern 1: with_context: is less than alone"),
        ({"replace": [("B-[0-9]", "B-[0-9")]}, "pattern 1: regex: is not a regular expression (at character"),
        ({"replace": [("B-[0-9]{4}", "B*")]}, "pattern 1: regex: can match the empty text"),
        ({"replace": [("B-[0-9]{4}", "(?=B)")]}, "pattern 1: regex: can match the empty text"),
        ({"replace": [("[[rule.pattern]]", "[rule.pattern]")]}, "xx.badge: pattern: must be a list"),
        (
            {"replace": [('"likely"', '"none"'), ('context = ["badge"]', "")]},
            "context: is missing: a pattern with alone = none",
        ),
    ],
)
def test_a_mistake_is_told_with_file_rule_and_key(tmp_path, changes, expected):
    lines = refused(tmp_path, **changes)
    assert [expected] == [expected for line in lines if expected in line], lines


def test_a_rule_without_patterns_finds_nothing_and_is_refused(tmp_path):
    text = RULE.format(rule="", pattern="").split("  [[rule.pattern]]")[0]
    with pytest.raises(BadRules, match="pattern: is missing"):
        load([written(tmp_path, text)], shipped=False)


def test_all_mistakes_of_all_files_are_told_together(tmp_path):
    one_file = written(tmp_path, RULE.format(rule="a = 1\nb = 2", pattern="c = 3"), "one.toml")
    other = written(tmp_path, "[[rule]\n", "other.toml")
    with pytest.raises(BadRules) as caught:
        load([one_file, other, tmp_path / "absent.toml"], shipped=False)
    keys = ["pattern 1: c", "a", "b"]
    assert [
        *(f"one.toml: xx.badge: {key}: is not a known key" for key in keys),
        "other.toml: is not TOML (line 1, column 7)",
        "absent.toml: cannot be read",
    ] == str(caught.value).splitlines()


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes(b'x = "\xe9"')
    with pytest.raises(BadRules, match=r"latin\.toml: is not UTF-8"):
        load([path], shipped=False)


def test_an_id_is_used_once_over_all_files(tmp_path):
    files = [written(tmp_path, RULE.format(rule="", pattern=""), name) for name in ("a.toml", "b.toml")]
    with pytest.raises(BadRules, match=r"xx\.badge: id: is used 2 times"):
        load(files, shipped=False)


def test_the_fields_of_all_files_are_one_table(tmp_path):
    files = [
        written(tmp_path, '[fields]\n"/ip" = "IPV4"\n"/mail" = "EMAIL"\n', "a.toml"),
        written(tmp_path, '[fields]\n"/ip" = "IP_ADDRESS"\n', "b.toml"),
    ]
    assert {"/ip": "IP_ADDRESS", "/mail": "EMAIL"} == load(files, shipped=False).fields


@pytest.mark.parametrize("entry", ['"ip" = "IPV4"', '"/ip" = 4', '"/ip" = "an address"'])
def test_a_field_is_a_pointer_and_its_value_a_type(tmp_path, entry):
    with pytest.raises(BadRules, match="must be a JSON pointer to a top-level field"):
        load([written(tmp_path, f"[fields]\n{entry}\n")], shipped=False)


def test_the_digest_follows_what_can_change_a_finding_and_nothing_else(tmp_path):
    base = one(tmp_path).digest
    same = [
        {"replace": [('"Badge"', '"Staff badge"')]},
        {"rule": 'counter_examples = ["x"]'},
        {"rule": 'country = "YY"'},
    ]
    other = [{"rule": 'veto = ["sku"]'}, {"rule": "priority = 51"}, {"pattern": 'validator = "luhn"'}]
    other += [{"replace": [("{4}", "{5}")]}, {"replace": [('"likely"', '"possible"')]}, {"rule": 'column = "noisy"'}]
    assert {base} == {one(tmp_path, **changes).digest for changes in same}
    digests = {one(tmp_path, **changes).digest for changes in other}
    assert len(other) == len(digests - {base})


def test_the_digest_follows_the_order_of_rules_which_numbers_them(tmp_path):
    first = written(tmp_path, RULE.format(rule="", pattern=""), "a.toml")
    second = written(tmp_path, RULE.format(rule="", pattern="").replace("xx.badge", "yy.badge"), "b.toml")
    assert load([first, second], shipped=False).digest != load([second, first], shipped=False).digest


def test_shipped_rules_come_first_and_are_read_in_a_fixed_order():
    shipped = load()
    assert shipped == load()
    assert shipped.rules == load([FILE]).rules[: len(shipped.rules)]


def test_a_letter_class_is_ascii(tmp_path):
    """Otherwise `\\w` and `(?i:)` would mean more than the automata do."""
    rules = one(tmp_path, replace=[("B-[0-9]{4}", r"(?i:k)\w")])
    failing = examples_failing(rules)
    assert [("xx.badge", 1, True)] == [(each.rule_id, each.ordinal, each.wanted) for each in failing]


def test_the_examples_of_the_test_rules_hold():
    assert [] == examples_failing(ruleset())


def test_an_example_that_fails_is_named_by_its_number_and_by_what_was_found(tmp_path):
    changes = {
        "replace": [('["B-1234"]', '["B-1234", "B-12", "b-1234"]')],
        "rule": 'counter_examples = ["x", "B-9999"]',
    }
    assert [
        "xx.badge: example 2: BADGE was not found at likely or more (found: nothing)",
        "xx.badge: example 3: BADGE was not found at likely or more (found: nothing)",
        "xx.badge: counter-example 2: BADGE was found at likely or more (found: BADGE likely)",
    ] == [str(failure) for failure in examples_failing(one(tmp_path, **changes))]


def test_every_rule_file_of_the_package_can_be_read_from_where_it_is_installed():
    files = sorted(path.name for path in (Path(__file__).parents[2] / "scanner" / "rules").glob("*.toml"))
    assert bool(files) == bool(load().rules)
