"""The small rule set of the scanner's own tests, compiled once."""

from functools import cache
from pathlib import Path

from scanner.confirm import Meaning
from scanner.context import field_path
from scanner.rules import load

FILE = Path(__file__).with_suffix(".toml")


@cache
def ruleset():
    return load([FILE], shipped=False)


@cache
def meaning():
    return Meaning(ruleset())


def number_of(rule_id):
    return next(number for number, rule in enumerate(ruleset().rules) if rule.id == rule_id)


def found(text, field=""):
    """Everything in the text, as the reference finds it."""
    return meaning().read(text, meaning().contexts.of(field_path(field)))


def told(text, field=""):
    """(type, grade, what the span covers, how it was read) of every finding."""
    return [(hit.data_type, hit.grade.word, text[hit.start : hit.end], *hit.via.words) for hit in found(text, field)]


def wide(text):
    """The full-width forms of ASCII characters; letters, digits and marks that are typed in East Asian texts."""
    return "".join(chr(ord(mark) + 0xFEE0) if "!" <= mark <= "~" else mark for mark in text)
