"""Which identities go into the next POST: the most urgent first, each id once, at most 100.

Facts: up to 100 ids in one request (Amplitude, "User Privacy API"; taken as the total of user ids and Amplitude IDs).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from consumer.domain.command import IdentityKind
from consumer.domain.entry import IdentityState, LedgerKey, RequestEntry
from consumer.domain.jobs import ScheduleCall
from consumer.domain.reply import Ask, Verdict
from consumer.domain.subject import AmplitudeId, Millis, Subject

MOST_IDS = 100


@dataclass(frozen=True, slots=True)
class Batch:
    """The ids of one POST, and for which positions of which requests each is asked."""

    asks: dict[Ask, tuple[tuple[LedgerKey, int], ...]] = field(repr=False)

    def __len__(self) -> int:
        return len(self.asks)

    @property
    def places(self) -> dict[LedgerKey, frozenset[int]]:
        """The positions of each request that are in it."""
        found: dict[LedgerKey, set[int]] = {}
        for wanted in self.asks.values():
            for key, position in wanted:
                found.setdefault(key, set()).add(position)
        return {key: frozenset(positions) for key, positions in found.items()}

    def without(self, kept: Collection[tuple[LedgerKey, int]]) -> Batch:
        """Only what is in `kept`: the rest was cancelled since the batch was planned."""
        asks = {ask: tuple(place for place in wanted if place in kept) for ask, wanted in self.asks.items()}
        return Batch({ask: wanted for ask, wanted in asks.items() if wanted})

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


def plan(entries: Iterable[RequestEntry], now: Millis, released: Millis | None = None) -> Batch:
    """The next batch: by deadline, one id in it at most once, full or as full as there are ids.

    An identity that must be asked for alone gets a batch of its own when its turn has come.
    """
    asks: dict[Ask, list[tuple[LedgerKey, int]]] = {}
    for entry in sorted(entries, key=lambda e: (e.deadline, e.accepted, e.key)):
        for identity in entry.ready(now, released):
            ask = ask_for(identity)
            if identity.alone:
                if not asks:
                    return Batch({ask: ((entry.key, identity.position),)})
                continue
            if ask in asks or len(asks) < MOST_IDS:
                asks.setdefault(ask, []).append((entry.key, identity.position))
    return Batch({ask: tuple(places) for ask, places in asks.items()})
