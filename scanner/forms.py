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

_BLANKS = " \t\r\n"

Verdict = tuple[Grade, Reason]
Search = Callable[..., "re.Match[str] | None"]


class Form(NamedTuple):
    """A pattern, ready to run. `search` of a `whole` pattern that only context enables is its regex' `fullmatch`, which
    is to be told where the text begins and ends without blanks. `group` is what to report of a match.

    A match is worth `verdict`; `swayed` if a phrase nearby speaks for it; `keyed` if its key does. None: no finding; of
    `swayed`, that a phrase would change nothing.
    """

    rule: int
    data_type: str
    search: Search
    validator: Callable[[str], int] | None
    group: int | str
    verdict: Verdict | None
    swayed: Verdict | None
    keyed: Verdict

    def under(self, enabled: int, vetoed: int) -> Form:
        """The same for the values of a key that speaks for some rules and against some."""
        if not (enabled | vetoed) >> self.rule & 1:
            return self
        verdict, swayed = (self.keyed, None) if enabled >> self.rule & 1 else (self.verdict, self.swayed)
        if vetoed >> self.rule & 1:
            verdict, swayed = _doubted(verdict), _doubted(swayed)
        return self._replace(verdict=verdict, swayed=swayed)


def _doubted(verdict: Verdict | None) -> Verdict | None:
    return verdict and (Grade.POSSIBLE, verdict[1] | Reason.VETO)


Made = Callable[[], Form]
"""A form that is made when it is first asked for: of seven hundred regexes a scan needs a few dozen."""


def forms_of(number: int, rule: Rule) -> list[tuple[Pattern, Made]]:
    """The patterns of the rule with this index, each with its form."""
    return [(pattern, cache(partial(_form, number, rule, pattern))) for pattern in rule.patterns]


def _form(number: int, rule: Rule, pattern: Pattern) -> Form:
    regex = compiled(pattern.regex)
    validator = validators.lookup(pattern.validator) if pattern.validator else None
    reasons = Reason.FORMAT | Reason.CHECKSUM if validator else Reason.FORMAT
    sways = rule.context and not pattern.whole and pattern.alone is not pattern.with_context
    return Form(
        rule=number,
        data_type=rule.data_type,
        search=_search(regex, pattern),
        validator=_all_or_nothing(validator) if validator and pattern.whole else validator,
        group="value" if "value" in regex.groupindex else 0,
        verdict=None if pattern.alone is None else (pattern.alone, reasons),
        swayed=(pattern.with_context, reasons | Reason.NEARBY) if sways else None,
        keyed=(pattern.with_context, reasons | Reason.KEY),
    )


def _search(regex: re.Pattern[str], pattern: Pattern) -> Search:
    if not pattern.whole:
        return regex.search
    return regex.fullmatch if pattern.alone is None else _entire(regex)


def _entire(regex: re.Pattern[str]) -> Search:
    def search(text: str, start: int = 0) -> re.Match[str] | None:
        return None if start else regex.fullmatch(text, *within_blanks(text))

    return search


def within_blanks(text: str) -> tuple[int, int]:
    """Where a text begins and ends, blanks around it apart."""
    return len(text) - len(text.lstrip(_BLANKS)), len(text.rstrip(_BLANKS))


def _all_or_nothing(validator: validators.Validator) -> validators.Validator:
    def check(text: str) -> int:
        return len(text) if validator(text) == len(text) else 0

    return check
