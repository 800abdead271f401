"""How many distinct values a field held, without keeping one: keyed 64-bit fingerprints, counted in 1,024 bytes.

A sketch of few values is the set of their fingerprints and counts exactly; beyond `EXACT` it becomes a HyperLogLog of
1,024 registers. Either form is a pure function of the *set* of fingerprints, so sketches merge in any order, grouping
and repetition to the same bytes. (Apache DataSketches' HLL was tried: between 64 and 200 values its estimate and its
bytes depend on the order of arrival, so a report would depend on the number of processes.)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from scanner.errors import BadInput, Fault
from scanner.kernel import keyed_hash
from scanner.siphash import KEY_BYTES

BITS = 10
REGISTERS = 1 << BITS
EXACT = 127
"""Up to so many values the count is exact: 127 fingerprints of 8 bytes are shorter than the registers."""

RELATIVE_ERROR = 1.04 / math.sqrt(REGISTERS)
"""One standard deviation of an estimate: 3.25 %."""

_TAIL = 64 - BITS
_WIDTH = 8
_TOP_BITS = int.from_bytes(bytes([0x80]) * REGISTERS)


class Fingerprints:
    """Keyed 64-bit fingerprints of values: without the key a guess cannot be tested against them.

    SipHash, so that the kernel can make them, too. `name` tells keys apart without revealing them: fingerprints of two
    keys must never be counted together.
    """

    def __init__(self, key: bytes) -> None:
        secret = hashlib.blake2b(key).digest()
        self.secret = hashlib.blake2b(b"key of SipHash", key=secret, digest_size=KEY_BYTES).digest()
        self.name = hashlib.blake2b(b"name of the key", key=secret, digest_size=_WIDTH).hexdigest()

    def __call__(self, value: str) -> int:
        """The fingerprint of a value, lone surrogates included; never 0."""
        return keyed_hash(self.secret, value.encode("utf-8", "surrogatepass")) or 1


@dataclass(frozen=True, slots=True)
class Sketch:
    """A set of fingerprints: itself while small (`few`), else HyperLogLog `registers` (then `few` is empty)."""

    few: frozenset[int] = frozenset()
    registers: bytes = b""

    @classmethod
    def of(cls, fingerprints: Iterable[int]) -> Self:
        """The sketch of these fingerprints."""
        distinct = frozenset(fingerprints)
        return cls(distinct) if len(distinct) <= EXACT else cls(registers=_registers(distinct))

    def __or__(self, other: Sketch) -> Sketch:
        """The sketch of both sets together."""
        if not self.registers and not other.registers:
            return Sketch.of(self.few | other.few)
        return Sketch(registers=_greater(self._dense(), other._dense()))

    def __reduce__(self) -> tuple[type[Sketch], tuple[frozenset[int], bytes]]:
        """Pickled as a call, as `Evidence`."""
        return Sketch, (self.few, self.registers)

    def _dense(self) -> bytes:
        return self.registers or _registers(self.few)

    @property
    def exact(self) -> bool:
        """Whether `estimate` is the true number."""
        return not self.registers

    @property
    def estimate(self) -> int:
        """The number of distinct fingerprints."""
        return round(_estimate(self.registers)) if self.registers else len(self.few)

    @property
    def margin(self) -> int:
        """Two standard deviations of `estimate`: the truth is within it 19 times of 20."""
        return round(2 * RELATIVE_ERROR * self.estimate) if self.registers else 0

    def to_bytes(self) -> bytes:
        """At most 1,024 bytes: the registers, else the fingerprints in ascending order, 8 bytes each, big-endian."""
        return self.registers or b"".join(one.to_bytes(_WIDTH, "big") for one in sorted(self.few))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` wrote. Raises BadInput for anything else."""
        if len(data) == REGISTERS and max(data) <= _TAIL + 1:
            return cls(registers=data)
        if len(data) % _WIDTH or len(data) > EXACT * _WIDTH:
            raise BadInput(Fault.BAD_SUMMARY, "a sketch of distinct values is not one of ours")
        return cls(frozenset(int.from_bytes(data[at : at + _WIDTH], "big") for at in range(0, len(data), _WIDTH)))


def _registers(fingerprints: Iterable[int]) -> bytes:
    """Register `top 10 bits` holds the longest run of leading zeros, plus one, seen in the other 54."""
    registers = bytearray(REGISTERS)
    for one in fingerprints:
        at, rank = one >> _TAIL, _TAIL + 1 - (one & ((1 << _TAIL) - 1)).bit_length()
        registers[at] = max(registers[at], rank)
    return bytes(registers)


def _greater(one: bytes, other: bytes) -> bytes:
    """Register by register the greater. All at once: a register is below 128, so the top bit of its byte, set before
    the other is taken away, is still set where it was not the smaller, and nothing is borrowed from the next."""
    a, b = int.from_bytes(one), int.from_bytes(other)
    not_smaller = ((a | _TOP_BITS) - b & _TOP_BITS) >> 7
    chosen = (not_smaller << 8) - not_smaller
    return (b ^ (a ^ b) & chosen).to_bytes(REGISTERS)


def _estimate(registers: bytes) -> float:
    """Ertl's improved estimator (arXiv:1702.01284, section 4): unbiased over the whole range, no tables."""
    ranks = [registers.count(rank) / REGISTERS for rank in range(_TAIL + 2)]
    total = _tau(1 - ranks[-1])
    for share in reversed(ranks[1:-1]):
        total = (total + share) / 2
    return REGISTERS / (2 * math.log(2) * (total + _sigma(ranks[0])))


def _sigma(x: float) -> float:
    """x + Σ x^(2^k) 2^(k-1): what the registers that are still empty add."""
    total, before, weight = x, -1.0, 1.0
    while total != before:
        x, before = x * x, total
        total, weight = total + x * weight, weight * 2
    return total


def _tau(x: float) -> float:
    """(1 - x - Σ (1 - x^(2^-k))² 2^-k) / 3: the same for the registers that are full."""
    total, before, weight = 1 - x, -1.0, 1.0
    while total != before:
        x, before, weight = math.sqrt(x), total, weight / 2
        total -= (1 - x) ** 2 * weight
    return total / 3
