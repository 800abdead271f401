"""Rule 9: what has ended is forgotten, and still recognised for as long as a duplicate may come."""

import asyncio

import schemas
from consumer.adapters.wire import entry_in
from tests.integration.intake_worker import codec
from tests.integration.whole import Whole

PEOPLE = ("u-jane-roe", "ghost-joe-bloggs", "several-ann-other")


def latest(whole):
    """The ledger as compaction leaves it: the last value of each key; None is a tombstone."""
    return {m.key(): m.value() for m in whole.read(whole.topics.ledger) if not m.key().startswith(b"project/")}


def holds(value):
    """Who can be told from a value: by name, or by an Amplitude ID."""
    entry = entry_in(codec.decode(schemas.LEDGER, value))
    ids = [str(job.amplitude_id) for i in entry.identities for job in i.jobs if job.amplitude_id is not None]
    return [name for name in PEOPLE if name.encode() in value] + ids


async def test_after_its_end_nothing_in_the_ledger_says_who_it_was_and_a_duplicate_is_still_recognised(
    kafka_bootstrap, monkeypatch
):
    """Rule 9: read raw, the last version holds no identifier, nor an Amplitude ID; after the window, a tombstone."""
    limits = {"dedupe_days": 40}
    async with Whole(kafka_bootstrap, monkeypatch, limits=limits) as whole:
        whole.start()
        gone, unknown = await whole.tell(PEOPLE[0], PEOPLE[2]), await whole.tell(PEOPLE[1])
        await whole.reach(gone, "scheduled")
        await whole.reach(unknown, "not_found")
        key = f"{gone['subject_request_id']}/shop".encode()
        assert [PEOPLE[0], PEOPLE[2]] == holds(latest(whole)[key])[:2]
        assert len(holds(latest(whole)[key])) == 2 + 3, "one has two Amplitude IDs"
        for _ in range(20):
            whole.clock.advance(days=1)
            await asyncio.sleep(0.15)
        await whole.reach(gone, "done")
        left = await asyncio.to_thread(latest, whole)
        assert len(left) == 2
        assert [[], []] == [holds(value) for value in left.values()]
        await whole.restart()
        again = await whole.tell(PEOPLE[0], PEOPLE[2], **{k: gone[k] for k in ("command_id", "subject_request_id")})
        (reply,) = await whole.answered(again)
        assert (reply["stage"], reply["duplicate_of"]) == ("done", gone["command_id"])
        assert whole.seen.times_sent()[PEOPLE[0]] == 1
        whole.clock.advance(days=41)
        await whole.until(lambda: {None} == set(latest(whole).values()))
        await whole.restart()
        late = await whole.tell("u-1", **{k: gone[k] for k in ("command_id", "subject_request_id")})
        await whole.until(lambda: _accepted_twice(whole, late))


async def _accepted_twice(whole, record):
    return (await whole.stages(record)).count("accepted") == 2
