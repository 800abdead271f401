"""Patterns of rules, ready to run: what to search, what to check, and what a match is worth."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from scanner import validators
from scanner.findings import Grade, Reason
from scanner.rules.model import Pattern, Rule
from scanner.rules.reading import compiled

Verdict = tuple[Grade, Reason]
Search = Callable[..., "re.Match[str] | None"]

_BLANKS = " \t\r\n"


class Form(NamedTuple):
    """A pattern, ready to run. `group` is what to report of a match.

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


def forms_of(number: int, rule: Rule) -> list[tuple[Pattern, Form]]:
    """The patterns of the rule with this index, each with its form."""
    return [(pattern, _form(number, rule, pattern)) for pattern in rule.patterns]


def _form(number: int, rule: Rule, pattern: Pattern) -> Form:
    regex = compiled(pattern.regex)
    validator = validators.lookup(pattern.validator) if pattern.validator else None
    reasons = Reason.FORMAT | Reason.CHECKSUM if validator else Reason.FORMAT
    sways = rule.context and not pattern.whole and pattern.alone is not pattern.with_context
    return Form(
        rule=number,
        data_type=rule.data_type,
        search=_entire(regex) if pattern.whole else regex.search,
        validator=_all_or_nothing(validator) if validator and pattern.whole else validator,
        group="value" if "value" in regex.groupindex else 0,
        verdict=None if pattern.alone is None else (pattern.alone, reasons),
        swayed=(pattern.with_context, reasons | Reason.NEARBY) if sways else None,
        keyed=(pattern.with_context, reasons | Reason.KEY),
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
