"""What a reply to a deletion POST says about each identity that was asked for. Never decided by counting.

A 200 does not mean that anything was scheduled, a job may list ids that other callers put there, and user ids are
only there if Amplitude chose to send them (facts: Amplitude, "User Privacy API", and recorded replies).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consumer.domain.command import IdentityKind
from consumer.domain.entry import JobRef
from consumer.domain.jobs import Job, JobMember, ScheduleReply
from consumer.domain.subject import BatchId, Subject

LEAST_MARKER = 8
"""A truncated marker with fewer characters of the batch id proves nothing."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """It stands in these jobs."""

    jobs: tuple[JobRef, ...]


@dataclass(frozen=True, slots=True)
class NotFound:
    """Amplitude knows nobody by that id."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """The reply does not mention it: it must be asked for alone."""


Verdict = Scheduled | NotFound | Unclear
Ask = tuple[IdentityKind, Subject]


def marker(requester: str, batch: BatchId) -> str:
    """The text sent as `requester`: Amplitude's list shows it, which is how a lost answer is reconciled."""
    return f"{requester}/{batch}"


def bears(seen: str, requester: str, batch: BatchId) -> bool:
    """Whether a listed requester is this batch's marker, possibly truncated by Amplitude."""
    prefix = f"{requester}/"
    tail = seen.removeprefix(prefix)
    return seen.startswith(prefix) and len(tail) >= LEAST_MARKER and batch.startswith(tail)


def classify(asks: Sequence[Ask], reply: ScheduleReply, requester: str, batch: BatchId) -> dict[Ask, Verdict]:
    """A verdict for every ask. A call for one identity alone is never `Unclear`."""
    if not reply.jobs:
        return {ask: NotFound() for ask in asks}
    names_users = any(member.user_id for job in reply.jobs for member in job.members)
    verdicts: dict[Ask, Verdict] = {}
    for ask in asks:
        kind, value = ask
        found = tuple(_ref(job, member) for job in reply.jobs for member in job.members if _is(member, kind, value))
        if found:
            verdicts[ask] = Scheduled(found)
        elif value.reveal() in reply.invalid:
            verdicts[ask] = NotFound()
        elif len(asks) == 1:
            verdicts[ask] = _alone(reply, requester, batch)
        elif kind is IdentityKind.USER_ID and not names_users:
            verdicts[ask] = Scheduled(tuple(JobRef(job.day, None, batch, job.status) for job in reply.jobs))
        else:
            verdicts[ask] = Unclear()
    return verdicts


def _is(member: JobMember, kind: IdentityKind, value: Subject) -> bool:
    if kind is IdentityKind.USER_ID:
        return member.user_id == value
    return str(member.amplitude_id) == value.reveal().lstrip("0")


def _ref(job: Job, member: JobMember) -> JobRef:
    return JobRef(job.day, member.amplitude_id, None, job.status, job.scrubbed_on)


def _alone(reply: ScheduleReply, requester: str, batch: BatchId) -> Verdict:
    """Only one identity was asked for, so what bears our marker is its; else the job's day is all that is known."""
    ours = [(job, m) for job in reply.jobs for m in job.members if bears(m.requester, requester, batch)]
    if ours:
        return Scheduled(tuple(_ref(job, member) for job, member in ours))
    return Scheduled(tuple(JobRef(job.day, None, batch, job.status) for job in reply.jobs))
