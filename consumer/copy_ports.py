"""What the copy flow needs from the world: Amplitude's two ways to a person's data, and a store for the packages.

As in `ports`: adapters implement these, and only the composition root constructs adapters.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from consumer.domain.command import IdentityKind
from consumer.domain.errors import Deferred, Reason
from consumer.domain.subject import AmplitudeId, Day, Subject
from consumer.ports import Access, Archive, Gate


class DsarStatus(StrEnum):
    """Where one job of the DSAR API stands."""

    STAGING = "staging"
    SUBMITTED = "submitted"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DsarAsk:
    """Everything on one person from `start` to `end`, both inclusive."""

    kind: IdentityKind
    who: Subject
    start: Day
    end: Day


@dataclass(frozen=True, slots=True)
class DsarJob:
    """One job as last polled. `outputs`: the numbers of its files, once it is done; `expires`: when they disappear.

    `reason`: why it failed, as far as Amplitude's text says something that we know.
    """

    status: DsarStatus
    outputs: tuple[int, ...] = ()
    expires: Day | None = None
    reason: Reason | None = None


class Gone(Deferred):
    """A job or a file of the DSAR API is not there (any more): 404 or 410. Nothing but a new request brings it back."""

    def __init__(self) -> None:
        super().__init__(Reason.RESULTS_EXPIRED)


class LinkFailed(Deferred):
    """A file is elsewhere, and did not come from there as a whole. Asking for it again gives another link."""

    def __init__(self) -> None:
        super().__init__(Reason.UNAVAILABLE)


class Dsar(Protocol):
    """Amplitude's DSAR API for one org's keys. One call each, no retries, no pacing.

    Every method raises `CallFailed` with a `Fault` and lets the gate's `LeaseLost` pass.
    """

    async def request(self, access: Access, ask: DsarAsk, gate: Gate) -> int:
        """POST (8 units): have a copy made. The job's number."""
        ...

    async def job(self, access: Access, job: int, gate: Gate) -> DsarJob:
        """GET (1 unit): where the job stands. Raises `Gone`."""
        ...

    def output(self, access: Access, job: int, output: int, gate: Gate) -> AbstractAsyncContextManager[Archive]:
        """GET (1 unit): one file, gzip with one JSON object on a line, as a stream from wherever the answer redirects
        to. Entering raises `Gone` for a file that is not there, and `LinkFailed`, which iterating raises as well."""
        ...


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """One page of a person's events, and what Amplitude knows of the person. The caller owns both. `more`: it was full,
    so there may be another one."""

    events: list[dict[str, Any]] = field(repr=False)
    user: dict[str, Any] = field(repr=False)
    more: bool = False


class Activity(Protocol):
    """User Search and User Activity of one project: 360 calls an hour together. Errors as `Dsar`'s."""

    async def search(self, access: Access, user_id: Subject, gate: Gate) -> tuple[AmplitudeId, ...]:
        """Everybody whose user id is exactly this one; Amplitude's prefix matches are left out."""
        ...

    async def page(self, access: Access, amplitude_id: AmplitudeId, offset: int, gate: Gate) -> ActivityPage:
        """Up to about 1,000 events from the offset on, the earliest first, so that new ones move no page."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """One file as it stands in the store: size in bytes and SHA-256 in hex."""

    size: int
    sha256: str


class StoreFailed(Deferred):
    """The store took, or gave, no file. Nothing of a file that was being written is left under its name."""

    def __init__(self) -> None:
        super().__init__(Reason.STORE_UNAVAILABLE)


class Store(Protocol):
    """Where packages go. Names are relative, with slashes. Every method raises `StoreFailed`, and nothing else."""

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> Stored:
        """Write a file as its bytes come. It appears under its name as a whole, or, if the source raises (which is let
        pass) or the store fails, not at all."""
        ...

    def get(self, name: str) -> AsyncIterator[bytes]:
        """A file as a stream. `StoreFailed` also for one that is not there."""
        ...

    async def sizes(self, folder: str) -> dict[str, int]:
        """Every file below the folder by name, with its size in bytes; empty if there is none."""
        ...

    async def remove(self, names: list[str]) -> None:
        """Delete these files. One that is not there is no error."""
        ...

    def url(self, name: str) -> str:
        """Where others find the file: `file:///...` or `s3://bucket/...`. Holds no credentials."""
        ...
