"""Keccak-256 as Ethereum and Monero use it: SHA-3's permutation, but the padding it had before it became a standard."""

from __future__ import annotations

_MASK = (1 << 64) - 1
_RATE = 136
"""Bytes taken in between two permutations."""


def _round_constants() -> list[int]:
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            constant |= (register & 1) << ((1 << j) - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return constants


def _lane_moves() -> list[tuple[int, int, int]]:
    """Where each lane goes, from where, and how far its bits are turned."""
    x, y, moves = 1, 0, []
    for t in range(24):
        target = y, (2 * x + 3 * y) % 5
        moves.append((target[0] + 5 * target[1], x + 5 * y, (t + 1) * (t + 2) // 2 % 64))
        x, y = target
    return moves


_ROUNDS = _round_constants()
_MOVES = _lane_moves()


def _turned(lane: int, bits: int) -> int:
    return (lane << bits | lane >> (64 - bits)) & _MASK


def _permuted(lanes: list[int]) -> list[int]:
    for constant in _ROUNDS:
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        parity = [columns[x - 1] ^ _turned(columns[(x + 1) % 5], 1) for x in range(5)]
        mixed = [lane ^ parity[i % 5] for i, lane in enumerate(lanes)]
        moved = mixed[:]
        for target, source, bits in _MOVES:
            moved[target] = _turned(mixed[source], bits)
        lanes = [
            moved[i] ^ (~moved[i - i % 5 + (i + 1) % 5] & moved[i - i % 5 + (i + 2) % 5] & _MASK) for i in range(25)
        ]
        lanes[0] ^= constant
    return lanes


def keccak256(data: bytes) -> bytes:
    """The 32-byte digest of `data`."""
    padded = bytearray(data + b"\x01" + b"\0" * (-(len(data) + 1) % _RATE))
    padded[-1] |= 0x80
    lanes = [0] * 25
    for block in range(0, len(padded), _RATE):
        for i in range(_RATE // 8):
            lanes[i] ^= int.from_bytes(padded[block + 8 * i : block + 8 * i + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])
