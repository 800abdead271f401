"""Checks of addresses and keys of cryptocurrencies: base58check, bech32, bech32m, CashAddr, EIP-55 and kin."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable

from scanner.validators.keccak import keccak256

_BITCOIN58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_RIPPLE58 = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CASH_GENERATORS = (0x98F2BC8E61, 0x79B76D99E2, 0xF33E5FB3C4, 0xAE2EABE2A8, 0x1E4F43E470)
_PLAIN, _MODIFIED = 1, 0x2BC830A3
"""What the check sum of bech32 and of bech32m leaves over."""
_MONERO_BLOCKS = {2: 1, 3: 2, 5: 3, 6: 4, 7: 5, 9: 6, 10: 7, 11: 8}
"""Characters of a block → its bytes."""


def _base58(text: str, alphabet: str) -> bytes | None:
    """The bytes, a leading zero byte for each leading first letter; None if a character is foreign."""
    number = 0
    for character in text:
        value = alphabet.find(character)
        if value < 0:
            return None
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip(alphabet[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base58check(*versions: bytes, size: int = 20, alphabet: str = _BITCOIN58) -> Callable[[str], int]:
    """Four bytes of a double SHA-256 follow one of `versions` and `size` bytes."""

    def check(text: str) -> int:
        data = _base58(text, alphabet)
        if data is None or not any(data.startswith(v) and len(data) == len(v) + size + 4 for v in versions):
            return 0
        digest = hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()
        return len(text) if digest[:4] == data[-4:] else 0

    return check


def _remainder(values: list[int], generators: tuple[int, ...], width: int) -> int:
    """The BCH remainder of five-bit `values`; `width` bits are kept."""
    check = 1
    for value in values:
        top = check >> (width - 5)
        check = (check & ((1 << (width - 5)) - 1)) << 5 ^ value
        for i, generator in enumerate(generators):
            check ^= generator if top >> i & 1 else 0
    return check


def _five_bits(text: str) -> list[int] | None:
    values = [_BECH32.find(character) for character in text]
    return None if min(values, default=-1) < 0 else values


def _bech32_sum(text: str) -> tuple[int, list[int]]:
    """What the check sum leaves over, and the values; (0, []) if it is no bech32 at all or in both cases."""
    if text not in {text.lower(), text.upper()}:
        return 0, []
    prefix, _, data = text.lower().rpartition("1")
    values = _five_bits(data)
    if values is None or len(values) < 7:
        return 0, []
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    return _remainder(expanded + values, _BECH32_GENERATORS, 30), values


def _bech32(text: str) -> int:
    return len(text) if _bech32_sum(text)[0] == _PLAIN else 0


def _segwit(text: str) -> int:
    """BIP 173 for witness version 0, BIP 350 for the later ones."""
    left, values = _bech32_sum(text)
    if not values or values[0] > 16 or len(text) > 90:
        return 0
    return len(text) if left == (_MODIFIED if values[0] else _PLAIN) else 0


def _cashaddr(text: str) -> int:
    prefix, _, data = text.lower().rpartition(":")
    values = _five_bits(data)
    if values is None or text not in {text.lower(), text.upper()}:
        return 0
    expanded = [ord(c) & 31 for c in prefix or "bitcoincash"] + [0]
    return len(text) if _remainder(expanded + values, _CASH_GENERATORS, 40) == 1 else 0


def _ethereum(text: str) -> int:
    """EIP-55: mixed case spells the digest of the address; one case says nothing. The zero address is nobody's."""
    address = text[2:]
    letters = [c for c in address if c.isalpha()]
    if len(set(address)) < 4:
        return 0
    if all(c.islower() for c in letters) or all(c.isupper() for c in letters):
        return len(text)
    digest = keccak256(address.lower().encode()).hex()
    spelled = all((int(d, 16) > 7) == c.isupper() for c, d in zip(address, digest, strict=False) if c.isalpha())
    return len(text) if spelled else 0


def _monero(text: str) -> int:
    """Blocks of eight bytes in eleven characters; four bytes of Keccak-256 at the end."""
    data = b""
    for start in range(0, len(text), 11):
        block = text[start : start + 11]
        number, size = _base58(block, _BITCOIN58), _MONERO_BLOCKS.get(len(block), 0)
        if number is None or len(number.lstrip(b"\0")) > size:
            return 0
        data += number.lstrip(b"\0").rjust(size, b"\0")
    return len(text) if keccak256(data[:-4])[:4] == data[-4:] else 0


def _stellar(text: str) -> int:
    """Base 32 of a version, 32 bytes and a CRC-16."""
    try:
        data = base64.b32decode(text)
    except binascii.Error:
        return 0
    return len(text) if binascii.crc_hqx(data[:-2], 0) == int.from_bytes(data[-2:], "little") else 0


def _solana(text: str) -> int:
    """Thirty-two bytes without a check sum."""
    data = _base58(text, _BITCOIN58)
    return len(text) if data is not None and len(data) == 32 else 0


def _seed_words(text: str) -> int:
    """A dozen to two dozen lower-case words, as many as BIP 39 allows."""
    words = re.split(r"[ ,]+", text.strip())
    return len(text) if len(words) in {12, 15, 18, 21, 24} and all(3 <= len(word) <= 8 for word in words) else 0


VALIDATORS: dict[str, Callable[[str], int]] = {
    "base58check.btc": _base58check(b"\x00", b"\x05", b"\x6f", b"\xc4"),
    "base58check.ltc": _base58check(b"\x30", b"\x32"),
    "base58check.doge": _base58check(b"\x1e"),
    "base58check.dash": _base58check(b"\x4c"),
    "base58check.zec": _base58check(b"\x1c\xb8", b"\x1c\xbd"),
    "base58check.tron": _base58check(b"\x41"),
    "base58check.xrp": _base58check(b"\x00", alphabet=_RIPPLE58),
    "base58check.wif": _base58check(b"\x80", size=32),
    "base58check.wif_compressed": _base58check(b"\x80", size=33),
    "base58check.extended": _base58check(
        *(bytes.fromhex(v) for v in ("0488ade4", "0488b21e", "049d7878", "049d7cb2", "04b2430c", "04b24746")), size=74
    ),
    "segwit": _segwit,
    "bech32": _bech32,
    "cashaddr": _cashaddr,
    "ethereum": _ethereum,
    "monero": _monero,
    "stellar": _stellar,
    "solana": _solana,
    "seed_words": _seed_words,
}
"""Names of rules' validators → functions."""
