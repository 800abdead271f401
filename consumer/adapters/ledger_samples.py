"""Made-up requests as they will look in a ledger, for training the dictionary that they are compressed with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from uuid import UUID

from consumer.domain.command import IdentityKind, RequestType
from consumer.domain.deadline import DAY_MS, Regulation
from consumer.domain.entry import IdentityState, JobRef, RequestEntry
from consumer.domain.erasure import forget
from consumer.domain.jobs import JobStatus
from consumer.domain.lifecycle import Stage
from consumer.domain.subject import AmplitudeId, BatchId, CommandId, Day, Millis, OrgId, ProjectId, RequestId, Subject

_EACH = 200
_NOW = Millis(1_800_000_000_000)


def samples() -> Iterator[RequestEntry]:
    """Some hundred requests: just accepted, standing in a job, and closed. The same ones every time."""
    random = Random(0)
    for _ in range(_EACH):
        accepted = _accepted(random)
        yield accepted
        scheduled = _scheduled(accepted, random)
        yield scheduled
        yield _done(scheduled, random)


def _accepted(random: Random) -> RequestEntry:
    now = Millis(_NOW + random.randrange(60 * DAY_MS))
    return RequestEntry(
        request_id=RequestId(_uuid(random)),
        project=ProjectId("app"),
        org=OrgId("app"),
        request_type=RequestType.ERASURE,
        regulation=random.choice(list(Regulation)),
        requested_by=None,
        commands=(CommandId(_uuid(random)),),
        body_digest=random.randbytes(8),
        submitted=Millis(now - random.randrange(DAY_MS)),
        accepted=now,
        deadline=Millis(now + 30 * DAY_MS),
        identities=(_identity(random),),
        stage_sequence=1,
        stage=Stage.ACCEPTED,
    )


def _identity(random: Random) -> IdentityState:
    value = random.choice([_uuid(random), f"user-{random.randrange(10**7)}", f"p{random.randrange(10**6)}@example.com"])
    return IdentityState(0, IdentityKind.USER_ID, Subject(value), Stage.ACCEPTED)


def _scheduled(entry: RequestEntry, random: Random) -> RequestEntry:
    job = JobRef(_day(random), AmplitudeId(random.randrange(10**11, 10**12)))
    return entry._replace(
        identities=(replace(entry.identities[0], stage=Stage.SCHEDULED, jobs=(job,)),),
        stage=Stage.SCHEDULED,
        stage_sequence=3,
        attempt=1,
        dispatched=Millis(entry.accepted + random.randrange(DAY_MS)),
        batches=(BatchId(f"{random.getrandbits(64):016x}"),),
    )


def _done(entry: RequestEntry, random: Random) -> RequestEntry:
    identity = entry.identities[0]
    job = replace(identity.jobs[0], status=JobStatus.DONE, scrubbed_on=_day(random))
    done = entry._replace(
        identities=(replace(identity, stage=Stage.DONE, jobs=(job,)),),
        stage=Stage.DONE,
        stage_sequence=6,
        erased=Millis(entry.accepted + random.randrange(20 * DAY_MS)),
    )
    return forget(done, Millis(_NOW + random.randrange(90 * DAY_MS)))


def _day(random: Random) -> Day:
    return Day(f"2027-{random.randint(1, 12):02}-{random.randint(1, 28):02}")


def _uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))
