"""All deletion jobs of all projects: what a POST, a GET and a DELETE do to them. Pure: today is an argument.

There is one job per (app, day), and its status is never stored (see `calendar`). Undocumented choices, all ours: an id
that is already in an open job keeps its old entry; an id in a frozen job goes into a new one as well, until it is
scrubbed; then that person is gone and the id is invalid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from consumer.domain.deadline import plus_days
from consumer.domain.jobs import JobStatus
from consumer.domain.subject import Day
from consumer.sandbox.amplitude import calendar
from consumer.sandbox.amplitude.people import People

DEFAULT_REQUESTER = "rest"
"""Recorded: what Amplitude stores when a POST names no requester."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One Amplitude ID in one job."""

    amplitude_id: int
    requested_on: Day
    requester: str
    user_id: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class JobView:
    """One job as it looks on one day, with all its entries or only those of one POST."""

    app: str
    day: Day
    status: JobStatus
    scrubbed_on: Day | None
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Scheduling:
    """What a POST did. No job: nothing was scheduled. `invalid` holds the ids as they were sent."""

    job: JobView | None
    invalid: tuple[str | int, ...] = field(repr=False)


class JobBook:
    """The jobs. `lead_days` lie between the first request of a job and the job's day."""

    def __init__(self, people: People, lead_days: int = 12) -> None:
        if lead_days <= calendar.FREEZE_DAYS:
            raise ValueError("a job must be open for at least a day")
        self.people = people
        self._lead_days = lead_days
        self._jobs: dict[str, dict[Day, dict[int, Entry]]] = {}
        self._first: dict[tuple[str, int], Day] = {}  # the job that makes each Amplitude ID disappear

    def schedule(
        self, app: str, today: Day, user_ids: Iterable[str], amplitude_ids: Iterable[int], requester: str | None
    ) -> Scheduling:
        """Put everybody who exists into the project's open job; the rest is named in `invalid`."""
        wanted, invalid = self.resolve(app, today, user_ids, amplitude_ids)
        if not wanted:
            return Scheduling(None, tuple(invalid))
        day = self._open_day(app, today)
        job = self._jobs.setdefault(app, {}).setdefault(day, {})
        for amplitude_id, user_id in wanted.items():
            if amplitude_id not in job:
                job[amplitude_id] = Entry(amplitude_id, today, requester or DEFAULT_REQUESTER, user_id)
                self._first.setdefault((app, amplitude_id), day)
        return Scheduling(_view(app, day, today, [job[one] for one in wanted]), tuple(invalid))

    def resolve(
        self, app: str, today: Day, user_ids: Iterable[str], amplitude_ids: Iterable[int]
    ) -> tuple[dict[int, str | None], list[str | int]]:
        """The Amplitude IDs behind the given ids with their users, and the ids that nobody has today, as given."""
        gone_until = plus_days(today, -calendar.SCRUB_DAYS)
        wanted: dict[int, str | None] = {}
        invalid: list[str | int] = []
        for user in user_ids:
            ids = self.people.amplitude_ids(app, user)
            present = [one for one in ids if not self._is_gone(app, one, gone_until)]
            wanted.update(dict.fromkeys(present, user))
            if not present:
                invalid.append(user)
        for one in amplitude_ids:
            if self.people.exists(app, one) and not self._is_gone(app, one, gone_until):
                wanted.setdefault(one, self.people.user_of(app, one))
            else:
                invalid.append(one)
        return wanted, invalid

    def jobs(self, app: str, today: Day, start: Day, end: Day) -> Iterator[JobView]:
        """The jobs whose day lies in the range, both ends included, by day."""
        for day, entries in sorted(self._jobs.get(app, {}).items()):
            if start <= day <= end:
                yield _view(app, day, today, entries.values())

    def revoke(self, app: str, today: Day, amplitude_id: int, day: Day) -> Entry | None:
        """Take an id out of an open job; None if the job is frozen or does not have it. An empty job disappears."""
        entries = self._jobs.get(app, {}).get(day, {})
        if amplitude_id not in entries or not calendar.is_open(day, today):
            return None
        entry = entries.pop(amplitude_id)
        if not entries:
            del self._jobs[app][day]
        if self._first[app, amplitude_id] == day:
            del self._first[app, amplitude_id]
        return entry

    def _is_gone(self, app: str, amplitude_id: int, gone_until: Day) -> bool:
        first = self._first.get((app, amplitude_id))
        return first is not None and first <= gone_until

    def _open_day(self, app: str, today: Day) -> Day:
        """The open job's day; there is at most one, because a new one starts only when none is open."""
        latest = max(self._jobs.get(app, {}), default=None)
        return latest if latest and calendar.is_open(latest, today) else plus_days(today, self._lead_days)


def _view(app: str, day: Day, today: Day, entries: Iterable[Entry]) -> JobView:
    return JobView(app, day, calendar.status_on(day, today), calendar.scrubbed_on(day, today), tuple(entries))
