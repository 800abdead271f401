"""How often would an anchor be hit for nothing? An estimate, to choose between anchors that are all correct.

The model is a table of forms in which the values of an export are written, each with the number of such values that
an event holds. Every character of a form is drawn evenly from its class. One more form stands for all that the table
does not think of: text whose characters are drawn independently, digits and separators more often than in prose. So
the expected number of times that a position automaton arrives at a position is a sum of products, exact and quick: no
table is built. Forms of personal data are not listed, but for the IP address that is in every event; nor are those
that the kernel skips. `sample` draws texts of these forms.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

from scanner.automaton.nodes import PAD, Chars, Node, Repeat, Seq, sequence
from scanner.automaton.positions import Positions, bits
from scanner.automaton.syntax import parse

_FORMS = (
    # how many per event, form
    (2.0, "17[0-9]{11}"),  # milliseconds: session ids
    (1.0, "[1-9][0-9]{11}"),  # Amplitude ids
    (3.0, "[0-9]{6}"),
    (1.0, "[0-9]{5}"),
    (1.0, "[0-9]{8}"),
    (0.5, "17[0-9]{8}"),  # seconds
    (0.3, "[0-9]{9}"),
    (0.3, "[0-9]{11}"),
    (0.2, "[1-9][0-9]{18}"),
    (3.0, r"[0-9]{3}\.[0-9]{2}"),
    (1.0, r"[0-9]{4}\.[0-9]{2}"),
    (0.5, r"0\.[0-9]{16}"),
    (0.5, r"-[0-9]{2}\.[0-9]{6}"),
    (2.0, r"[0-9]\.[0-9]{2}\.[0-9]"),
    (0.3, r"[0-9]{3}\.0\.[0-9]{4}\.[0-9]{3}"),
    (0.3, r"[1-9][0-9]\.[1-9][0-9]\.[1-9][0-9]-[a-z]{4}\.[0-9]"),
    (0.3, r"[1-9]\.[1-9][0-9]\.[1-9][0-9]-[a-z]{4}\.[0-9]"),
    (0.3, r"[1-9]\.[1-9]\.[1-9]\.[0-9]{4}"),
    (0.3, "@[a-z]{4}/[a-z]{6}@[0-9]\\.[0-9]\\.[0-9]"),
    (0.3, "https://[a-z]{3}\\.[a-z]{6}\\.net/[a-z]{3}/[a-z]{4}[0-9]{2}@2x\\.png"),
    (0.3, "-[1-9][0-9]{2}\\.[0-9]{4}"),
    (0.3, "\xa3[0-9]{2},[0-9]{3}\\.[0-9]{2}"),
    (0.3, "[0-9a-f]{22}"),
    (0.3, "[0-9]{19}"),
    (0.5, r"1[0-9]{2}\.1[0-9]{2}\.1[0-9]{2}\.1[0-9]{2}"),
    (0.3, r"[1-9][0-9]\.1[0-9]{2}\.[1-9][0-9]\.1[0-9]{2}"),
    (0.3, r"1[0-9]{2}\.[1-9][0-9]\.1[0-9]{2}\.[1-9][0-9]"),
    (0.3, r"1[0-9]{2}\.1[0-9]{2}\.[1-9][0-9]\.[1-9][0-9]"),
    (0.3, r"[1-9][0-9]\.[1-9][0-9]\.1[0-9]{2}\.1[0-9]{2}"),
    (0.3, r"[1-9][0-9]\.1[0-9]{2}\.1[0-9]{2}\.[1-9]"),
    (0.3, r"1[0-9]{2}\.[1-9]\.1[0-9]{2}\.[1-9][0-9]"),
    (0.3, "2[0-9a-f]{3}:[0-9a-f]{4}:[0-9a-f]{3}:[0-9a-f]{4}:[0-9a-f]{4}:[0-9a-f]{4}:[0-9a-f]{4}:[0-9a-f]{4}"),
    (0.3, "2[0-9a-f]{3}:[0-9a-f]{4}::[0-9a-f]{4}:[0-9a-f]{4}"),
    (1.0, "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z"),
    (0.5, "20[0-9]{2}-[01][0-9]-[0-3][0-9]"),
    (0.3, "[0-3][0-9]/[01][0-9]/20[0-9]{2}"),
    (0.2, "[0-2][0-9]:[0-5][0-9]"),
    (0.5, "[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}R"),  # device ids
    (0.5, "[a-z]{5}_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    (1.0, "[0-9a-f]{32}"),
    (0.2, "[0-9a-f]{64}"),
    (0.5, "[0-9A-Za-z]{22}"),
    (0.2, "[0-9A-Za-z+/]{60}"),
    (5.0, "[a-z]{8}"),
    (4.0, "[A-Z][a-z]{6}"),
    (2.0, "[A-Z][a-z]{4} [A-Z][a-z]{7}"),
    (1.0, "[A-Z]{3}"),
    (0.5, "[A-Z]{8}"),
    (1.0, "[a-z]{6}_[a-z]{8}_[a-z]{4}"),
    (1.0, "[a-z]{9}-[a-z]{4}/[0-9]\\.[0-9]{2}\\.[0-9]"),
    (1.0, "[a-z]{3}_[0-9a-f]{4}"),
    (1.0, "[A-Z]{3}-[0-9]{6}"),
    (0.3, "[A-Z]{3}-[0-9]{4}-[0-9]{6}"),
    (0.3, "[A-Z]{2}-[A-Z][0-9]{3}[A-Z]"),
    (0.2, "[A-Z]{2}[0-9]{8}"),
    (0.5, "https://[a-z]{3}\\.[a-z]{7}\\.com/[a-z]/[0-9]{5}\\?[a-z]{3}_[a-z]{6}=[a-z]{2}&[a-z]=[0-9a-f]{6}"),
    (0.3, "https://[a-z]{3}\\.[a-z]{6}\\.com/[a-z]{6}\\?[a-z]=[a-z]{5}&[a-z]{5}=[0-9a-f]{30}"),
    (0.3, "u_[0-9a-f]{12}"),
    (0.3, r"\([A-Z][a-z]{6} NT 10\.0; Win64; x64\) [A-Z][a-z]{4}/[0-9]{3}\.[0-9]\.0\.0 [A-Z][a-z]{5}/[0-9]{3}\.36"),
    (0.3, r"Mozilla/5\.0 \([a-z]{6}; CPU [a-z]{6} OS [0-9]{2}_[0-9]_[0-9]\) [A-Z][a-z]{4}/[0-9]{3}\.[0-9]\.[0-9]{2}"),
    (0.5, "[A-Z][a-z]{3} [a-z]{5} [a-z]{2} [0-9]{2} [a-z]{7}, [a-z]{3} [0-9]{4}\\. [A-Z][a-z]{2} [a-z]{8} [a-z]{4}!"),
)


_TEXT = (3.0, 40)  # how many per event, characters
_TEXT_CHARACTERS = (
    (0.30, "[0-9]"),
    (0.35, "[a-z]"),
    (0.10, "[A-Z]"),
    (0.07, " "),
    (0.05, "-"),
    (0.04, r"\."),
    (0.03, "[:/_,]"),
    (0.06, r"[\x00-\x1f!-+;-@\[-^`{-\x7f]"),
)


_Character: TypeAlias = tuple[tuple[int, float], ...]
"""(set of bytes, probability of each of them), …"""


class _Form(NamedTuple):
    weight: float
    characters: tuple[_Character, ...]
    """Pads included."""


def arrivals(positions: Positions, first: int) -> list[dict[int, float]]:
    """For each form: how often each position is expected to be reached in one value."""
    follow = [tuple(bits(positions.follow[position])) for position in range(len(positions.labels))]
    begin = tuple(bits(first))
    return [_run(positions.labels, begin, follow, form) for form in FORMS]


def hits_per_event(reached: Sequence[dict[int, float]], last: int) -> float:
    """How many values of one event are expected to be hit; `last` are the final positions."""
    final = list(bits(last))
    return sum(
        form.weight * min(1.0, sum(at.get(position, 0.0) for position in final))
        for form, at in zip(FORMS, reached, strict=True)
    )


def _run(labels: list[int], begin: tuple[int, ...], follow: list[tuple[int, ...]], form: _Form) -> dict[int, float]:
    total: dict[int, float] = {}
    now: dict[int, float] = {}
    for character in form.characters:
        coming = dict.fromkeys(begin, 1.0)
        for position, expected in now.items():
            for after in follow[position]:
                coming[after] = coming.get(after, 0.0) + expected
        now = {}
        for position, expected in coming.items():
            if share := _share(labels[position], character):
                now[position] = expected * share
                total[position] = total.get(position, 0.0) + expected * share
    return total


@cache
def _share(label: int, character: _Character) -> float:
    """The probability that a label reads this character."""
    return sum((label & members).bit_count() * each for members, each in character)


def _form(weight: float, regex: str) -> _Form:
    items = sequence((parse(regex),))
    row = items.items if isinstance(items, Seq) else (items,)
    return _Form(
        weight, (_PAD, *(((members, 1 / members.bit_count()),) for item in row for members in _sets(item)), _PAD)
    )


def _sets(item: Node) -> list[int]:
    """The characters of one item of a form: a class, or a class so many times."""
    match item:
        case Chars(members):
            return [members]
        case Repeat(Chars(members), least, most) if least == most:
            return [members] * least
    raise TypeError("a form has a fixed length")


def _text() -> _Form:
    weight, length = _TEXT
    sets = [(share, _sets(parse(regex))[0]) for share, regex in _TEXT_CHARACTERS]
    character = tuple((members, share / members.bit_count()) for share, members in sets)
    return _Form(weight, (_PAD, *[character] * length, _PAD))


_PAD = ((1 << PAD, 1.0),)
FORMS = (*(_form(weight, regex) for weight, regex in _FORMS), _text())

_TIMES = 40  # texts of the sample per value of an event


@cache
def sample() -> tuple[bytes, ...]:
    """Texts in bytes, pads included: of each form as many as its weight says. The same every time."""
    dice = random.Random(_TIMES)
    return tuple(
        bytes(_drawn(character, dice) for character in form.characters)
        for form in FORMS
        for _ in range(round(_TIMES * form.weight))
    )


def _drawn(character: _Character, dice: random.Random) -> int:
    (members, _) = dice.choices(character, [members.bit_count() * each for members, each in character])[0]
    return dice.choice(list(bits(members)))
