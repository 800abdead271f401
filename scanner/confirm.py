"""What the rules find in one text. Every engine ends here, so there is one meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from scanner.context import NOWHERE, Context, Contexts, bits
from scanner.derived import Leaf, Reading, base64_decoded, folded_digits, json_leaves, percent_decoded
from scanner.findings import Grade, Reason, Via
from scanner.forms import ALONE, BY_KEY, BY_TEXT, Form, Made, Verdict, forms_of
from scanner.hits import Found, Hit, resolve
from scanner.rules.model import RuleSet

__all__ = ["Hit", "Mask", "Meaning"]

DEEPEST_DOCUMENT = 3
"""So many JSON documents are opened one inside the other."""

_PLANS_KEPT = 16_384
_HERE = Via(0)
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
        forms = [forms_of(number, rule) for number, rule in enumerate(ruleset.rules)]
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

    def read(self, text: str, context: Context, nominate: Nominate | None = None) -> list[Hit]:
        """All findings of a text of this context, of whose mask nothing is known."""
        told = nominate or self._everything
        return self.confirm(text, self._nominated(text, context, told), context, told)

    def _everything(self, _text: str) -> int:
        return self.mask.all

    def _planned(self, mask: int) -> Plan:
        own = self.mask
        readers = (folded_digits, own.digits), (percent_decoded, own.percent), (base64_decoded, own.base64)
        return Plan(
            forms=_chosen(self._alone, mask & own.rules),
            bare=bool(mask & own.bare),
            wrapped=bool(mask & (own.digits | own.percent | own.base64 | own.json)),
            readers=tuple(reader for reader, bit in readers if mask & bit),
            document=bool(mask & own.json),
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
        """The findings in the text as it stands. Runs for every value that a kernel nominates: a few microseconds."""
        if bare or context.emits:
            forms += self._context_only(text, bare, context)
        spoken_of = context.enabled | context.vetoed
        hits: list[Hit] = []
        for form in forms:
            rule, data_type, search, validator, group, sways, verdicts = form
            match = search(text)
            while match is not None:
                start, end = match.span(group)
                if validator is not None:
                    end = start + validator(text[start:end])
                if end <= start:  # refused, or the group took no part: another match may begin inside this one
                    match = search(text, match.start() + 1)
                    continue
                plain = not (sways and start) and not spoken_of >> rule & 1
                verdict = verdicts[0] if plain else self._judged(form, text, start, context)
                if verdict is not None:
                    hits.append(_hit(Hit, (rule, data_type, start, end, *verdict, _HERE, "", text[start:end])))
                match = search(text, end) if end < len(text) else None
        return resolve(hits, self._priorities) if len(hits) > 1 else hits

    def _context_only(self, text: str, bare: bool, context: Context) -> tuple[Form, ...]:
        """The forms that need a context and may have one: whole values only by their key, others by the text, too."""
        whole = self._whole_of(context.enabled)
        if not bare:
            return whole
        return self._bare_of((context.enabled | self.contexts.mentioned(text)) & self._have_bare) + whole

    def _judged(self, form: Form, text: str, start: int, context: Context) -> Verdict | None:
        if context.enabled >> form.rule & 1:
            support = BY_KEY
        elif form.sways and start and self.contexts.nearby(text, start) >> form.rule & 1:
            support = BY_TEXT
        else:
            support = ALONE
        verdict = form.verdicts[support]
        if verdict is None or not context.vetoed >> form.rule & 1:
            return verdict
        return Grade.POSSIBLE, verdict[1] | Reason.VETO


def _chosen(forms: Sequence[tuple[Made, ...]], rules: int) -> tuple[Form, ...]:
    return tuple(made() for number in _numbers(rules) for made in forms[number])


def _numbers(rules: int) -> Iterator[int]:
    while rules:
        lowest = rules & -rules
        yield lowest.bit_length() - 1
        rules ^= lowest
