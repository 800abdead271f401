"""The ledger of one partition, held in memory: what the compacted topic says, with the look-ups the flows need.

A million open requests and three million closed ones inside the dedupe window have to fit into a gigabyte and to be
read back in a minute and a half, so requests at rest stay encoded, closed ones compressed in pages as well; nothing is
ever written to a disk. Loading does not look into a value: a record whose header says that it is closed is filed away,
and of the others only the last version of each is glanced at, once all is read. The price: a request is decoded
whenever it is looked at, and a put of one that stands in Amplitude's jobs glances at the version before, to take it
out of them. One thread owns a shard.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from consumer.domain.command import Identity
from consumer.domain.entry import COPY_KEY, IdentityState, LedgerKey, RequestEntry
from consumer.domain.errors import Fatal, Reason
from consumer.domain.glance import Glance, Standing, State, glance_at
from consumer.domain.halt import HALT_KEY, Halt
from consumer.domain.project import ProjectState
from consumer.domain.subject import AmplitudeId, Day, Millis, OrgId, ProjectId
from consumer.ledger.closed import ClosedRequests
from consumer.ledger.copies import OpenCopies
from consumer.ledger.places import Places
from consumer.ledger.resting import NEVER, UNKNOWN, due_of, label, rest, retimed, standing_of, timer, value_of

CLOSED = "dsr.closed"
"""Header of the record of a closed request: when it was closed, in epoch milliseconds as text."""
PROJECT_KEY = "project/"
"""What the ledger's keys of projects begin with."""
_PROJECT, _HALT, _COPY = PROJECT_KEY.encode(), HALT_KEY.encode(), COPY_KEY.encode()
RECENT = 2_000
"""Requests kept as they were put, some 4 MB: what a lane has just written ahead is asked for again with its answer."""
_HORIZON_MS = 3_600_000


def headers_of(entry: RequestEntry | None) -> tuple[tuple[str, bytes | None], ...]:
    """The headers of the request's record. Without them it is restored all the same, only slower."""
    return ((CLOSED, str(entry.closed).encode()),) if entry is not None and entry.closed is not None else ()


Version = tuple[bytes, bytes | None, Millis | None]
"""A record of the ledger as read: key, value (None for a tombstone), and what its header says of its closing."""


@dataclass(frozen=True, slots=True)
class LedgerCodec:
    """How a ledger's values are written and read. `glance` is `decode` and `glance_at` in one, only faster."""

    encode: Callable[[RequestEntry], bytes]
    decode: Callable[[bytes], RequestEntry | ProjectState | Halt]
    glance: Callable[[bytes], Glance]


