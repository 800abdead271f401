"""Dead letters as a person sees them: what their headers say, which were produced again, and what goes out again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from consumer.domain.errors import Reason, Refused

ATTEMPTS = "dsr.attempts"
_OURS = ("__connect.errors.", "dsr.")
_DROPPED = ("__connect.", "dsr.reason", "dsr.failed_at", "dsr.rerouted")
MOST_MEMORY_BYTES = 4_000
"""Kafka keeps at most 4,096 bytes beside a committed offset (`offset.metadata.max.bytes`)."""

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. Prints without key, value and headers: they may hold anything."""

    partition: int
    offset: int
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: Headers = field(repr=False)

    def told(self, name: str) -> str:
        """What one of our own headers says; empty if it is not there. The last one counts."""
        found = [value for key, value in self.headers if key == name and value is not None]
        return found[-1].decode("utf-8", "replace") if found and name.startswith(_OURS) else ""

    @property
    def reason(self) -> str:
        """Why it was dead-lettered."""
        return self.told("dsr.reason")

    @property
    def topic(self) -> str:
        """Where it was read from; empty if nobody said so."""
        return self.told("__connect.errors.topic")

    @property
    def attempts(self) -> int:
        """How often it has failed so far."""
        text = self.told(ATTEMPTS)
        return int(text) if text.isascii() and text.isdigit() else 1

    @property
    def size_bytes(self) -> int:
        """Of key and value."""
        return len(self.key or b"") + len(self.value or b"")

    def ours(self) -> dict[str, str]:
        """The headers that we wrote; they never hold anything of the record."""
        return {name: self.told(name) for name, _ in self.headers if name.startswith(_OURS)}

    def onward(self) -> Headers:
        """The headers it is produced with again: the producer's own, and the attempts, so that the next failure counts
        up."""
        kept = tuple((n, v) for n, v in self.headers if not n.startswith(_DROPPED) and n != ATTEMPTS)
        return (*kept, (ATTEMPTS, str(self.attempts).encode()))


@dataclass(frozen=True, slots=True)
class Redriven:
    """What of one partition was produced again: everything before `upto`, and the offsets in `beyond`."""

    upto: int = 0
    beyond: frozenset[int] = frozenset()

    @classmethod
    def parse(cls, upto: int, memory: str) -> Redriven:
        """From a committed offset and the text beside it."""
        offsets: set[int] = set()
        for span in filter(None, memory.split(",")):
            first, _, last = span.partition("-")
            offsets.update(range(int(first), int(last or first) + 1))
        return cls(max(upto, 0), frozenset(offsets))

    def __contains__(self, offset: int) -> bool:
        return offset < self.upto or offset in self.beyond

    def plus(self, chosen: Iterable[int], present: Sequence[int]) -> Redriven:
        """After these too. `present`: the offsets of all letters that are there, in order; up to the first of them
        that was not produced again nothing needs to be remembered one by one."""
        done = self.beyond | set(chosen)
        upto = self.upto
        for offset in present:
            if offset >= upto and offset not in done:
                break
            upto = max(upto, offset + 1)
        return Redriven(upto, frozenset(offset for offset in done if offset >= upto))

    @property
    def memory(self) -> str:
        """The text to keep beside the offset: spans of offsets. Raises `Refused` when it would not fit."""
        spans: list[list[int]] = []
        for offset in sorted(self.beyond):
            if spans and spans[-1][1] == offset - 1:
                spans[-1][1] = offset
            else:
                spans.append([offset, offset])
        text = ",".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)
        if len(text) > MOST_MEMORY_BYTES:
            raise Refused(Reason.BACKLOG_FULL, "too scattered to remember; produce all of them again, without a choice")
        return text
