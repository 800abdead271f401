"""Amplitude's deletion jobs as the service sees them: plain values, no transport.

Facts: one job per project and scheduled day; a job lists Amplitude IDs and, only in the reply to a POST that asked
for it, the user ids they came from (Amplitude, "User Privacy API").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from consumer.domain.subject import AmplitudeId, Day, Subject


class JobStatus(StrEnum):
    """As on the wire. `staging` may still be revoked; `submitted` is frozen; `done` includes the backups."""

    STAGING = "staging"
    SUBMITTED = "submitted"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class JobMember:
    """One Amplitude ID in a job. `requester` is the text sent with the POST that put it there."""

    amplitude_id: AmplitudeId = field(repr=False)
    requester: str
    user_id: Subject | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A deletion job. `scrubbed_on` is Amplitude's `active_scrub_done_date`: the data is unreachable since then."""

    day: Day
    status: JobStatus
    scrubbed_on: Day | None
    members: tuple[JobMember, ...]


@dataclass(frozen=True, slots=True)
class ScheduleCall:
    """The ids of one POST: together at most 100, each once. `requester` carries the batch marker."""

    user_ids: tuple[Subject, ...]
    amplitude_ids: tuple[AmplitudeId, ...] = field(repr=False)
    requester: str

    def __len__(self) -> int:
        return len(self.user_ids) + len(self.amplitude_ids)


@dataclass(frozen=True, slots=True)
class ScheduleReply:
    """What a 200 to that POST said: no jobs at all means nothing was scheduled (the bare message)."""

    jobs: tuple[Job, ...] = ()
    invalid: frozenset[str] = field(default_factory=frozenset, repr=False)  # ids as text: personal


class Revocation(StrEnum):
    """Answer to a DELETE of one Amplitude ID from one job."""

    REVOKED = "revoked"  # 200
    REFUSED = "refused"  # 400/404: frozen, unknown, or already gone; only a re-read can tell which
