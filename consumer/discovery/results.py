"""What a worker says of a window, and the putting together of one that travels as several records."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce

from consumer.domain.discovery.command import DiscoveryId
from consumer.domain.discovery.discovery import Answer
from consumer.domain.subject import ProjectId
from scanner.summary import Tally


@dataclass(frozen=True, slots=True)
class Result:
    """One answer, or a part of it: `part` of `parts`, counted from 1. `rules` and `fingerprints` are digests."""

    task_id: str
    discovery_id: DiscoveryId
    project: ProjectId
    slot: int
    answer: Answer
    tally: Tally = field(default_factory=Tally)
    rules: str = ""
    fingerprints: str = ""
    engine: str = ""
    seconds: float = 0.0
    part: int = 1
    parts: int = 1


@dataclass(slots=True)
class _Unfinished:
    first_offset: int
    parts: dict[int, Result] = field(default_factory=dict)


class Assembly:
    """The parts of one partition's results. All parts of a result are one transaction, so the rest of them follow."""

    def __init__(self) -> None:
        self._unfinished: dict[str, _Unfinished] = {}

    def take(self, result: Result, offset: int) -> Result | None:
        """The whole result once its last part is here. Its parts may be mixed with those of other workers' results,
        and be read again after a restart."""
        if result.parts == 1:
            return result
        unfinished = self._unfinished.setdefault(result.task_id, _Unfinished(offset))
        unfinished.parts[result.part] = result
        if len(unfinished.parts) < result.parts:
            return None
        del self._unfinished[result.task_id]
        parts = [unfinished.parts[number] for number in sorted(unfinished.parts)]
        return replace(parts[0], tally=reduce(Tally.__add__, (part.tally for part in parts)), part=1, parts=1)

    def resume_at(self, next_offset: int) -> int:
        """Where reading must begin again if all this is forgotten: before the first part of what is unfinished."""
        return min([next_offset, *(each.first_offset for each in self._unfinished.values())])
