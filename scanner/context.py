"""Which rules the words around a value speak for: the keys on its path, and what stands just before it.

A word is a maximal run of letters and digits, without case and accents (`Numéro` = `numero`). A run in camelCase
counts both whole and in pieces: `userSSN` holds `userssn`, `user` and `ssn`, and `WhatsApp` is still `whatsapp`. But
phrases of one word of two letters (`ip`, `cc`) are no pieces in texts: identifiers are full of them. Phrases in
scripts without blanks between words (Chinese, Japanese, Korean, Thai and the like) are found as substrings.

Keys are terser than texts: in them `phonenumber` is also `phone number`, and a word that no phrase has counts without
digits at its end (`phone2`) or a plural s (`phones`, from five letters).

An engine that looks for phrases in texts by bytes may rely on this: a text in which a phrase is found either has a
character beyond ASCII that is not among `MARKS`, or has each word of the phrase in some case, where no letter or digit
stands before the word unless the word begins with a capital, and no lower-case letter after it; around the only word of
two letters no letter or digit at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from scanner.rules.model import Rule, RuleSet

NEARBY_CHARACTERS = 40
"""A phrase counts that stands wholly within so many characters before a match."""

_PATHS_KEPT = 16_384

_UPPER = "A-ZÀ-ÖØ-Þ"
_LOWER = rf"[^\W\d_{_UPPER}]"
_RUN = re.compile(r"[^\W_]+")
_ASCII_RUN = re.compile("[0-9a-z]+")  # of lower-case ASCII
_CAMEL = re.compile(rf"{_LOWER}\d*[{_UPPER}]|[{_UPPER}]{{2}}{_LOWER}")
_ASCII_CAMEL = re.compile("[a-z][0-9]*[A-Z]|[A-Z]{2}[a-z]")
_PIECE = re.compile(
    rf"[{_UPPER}]+s?(?!{_LOWER})(?:\d+(?:{_LOWER}+\d*)*)?|[{_UPPER}]?{_LOWER}+(?:\d+{_LOWER}+)*\d*|\d+(?:{_LOWER}+\d*)*"
)
_ASCII_PIECE = re.compile(
    "[A-Z]+s?(?![a-z])(?:[0-9]+(?:[a-z]+[0-9]*)*)?|[A-Z]?[a-z]+(?:[0-9]+[a-z]+)*[0-9]*|[0-9]+(?:[a-z]+[0-9]*)*"
)
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u31ff\u3400-\u9fff\uac00-\ud7af]")
_SHORTEST_PLURAL = 5
SHORTEST_PIECE = 3
MARKS = frozenset(map(chr, (*range(0xA2, 0xAA), *range(0x2010, 0x2040), *range(0x20A0, 0x20C0))))
"""Currencies, dashes, quotes and the like: characters beyond ASCII that are in no word."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the key path of a value says, as bit sets of rule indices.

    `along`: a `context` phrase of the rule is on the path; `enabled`: that, or a `keys` phrase is in the own key;
    `vetoed`: a `veto` phrase is in the own key. `emits`: an enabled rule may find what no mask announces, so that every
    value of this path must be confirmed.
    """

    enabled: int = 0
    vetoed: int = 0
    along: int = 0
    emits: bool = False


NOWHERE = Context()
"""The context of a text that stands in no field, and of every key."""


class Contexts:
    """The contexts of one rule set."""

    def __init__(self, ruleset: RuleSet) -> None:
        rules = ruleset.rules
        self._before = _Phrases(rules, lambda rule: rule.context)
        self._along = _Phrases(rules, lambda rule: rule.context, in_keys=True)
        self._keys = _Phrases(rules, lambda rule: rule.keys, in_keys=True)
        self._veto = _Phrases(rules, lambda rule: rule.veto, in_keys=True)
        self._known = {(pointer[1:],) for pointer in ruleset.fields}
        self._emitting = bits(
            n for n, rule in enumerate(rules) if any(p.whole or p.alone is None for p in rule.patterns)
        )
        self.of = lru_cache(maxsize=_PATHS_KEPT)(self._of)
        self._context_of = lru_cache(maxsize=_PATHS_KEPT)(self._made)

    def _of(self, path: tuple[str, ...]) -> Context:
        """The context of the values at this path: key names from the root to the value, without array positions."""
        if not path:
            return NOWHERE
        along, own = self._along.inside(" ".join(path)), path[-1]
        return self._context_of(along, along | self._keys.inside(own), self._veto.inside(own))

    def in_event(self, path: tuple[str, ...]) -> Context:
        """The same for the fields of an event. A known field holds its type whatever its values, so its name speaks
        for no rule that would have every one of them confirmed: such fields are in every event, and hardly repeat."""
        context = self.of(path)
        if path not in self._known:
            return context
        return self._context_of(context.along & ~self._emitting, context.enabled & ~self._emitting, context.vetoed)

    def within(self, outer: Context, path: tuple[str, ...]) -> Context:
        """The context at `path` of a document that is itself the value of a field."""
        if not path:
            return outer
        inner = self.of(path)
        return self._context_of(outer.along | inner.along, outer.along | inner.enabled, inner.vetoed)

    def nearby(self, text: str, start: int) -> int:
        """Bit set of the rules with a `context` phrase in the 40 characters before `start`."""
        first = start - NEARBY_CHARACTERS
        if first <= 0:
            return self._before.inside(text[:start])
        cut = text[first].isalnum() and text[first - 1].isalnum()
        return self._before.inside(text[first:start], cut=cut)

    def mentioned(self, text: str) -> int:
        """Bit set of the rules with a `context` phrase anywhere in the text."""
        return self._before.inside(text)

    def _made(self, along: int, enabled: int, vetoed: int) -> Context:
        return Context(enabled, vetoed, along, bool(enabled & self._emitting))


def field_path(field: str) -> tuple[str, ...]:
    """The path of a field named as `user_properties.email` or as the JSON pointer `/user_properties/email`."""
    if field.startswith("/"):
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in field[1:].split("/"))
    return tuple(part for part in field.split(".") if part)


def bits(numbers: Iterable[int]) -> int:
    """The set of numbers as an int."""
    return sum(1 << number for number in set(numbers))


def phrase_words(phrase: str) -> tuple[str, ...]:
    """The words of a phrase as they are compared. A phrase without spaces between its words is one."""
    if _UNSPACED.search(phrase):
        return (phrase.strip().lower(),)
    return tuple(_folded(run) for run in _RUN.findall(phrase))


class _Phrases:
    """Phrases of many rules, found by their first word. `in_keys`: as keys are written."""

    def __init__(self, rules: Sequence[Rule], of: Callable[[Rule], Iterable[str]], *, in_keys: bool = False) -> None:
        rules_of: dict[tuple[str, ...], int] = {}
        for number, rule in enumerate(rules):
            for words in filter(None, map(phrase_words, of(rule))):
                for form in {words, ("".join(words),)} if in_keys else {words}:
                    rules_of[form] = rules_of.get(form, 0) | 1 << number
        self._unspaced = {form[0]: found for form, found in rules_of.items() if _UNSPACED.search(form[0])}
        self._by_first: dict[str, list[tuple[list[str], int]]] = {}
        for form, found in rules_of.items():
            if form[0] not in self._unspaced:
                self._by_first.setdefault(form[0], []).append((list(form[1:]), found))
        self._by_first_piece = {
            first: kept
            for first, forms in self._by_first.items()
            if (kept := [each for each in forms if in_keys or each[0] or len(first) >= SHORTEST_PIECE])
        }
        self._known = frozenset(word for form in rules_of for word in form)
        self._in_keys = in_keys

    def inside(self, text: str, *, cut: bool = False) -> int:
        """Bit set of the rules with a phrase in the text. `cut`: its first word is the end of a longer one."""
        if text.isascii():
            return self._inside_ascii(text, cut)
        found = self._among(map(_folded, _RUN.findall(text)[cut:]), self._by_first)
        if _CAMEL.search(text):
            found |= self._among(map(_folded, _PIECE.findall(text)[cut:]), self._by_first_piece)
        if self._unspaced:
            lowered = text.lower()
            for phrase, rules in self._unspaced.items():
                if phrase in lowered:
                    found |= rules
        return found

    def _inside_ascii(self, text: str, cut: bool) -> int:
        """The same for ASCII, in half the time."""
        found = self._among(_ASCII_RUN.findall(text.lower())[cut:], self._by_first)
        if _ASCII_CAMEL.search(text):
            found |= self._among(map(str.lower, _ASCII_PIECE.findall(text)[cut:]), self._by_first_piece)
        return found

    def _among(self, runs: Iterable[str], by_first: dict[str, list[tuple[list[str], int]]]) -> int:
        words = [self._as_known(run) for run in runs] if self._in_keys else list(runs)
        found = 0
        if by_first.keys().isdisjoint(words):
            return found
        for place, word in enumerate(words, 1):
            for rest, rules in by_first.get(word, ()):
                if not rest or words[place : place + len(rest)] == rest:
                    found |= rules
        return found

    def _as_known(self, word: str) -> str:
        if word in self._known:
            return word
        plural = word[-1] == "s" and len(word) >= _SHORTEST_PLURAL
        shorter = word[:-1] if plural else word.rstrip("0123456789")
        return shorter if shorter in self._known else word


def _folded(run: str) -> str:
    if run.isascii():
        return run.lower()
    letters = unicodedata.normalize("NFKD", run.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()
