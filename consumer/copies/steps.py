"""What there is to do about a copy, read off its entry. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from consumer.copies.policy import GET_UNITS, POST_UNITS
from consumer.domain import copies
from consumer.domain.copying import Copy, Errand, Source
from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.lifecycle import Stage


class Kind(IntEnum):
    """In the order in which they go: files disappear, and a question can wait."""

    CANCEL = 0
    EXPIRE = 1
    BEGIN = 2
    LOST = 3
    PACK = 4
    FETCH = 5
    POLL = 6
    SEARCH = 7
    ASK = 8


UNITS = {Kind.FETCH: GET_UNITS, Kind.POLL: GET_UNITS, Kind.ASK: POST_UNITS}
"""Of the DSAR API."""


class Step(NamedTuple):
    """One thing to do about one copy: about which errand, and which of its outputs."""

    kind: Kind
    key: LedgerKey
    errand: int = 0
    output: int = 0


def steps_of(entry: RequestEntry) -> Iterator[Step]:
    """Everything that can be done now, in no particular order; nothing for a copy that has ended."""
    copy, key = entry.copy, entry.key
    if copy is None or entry.ended:
        return
    if any(identity.stage is Stage.CANCELLING for identity in entry.identities):
        yield Step(Kind.CANCEL, key)
    elif copy.package is not None:
        yield Step(Kind.EXPIRE, key)
    elif copy.source is None:
        yield Step(Kind.BEGIN, key)
    elif copies.complete(entry):
        yield Step(Kind.PACK, key)
    else:
        for index, errand in enumerate(copy.errands):
            if not entry.identities[errand.position].ended:
                yield from _of_errand(copy, errand, key, index)


def _of_errand(copy: Copy, errand: Errand, key: LedgerKey, index: int) -> Iterator[Step]:
    if errand.outputs is not None:
        yield from (Step(Kind.FETCH, key, index, output) for output in errand.missing)
    elif copy.source is Source.ACTIVITY:
        yield Step(Kind.SEARCH, key, index)
    elif errand.job is not None:
        yield Step(Kind.POLL, key, index)
    elif errand.asked is not None:
        yield Step(Kind.LOST, key, index)
    else:
        yield Step(Kind.ASK, key, index)
