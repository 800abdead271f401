"""As much of a request as the ledger's look-ups need: its state, its timer and its places in Amplitude's jobs.

A restored ledger reads this much of a million open requests, where reading all of each would take minutes.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from consumer.domain.command import IdentityKind, RequestType
from consumer.domain.entry import IdentityState, JobRef, RequestEntry
from consumer.domain.lifecycle import Stage
from consumer.domain.statement import next_notice
from consumer.domain.subject import AmplitudeId, Day, Millis, OrgId, ProjectId, RequestId


class State(IntEnum):
    """What a request waits for: a lane, Amplitude, or the end of the dedupe window."""

    ACTIVE = 0
    RESTING = 1
    ENDED = 2


class Danger(IntEnum):
    """What was said of an open request's deadline. One that was met is in none."""

    NONE = 0
    AT_RISK = 1
    BREACHED = 2


class Standing(NamedTuple):
    """Where an open request stands."""

    stage: Stage
    danger: Danger


class Place(NamedTuple):
    """A place in a deletion job that was not revoked. `amplitude_id` is None when only a batch marker proves it."""

    day: Day
    amplitude_id: AmplitudeId | None


class Glance(NamedTuple):
    """`due`: when to look at the deadline again. An ended request has no places; `closed` is when it was forgotten.

    A tuple, as the place is: a frozen dataclass takes three times as long to make, and a restore makes millions.
    """

    state: State
    due: Millis | None
    closed: Millis | None
    places: tuple[Place, ...]
    standing: Standing


def glance_at(entry: RequestEntry) -> Glance:
    """The same of a request at hand."""
    state = _state(entry)
    places = () if state is State.ENDED else _places(entry)
    return Glance(state, next_notice(entry), entry.closed, places, _standing(entry))


def _standing(entry: RequestEntry) -> Standing:
    said = Danger.BREACHED if entry.breached_said else Danger.AT_RISK if entry.at_risk_said else Danger.NONE
    return Standing(entry.reached, said if entry.erased is None else Danger.NONE)


def _state(entry: RequestEntry) -> State:
    if entry.ended:
        return State.ENDED
    return State.ACTIVE if entry.wants_lane else State.RESTING


def _places(entry: RequestEntry) -> tuple[Place, ...]:
    return tuple([Place(j.day, j.amplitude_id) for i in entry.identities for j in i.jobs if not j.revoked])


@lru_cache(maxsize=4096)
def judged(
    stages: tuple[bytes, ...], any_jobs: bool, erased: bool, at_risk_said: bool, breached_said: bool
) -> tuple[State, int | None, Standing]:
    """State, timer (relative to the deadline) and standing of every request that looks like this.

    The rules are the entry's own, asked about a made-up one: a timer hangs on the deadline and on nothing else but
    these. The stages are as written; `ValueError` for one that this version does not know.
    """
    jobs = (JobRef(Day(""), None),) if any_jobs else ()
    likeness = RequestEntry(
        request_id=RequestId(""),
        project=ProjectId(""),
        org=OrgId(""),
        request_type=RequestType.ERASURE,
        regulation=None,
        requested_by=None,
        commands=(),
        body_digest=b"",
        submitted=Millis(0),
        accepted=Millis(0),
        deadline=Millis(0),
        identities=tuple(
            IdentityState(0, IdentityKind.USER_ID, None, Stage(stage.decode()), jobs=jobs) for stage in stages
        ),
        at_risk_said=at_risk_said,
        breached_said=breached_said,
        erased=Millis(0) if erased else None,
    )
    return _state(likeness), next_notice(likeness), _standing(likeness)
