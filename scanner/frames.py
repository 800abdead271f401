"""What a scanner host and its client say to each other over pipes: a kind, a length, and so many bytes.

client → host   HELLO (the settings, pickled), then for each archive OPEN (the sample, as text), CHUNK…, and END,
                or ABORT if nothing of it shall count
host → client   READY (what the engine is, pickled), then for each archive MOVED… (two numbers), and DONE (the
                result, pickled), FAILED (fault and sentence, pickled) or DROPPED (after ABORT)
"""

from __future__ import annotations

import struct
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

HEAD = struct.Struct("<BI")
MOVED = struct.Struct("<QQ")


class Kind(IntEnum):
    """Of a frame."""

    HELLO = 1
    OPEN = 2
    CHUNK = 3
    END = 4
    ABORT = 5
    READY = 11
    MOVED = 12
    DONE = 13
    FAILED = 14
    DROPPED = 15


class Frame(NamedTuple):
    """One frame."""

    kind: Kind
    body: bytes


def framed(kind: Kind, body: bytes = b"") -> bytes:
    """The bytes of a frame."""
    return HEAD.pack(kind, len(body)) + body


def head(data: bytes) -> tuple[Kind, int]:
    """Kind and length of a frame that begins with these bytes."""
    kind, size = HEAD.unpack(data)
    return Kind(kind), size


class HostSettings(NamedTuple):
    """`rules` are files beside the shipped rules, `engine` is `auto`, `native` or `reference`, `processes` None: one
    for each core; `key` is the secret of the fingerprints."""

    rules: tuple[Path, ...]
    engine: str
    processes: int | None
    key: bytes

    def __repr__(self) -> str:
        return f"HostSettings(engine={self.engine!r}, processes={self.processes}, key=***)"


class About(NamedTuple):
    """What the host scans with: the rule set's digest, the name of the key, the engine."""

    rules: str
    key: str
    engine: str
