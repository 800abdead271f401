"""Members in the order of their rank, any of which may be withdrawn: a heap that forgets lazily."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeVar

Member = TypeVar("Member")
SPARE = 64


class Ranking(Generic[Member]):
    """The member with the least rank first. Each change costs O(log n), amortised.

    A withdrawn member stays in the heap until it surfaces, or until the withdrawn ones outnumber the others. Ranks are
    compared, and among equal ranks the members are: both must be orderable.
    """

    def __init__(self) -> None:
        self._ranks: dict[Member, Any] = {}
        self._heap: list[tuple[Any, Member]] = []

    def put(self, member: Member, rank: Any) -> None:
        """Let it in with this rank, or give it this rank."""
        if member in self._ranks and self._ranks[member] == rank:
            return
        self._ranks[member] = rank
        if len(self._heap) > 2 * len(self._ranks) + SPARE:
            self._heap = [(each, one) for one, each in self._ranks.items()]
            heapify(self._heap)
        else:
            heappush(self._heap, (rank, member))

    def withdraw(self, member: Member) -> None:
        """Take it out, wherever it stands. Nothing happens if it is not there."""
        self._ranks.pop(member, None)

    def first(self) -> Member | None:
        """The member with the least rank, or None without any."""
        while self._heap:
            rank, member = self._heap[0]
            if member in self._ranks and self._ranks[member] == rank:
                return member
            heappop(self._heap)
        return None

    def least(self) -> Any:
        """The least rank, or None without any member."""
        member = self.first()
        return None if member is None else self._ranks[member]

    def pop(self) -> Member | None:
        """Take out the member with the least rank, or None without any."""
        member = self.first()
        if member is not None:
            heappop(self._heap)
            del self._ranks[member]
        return member

    def __contains__(self, member: Member) -> bool:
        return member in self._ranks

    def __len__(self) -> int:
        return len(self._ranks)

    def __iter__(self) -> Iterator[Member]:
        """In no particular order."""
        return iter(self._ranks)