class Shard:
    """One partition's requests. Fill it by `load`, then `settle`; use it from then on (an empty one at once).

    Not for sharing between threads. Every method is in-memory work; none blocks or fails for outside reasons, but a
    value that is not a ledger's raises what the codec raises. `keep_closed_ms` is the dedupe window. `halt` is set
    while the partition's intake is halted.
    """

    def __init__(self, codec: LedgerCodec, keep_closed_ms: int) -> None:
        self._codec, self._keep_closed_ms = codec, keep_closed_ms
        self._open: dict[bytes, bytes] = {}
        self._recent: dict[bytes, RequestEntry] = {}
        self._active: dict[bytes, None] = {}
        self._closed = ClosedRequests()
        self._places, self._copies = Places(), OpenCopies()
        self._standings: Counter[Standing] = Counter()
        self._soon: list[tuple[Millis, bytes]] = []
        self._horizon = Millis(0)
        self._projects: dict[ProjectId, ProjectState] = {}
        self._others: dict[bytes, bytes] = {}
        self._unsettled: Iterator[bytes] | None = None
        self._ended: list[bytes] = []
        self.halt: Halt | None = None

    def load(self, versions: Iterable[Version]) -> None:
        """Take over records in the order of the topic. Costs three or four microseconds each."""
        known, closed, keep_ms, unknown = self._open, self._closed, self._keep_closed_ms, timer(None) + UNKNOWN
        for key, value, closed_at in versions:
            if key.startswith(_PROJECT) or key == _HALT:
                self._load_other(key, value)
                continue
            if value is not None and closed_at is None:
                if key not in known:  # a request is either open or closed
                    closed.remove(key)
                known[key] = rest(value, unknown)
                continue
            if known.pop(key, None) is None:
                closed.remove(key)
            if value is not None and closed_at is not None:
                closed.put(key, Millis(closed_at + keep_ms), value)

    def _load_other(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._others.pop(key, None)
        else:
            self._others[key] = value

    def settle(self, limit: int) -> bool:
        """After the last `load`: look at up to `limit` open requests; True once all are known, and the shard is fit
        for use. Some 25 microseconds each."""
        if self._unsettled is None:
            self._unsettled = iter(self._open)
        looked_at = 0
        for key in islice(self._unsettled, limit):  # replaces values only: the iterator stays valid
            self._settle(key, self._open[key])
            looked_at += 1
        if looked_at == limit:
            return False
        self._settle_rest()
        return True

    def _settle(self, key: bytes, resting: bytes) -> None:
        glance = self._codec.glance(value_of(resting))
        if glance.state is State.ENDED:
            self._ended.append(key)
            return
        self._open[key] = retimed(resting, timer(glance.due) + label(glance.standing))
        self._follow(key, glance)
        if key.startswith(_COPY):
            self._copies.put(key, self._decode(value_of(resting)))

    def _settle_rest(self) -> None:
        for key in self._ended:
            value = value_of(self._open.pop(key))
            self._closed.put(key, self._end_of_window(self._codec.glance(value)), value)
        for value in self._others.values():
            found = self._codec.decode(value)
            if isinstance(found, ProjectState):
                self.put_project(found)
            elif isinstance(found, Halt):
                self.put_halt(found)
        self._unsettled, self._ended, self._others = None, [], {}

    def get(self, key: LedgerKey) -> RequestEntry | None:
        """The request as last put, or None."""
        place = key.encode()
        if (recent := self._recent.get(place)) is not None:
            return recent
        value = self._value(place)
        return self._decode(value) if value is not None else None

    def put(self, entry: RequestEntry, value: bytes | None = None) -> None:
        """Remember the request. `value` is its encoded form; without it, it is encoded here, once more."""
        key, glance = entry.key.encode(), glance_at(entry)
        self._drop(key)
        if entry.copy is not None:
            self._copies.put(key, entry)
        if value is None:
            value = self._codec.encode(entry)
        if glance.state is State.ENDED:
            self._closed.put(key, self._end_of_window(glance), value)
            return
        self._open[key] = rest(value, timer(glance.due) + label(glance.standing))
        self._follow(key, glance)
        if glance.state is State.ACTIVE:
            self._recent[key] = entry
            if len(self._recent) > RECENT:
                del self._recent[next(iter(self._recent))]

    def remove(self, key: LedgerKey) -> None:
        """Forget that there ever was such a request. Nothing happens if there was none."""
        self._drop(key.encode())

    def _follow(self, key: bytes, glance: Glance) -> None:
        self._standings[glance.standing] += 1
        if glance.state is State.ACTIVE:
            self._active[key] = None
        if glance.places:
            self._places.add(_project_of(key), key, glance.places)
        if glance.due is not None and glance.due < self._horizon:
            heapq.heappush(self._soon, (glance.due, key))

    def _drop(self, key: bytes) -> None:
        resting = self._open.pop(key, None)
        self._recent.pop(key, None)
        self._copies.remove(key)
        if resting is None:
            self._closed.remove(key)
            return
        if (standing := standing_of(resting)) is not None:
            self._standings[standing] -= 1
        self._active.pop(key, None)
        if self._places.holds(project := _project_of(key), key):
            self._places.remove(project, key, self._codec.glance(value_of(resting)).places)

    def _value(self, key: bytes) -> bytes | None:
        resting = self._open.get(key)
        return value_of(resting) if resting is not None else self._closed.get(key)

    def _decode(self, value: bytes) -> RequestEntry:
        found = self._codec.decode(value)
        if not isinstance(found, RequestEntry):
            raise Fatal(Reason.UNDECODABLE, "a ledger record is not about a request")
        return found

    def _end_of_window(self, glance: Glance) -> Millis:
        return Millis(glance.closed + self._keep_closed_ms) if glance.closed is not None else NEVER

    def project(self, project: ProjectId) -> ProjectState:
        """The project as last put, or a fresh one."""
        return self._projects.get(project) or ProjectState(project)

    def projects(self) -> list[ProjectState]:
        """Every project with a state of its own."""
        return list(self._projects.values())

    def put_project(self, state: ProjectState) -> None:
        """Remember the project's state."""
        self._projects[state.project] = state

    def put_halt(self, halt: Halt | None) -> None:
        """Intake is halted, or, with None, no longer."""
        self.halt = halt

    def due(self, now: Millis, limit: int) -> list[RequestEntry]:
        """Requests whose timer has run out, the oldest first: a deadline notice, or the end of the dedupe window."""
        found = self._closed.due(now, limit) + self._open_due(now, limit)
        found.sort()
        return [self._decode(value) for _, value in found[:limit]]

    def _open_due(self, now: Millis, limit: int) -> list[tuple[Millis, bytes]]:
        if now >= self._horizon:
            self._look_ahead(now)
        found: dict[bytes, Millis] = {}
        while self._soon and self._soon[0][0] <= now and len(found) < limit:
            due, key = heapq.heappop(self._soon)
            if self._open.get(key, b"").startswith(timer(due)):  # else it was put again since, with another timer
                found[key] = due
        for key, due in found.items():
            heapq.heappush(self._soon, (due, key))
        return [(due, value_of(self._open[key])) for key, due in found.items()]

    def _look_ahead(self, now: Millis) -> None:
        """Once an hour: all open requests whose timer runs out in the next one. A million take half a second."""
        self._horizon = Millis(now + _HORIZON_MS)
        before = timer(self._horizon)
        self._soon = [(due_of(resting), key) for key, resting in self._open.items() if resting < before]
        heapq.heapify(self._soon)

    def active(self) -> Iterator[RequestEntry]:
        """Every request for which a lane has something to do; decoded one by one, so the shard may change meanwhile.

        One that was not active any more when its turn came is left out.
        """
        for key in tuple(self._active):
            if key in self._active:
                yield self._decode(value_of(self._open[key]))

    def watched(self) -> list[tuple[ProjectId, Day, Day]]:
        """Projects with open jobs, with the first and the last day of them: what the tracker has to ask for."""
        return self._places.watched()

    def scheduled(self, project: ProjectId, after: int, limit: int) -> tuple[list[RequestEntry], int]:
        """Up to `limit` requests of the project that have open jobs, from the cursor on, and the next cursor.

        Start with 0; the cursor is 0 again when there are no more. Puts in between are allowed.
        """
        keys, cursor = self._places.walk(project, after, limit)
        return [self._decode(value_of(self._open[key])) for key in keys], cursor

    def sharing(self, project: ProjectId, amplitude_id: AmplitudeId, day: Day, but: LedgerKey) -> bool:
        """Whether another open request holds the same place in the same job."""
        return self._places.sharing(project, amplitude_id, day, but.encode())

    def copying(self, org: OrgId, identity: IdentityState | Identity) -> list[LedgerKey]:
        """The copies of that identity in that org that are not delivered yet."""
        return self._copies.of(org, identity)

    def counts(self) -> dict[str, int]:
        """How many requests are active, resting (waiting for Amplitude) and closed."""
        active = len(self._active)
        return {"active": active, "resting": len(self._open) - active, "closed": len(self._closed)}

    def standings(self) -> dict[Standing, int]:
        """How many open requests stand where."""
        return {standing: count for standing, count in self._standings.items() if count}

    def close(self) -> None:
        """Let go of everything. The shard cannot be used any more."""
        self._open, self._recent, self._active, self._soon = {}, {}, {}, []
        self._closed, self._places, self._copies = ClosedRequests(), Places(), OpenCopies()
        self._standings.clear()


def _project_of(key: bytes) -> ProjectId:
    """Request ids hold no slash."""
    return ProjectId(key.partition(b"/")[2].decode())
