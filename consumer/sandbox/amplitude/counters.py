"""What the stand-in saw, for assertions: requests, stamps, spacing, concurrency, ids. Counts refused requests too."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class PostSeen:
    """One well-formed POST: what it carried and whether it was applied, whatever its answer was."""

    at_s: float
    requester: str | None
    user_ids: tuple[str, ...] = field(repr=False)
    amplitude_ids: tuple[int, ...] = field(repr=False)
    applied: bool = False

    def __len__(self) -> int:
        return len(self.user_ids) + len(self.amplitude_ids)


@dataclass(slots=True)
class ExportSeen:
    """One export that was let in: its hours, and from when to when it was open (real monotonic seconds)."""

    first: int
    last: int
    began_s: float
    ended_s: float | None = None
    sent_bytes: int = 0


@dataclass(slots=True)
class AppCounters:
    """Of one project. Stamps are real monotonic seconds at which a request's head had arrived."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    stamps_s: list[tuple[str, float]] = field(default_factory=list)
    posts: list[PostSeen] = field(default_factory=list, repr=False)
    in_flight: int = 0
    max_in_flight: int = 0
    min_spacing_s: float | None = None
    emails: int = 0
    exports: list[ExportSeen] = field(default_factory=list)
    open_exports: int = 0
    max_open_exports: int = 0
    broken_exports: int = 0
    """Exports whose client went away before their end."""

    def export_opened(self) -> None:
        """An export is let in; whoever closes it counts `open_exports` down."""
        self.open_exports += 1
        self.max_open_exports = max(self.max_open_exports, self.open_exports)

    @property
    def throttled(self) -> int:
        """Requests answered 429, whether by the limiter or by a script."""
        return self.statuses[429]

    def arrived(self, method: str, at_s: float) -> None:
        """A request with valid keys is there; `left` must follow."""
        if self.stamps_s:
            spacing_s = at_s - self.stamps_s[-1][1]
            self.min_spacing_s = spacing_s if self.min_spacing_s is None else min(self.min_spacing_s, spacing_s)
        self.requests[method] += 1
        self.stamps_s.append((method, at_s))
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def left(self) -> None:
        """That request has been answered or dropped."""
        self.in_flight -= 1

    def times_sent(self) -> Counter[str]:
        """How often each user id was in a POST, applied or not."""
        return Counter(user for post in self.posts for user in post.user_ids)

    def times_applied(self) -> Counter[str]:
        """How often each user id was in a POST that was applied."""
        return Counter(user for post in self.posts if post.applied for user in post.user_ids)

    def as_json(self) -> dict[str, Any]:
        """Everything, ids included: the stand-in knows made-up people only."""
        return {
            "requests": dict(self.requests),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "throttled": self.throttled,
            "max_in_flight": self.max_in_flight,
            "min_spacing_s": self.min_spacing_s,
            "emails": self.emails,
            "exports": len(self.exports),
            "max_open_exports": self.max_open_exports,
            "ids_per_post": [len(post) for post in self.posts],
            "times_sent": dict(self.times_sent()),
            "times_applied": dict(self.times_applied()),
        }


@dataclass(slots=True)
class OrgCounters:
    """Of one org's copies. `asked`: questions by person; `credentials_leaked`: downloads that carried keys."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    downloads: int = 0
    credentials_leaked: int = 0


class Counters:
    """Per project and org, made on first sight. `refused` counts requests whose keys were not accepted."""

    def __init__(self) -> None:
        self.apps: dict[str, AppCounters] = {}
        self.orgs: dict[str, OrgCounters] = {}
        self.refused = 0

    def org(self, org: str) -> OrgCounters:
        """The counters of one org."""
        return self.orgs.setdefault(org, OrgCounters())

    def app(self, app: str) -> AppCounters:
        """The counters of one project."""
        return self.apps.setdefault(app, AppCounters())

    def as_json(self) -> dict[str, Any]:
        """The reply of `GET /fake/counters`."""
        apps = {app: counters.as_json() for app, counters in self.apps.items()}
        orgs = {
            org: {"requests": dict(seen.requests), "downloads": seen.downloads, "asked": dict(seen.asked)}
            for org, seen in self.orgs.items()
        }
        return {"refused": self.refused, "apps": apps, "orgs": orgs}

    def reset(self) -> None:
        """Forget everything that was counted; requests on their way are no longer counted out."""
        self.apps.clear()
        self.orgs.clear()
        self.refused = 0
