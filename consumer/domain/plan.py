"""The ids of one POST, and for which positions of which requests each is asked.

Facts: up to 100 ids in one request (Amplitude, "User Privacy API"; taken as the total of user ids and Amplitude IDs).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from consumer.domain.command import IdentityKind
from consumer.domain.entry import IdentityState, LedgerKey
from consumer.domain.jobs import ScheduleCall
from consumer.domain.reply import Ask, Verdict
from consumer.domain.subject import AmplitudeId, Subject

MOST_IDS = 100
MOST_PLACES = 1_000
"""Identities that one batch answers at most: an id that many requests want must not make a transaction without end."""

Place = tuple[LedgerKey, int]
"""One identity of one request, by its position."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`alone`: its only id must be asked for without company, so that the reply can be about nobody else."""

    asks: dict[Ask, tuple[Place, ...]] = field(repr=False)
    alone: bool = False

    def __len__(self) -> int:
        return len(self.asks)

    @property
    def full(self) -> bool:
        """No company could join it."""
        return self.alone or len(self.asks) >= MOST_IDS

    @property
    def places(self) -> dict[LedgerKey, frozenset[int]]:
        """The positions of each request that are in it."""
        found: dict[LedgerKey, set[int]] = {}
        for wanted in self.asks.values():
            for key, position in wanted:
                found.setdefault(key, set()).add(position)
        return {key: frozenset(positions) for key, positions in found.items()}

    def without(self, kept: Collection[Place]) -> Batch:
        """Only what is in `kept`: the rest was cancelled since the batch was planned."""
        asks = {ask: tuple(place for place in wanted if place in kept) for ask, wanted in self.asks.items()}
        return Batch({ask: wanted for ask, wanted in asks.items() if wanted}, self.alone)

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches of half the size: a rejected batch is split until the odd id is alone."""
        asks = list(self.asks.items())
        return Batch(dict(asks[: len(asks) // 2])), Batch(dict(asks[len(asks) // 2 :]))

    def call(self, requester: str) -> ScheduleCall:
        """The POST's content."""
        users = tuple(value for kind, value in self.asks if kind is IdentityKind.USER_ID)
        ids = (value for kind, value in self.asks if kind is IdentityKind.AMPLITUDE_ID)
        return ScheduleCall(users, tuple(AmplitudeId(int(value.reveal())) for value in ids), requester)

    def verdicts(self, by_ask: dict[Ask, Verdict]) -> dict[LedgerKey, dict[int, Verdict]]:
        """The reply's verdicts, by request and position."""
        found: dict[LedgerKey, dict[int, Verdict]] = {}
        for ask, verdict in by_ask.items():
            for key, position in self.asks[ask]:
                found.setdefault(key, {})[position] = verdict
        return found


def ask_for(identity: IdentityState) -> Ask:
    """What Amplitude is asked for an identity that is not forgotten."""
    return identity.kind, identity.value or Subject("")
