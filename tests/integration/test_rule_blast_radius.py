"""Rules 10 and 11: neither a stalled Amplitude nor a producer's bug grows without bound."""

import asyncio
from dataclasses import replace

import pytest

from tests.integration.whole import FAST, Whole

MOST = 5
STALLED = replace(FAST, linger_s=10.0**6)


async def saying(whole, stage):
    """The requests of which that was said."""
    said = await asyncio.to_thread(whole.outcomes)
    return {o["subject_request_id"] for o in said if o["stage"] == stage}


@pytest.mark.slow
async def test_intake_pauses_while_nothing_is_sent_and_goes_on_afterwards_also_across_rebalances(
    kafka_bootstrap, monkeypatch
):
    """Rule 10: with as many undispatched requests as a member may hold nothing more is taken in. The pause does not get
    lost when the partition moves, and does not stick to it when the requests have left."""
    async with Whole(kafka_bootstrap, monkeypatch, limits={"most_undispatched": MOST}) as whole:
        whole.start("one", policy=STALLED)
        first = [await whole.tell(f"u-{n}") for n in range(MOST)]
        await whole.until(lambda: _count(whole, "accepted", MOST))
        more = [await whole.tell(f"u-{MOST + n}") for n in range(20)]
        await asyncio.sleep(2)
        whole.start("two", policy=STALLED)
        await asyncio.sleep(4)
        await whole.end("one")
        await asyncio.sleep(4)
        whole.start("one")
        assert {r["subject_request_id"] for r in first} == await saying(whole, "accepted")
        await whole.end("two")
        await whole.until(lambda: _count(whole, "scheduled", len(first + more)))


async def test_what_only_a_command_releases_does_not_keep_that_command_from_being_read(kafka_bootstrap, monkeypatch):
    """Rule 10: a paused project with more requests than a member may hold can be resumed, and held ones be approved."""
    async with Whole(kafka_bootstrap, monkeypatch, limits={"most_undispatched": 2}, daily_cap=1) as whole:
        whole.start()
        about = {"subject_request_id": None, "subject_identities": [], "project": "shop"}
        await whole.tell(command="pause", **about)
        records = [await whole.tell(f"u-{n}") for n in range(6)]
        await whole.reach(records[-1], "held")
        await whole.restart()
        await whole.tell(command="resume", **about)
        await whole.reach(records[0], "scheduled")
        await whole.tell(command="approve", **about)
        for record in records:
            await whole.reach(record, "scheduled")


async def _count(whole, stage, count):
    return len(await saying(whole, stage)) >= count


async def test_cap_and_approval_and_pause_and_hold_survive_a_restart(kafka_bootstrap, monkeypatch):
    """Rule 11: what holds a project back stands in its ledger, not in a process."""
    async with Whole(kafka_bootstrap, monkeypatch, daily_cap=2) as whole:
        whole.start()
        records = [await whole.tell(f"u-{n}") for n in range(4)]
        await whole.reach(records[1], "scheduled")
        assert ["held"] == await whole.stages(records[3])
        (held,) = await whole.about(records[3])
        assert held["reason"] == "daily_cap"
        await whole.restart()
        after = await whole.tell("u-4")
        await whole.reach(after, "held")
        await whole.tell(command="pause", subject_request_id=None, subject_identities=[], project="shop")
        await whole.tell(command="approve", subject_request_id=None, subject_identities=[], project="shop")
        await whole.until(lambda: _replies(whole, 2))
        await whole.restart()
        paused = await whole.tell("u-5")
        await whole.reach(paused, "accepted")
        await asyncio.sleep(1)
        assert {"u-0", "u-1"} >= set(whole.seen.times_sent())
        await whole.tell(command="resume", subject_request_id=None, subject_identities=[], project="shop")
        for record in [*records, after, paused]:
            await whole.reach(record, "scheduled")


async def _replies(whole, count):
    said = await asyncio.to_thread(whole.outcomes)
    return sum(o["kind"] == "reply" for o in said) >= count


async def test_a_hold_ends_by_the_calendar_also_after_a_restart(kafka_bootstrap, monkeypatch):
    """Rule 11: a hold period delays every dispatch, and is counted from the acceptance."""
    async with Whole(kafka_bootstrap, monkeypatch, hold_hours=48) as whole:
        whole.start()
        record = await whole.tell("u-1001")
        await whole.reach(record, "held")
        whole.clock.advance(hours=47)
        await whole.restart()
        other = await whole.tell("u-1002")
        await whole.reach(other, "held")
        await asyncio.sleep(1)
        assert not whole.seen.posts
        whole.clock.advance(hours=2)
        await whole.reach(record, "scheduled")
        assert ["held"] == await whole.stages(other)
