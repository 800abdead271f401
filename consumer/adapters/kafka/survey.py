"""What the ledger topic says now, read from outside: the requests as far as the caller keeps them, projects, halts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.kafka.reading import TopicReader
from consumer.adapters.wire import ledger_in
from consumer.domain.entry import COPY_KEY, RequestEntry
from consumer.domain.errors import Fatal, Poison, Reason
from consumer.domain.halt import HALT_KEY, Halt
from consumer.domain.project import ProjectState
from consumer.domain.subject import ProjectId
from consumer.turn import Partition, Record

T = TypeVar("T")


@dataclass(slots=True)
class Survey(Generic[T]):
    """`requests` is what was kept of each request, by its key; `projects` and `halts` are complete."""

    requests: dict[str, T] = field(default_factory=dict)
    projects: dict[ProjectId, ProjectState] = field(default_factory=dict)
    halts: dict[Partition, Halt] = field(default_factory=dict)


def survey(
    reader: TopicReader, codec: Codec, keep: Callable[[RequestEntry], T | None], about: str | None = None
) -> Survey[T]:
    """Read the ledger to its end. `keep` says what to remember of a request (None: nothing), so that memory stays
    small however many there are; with `about` only that request id is decoded at all, beside projects and halts.
    `Fatal(UNDECODABLE)` for a record that a newer version wrote."""
    wanted = ("project/", HALT_KEY, f"{about}/", f"{COPY_KEY}{about}/") if about is not None else ("",)
    return _fold((record for record in reader.to_end() if _key(record).startswith(wanted)), codec, keep)


def _fold(records: Iterable[Record], codec: Codec, keep: Callable[[RequestEntry], T | None]) -> Survey[T]:
    found: Survey[T] = Survey()
    for record in records:
        key = _key(record)
        if record.value is None:
            _forget(found, record.partition, key)
            continue
        match _decoded(codec, record.value):
            case Halt() as halt:
                found.halts[record.partition] = halt
            case ProjectState() as state:
                found.projects[state.project] = state
            case RequestEntry() as entry:
                _keep(found.requests, key, keep(entry))
    return found


def _key(record: Record) -> str:
    return (record.key or b"").decode("utf-8", "replace")


def _forget(found: Survey[T], partition: Partition, key: str) -> None:
    found.requests.pop(key, None)
    if key == HALT_KEY:
        found.halts.pop(partition, None)


def _keep(requests: dict[str, T], key: str, kept: T | None) -> None:
    if kept is None:
        requests.pop(key, None)
    else:
        requests[key] = kept


def _decoded(codec: Codec, value: bytes) -> RequestEntry | ProjectState | Halt:
    try:
        return ledger_in(codec.decode(schemas.LEDGER, value))
    except (Poison, ValueError):
        raise Fatal(Reason.UNDECODABLE, "the ledger holds a record of a newer version; upgrade this program") from None
