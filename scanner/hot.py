"""Values that are judged alike, so that the native kernel need not ask about each of them.

Most values that hold anything are of two kinds: the IP address of every event, and identifiers of devices. The kernel
recognises a part of either kind by itself (`kernel/hot.c`). All that it recognises are whole matches of one rule that
pass its validator; so where no other rule is in question, one specimen is judged for all of them, once in each context.
And most numbers that could be a card's fail Luhn's check digit.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from scanner.context import Context
from scanner.hits import Hit
from scanner.rules.model import RuleSet

if TYPE_CHECKING:
    from scanner.confirm import Meaning


class Kind(IntEnum):
    """The numbers are the kernel's."""

    IPV4 = 0
    TOKEN = 1
    IPV6 = 2
    SHORT_IPV6 = 3


class Specimen(NamedTuple):
    """The rule whose matches they are, and one of them."""

    rule: str
    text: str


SPECIMENS = {
    Kind.IPV4: Specimen("network.ipv4", "203.0.113.77"),
    Kind.TOKEN: Specimen("device.id", "9774d56d682e549c"),
    Kind.IPV6: Specimen("network.ipv6", "2001:db8:85a3:0:1:8a2e:370:7334"),
    Kind.SHORT_IPV6: Specimen("network.ipv6", "2001:db8::8a2e:370"),
}
LUHN = frozenset({"luhn", "card", "imei", "iccid"})
"""Validators that refuse a run of digits whose last one is not Luhn's check digit."""

_NO_BIT, _BYTES = 0xFFFFFFFF, 4


class Hot:
    """What of one rule set the kernel knows by itself."""

    def __init__(self, rules: RuleSet, meaning: Meaning) -> None:
        self._meaning = meaning
        places = {rule.id: place for place, rule in enumerate(rules.rules)}
        self._places = {kind: places[one.rule] for kind, one in SPECIMENS.items() if one.rule in places}
        bits = [self._places.get(kind, _NO_BIT) for kind in Kind]
        luhn = sum(
            1 << place
            for place, rule in enumerate(rules.rules)
            if {pattern.validator for pattern in rule.patterns if pattern.alone is not None} <= LUHN
        )
        self.bits = b"".join(bit.to_bytes(_BYTES, "little") for bit in bits)
        self.luhn = luhn.to_bytes(len(rules.rules) // 8 + 1, "little")

    def verdict(self, kind: Kind, context: Context) -> Hit | None:
        """What is found in any value of this kind in this context; None where it depends on the value."""
        if (place := self._places.get(kind)) is None:
            return None
        mask = 0 if kind is Kind.TOKEN else 1 << place
        if self._meaning.rules_tried(mask, context) != {place}:
            return None
        text = SPECIMENS[kind].text
        found = self._meaning.confirm(text, mask, context)
        whole = len(found) == 1 and (found[0].start, found[0].end) == (0, len(text))
        return found[0] if whole else None
