"""Whether a ledger is sound: what a member would restore from it, and what of that cannot be right."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from consumer.domain.entry import RequestEntry
from consumer.domain.halt import HALT_KEY, Halt
from consumer.domain.project import ProjectState
from consumer.domain.routing import partition_of
from consumer.domain.subject import Millis


class Defect(StrEnum):
    """What can be wrong with a record that would be restored."""

    UNREADABLE = "unreadable"
    KEY_DIFFERS = "key_differs"
    WRONG_PARTITION = "wrong_partition"
    TWO_PARTITIONS = "two_partitions"
    CLOSED_DIFFERS = "closed_differs"


SENTENCES = {
    Defect.UNREADABLE: "cannot be decoded: damaged, or of a newer version of this program",
    Defect.KEY_DIFFERS: "stands under a key that is not its own",
    Defect.WRONG_PARTITION: "is not in the partition of its org, so nobody serves it",
    Defect.TWO_PARTITIONS: "is open in two partitions, so two members serve it",
    Defect.CLOSED_DIFFERS: "has a header that says otherwise of its closing than the record",
}


class Line(NamedTuple):
    """One record: where it stands, its key, what its header says of its closing, and what it is about.

    `about` is None for a tombstone and `Defect.UNREADABLE` for what could not be decoded.
    """

    partition: int
    offset: int
    key: str
    closed: Millis | None
    about: RequestEntry | ProjectState | Halt | Defect | None


class Flawed(NamedTuple):
    """A record that cannot be right. It is named by its place: its key is not shown, it may be anything."""

    partition: int
    offset: int
    defect: Defect


@dataclass(frozen=True, slots=True)
class Report:
    """What a whole ledger holds. `earliest` is the first deadline of an open request."""

    records: int = 0
    open: int = 0
    closed: int = 0
    projects: int = 0
    halts: int = 0
    forgotten: int = 0
    earliest: Millis | None = None
    flawed: tuple[Flawed, ...] = ()
    by_defect: Counter[Defect] = field(default_factory=Counter)


class _Kept(NamedTuple):
    offset: int
    kind: str
    deadline: Millis | None
    defect: Defect | None


class Audit:
    """Hear every record in the order of its partition, then ask for the `report`. Some 200 bytes for each key."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._records = self._forgotten = 0
        self._last: dict[str, dict[int, _Kept]] = {}

    def hear(self, line: Line) -> None:
        """One more record. Only the last one of a key in its partition would be restored, and is judged."""
        self._records += 1
        here = self._last.setdefault(line.key, {})
        if line.about is None:
            self._forgotten += here.pop(line.partition, None) is not None
        else:
            here[line.partition] = self._kept(line)

    def _kept(self, line: Line) -> _Kept:
        match line.about:
            case RequestEntry() as entry:
                kind = "closed" if entry.closed is not None else "open"
                return _Kept(line.offset, kind, entry.deadline, self._defect_of(line, entry))
            case ProjectState() as state:
                defect = None if line.key == f"project/{state.project}" else Defect.KEY_DIFFERS
                return _Kept(line.offset, "project", None, defect)
            case Halt():
                return _Kept(line.offset, "halt", None, None if line.key == HALT_KEY else Defect.KEY_DIFFERS)
        return _Kept(line.offset, "unreadable", None, Defect.UNREADABLE)

    def _defect_of(self, line: Line, entry: RequestEntry) -> Defect | None:
        found = {
            Defect.KEY_DIFFERS: line.key != entry.key,
            Defect.WRONG_PARTITION: line.partition != partition_of(entry.org, self._partitions),
            Defect.CLOSED_DIFFERS: line.closed not in {None, entry.closed},
        }
        return next((defect for defect, is_there in found.items() if is_there), None)

    def report(self) -> Report:
        """Of what was heard."""
        kinds = Counter(kept.kind for here in self._last.values() for kept in here.values())
        deadlines = [k.deadline for here in self._last.values() for k in here.values() if k.kind == "open"]
        flawed = sorted(each for here in self._last.values() for each in _flawed(here))
        return Report(
            records=self._records,
            open=kinds["open"],
            closed=kinds["closed"],
            projects=kinds["project"],
            halts=kinds["halt"],
            forgotten=self._forgotten,
            earliest=min(filter(None, deadlines), default=None),
            flawed=tuple(flawed),
            by_defect=Counter(each.defect for each in flawed),
        )


def _flawed(here: dict[int, _Kept]) -> list[Flawed]:
    """Of one key. A project's state may well stand in two partitions, and so may a request that has ended in one of
    them: the project's org was another one once."""
    twice = sum(kept.kind == "open" for kept in here.values()) > 1
    return [
        Flawed(partition, kept.offset, kept.defect or Defect.TWO_PARTITIONS)
        for partition, kept in here.items()
        if kept.defect or (twice and kept.kind == "open")
    ]
