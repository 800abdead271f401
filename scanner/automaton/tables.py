"""The automata of a rule set as one block of bytes, for the kernel; and run in Python, to the same effect.

Little-endian; every section is padded with zeros to a multiple of 8 bytes:

    header      "DSRA" | u32 version = 4 | u32 words of a mask W (of 64 bits, 1..8) | u32 bit positions: bare, json,
                percent, base64, digits | u32 flags (`proofs.Skip`: what was proved for these rules) | u32 banks B
    addresses   for each kind of `scanner.hot` u64[W]: the rules that may match in it (`proofs.in_addresses`)
    automaton   3 + B of them: main (the gate), words, digits, the banks
      head      u32 states | u32 shift | u32 first accepting state (all later ones accept) | u32 start
      classes   u8[256]
      table     u16[states << shift]: the next state is table[(state << shift) + classes[byte]]
      accepts   u64[accepting states x W]: the mask that each of them adds

`start` is the state after the pad before the text; the pad after it is one more step. Of the rules' bits (0 … n-1)
and the five behind them `scanner.confirm.Mask` says what they mean. `words` and `digits` set the bits bare and digits.
Main has masks of one word of its own: a document may be there, percent-encoding may be there, a digit is there, a
letter is there; then a bit for each bank: it is worth a run over the text.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from scanner.automaton.anchors import Bits
from scanner.automaton.nodes import PAD
from scanner.automaton.positions import bits
from scanner.automaton.subset import Dfa
from scanner.context import MARKS
from scanner.derived import Reading, base64_decoded, percent_decoded
from scanner.hot import Kind

STATES_AT_MOST = 60_000
"""Hard limit of each automaton; the numbers of states have 16 bits."""
MASK_WORDS_AT_MOST = 8

MAIN_JSON, MAIN_PERCENT, MAIN_DIGIT, MAIN_LETTER, MAIN_BANKS = 1, 2, 4, 8, 16
"""What main says: four bits of its own, and the bit of the first bank."""
BANKS_AT_MOST = 60

_MAGIC, _VERSION = b"DSRA", 4
_HEADER, _HEAD = struct.Struct("<4s9I"), struct.Struct("<4I")
_NAMES = ("main", "words", "digits")


class Automaton(NamedTuple):
    """One packed automaton, readable by Python."""

    shift: int
    accept0: int
    start: int
    classes: bytes
    table: array[int]
    accepts: tuple[int, ...]

    @property
    def states(self) -> int:
        """How many."""
        return len(self.table) >> self.shift

    def run(self, data: bytes) -> int:
        """The union of what is accepted on the way through a text and the pad after it."""
        state, found = self.start, 0
        table, shift, accept0 = self.table, self.shift, self.accept0
        for column in (data + bytes((PAD,))).translate(self.classes):
            state = table[(state << shift) + column]
            if state >= accept0:
                found |= self.accepts[state - accept0]
        return found


@dataclass(frozen=True)
class Tables:
    """Packed automata; two are equal when their bytes are."""

    packed: bytes

    @cached_property
    def bits(self) -> Bits:
        """The bits behind those of the rules."""
        return Bits(*_HEADER.unpack_from(self.packed)[3:8])

    @property
    def flags(self) -> int:
        """What the kernel may skip."""
        return int(_HEADER.unpack_from(self.packed)[8])

    @property
    def states(self) -> dict[str, int]:
        """The number of states of each automaton."""
        return {name: automaton.states for name, automaton in self.automata.items()}

    @cached_property
    def automata(self) -> dict[str, Automaton]:
        """`main`, `words`, `digits`, and each bank."""
        sections = _Sections(self.packed)
        header = _HEADER.unpack(sections.take(_HEADER.size))
        for _ in Kind:
            sections.take(8 * header[2])
        names = (*_NAMES, *(f"bank {number}" for number in range(header[9])))
        return {name: sections.automaton(header[2] if name != "main" else 1) for name in names}

    def mask(self, text: str) -> int:
        """What may be in a text of a field that does not emit: a superset of the truth, as the kernel would say it."""
        bit, found = self.bits, self._plain(text)
        if not text.isascii():
            found |= self.automata["digits"].run(_encoded(text))
        if self._any_matters(base64_decoded(text)):
            found |= 1 << bit.base64
        if found >> bit.percent & 1 and not self._any_matters(percent_decoded(text)):
            found ^= 1 << bit.percent
        return found

    def _plain(self, text: str) -> int:
        """What is nominated in the text as it stands; context-only patterns need a digit and a phrase."""
        data, bit = _encoded(text), self.bits
        said = self.automata["main"].run(data)
        found = bool(said & MAIN_JSON) << bit.json | bool(said & MAIN_PERCENT) << bit.percent
        for number in bits(said // MAIN_BANKS):
            found |= self.automata[f"bank {number}"].run(data)
        if said & MAIN_DIGIT and not MARKS.issuperset(char for char in text if not char.isascii()):
            found |= 1 << bit.bare
        elif said & MAIN_DIGIT and said & MAIN_LETTER:
            found |= self.automata["words"].run(data)
        return found

    def _any_matters(self, readings: Iterable[Reading]) -> bool:
        """Is there anything to confirm in what was wrapped? No wrapping counts in it, but a document does."""
        return any(self._plain(reading.text) & ~(1 << self.bits.percent) for reading in readings)


def pack(automata: Sequence[Dfa], bits: Bits, flags: int, in_addresses: Sequence[int]) -> Tables:
    """The tables of these automata: main, words, digits, and the banks."""
    banks = len(automata) - len(_NAMES)
    mask_words = bits.digits // 64 + 1
    parts = [_HEADER.pack(_MAGIC, _VERSION, mask_words, *bits, flags, banks)]
    parts += [rules.to_bytes(8 * mask_words, "little") for rules in in_addresses]
    for number, dfa in enumerate(automata):
        parts += _packed(dfa, mask_words if number else 1)
    return Tables(b"".join(part + bytes(-len(part) % 8) for part in parts))


class _Sections:
    """The sections of packed tables, one after the other."""

    def __init__(self, packed: bytes) -> None:
        self._packed, self._at = packed, 0

    def take(self, size: int) -> bytes:
        section = self._packed[self._at : self._at + size]
        self._at += size + -size % 8
        return section

    def automaton(self, mask_words: int) -> Automaton:
        states, shift, accept0, start = _HEAD.unpack(self.take(_HEAD.size))
        classes, table = self.take(256), array("H", self.take(2 * states << shift))
        if sys.byteorder == "big":
            table.byteswap()
        size = 8 * mask_words
        accepts = self.take(size * (states - accept0))
        masks = (int.from_bytes(accepts[at : at + size], "little") for at in range(0, len(accepts), size))
        return Automaton(shift, accept0, start, classes, table, tuple(masks))


def _packed(dfa: Dfa, mask_words: int) -> Iterator[bytes]:
    """The sections of one automaton, its accepting states last."""
    order = sorted(range(len(dfa.rows)), key=lambda state: dfa.outputs[state] != 0)
    numbers = {state: number for number, state in enumerate(order)}
    accepting = [dfa.outputs[state] for state in order if dfa.outputs[state]]
    shift = (len(dfa.rows[0]) - 1).bit_length()
    table = array("H", [0]) * (len(order) << shift)
    for number, state in enumerate(order):
        row = array("H", [numbers[following] for following in dfa.rows[state]])
        table[number << shift : (number << shift) + len(row)] = row
    if sys.byteorder == "big":
        table.byteswap()
    start = numbers[dfa.step(dfa.start, PAD)]
    yield _HEAD.pack(len(order), shift, len(order) - len(accepting), start)
    yield dfa.classes
    yield table.tobytes()
    yield b"".join(mask.to_bytes(8 * mask_words, "little") for mask in accepting)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
