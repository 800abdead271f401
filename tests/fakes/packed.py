"""Small packed tables made by hand: automata of fixed-length sequences of byte sets, enough to try the kernel alone.

The rules of `tables()`: 0 an `@`, 1 nine digits, 2 `pw=` as the whole value, 3 a dot or colon before a digit; with
`words` > 1 their bits are in the last word of the mask. Rule 1 has a bank of its own, whose gate is five digits, and
rule 3, whose gate is a dot or a colon. Only rule 3 may match in addresses. `mask` is what the kernel must say of a
text, computed with `re`.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from functools import cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

PAD = b'"'
DIGITS = frozenset(b"0123456789")
HEX = frozenset(b"0123456789abcdefABCDEF")
SKIP_ALL = 15
VERSION = 4
HOT_KINDS = 4
MAIN_JSON, MAIN_PERCENT, MAIN_DIGIT, MAIN_LETTER, MAIN_BANKS = range(5)  # bits of what main says

Steps = tuple[frozenset[int], ...]


def literal(text: bytes) -> Steps:
    return tuple(frozenset({byte}) for byte in text)


class Bits(NamedTuple):
    """Bit positions: rules 0..3 at `base`, then what the passes use."""

    words: int = 1

    @property
    def base(self) -> int:
        return 64 * (self.words - 1)

    @property
    def address(self) -> int:
        return self.base + 3

    @property
    def special(self) -> tuple[int, int, int, int, int]:
        """bare, json, percent, base64, digits"""
        return (self.base + 4, self.base + 5, self.base + 6, self.base + 7, self.base + 8)


class Sequence(NamedTuple):
    steps: Steps
    bit: int


def _automaton(sequences: list[Sequence], words: int, *, padded_start: bool = True) -> bytes:
    """Subset construction over (sequence, position) pairs; accepting states last."""
    start: frozenset[tuple[int, int]] = frozenset()
    if padded_start:
        start = _step(start, sequences, PAD[0])
    order, edges, queue = {start: 0}, [], [start]
    for state in queue:
        row = []
        for byte in range(256):
            after = _step(state, sequences, byte)
            if after not in order:
                order[after] = len(order)
                queue.append(after)
            row.append(order[after])
        edges.append(row)
    masks = [_accepted(state, sequences) for state in queue]
    return _pack(edges, masks, words)


def _step(state: frozenset[tuple[int, int]], sequences: list[Sequence], byte: int) -> frozenset[tuple[int, int]]:
    alive = set(state) | {(index, 0) for index in range(len(sequences))}
    return frozenset(
        (index, at + 1)
        for index, at in alive
        if at < len(sequences[index].steps) and byte in sequences[index].steps[at]
    )


def _accepted(state: frozenset[tuple[int, int]], sequences: list[Sequence]) -> int:
    mask = 0
    for index, at in state:
        if at == len(sequences[index].steps):
            mask |= 1 << sequences[index].bit
    return mask


def _padded(section: bytes) -> bytes:
    return section + bytes(-len(section) % 8)


def _pack(edges: list[list[int]], masks: list[int], words: int) -> bytes:
    columns = list(zip(*edges, strict=True))
    distinct = sorted(set(columns))
    classes = bytes(distinct.index(column) for column in columns)
    shift = max(len(distinct) - 1, 1).bit_length()
    renumbered = sorted(range(len(edges)), key=lambda state: masks[state] != 0)
    new = {old: index for index, old in enumerate(renumbered)}
    accept0 = sum(1 for mask in masks if not mask)
    table = b""
    for old in renumbered:
        row = [new[distinct[c][old]] for c in range(len(distinct))]
        table += struct.pack(f"<{1 << shift}H", *row, *[0] * ((1 << shift) - len(row)))
    accepts = b"".join(masks[old].to_bytes(8 * words, "little") for old in renumbered[accept0:])
    head = struct.pack("<4I", len(edges), shift, accept0, new[0])
    return head + classes + _padded(table) + accepts


DOTS = frozenset(b".:")
LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
WORD_EDGE = frozenset(range(128)) - frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
ONLY_MARKS = re.compile(rb"(?:[\x00-\x7f]|\xc2[\xa2-\xa9]|\xe2\x80[\x90-\xbf]|\xe2\x82[\xa0-\xbf])*")
FULL_WIDTH = (
    (frozenset({0xEF}), frozenset({0xBC}), frozenset(range(0x81, 0xC0))),
    (frozenset({0xEF}), frozenset({0xBD}), frozenset(range(0x80, 0x9F))),
)


HEADER = 40
"""Bytes before the masks of what may match in addresses."""


def _header(bits: Bits, skips: int, banks: int, in_addresses: int) -> bytes:
    header = _padded(b"DSRA" + struct.pack("<9I", VERSION, bits.words, *bits.special, skips, banks))
    assert len(header) == HEADER
    return header + in_addresses.to_bytes(8 * bits.words, "little") * HOT_KINDS


def main_at(words: int = 1) -> int:
    """Where the automaton main begins in the tables."""
    return HEADER + 8 * words * HOT_KINDS


@cache
def tables(words: int = 1, skips: int = SKIP_ALL) -> bytes:
    bits = Bits(words)
    bare, _, _, _, digits = bits.special
    percent_steps = (frozenset(b"%"), frozenset(b"234567"), HEX)
    main = [
        Sequence(literal(b'"{'), MAIN_JSON),
        Sequence(percent_steps, MAIN_PERCENT),
        Sequence((DIGITS,), MAIN_DIGIT),
        Sequence((LETTERS,), MAIN_LETTER),
        Sequence(literal(b"@"), MAIN_BANKS),
        Sequence(literal(b'"pw="'), MAIN_BANKS),
        Sequence((DIGITS,) * 5, MAIN_BANKS + 1),
        Sequence((DOTS,), MAIN_BANKS + 2),
    ]
    phone = tuple(frozenset({upper, lower}) for upper, lower in zip(b"PHONE", b"phone", strict=True))
    word = [Sequence((WORD_EDGE, *phone, WORD_EDGE), bare)]
    digit = [Sequence(steps, digits) for steps in FULL_WIDTH]
    banks = [
        [Sequence(literal(b"@"), bits.base), Sequence(literal(b'"pw="'), bits.base + 2)],
        [Sequence((DIGITS,) * 9, bits.base + 1)],
        [Sequence((DOTS, DIGITS), bits.address)],
    ]
    automata = [_automaton(main, 1), *(_automaton(each, words) for each in (word, digit, *banks))]
    return _header(bits, skips, len(banks), 1 << bits.address) + b"".join(automata)


def _main(text: bytes, bits: Bits) -> int:
    _, json_bit, percent, _, _ = bits.special
    found = {
        bits.base: b"@" in text,
        bits.base + 1: re.search(rb"[0-9]{9}", text),
        bits.base + 2: b'"pw="' in PAD + text + PAD,
        bits.address: re.search(rb"[.:][0-9]", text),
        json_bit: b'"{' in PAD + text + PAD,
        percent: re.search(rb"%[2-7][0-9a-fA-F]", text),
    }
    return sum(1 << bit for bit, yes in found.items() if yes)


def _with_bare(text: bytes, mask: int, bits: Bits) -> int:
    word = re.search(rb"(?<![A-Za-z0-9\x80-\xff])phone(?![A-Za-z0-9\x80-\xff])", text, re.IGNORECASE)
    told = re.search(rb"[0-9]", text) and (word or not ONLY_MARKS.fullmatch(text))
    return mask | 1 << bits.special[0] if told else mask


def _matters(text: bytes, bits: Bits) -> bool:
    _, _, percent, base64_bit, digits = bits.special
    mask = _with_bare(text, _main(text, bits), bits)
    return bool(mask & ~(1 << percent | 1 << base64_bit | 1 << digits))


def _base64_texts(text: bytes) -> list[bytes]:
    found = []
    for run in re.finditer(rb"[A-Za-z0-9+/_-]+={0,2}", text):
        body = run[0].rstrip(b"=")
        mixed = set(body) & set(b"+/") and set(body) & set(b"-_")
        if len(body) < 16 or len(body) % 4 == 1 or mixed or not re.search(rb"[A-Z]", body):
            continue
        try:
            plain = base64.b64decode(body.translate(bytes.maketrans(b"-_", b"+/")) + b"===")
            plain.decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
        if not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", plain):
            found.append(plain)
    return found


def _percent_matters(text: bytes, bits: Bits) -> bool:
    plain = unquote_to_bytes(text.replace(b"+", b" "))
    try:
        plain.decode()
    except UnicodeDecodeError:
        return True
    return _matters(plain, bits)


def mask(text: bytes, words: int = 1, *, emits: bool = False) -> int:
    """What the kernel must nominate in a decoded text."""
    bits = Bits(words)
    _, _, percent, base64_bit, digits = bits.special
    found = _main(text, bits)
    if re.search(rb"\xef(\xbc[\x81-\xbf]|\xbd[\x80-\x9e])", text):
        found |= 1 << digits
    if any(emits or _matters(plain, bits) for plain in _base64_texts(text)):
        found |= 1 << base64_bit
    found = _with_bare(text, found, bits)
    if not emits and found >> percent & 1 and not _percent_matters(text, bits):
        found &= ~(1 << percent)
    return found


@cache
def everywhere(skips: int = SKIP_ALL, rules: int = 1, in_addresses: int = 1) -> bytes:
    """Tables that nominate the first rules for every text, so that only a skip can keep it away."""
    bits = Bits()
    anything = [Sequence((frozenset(range(256)),), bits.base + rule) for rule in range(rules)]
    gate = [Sequence((frozenset(range(256)),), MAIN_BANKS)]
    nothing = _automaton([], 1)
    return _header(bits, skips, 1, in_addresses) + _automaton(gate, 1) + nothing + nothing + _automaton(anything, 1)
