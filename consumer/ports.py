"""What the flows need from the world. Adapters implement these; only the composition root constructs adapters.

Nothing here knows Kafka, HTTP or a file. Every method says whether it blocks and what it raises.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from consumer.domain.errors import Reason
from consumer.domain.glance import Standing
from consumer.domain.hours import Hour
from consumer.domain.jobs import Job, Revocation, ScheduleCall, ScheduleReply
from consumer.domain.statement import Outcome
from consumer.domain.subject import AmplitudeId, Day, Millis, OrgId, ProjectId, Secret

Gate = Callable[[], None]
"""Called by a client with the connection in hand, right before the first byte of a request is written.

It records the send stamp, and raises `LeaseLost` when the call must not leave any more. A client lets that pass."""


class Region(StrEnum):
    """Amplitude's data residency; keys exist in one region only."""

    US = "us"
    EU = "eu"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """API key and secret key of one project (or, for copies, of an org)."""

    api_key: Secret
    secret_key: Secret


@dataclass(frozen=True, slots=True)
class Access:
    """Where and as whom one project is called. `base_url` overrides the region's host (tests, proxies).

    `org_wide`: by User Privacy v2, which is experimental and deletes in every project of the org.
    """

    project: ProjectId
    org: OrgId
    region: Region
    keys: KeyPair
    base_url: str | None = None
    org_wide: bool = False


class Clock(Protocol):
    """Two clocks: the calendar (may run fast in a rehearsal) and the pacing clock (always real)."""

    def now(self) -> Millis:
        """Calendar time. Deadlines, job days and hold periods are read from it."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps. Pacing, lingers and leases are measured on it."""
        ...


class Privacy(Protocol):
    """Amplitude's User Privacy API for one key pair at a time. One call each, no retries, no pacing.

    Every method is a coroutine, raises `CallFailed` with a `Fault`, and lets the gate's `LeaseLost` pass.
    """

    async def schedule(self, access: Access, call: ScheduleCall, gate: Gate) -> ScheduleReply:
        """POST: put the ids into the project's next deletion job. Unknown ids are skipped, never fatal."""
        ...

    async def jobs(self, access: Access, start: Day, end: Day, gate: Gate) -> list[Job]:
        """GET: every job scheduled from `start` to `end`, both inclusive, at most six months apart."""
        ...

    async def revoke(self, access: Access, amplitude_id: AmplitudeId, day: Day, gate: Gate) -> Revocation:
        """DELETE: take one Amplitude ID out of one job that is still in staging."""
        ...


class Absence(StrEnum):
    """Why a window of hours has no archive."""

    EMPTY = "empty"
    """404, "Raw data files were not found": nothing was uploaded then, or it cannot be exported yet."""
    TOO_LARGE = "too_large"
    """400 that names the size limit, or 504: ask for fewer hours."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip on its way. Iterate once; iterating raises `CallFailed(LOST)` where the connection breaks off."""

    chunks: AsyncIterator[bytes] = field(repr=False)


class Export(Protocol):
    """Amplitude's Export API, for one project at a time. One call, no retries, no pacing."""

    def archive(self, access: Access, first: Hour, last: Hour) -> AbstractAsyncContextManager[Archive | Absence]:
        """GET the upload hours `first` to `last`, both inclusive. The connection is closed when the context is left,
        whatever was read of it. Entering raises `CallFailed`, for a 200 that is no zip
        `CallFailed(LOST, NOT_AN_ARCHIVE)`."""
        ...


class CredentialVerdict(StrEnum):
    """What one key pair turned out to be, from one call that changes nothing."""

    VALID = "valid"
    BUSY = "valid, but throttled right now"
    WRONG_REGION = "valid in the other region"
    REFUSED = "refused"
    WRONG_URL = "wrong base URL"
    UNKNOWN = "could not be determined"


class Credentials(Protocol):
    """ "Test your integration": reads only."""

    async def verify(self, access: Access) -> CredentialVerdict:
        """One GET on the deletion list (today), repeated on the other region's host when refused. Never raises
        `CallFailed`; anything that is not an answer is `UNKNOWN`."""
        ...


