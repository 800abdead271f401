"""Patterns of rules, ready to run: what to search, what to check, and what a match is worth."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

from scanner import validators
from scanner.findings import Grade, Reason
from scanner.rules.model import Pattern, Rule
from scanner.rules.reading import compiled

ALONE, BY_KEY, BY_TEXT = range(3)
"""What speaks for a match: nothing but its form, a phrase in its key path, a phrase nearby."""

Verdict = tuple[Grade, Reason]
Search = Callable[..., "re.Match[str] | None"]

_BLANKS = " \t\r\n"


class Form(NamedTuple):
    """A pattern, ready to run. `group` is what to report of a match. `sways`: a phrase nearby would change the grade.
    `verdicts` by what speaks for a match; None: no finding."""

    rule: int
    data_type: str
    search: Search
    validator: Callable[[str], int] | None
    group: int | str
    sways: bool
    verdicts: tuple[Verdict | None, Verdict | None, Verdict | None]


Made = Callable[[], Form]
"""A form that is made when it is first asked for: of seven hundred regexes a scan needs a few dozen."""


def forms_of(number: int, rule: Rule) -> list[tuple[Pattern, Made]]:
    """The patterns of the rule with this index, each with its form."""
    return [(pattern, cache(partial(_form, number, rule, pattern))) for pattern in rule.patterns]


def _form(number: int, rule: Rule, pattern: Pattern) -> Form:
    regex = compiled(pattern.regex)
    validator = validators.lookup(pattern.validator) if pattern.validator else None
    reasons = Reason.FORMAT | Reason.CHECKSUM if validator else Reason.FORMAT
    verdicts = (  # by ALONE, BY_KEY, BY_TEXT
        None if pattern.alone is None else (pattern.alone, reasons),
        (pattern.with_context, reasons | Reason.KEY),
        (pattern.with_context, reasons | Reason.NEARBY),
    )
    return Form(
        rule=number,
        data_type=rule.data_type,
        search=_entire(regex) if pattern.whole else regex.search,
        validator=_all_or_nothing(validator) if validator and pattern.whole else validator,
        group="value" if "value" in regex.groupindex else 0,
        sways=bool(rule.context) and not pattern.whole and pattern.alone is not pattern.with_context,
        verdicts=verdicts,
    )


def _entire(regex: re.Pattern[str]) -> Search:
    def search(text: str, start: int = 0) -> re.Match[str] | None:
        if start:
            return None
        first = len(text) - len(text.lstrip(_BLANKS))
        return regex.fullmatch(text, first, len(text.rstrip(_BLANKS)))

    return search


def _all_or_nothing(validator: validators.Validator) -> validators.Validator:
    def check(text: str) -> int:
        return len(text) if validator(text) == len(text) else 0

    return check
