"""The record schemas, by subject and version, and the ids under which they travel when there is no registry.

A version is a file `<subject>/<version>.avsc` and never changes once released. Its id is a function of its content, so
two programs that ship the same file agree on the id without a server. `index.json` lists the ids for other languages;
`python -m schemas` writes it. This package knows JSON only: no Avro library, no Kafka.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

COMMANDS = "dsr.commands-value"
OUTCOMES = "dsr.outcomes-value"
LEDGER = "dsr.ledger-value"
DISCOVERY_COMMANDS = "dsr.discovery.commands-value"
DISCOVERY_TASKS = "dsr.discovery.tasks-value"
DISCOVERY_RESULTS = "dsr.discovery.results-value"
DISCOVERY_LEDGER = "dsr.discovery.ledger-value"
DISCOVERY_OUTCOMES = "dsr.discovery.outcomes-value"
INVENTORY = "dsr.inventory-value"

COMPATIBILITY = dict.fromkeys((COMMANDS, DISCOVERY_COMMANDS), "BACKWARD_TRANSITIVE") | dict.fromkeys(
    (OUTCOMES, LEDGER, DISCOVERY_TASKS, DISCOVERY_RESULTS, DISCOVERY_LEDGER, DISCOVERY_OUTCOMES, INVENTORY),
    "FULL_TRANSITIVE",
)
"""What a new version must keep, in a registry's words. Commands are read by this service, which is upgraded first; the
readers of everything else may be older than the writer (rolling upgrade, rollback)."""

Schema = dict[str, Any]


@cache
def subjects() -> tuple[str, ...]:
    """Every subject, sorted. Reads the package's directory once."""
    return tuple(sorted(entry.name for entry in files(__name__).iterdir() if entry.name.endswith("-value")))


@cache
def versions(subject: str) -> tuple[int, ...]:
    """The subject's versions, oldest first. `KeyError` for a subject that does not exist."""
    if subject not in subjects():
        raise KeyError(subject)
    names = (entry.name for entry in files(__name__).joinpath(subject).iterdir())
    return tuple(sorted(int(name.removesuffix(".avsc")) for name in names if name.endswith(".avsc")))


def load(subject: str, version: int | None = None) -> Schema:
    """One version (by default the newest) as decoded JSON; the caller owns the copy. `KeyError` if there is none."""
    wanted = versions(subject)[-1] if version is None else version
    if wanted not in versions(subject):
        raise KeyError((subject, wanted))
    schema: Schema = json.loads(_text(subject, wanted))
    return schema


@cache
def _text(subject: str, version: int) -> str:
    return files(__name__).joinpath(subject, f"{version}.avsc").read_text(encoding="utf-8")


def sha256(schema: Schema) -> str:
    """Hex digest of the key-sorted compact JSON. Unlike Avro's canonical form it sees defaults and logical types."""
    text = json.dumps(schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def schema_id(schema: Schema) -> int:
    """The wire id without a registry: the digest's first 31 bits (ids are signed 32-bit integers), never 0."""
    return int(sha256(schema)[:8], 16) >> 1 or 1


def index() -> dict[str, dict[str, str | int]]:
    """What `index.json` must contain: `{id: {subject, version, sha256}}`. `ValueError` when two schemas share an id."""
    rows: dict[str, dict[str, str | int]] = {}
    for subject in subjects():
        for version in versions(subject):
            schema = load(subject, version)
            row: dict[str, str | int] = {"subject": subject, "version": version, "sha256": sha256(schema)}
            if rows.setdefault(str(schema_id(schema)), row) is not row:
                raise ValueError(f"{subject} version {version} has the id of another schema")
    return rows
