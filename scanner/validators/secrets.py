"""Checks of credentials: what is a token, and what only stands where one could be."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable

_NO_SECRETS = (
    "null none nil undefined true false yes no empty unknown n/a na required optional invalid incorrect wrong "
    "changed reset redacted [redacted] <redacted> (redacted) [filtered] [masked] [hidden] [removed] hidden masked "
    "filtered removed missing password passwd secret string text field"
)
_PLACEHOLDERS = frozenset(_NO_SECRETS.split())
_MASKED = re.compile(r"[*•●xX.\-_#\s]+")


def _decoded(text: str) -> bytes:
    """Base64, either alphabet, padded or not; empty if it is none."""
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""


def _jwt(text: str) -> int:
    """The header is a JSON object that names an algorithm or a type."""
    try:
        header = json.loads(_decoded(text.partition(".")[0]))
    except (ValueError, RecursionError):
        return 0
    return len(text) if isinstance(header, dict) and header.keys() & {"alg", "typ", "kid", "enc"} else 0


def _basic(text: str) -> int:
    """Base64 of printable `user:password`."""
    data = _decoded(text)
    good = b":" in data[1:] and all(byte >= 32 for byte in data)
    return len(text) if good else 0


def _secret(text: str) -> int:
    """Neither blanked out nor a word that says there is none."""
    stripped = text.strip(" \"'")
    good = stripped and not _MASKED.fullmatch(stripped) and stripped.casefold() not in _PLACEHOLDERS
    return len(text) if good else 0


def _secret_in_prose(text: str) -> int:
    """After a colon people also write words: a secret has a digit or a sign in it."""
    return _secret(text) if any(not c.isalpha() for c in text.rstrip(".!?")) else 0


def _random_token(text: str) -> int:
    """Letters and digits mixed, of many kinds: neither a word nor a number."""
    good = any(c.isdigit() for c in text) and any(c.isalpha() for c in text) and len(set(text)) >= 8
    return len(text) if good else 0


def _discord(text: str) -> int:
    """The first part is the number of the bot's account."""
    return len(text) if _decoded(text.partition(".")[0]).isdigit() else 0


VALIDATORS: dict[str, Callable[[str], int]] = {
    "jwt": _jwt,
    "basic_auth": _basic,
    "secret": _secret,
    "secret.prose": _secret_in_prose,
    "token": _random_token,
    "token:40": lambda text: _random_token(text) if len(text) == 40 else 0,
    "discord": _discord,
}
"""Names of rules' validators → functions."""
