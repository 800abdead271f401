"""The secret that fingerprints are made with: from a file, from the environment, or random."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from scanner.errors import BadInput, Fault

KEY_VARIABLE = "DSR_FINGERPRINT_KEY"
SHORTEST_KEY = 16
"""Bytes. A shorter key could be guessed, and values with it."""


def secret(file: Path | None = None) -> bytes:
    """The key in the file, else the one in the environment, else a random one: fingerprints of two runs are then not
    comparable. Raises BadInput for a file that cannot be read and for a key that could be guessed."""
    try:
        key = (file.read_bytes() if file else os.environ.get(KEY_VARIABLE, "").encode()).strip()
    except OSError:
        raise BadInput(Fault.UNREADABLE, "the key file cannot be read") from None
    if not key and not file:
        return secrets.token_bytes(32)
    if len(key) < SHORTEST_KEY:
        raise BadInput(Fault.WRONG_TYPE, f"the key of the fingerprints is shorter than {SHORTEST_KEY} bytes")
    return key
