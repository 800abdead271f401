"""Finds personal values and secrets in whatever was printed, in the forms in which they usually escape."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus


def forms(value: str) -> set[str]:
    """The value as it is, in another case, escaped, encoded and hashed; all in lower case."""
    raw = value.encode()
    plain = {
        value,
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
        ascii(value)[1:-1],
        repr(raw)[2:-1],
    }
    encoded = {raw.hex(), base64.b32encode(raw).decode().rstrip("="), *_inside_base64(raw)}
    digests = {name: hashlib.new(name, raw) for name in ("sha256", "sha1", "md5")}
    hashed = {d.hexdigest() for d in digests.values()} | {
        base64.b64encode(d.digest()).decode() for d in digests.values()
    }
    return {form.lower() for form in plain | encoded | hashed}


def _inside_base64(raw: bytes) -> set[str]:
    """What base64 makes of it wherever it stands in a longer text, `key:secret` for instance, in both alphabets."""
    found = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            whole = encode(bytes(shift) + raw + bytes(-(shift + len(raw)) % 3)).decode()
            found.add(whole[(8 * shift + 5) // 6 : (8 * (shift + len(raw))) // 6])
    return found


def found(values: Iterable[str], printed: str | bytes) -> list[str]:
    """The values of which some form occurs in what was printed."""
    text = (printed if isinstance(printed, str) else printed.decode("utf-8", "backslashreplace")).lower()
    return [value for value in values if any(form in text for form in forms(value))]
