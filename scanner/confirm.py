"""What the rules find in one text. Every engine ends here, so there is one meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

from scanner.context import NOWHERE, Context, Contexts, bits
from scanner.derived import Leaf, Reading, base64_decoded, folded_digits, json_leaves, percent_decoded
from scanner.findings import Via
from scanner.forms import Form, Made, forms_of, within_blanks
from scanner.hits import Found, Hit, resolve
from scanner.hot import Hot
from scanner.rules.model import RuleSet

__all__ = ["Hit", "Mask", "Meaning"]

DEEPEST_DOCUMENT = 3
"""So many JSON documents are opened one inside the other."""

_PLANS_KEPT = 16_384
_HERE = Via(0)
_HAS_DIGIT = re.compile("[0-9]").search
_hit = tuple.__new__  # half the time of `Hit(…)`, once for every finding

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


class Plan(NamedTuple):
    """What a mask asks for in a context: `forms` that search, and those that must match the `whole` text.

    `mentions`: the rules whose forms also run if the text has a phrase of theirs. `wrapped`: there is a reader, or the
    text may be a `document`."""

    forms: tuple[Form, ...]
    whole: tuple[Form, ...]
    mentions: int
    wrapped: bool
    readers: tuple[Callable[[str], Iterator[Reading]], ...]
    document: bool


class Meaning:
    """The rules, compiled. Pure after construction, but for bounded memos."""

    def __init__(self, ruleset: RuleSet) -> None:
        self.contexts = Contexts(ruleset)
        self.hot = Hot(ruleset, self)
        self.mask = Mask.of(len(ruleset.rules))
        self._any_reading = self.mask.percent | self.mask.base64
        self._priorities = tuple(rule.priority for rule in ruleset.rules)
        forms = [forms_of(number, rule) for number, rule in enumerate(ruleset.rules)]
        self._alone = [tuple(form for pattern, form in of if pattern.alone is not None) for of in forms]
        self._bare = [tuple(form for p, form in of if p.alone is None and not p.whole) for of in forms]
        self._whole = [tuple(form for p, form in of if p.alone is None and p.whole) for of in forms]
        self._have_bare = bits(n for n, of in enumerate(self._bare) if of)
        self._plan = lru_cache(maxsize=_PLANS_KEPT)(self._planned)
        self._bare_under = lru_cache(maxsize=_PLANS_KEPT)(partial(_chosen, self._bare))

    def confirm(self, text: str, mask: int, context: Context, nominate: Nominate | None = None) -> list[Hit]:
        """All findings of one text, by place; then, reading by reading, what only a wrapping shows.

        `mask` must be a superset of the truth. `nominate` answers such a mask for a derived text, as for a text in no
        field; without it everything is tried on those.
        """
        plan = self._plan_of(text, mask, context)
        if not plan.wrapped:
            return self._plain(text, plan, context)
        return self._read(text, plan, context, nominate or self._everything, 0)

    def read(self, text: str, context: Context, nominate: Nominate | None = None) -> list[Hit]:
        """All findings of a text of this context, of whose mask nothing is known."""
        told = nominate or self._everything
        return self.confirm(text, self._nominated(text, context, told), context, told)

    def rules_tried(self, mask: int, context: Context) -> set[int]:
        """The rules, by number, whose patterns `confirm` tries on a text without a phrase."""
        plan = self._plan(mask, context.enabled, context.vetoed, True)
        return {form.rule for form in plan.forms + plan.whole}

    def _everything(self, _text: str) -> int:
        return self.mask.all

    def _plan_of(self, text: str, mask: int, context: Context) -> Plan:
        return self._plan(mask, context.enabled, context.vetoed, _HAS_DIGIT(text) is not None)

    def _planned(self, mask: int, enabled: int, vetoed: int, digits: bool) -> Plan:
        """Context-only patterns are tried on texts with a digit only: nearly all need one, and words have none. Where
        the key enables them they need no phrase, so the mask does not matter."""
        own = self.mask
        readers = (folded_digits, own.digits), (percent_decoded, own.percent), (base64_decoded, own.base64)
        bare = self._have_bare if digits else 0
        return Plan(
            forms=_chosen(self._alone, mask & own.rules, enabled, vetoed)
            + _chosen(self._bare, enabled & bare, enabled, vetoed),
            whole=_chosen(self._whole, enabled, enabled, vetoed),
            mentions=bare & ~enabled if mask & own.bare else 0,
            wrapped=bool(mask & (own.digits | own.percent | own.base64 | own.json)),
            readers=tuple(reader for reader, bit in readers if mask & bit),
            document=bool(mask & own.json),
        )

    def _read(self, text: str, plan: Plan, context: Context, nominate: Nominate, depth: int) -> list[Hit]:
        found = Found(self._plain(text, plan, context))
        for read in plan.readers:
            for reading in read(text):
                found.add(self._through(reading, context, nominate, depth))
        if plan.document:
            found.add(self._inside(text, context, nominate, depth))
        return found.hits

    def _through(self, reading: Reading, context: Context, nominate: Nominate, depth: int) -> list[Hit]:
        """Of a wrapped text: what it says, and if it is a document, what that holds; but no wrapping in a wrapping."""
        plan = self._plan_of(reading.text, self._nominated(reading.text, context, nominate), context)
        found = Found(self._plain(reading.text, plan, context))
        if plan.document and reading.via is not Via.DIGITS:
            found.add(self._inside(reading.text, context, nominate, depth))
        return [hit.through(reading.via, *reading.locate(hit.start, hit.end)) for hit in found.hits]

    def _inside(self, text: str, context: Context, nominate: Nominate, depth: int) -> list[Hit]:
        """Of a JSON document: what its keys, strings and numbers say."""
        if depth == DEEPEST_DOCUMENT:
            return []
        return [
            hit.through(Via.JSON, 0, len(text), leaf.pointer + hit.path)
            for leaf in json_leaves(text)
            for hit in self._leaf(leaf, context, nominate, depth + 1)
        ]

    def _leaf(self, leaf: Leaf, outer: Context, nominate: Nominate, depth: int) -> list[Hit]:
        context = NOWHERE if leaf.is_key else self.contexts.within(outer, leaf.names)
        plan = self._plan_of(leaf.text, self._nominated(leaf.text, context, nominate), context)
        if not plan.wrapped:
            return self._plain(leaf.text, plan, context)
        return self._read(leaf.text, plan, context, nominate, depth)

    def _nominated(self, text: str, context: Context, nominate: Nominate) -> int:
        """Where the key enables what needs no phrase in the text, the readings count that would show nothing else."""
        return nominate(text) | (self._any_reading if context.emits else 0)

    def _plain(self, text: str, plan: Plan, context: Context) -> list[Hit]:
        """The findings in the text as it stands. Runs for every value that a kernel nominates: a few microseconds."""
        forms = plan.forms
        if plan.mentions and (rules := plan.mentions & self.contexts.mentioned(text)):
            forms += self._bare_under(rules, 0, context.vetoed)
        hits: list[Hit] = []
        for rule, data_type, search, validator, group, alone, swayed, _ in forms:
            match = search(text)
            while match is not None:
                start, end = match.span(group)
                if validator is not None:
                    end = start + validator(text[start:end])
                if end <= start:  # refused, or the group took no part: another match may begin inside this one
                    match = search(text, match.start() + 1)
                    continue
                verdict = alone
                if swayed is not None and start and self.contexts.nearby(text, start) >> rule & 1:
                    verdict = swayed
                if verdict is not None:
                    grade, reasons = verdict
                    hits.append(_hit(Hit, (rule, data_type, start, end, grade, reasons, _HERE, "", text[start:end])))
                match = search(text, end) if end < len(text) else None
        if plan.whole:
            hits += _entire(text, plan.whole)
        return resolve(hits, self._priorities) if len(hits) > 1 else hits


def _entire(text: str, forms: Iterable[Form]) -> Iterator[Hit]:
    """The findings of patterns that the text must match from end to end, but for blanks."""
    first, last = within_blanks(text)
    for rule, data_type, fullmatch, validator, group, verdict, _, _ in forms:
        if (match := fullmatch(text, first, last)) is None:
            continue
        start, end = match.span(group)
        value = text[start:end]
        if start < end and verdict is not None and (validator is None or validator(value) == len(value)):
            yield _hit(Hit, (rule, data_type, start, end, *verdict, _HERE, "", value))


def _chosen(forms: Sequence[tuple[Made, ...]], rules: int, enabled: int, vetoed: int) -> tuple[Form, ...]:
    return tuple(made().under(enabled, vetoed) for number in _numbers(rules) for made in forms[number])


def _numbers(rules: int) -> Iterator[int]:
    while rules:
        lowest = rules & -rules
        yield lowest.bit_length() - 1
        rules ^= lowest
