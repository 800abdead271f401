"""The automata beside the main one: words of context phrases, and digits of other scripts.

*Words.* A context-only pattern counts in a text when a phrase of its rule stands before it. `scanner.context` says
what a text with a phrase looks like in bytes: it has a character beyond ASCII other than a few marks, or each word of
the phrase in some case, after something other than a letter or digit unless the word begins with a capital, and
before anything but a lower-case letter; an only word of two letters stands between anything but letters and digits.
One word of each phrase is enough to look for: the longest, because `no` and `id` stand in every second text. Where
even that has fewer than three letters, as in `id no`, all words are, with no letter between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from scanner.automaton.nodes import BYTES, Alt, Chars, Node, Repeat, Seq, byte_set
from scanner.automaton.subset import Dfa, compile_trees
from scanner.context import SHORTEST_PIECE, phrase_words
from scanner.derived import FOLDINGS
from scanner.rules.model import Rule, RuleSet

_LOWER, _UPPER, _DIGIT = byte_set([(97, 122)]), byte_set([(65, 90)]), byte_set([(48, 57)])
_BEFORE, _AFTER = Chars(BYTES & ~(_LOWER | _UPPER | _DIGIT)), Chars(BYTES & ~_LOWER)
_BETWEEN = Repeat(Chars(BYTES & ~(_LOWER | _UPPER)), 0, None)

Words: TypeAlias = tuple[str, ...]
"""Lower-case ASCII words of a phrase that are looked for, in their order; one in most cases."""


def words_automaton(rules: RuleSet, output: int) -> Dfa:
    """Says `output` when a text may hold a context phrase of any rule."""
    return compile_trees({output: [words_tree(words) for words in sorted(sought_words(rules.rules))]})


def digits_automaton(output: int) -> Dfa:
    """Says `output` when a text holds a character that stands for one in ASCII."""
    return compile_trees({output: [_any_of(chr(code).encode() for code in FOLDINGS)]})


def sought_words(rules: Iterable[Rule]) -> set[Words]:
    """What to look for of each phrase that ASCII texts can hold."""
    phrases = {phrase_words(phrase) for rule in rules for phrase in rule.context}
    return {_sought(words) for words in phrases if words and all(word.isascii() for word in words)}


def _sought(words: Words) -> Words:
    longest = max(words, key=lambda word: (len(word), word))
    return (longest,) if len(longest) >= SHORTEST_PIECE else words


def words_tree(words: Words) -> Node:
    """The words in any case, and what must stand around them."""
    nodes: list[Node] = []
    for word in words:
        nodes += [_BETWEEN, *_in_any_case(word)]
    _, first, *following = nodes
    capital = Chars(first.members & _UPPER) if isinstance(first, Chars) else Chars(0)
    standing = Seq((_BEFORE, first))
    if len(words) == 1 and len(words[0]) < SHORTEST_PIECE:
        return Seq((standing, *following, _BEFORE))
    return Seq((Alt((standing, capital)) if capital.members else standing, *following, _AFTER))


def _in_any_case(word: str) -> Iterator[Chars]:
    return (Chars(byte_set((ord(c), ord(c)) for c in {letter, letter.upper()})) for letter in word)


def _any_of(texts: Iterable[bytes]) -> Node:
    """One of these byte strings, with common beginnings shared."""
    last_bytes: dict[bytes, int] = {}
    for text in texts:
        last_bytes[text[:-1]] = last_bytes.get(text[:-1], 0) | 1 << text[-1]
    return Alt(tuple(Seq((*_literal(begin), Chars(last))) for begin, last in last_bytes.items()))


def _literal(text: bytes) -> Iterator[Node]:
    return (Chars(1 << byte) for byte in text)
