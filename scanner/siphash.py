"""SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed 64-bit hash whose values tell nothing without the key.

The kernel has its own, two hundred times as fast; this one serves where no kernel was built.
"""

from __future__ import annotations

_64 = (1 << 64) - 1
_BEGIN = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573  # "somepseudorandomlygen…"
KEY_BYTES = 16


def siphash(key: bytes, data: bytes) -> int:
    """The hash of `data` under a key of 16 bytes."""
    low, high = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    state = low ^ _BEGIN[0], high ^ _BEGIN[1], low ^ _BEGIN[2], high ^ _BEGIN[3]
    whole = len(data) & ~7
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8)]
    words.append((len(data) & 0xFF) << 56 | int.from_bytes(data[whole:], "little"))
    for word in words:
        a, b, c, d = _rounds(2, *state[:3], state[3] ^ word)
        state = a ^ word, b, c, d
    a, b, c, d = _rounds(4, state[0], state[1], state[2] ^ 0xFF, state[3])
    return a ^ b ^ c ^ d


def _rounds(times: int, a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    for _ in range(times):
        a, c = (a + b) & _64, (c + d) & _64
        b, d = _rotated(b, 13) ^ a, _rotated(d, 16) ^ c
        a = _rotated(a, 32)
        c, a = (c + b) & _64, (a + d) & _64
        b, d = _rotated(b, 17) ^ c, _rotated(d, 21) ^ a
        c = _rotated(c, 32)
    return a, b, c, d


def _rotated(x: int, by: int) -> int:
    return (x << by | x >> (64 - by)) & _64