@dataclass(frozen=True, slots=True)
class LaneReport:
    """What one lane is doing: numbers and reasons, never an identifier.

    `waiting`: requests for which it has something to do; `oldest`: when the oldest of them was accepted. `reason`:
    why it waits, if it does.
    """

    project: ProjectId
    waiting: int
    oldest: Millis | None
    in_flight: int
    interval_s: float
    circuit_open: bool
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What one org's copies are doing: numbers and reasons, never an identifier.

    `waiting`: copies that are not delivered; `oldest`: when the oldest of them was accepted; `jobs`: of them, those
    that Amplitude is making. `tokens`: units of the DSAR API that may be spent now.
    """

    org: OrgId
    waiting: int
    oldest: Millis | None
    in_flight: int
    jobs: int
    tokens: float
    circuit_open: bool
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What the Kafka thread is doing: numbers and reasons, never an identifier.

    The Kafka thread makes one at the end of each turn and publishes it by assigning it to an attribute; the event
    loop reads that attribute and nothing else of the thread's. The very last one, made when the thread has left its
    loop for whatever cause, says `alive=False`. `turned_at` and `proven_at` (of the last transaction that the broker
    accepted; None before the first) are seconds on the pacing clock. `joined`: the group gave this member its
    assignment, with partitions or without. `intake`: why no command is read from any partition, if so; `halted`: why
    none is read from these. `active`, `resting`, `closed`: requests held in memory that a lane can do something
    about, that wait for Amplitude, and that are remembered for duplicates only. `standings`: where the open ones stand.
    `lag`: by partition, the commands that are not taken in yet, as of a few seconds ago.
    """

    alive: bool
    turned_at: float
    proven_at: float | None = None
    joined: bool = False
    owned: tuple[int, ...] = ()
    restoring: tuple[int, ...] = ()
    halted: Mapping[int, Reason] = field(default_factory=dict)
    intake: Reason | None = None
    active: int = 0
    resting: int = 0
    closed: int = 0
    standings: Mapping[Standing, int] = field(default_factory=dict)
    lag: Mapping[int, int] = field(default_factory=dict)

    @property
    def paused(self) -> frozenset[Reason]:
        """Every reason why commands of some partition are not read now."""
        return frozenset(self.halted.values()) | ({self.intake} if self.intake else set())


class Meter(Protocol):
    """Where the flows count. Called from the Kafka thread and from the event loop; never blocks, never raises."""

    def called(self, project: ProjectId, verb: str, answer: str, took_s: float) -> None:
        """One HTTP call that left: GET, POST or DELETE; `ok` or its `Fault`."""
        ...

    def batched(self, project: ProjectId, ids: int) -> None:
        """One POST was sent with so many ids."""
        ...

    def resubmitted(self, project: ProjectId, ids: int) -> None:
        """Ids were sent again because the answer to an earlier POST was lost."""
        ...

    def said(self, outcome: Outcome) -> None:
        """One outcome is durable."""
        ...

    def buried(self, reason: Reason) -> None:
        """One record is durably dead-lettered."""
        ...

    def committed(self, took_s: float, records: int) -> None:
        """One transaction with so many commands was committed. Told last, after what it said and buried."""
        ...

    def restored(self, took_s: float) -> None:
        """One partition's ledger was read back."""
        ...

    def rebalanced(self) -> None:
        """The group has shared its partitions out anew."""
        ...


class NoMeter:
    """Implements `Meter` by counting nothing."""

    def called(self, project: ProjectId, verb: str, answer: str, took_s: float) -> None:
        """Nothing."""

    def batched(self, project: ProjectId, ids: int) -> None:
        """Nothing."""

    def resubmitted(self, project: ProjectId, ids: int) -> None:
        """Nothing."""

    def said(self, outcome: Outcome) -> None:
        """Nothing."""

    def buried(self, reason: Reason) -> None:
        """Nothing."""

    def committed(self, took_s: float, records: int) -> None:
        """Nothing."""

    def restored(self, took_s: float) -> None:
        """Nothing."""

    def rebalanced(self) -> None:
        """Nothing."""
