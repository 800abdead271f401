"""The overview of all requests."""

from dataclasses import replace

from consumer.domain.deadline import DAY_MS
from consumer.domain.entry import IdentityState, JobRef
from consumer.domain.erasure import forget
from consumer.domain.errors import Reason
from consumer.domain.overview import Glimpse, overview
from consumer.domain.project import ProjectState
from tests.fakes.commands import NOW, accepted


def scheduled(entry, day):
    jobs = (JobRef(day, 1),)
    identities = tuple(IdentityState(i.position, i.kind, i.value, "scheduled", jobs=jobs) for i in entry.identities)
    return entry._replace(identities=identities)


def test_requests_are_counted_by_project_and_stage():
    """The oldest open one, and how the project itself stands."""
    done = forget(accepted("u-1"), NOW)
    done = done._replace(identities=tuple(replace(i, stage="done") for i in done.identities))
    entries = [done, accepted("u-2"), accepted("u-3")._replace(accepted=NOW - 5), accepted("u-4", over_cap=True)]
    states = {
        "shop": ProjectState("shop", parked=Reason.CREDENTIALS_REFUSED),
        "game": ProjectState("game", paused=True),
    }
    game, shop = overview(map(Glimpse.of, entries), states, NOW)
    assert ({"done": 1, "accepted": 2, "held": 1}, 3, NOW - 5) == (dict(shop.stages), shop.open, shop.oldest)
    assert ("credentials_refused", False, True, 0) == (shop.parked, shop.paused, game.paused, game.open)


def test_a_deadline_is_at_risk_by_what_is_expected_and_breached_when_it_is_over():
    """By the job's day if it is known, else by the project's own history; an erased one is neither."""
    near = accepted("u-1", deadline=NOW + 10 * DAY_MS, submitted_time=NOW - DAY_MS)
    late = accepted("u-2", deadline=NOW - 1, submitted_time=NOW - 40 * DAY_MS)
    job = scheduled(near, "2026-06-17")
    glimpses = [Glimpse.of(entry) for entry in (near, late, job, late._replace(erased=NOW))]
    (slow,) = overview(glimpses, {}, NOW)
    assert (1, 1) == (slow.at_risk, slow.breached)
    quick = ProjectState("shop", observed_ms=(2 * DAY_MS,))
    (row,) = overview(glimpses, {"shop": quick}, NOW)
    assert (0, 1) == (row.at_risk, row.breached)


def test_a_glimpse_holds_nobody():
    """However many are kept in memory, none names a person."""
    assert "u-1" not in repr(Glimpse.of(accepted("u-1")))
