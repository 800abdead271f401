"""The ledger of one partition, held in memory: what the compacted topic says, with the look-ups the flows need.

Requests at rest stay encoded: a million open ones are a quarter of the memory of a million objects, and most are
looked at twice in a month. They live in an in-memory SQLite table, which brings the secondary indexes for timers
and for jobs; nothing is ever written to a disk, and dropping a partition is closing its table. One thread owns it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from hashlib import blake2b

from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.halt import Halt
from consumer.domain.project import ProjectState
from consumer.domain.statement import next_notice
from consumer.domain.subject import AmplitudeId, Day, Millis, ProjectId

_TABLES = """
CREATE TABLE entry (
  id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, project TEXT NOT NULL, state INTEGER NOT NULL,
  due INTEGER, value BLOB NOT NULL);
CREATE INDEX entry_due ON entry (due) WHERE due IS NOT NULL;
CREATE INDEX entry_active ON entry (project) WHERE state = 1;
CREATE TABLE job (project TEXT NOT NULL, day TEXT NOT NULL, amplitude_id INTEGER, entry INTEGER NOT NULL);
CREATE INDEX job_place ON job (project, day, amplitude_id);
CREATE INDEX job_entry ON job (entry);
"""

_RESTING, _ACTIVE, _CLOSED = 0, 1, 2


def _digest(key: LedgerKey) -> bytes:
    return blake2b(key.encode(), digest_size=16).digest()


def _state(entry: RequestEntry) -> int:
    if entry.ended:
        return _CLOSED
    return _ACTIVE if entry.wants_lane else _RESTING


class Shard:
    """One partition's requests. `encode` and `decode` are the ledger's codec; nothing here looks inside a value.

    Not for sharing between threads. Every method is in-memory work; none blocks or fails for outside reasons.
    """

    def __init__(
        self,
        encode: Callable[[RequestEntry], bytes],
        decode: Callable[[bytes], RequestEntry],
        keep_closed_ms: int,
    ) -> None:
        self._encode, self._decode, self._keep_closed_ms = encode, decode, keep_closed_ms
        self._projects: dict[ProjectId, ProjectState] = {}
        self.halt: Halt | None = None
        """Why intake of this partition is halted, if it is."""
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY;" + _TABLES)

    def get(self, key: LedgerKey) -> RequestEntry | None:
        """The request as last put, or None."""
        row = self._db.execute("SELECT value FROM entry WHERE key = ?", (_digest(key),)).fetchone()
        return self._decode(row[0]) if row else None

    def put(self, entry: RequestEntry, value: bytes | None = None) -> None:
        """Remember the request. `value` is its encoded form, if the caller has it already."""
        due = entry.closed + self._keep_closed_ms if entry.closed is not None else next_notice(entry)
        row = (_digest(entry.key), entry.project, _state(entry), due, value or self._encode(entry))
        (rowid,) = self._db.execute(
            "INSERT INTO entry (key, project, state, due, value) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE"
            " SET project = excluded.project, state = excluded.state, due = excluded.due, value = excluded.value"
            " RETURNING id",
            row,
        ).fetchone()
        self._index_jobs(rowid, entry)

    def _index_jobs(self, rowid: int, entry: RequestEntry) -> None:
        self._db.execute("DELETE FROM job WHERE entry = ?", (rowid,))
        if entry.ended:
            return
        self._db.executemany(
            "INSERT INTO job VALUES (?, ?, ?, ?)",
            [(entry.project, j.day, j.amplitude_id, rowid) for i in entry.identities for j in i.jobs if not j.revoked],
        )

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
        """Remember that intake is halted, or that it no longer is."""
        self.halt = halt

    def remove(self, key: LedgerKey) -> None:
        """Forget that there ever was such a request. Nothing happens if there was none."""
        row = self._db.execute("DELETE FROM entry WHERE key = ? RETURNING id", (_digest(key),)).fetchone()
        if row:
            self._db.execute("DELETE FROM job WHERE entry = ?", row)

    def due(self, now: Millis, limit: int) -> list[RequestEntry]:
        """Requests whose timer has run out, the oldest first: a deadline notice, or the end of the dedupe window."""
        return self._entries("SELECT value FROM entry WHERE due <= ? ORDER BY due LIMIT ?", now, limit)

    def active(self) -> Iterator[RequestEntry]:
        """Every request for which a lane has something to do; decoded one by one."""
        for (value,) in self._db.execute("SELECT value FROM entry WHERE state = ?", (_ACTIVE,)).fetchall():
            yield self._decode(value)

    def watched(self) -> list[tuple[ProjectId, Day, Day]]:
        """Projects with open jobs, with the first and the last day of them: what the tracker has to ask for."""
        return self._db.execute(
            "SELECT project, min(day), max(day) FROM job GROUP BY project ORDER BY project"
        ).fetchall()

    def scheduled(self, project: ProjectId, after: int, limit: int) -> tuple[list[RequestEntry], int]:
        """Up to `limit` requests of the project that have open jobs, from the cursor on, and the next cursor.

        Start with 0; the cursor is 0 again when there are no more. Puts in between are allowed.
        """
        rows = self._db.execute(
            "SELECT id, value FROM entry WHERE id > ? AND id IN (SELECT entry FROM job WHERE project = ?)"
            " ORDER BY id LIMIT ?",
            (after, project, limit),
        ).fetchall()
        return [self._decode(value) for _, value in rows], rows[-1][0] if len(rows) == limit else 0

    def sharing(self, project: ProjectId, amplitude_id: AmplitudeId, day: Day, but: LedgerKey) -> bool:
        """Whether another open request holds the same place in the same job."""
        row = self._db.execute(
            "SELECT 1 FROM job JOIN entry ON entry.id = job.entry WHERE job.project = ? AND job.day = ?"
            " AND job.amplitude_id = ? AND entry.key != ? LIMIT 1",
            (project, day, amplitude_id, _digest(but)),
        ).fetchone()
        return row is not None

    def counts(self) -> dict[str, int]:
        """How many requests are active, resting (waiting for Amplitude) and closed."""
        found = dict(self._db.execute("SELECT state, count(*) FROM entry GROUP BY state").fetchall())
        return {"active": found.get(_ACTIVE, 0), "resting": found.get(_RESTING, 0), "closed": found.get(_CLOSED, 0)}

    def close(self) -> None:
        """Drop everything. The shard cannot be used any more."""
        self._db.close()

    def _entries(self, sql: str, *arguments: object) -> list[RequestEntry]:
        return [self._decode(value) for (value,) in self._db.execute(sql, arguments).fetchall()]
