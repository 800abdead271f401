"""The wire contracts: one folder per subject, one file per version, and the ids they have without a registry.

A subject is named by Confluent's TopicNameStrategy, `<topic>-value`, after the topics' default names. A version is
never edited once released: the next one is a new file, and CI checks that both sides can still read each other.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any

Schema = dict[str, Any]

COMMANDS = "dsr.commands-value"
OUTCOMES = "dsr.outcomes-value"
LEDGER = "dsr.ledger-value"
SUBJECTS = (COMMANDS, OUTCOMES, LEDGER)


def versions(subject: str) -> list[int]:
    """Versions of a subject, oldest first. `KeyError` for a subject that is not ours."""
    if subject not in SUBJECTS:
        raise KeyError(subject)
    folder = resources.files(__name__) / subject
    return sorted(int(entry.name.removesuffix(".avsc")) for entry in folder.iterdir() if entry.name.endswith(".avsc"))


@cache
def _text(subject: str, version: int) -> str:
    return (resources.files(__name__) / subject / f"{version}.avsc").read_text(encoding="utf-8")


def load(subject: str, version: int | None = None) -> Schema:
    """A fresh copy of one schema as plain JSON values; the newest version when none is named."""
    schema: Schema = json.loads(_text(subject, versions(subject)[-1] if version is None else version))
    return schema


def schema_id(schema: Schema) -> int:
    """The id a schema has without a registry: 31 bits of SHA-256 over its key-sorted JSON, never 0.

    Unlike Avro's parsing canonical form this sees defaults and logical types, so milliseconds cannot pass for
    microseconds.
    """
    text = json.dumps(schema, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF or 1


@cache
def index() -> dict[int, tuple[str, int]]:
    """Id -> (subject, version) of every schema here. `ValueError` if two share an id (CI would have failed first)."""
    rows = [(schema_id(load(s, v)), (s, v)) for s in SUBJECTS for v in versions(s)]
    found = dict(rows)
    if len(found) != len(rows):
        raise ValueError("two schemas have the same id")
    return found
