"""Which open requests stand in which deletion jobs, by project and day. Knows keys, not requests."""

from __future__ import annotations

from collections.abc import Iterable

from consumer.domain.glance import Place
from consumer.domain.subject import AmplitudeId, Day, ProjectId

Holders = bytes | set[bytes]
"""Nearly every place has one holder, and a set costs four times as much as the key alone."""


class _Jobs:
    """One project's: the holders of each place, and its requests in the order in which they got their first place."""

    __slots__ = ("days", "requests", "walk")

    def __init__(self) -> None:
        self.days: dict[Day, dict[AmplitudeId | None, Holders]] = {}
        self.requests: dict[bytes, None] = {}
        self.walk: list[bytes] = []


class Places:
    """A million places take about 110 MB. Not for sharing between threads."""

    def __init__(self) -> None:
        self._projects: dict[ProjectId, _Jobs] = {}

    def add(self, project: ProjectId, key: bytes, places: Iterable[Place]) -> None:
        """The request holds these places. There must be at least one."""
        jobs = self._projects.get(project)
        if jobs is None:
            jobs = self._projects[project] = _Jobs()
        jobs.requests[key] = None
        for place in places:
            day = jobs.days.get(place.day)
            if day is None:
                day = jobs.days[place.day] = {}
            held = day.setdefault(place.amplitude_id, key)
            if held != key:
                day[place.amplitude_id] = {*held, key} if isinstance(held, set) else {held, key}

    def holds(self, project: ProjectId, key: bytes) -> bool:
        """Whether the request holds any place."""
        jobs = self._projects.get(project)
        return jobs is not None and key in jobs.requests

    def remove(self, project: ProjectId, key: bytes, places: Iterable[Place]) -> None:
        """The request no longer holds these, which are all that it held."""
        jobs = self._projects[project]
        del jobs.requests[key]
        for place in set(places):
            day = jobs.days[place.day]
            held = day[place.amplitude_id]
            if isinstance(held, set):
                held.discard(key)
            if not held or held == key:
                del day[place.amplitude_id]
            if not day:
                del jobs.days[place.day]
        if not jobs.requests:
            del self._projects[project]

    def watched(self) -> list[tuple[ProjectId, Day, Day]]:
        """Each project with its first and last day, ordered by project."""
        return [(project, min(jobs.days), max(jobs.days)) for project, jobs in sorted(self._projects.items())]

    def sharing(self, project: ProjectId, amplitude_id: AmplitudeId, day: Day, but: bytes) -> bool:
        """Whether another request than `but` holds the place."""
        jobs = self._projects.get(project)
        held = jobs.days.get(day, {}).get(amplitude_id, but) if jobs else but
        return bool(held - {but}) if isinstance(held, set) else held != but

    def walk(self, project: ProjectId, after: int, limit: int) -> tuple[list[bytes], int]:
        """Up to `limit` of the project's requests from the cursor on, and the next cursor, 0 after the last.

        A walk that begins (with 0) sees the requests of that moment, without those that have left since; a project
        has one walk at a time.
        """
        jobs = self._projects.get(project)
        if jobs is None:
            return [], 0
        if after == 0:
            jobs.walk = list(jobs.requests)
        end = after + limit
        return [key for key in jobs.walk[after:end] if key in jobs.requests], end if end < len(jobs.walk) else 0
