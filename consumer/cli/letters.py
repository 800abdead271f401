"""A dead letter for programs: what our headers say of it, and, only when asked for, what is in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.cli.printing import iso
from consumer.domain.errors import Poison
from consumer.domain.letter import Letter


def origin(letter: Letter) -> tuple[str, str, str]:
    """Topic, partition and offset it was read from, as text; empty if the headers do not say."""
    told = (letter.told(f"__connect.errors.{name}") for name in ("topic", "partition", "offset"))
    topic, partition, offset = told
    return topic, partition, offset


def failed_at(letter: Letter) -> int | None:
    """When it was dead-lettered; None if no usable header says."""
    text = letter.told("dsr.failed_at")
    longest = int(datetime.max.replace(tzinfo=UTC).timestamp()) * 1000
    return int(text) if text.isdecimal() and int(text) <= longest else None


def as_json(letter: Letter, *, redriven: bool) -> dict[str, Any]:
    """Where it is, why, since when, where from. Nothing of what is in it."""
    topic, partition, offset = origin(letter)
    return {
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "failed_at": iso(failed_at(letter)),
        "topic": topic,
        "topic_partition": int(partition) if partition.isdecimal() else None,
        "topic_offset": int(offset) if offset.isdecimal() else None,
        "size_bytes": letter.size_bytes,
        "redriven": redriven,
    }


def content(letter: Letter, codec: Codec) -> dict[str, Any]:
    """What is in it, in hex, and decoded if it can be now. Personal data."""
    ours = letter.ours()
    others = {name: (value or b"").hex() for name, value in letter.headers if name not in ours}
    try:
        decoded = codec.decode(schemas.COMMANDS, letter.value)
    except Poison:
        decoded = None
    return {
        "key_hex": (letter.key or b"").hex(),
        "value_hex": (letter.value or b"").hex(),
        "other_headers": others,
        "decoded": decoded,
    }
