"""What the rules find in one text. Every engine ends here, so there is one meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from scanner import validators
from scanner.context import NOWHERE, Context, Contexts, bits
from scanner.derived import Leaf, Reading, base64_decoded, folded_digits, json_leaves, percent_decoded
from scanner.findings import Grade, Reason, Via
from scanner.hits import Found, Hit, resolve
from scanner.rules.model import Pattern, Rule, RuleSet
from scanner.rules.reading import compiled

__all__ = ["Hit", "Mask", "Meaning"]

DEEPEST_DOCUMENT = 3
"""So many JSON documents are opened one inside the other."""

_PLANS_KEPT = 65_536
_HERE = Via(0)
_BLANKS = " \t\r\n"
_hit = tuple.__new__  # half the time of `Hit(…)`, once for every finding

Search = Callable[..., "re.Match[str] | None"]
Verdict = tuple[Grade, Reason]
Nominate = Callable[[str], int]


class Mask(NamedTuple):
    """The bits of a mask, for a rule set of n rules: bit i < n says that a pattern of rule i that needs no context may
    match; the others that context-only patterns may, or a derived reading may exist. A superset does no harm."""

    rules: int
    bare: int
    json: int
    percent: int
    base64: int
    digits: int
    all: int

    @classmethod
    def of(cls, count: int) -> Mask:
        """For `count` rules."""
        bare, json, percent, base64, digits = (1 << count + place for place in range(5))
        return cls((1 << count) - 1, bare, json, percent, base64, digits, (1 << count + 5) - 1)


class Form(NamedTuple):
    """A pattern, ready to run. `verdicts` by what speaks for it: nothing, the key, a text nearby; None: no finding.
    `doubted` likewise under a veto. `sways`: a text nearby would change the grade."""

    rule: int
    data_type: str
    search: Search
    validator: Callable[[str], int] | None
    group: int | str
    sways: bool
    verdicts: tuple[Verdict | None, ...]
    doubted: tuple[Verdict | None, ...]


class Plan(NamedTuple):
    """What a mask asks for. `wrapped`: a reader, or that the text may be a `document`."""

    forms: tuple[Form, ...]
    bare: bool
    wrapped: bool
    readers: tuple[Callable[[str], Iterator[Reading]], ...]
    document: bool


class Meaning:
    """The rules, compiled. Pure after construction, but for bounded memos."""

    def __init__(self, ruleset: RuleSet) -> None:
        self.contexts = Contexts(ruleset)
        self.mask = Mask.of(len(ruleset.rules))
        self._any_phrase = self.mask.bare | self.mask.percent | self.mask.base64
        self._priorities = tuple(rule.priority for rule in ruleset.rules)
        forms = [_forms(number, rule) for number, rule in enumerate(ruleset.rules)]
        self._alone = [tuple(form for pattern, form in of if pattern.alone is not None) for of in forms]
        self._bare = [tuple(form for p, form in of if p.alone is None and not p.whole) for of in forms]
        self._whole = [tuple(form for p, form in of if p.alone is None and p.whole) for of in forms]
        self._have_bare = bits(n for n, of in enumerate(self._bare) if of)
        self._plan = lru_cache(maxsize=_PLANS_KEPT)(self._planned)
        self._bare_of = lru_cache(maxsize=_PLANS_KEPT)(lambda rules: _chosen(self._bare, rules))
        self._whole_of = lru_cache(maxsize=_PLANS_KEPT)(lambda rules: _chosen(self._whole, rules))

    def confirm(self, text: str, mask: int, context: Context, nominate: Nominate | None = None) -> list[Hit]:
        """All findings of one text, by place; then, reading by reading, what only a wrapping shows.

        `mask` must be a superset of the truth. `nominate` answers such a mask for a derived text, as for a text in no
        field; without it everything is tried on those.
        """
        plan = self._plan(mask)
        if not plan.wrapped:
            return self._plain(text, plan.forms, plan.bare, context)
        return self._read(text, plan, context, nominate or self._everything, 0)

    def _everything(self, _text: str) -> int:
        return self.mask.all

    def _planned(self, mask: int) -> Plan:
        bits = self.mask
        readers = (folded_digits, bits.digits), (percent_decoded, bits.percent), (base64_decoded, bits.base64)
        return Plan(
            forms=_chosen(self._alone, mask & bits.rules),
            bare=bool(mask & bits.bare),
            wrapped=bool(mask & (bits.digits | bits.percent | bits.base64 | bits.json)),
            readers=tuple(reader for reader, bit in readers if mask & bit),
            document=bool(mask & bits.json),
        )

    def _read(self, text: str, plan: Plan, context: Context, nominate: Nominate, depth: int) -> list[Hit]:
        found = Found(self._plain(text, plan.forms, plan.bare, context))
        for read in plan.readers:
            for reading in read(text):
                found.add(self._through(reading, context, nominate, depth))
        if plan.document:
            found.add(self._inside(text, context, nominate, depth))
        return found.hits

    def _through(self, reading: Reading, context: Context, nominate: Nominate, depth: int) -> list[Hit]:
        """Of a wrapped text: what it says, and if it is a document, what that holds; but no wrapping in a wrapping."""
        plan = self._plan(self._nominated(reading.text, context, nominate))
        found = Found(self._plain(reading.text, plan.forms, plan.bare, context))
        if plan.document and reading.via is not Via.DIGITS:
            found.add(self._inside(reading.text, context, nominate, depth))
        return [
            hit._replace(start=start, end=end, via=hit.via | reading.via)
            for hit in found.hits
            for start, end in (reading.locate(hit.start, hit.end),)
        ]

    def _inside(self, text: str, context: Context, nominate: Nominate, depth: int) -> list[Hit]:
        """Of a JSON document: what its keys, strings and numbers say."""
        if depth == DEEPEST_DOCUMENT:
            return []
        return [
            hit._replace(start=0, end=len(text), via=hit.via | Via.JSON, path=leaf.pointer + hit.path)
            for leaf in json_leaves(text)
            for hit in self._leaf(leaf, context, nominate, depth + 1)
        ]

    def _leaf(self, leaf: Leaf, outer: Context, nominate: Nominate, depth: int) -> list[Hit]:
        context = NOWHERE if leaf.is_key else self.contexts.within(outer, leaf.names)
        mask = self._nominated(leaf.text, context, nominate)
        return self._read(leaf.text, self._plan(mask), context, nominate, depth)

    def _nominated(self, text: str, context: Context, nominate: Nominate) -> int:
        """Where the key enables what needs no phrase in the text, the readings count that would show nothing else."""
        return nominate(text) | (self._any_phrase if context.emits else 0)

    def _plain(self, text: str, forms: tuple[Form, ...], bare: bool, context: Context) -> list[Hit]:
        """The findings in the text as it stands."""
        hits: list[Hit] = []
        self._run(forms, text, context, hits)
        if bare:
            rules = context.enabled | self.contexts.mentioned(text)
            self._run(self._bare_of(rules & self._have_bare), text, context, hits)
        if context.emits:
            self._run(self._whole_of(context.enabled), text, context, hits)
        return resolve(hits, self._priorities) if len(hits) > 1 else hits

    def _run(self, forms: Sequence[Form], text: str, context: Context, hits: list[Hit]) -> None:
        enabled, vetoed = context.enabled, context.vetoed
        for rule, data_type, search, validator, group, sways, verdicts, doubted in forms:
            match = search(text)
            while match is not None:
                start, end = match.span(group)
                if validator is not None:
                    end = start + validator(text[start:end])
                if end <= start:  # refused, or the group took no part: another match may begin inside this one
                    match = search(text, match.start() + 1)
                    continue
                support = 1 if enabled >> rule & 1 else 0
                if not support and sways and start and self.contexts.nearby(text, start) >> rule & 1:
                    support = 2
                verdict = (doubted if vetoed >> rule & 1 else verdicts)[support]
                if verdict is not None:
                    hits.append(_hit(Hit, (rule, data_type, start, end, *verdict, _HERE, "", text[start:end])))
                match = search(text, end) if end < len(text) else None


def _chosen(forms: Sequence[tuple[Form, ...]], rules: int) -> tuple[Form, ...]:
    return tuple(chain.from_iterable(forms[number] for number in _numbers(rules)))


def _numbers(rules: int) -> Iterator[int]:
    while rules:
        lowest = rules & -rules
        yield lowest.bit_length() - 1
        rules ^= lowest


def _forms(number: int, rule: Rule) -> list[tuple[Pattern, Form]]:
    return [(pattern, _form(number, rule, pattern)) for pattern in rule.patterns]


def _form(number: int, rule: Rule, pattern: Pattern) -> Form:
    regex = compiled(pattern.regex)
    validator = validators.lookup(pattern.validator) if pattern.validator else None
    reasons = Reason.FORMAT | Reason.CHECKSUM if validator else Reason.FORMAT
    verdicts = (
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
        doubted=tuple(each and (Grade.POSSIBLE, each[1] | Reason.VETO) for each in verdicts),
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
