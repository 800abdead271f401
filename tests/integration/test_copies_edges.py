"""Copies where something is odd: keys that are refused, people with several ids, stores that fail, orders and ends."""

import asyncio
import json

import pytest

from consumer.copies.ground import Ground
from consumer.copies.packing import Packing
from consumer.copy_ports import StoreFailed
from consumer.domain.errors import LeaseLost, Reason
from consumer.lanes.tenure import Tenure
from consumer.sandbox.amplitude.faults import Fault, Kind
from consumer.sandbox.amplitude.knobs import Knobs
from tests.fakes.commands import identity
from tests.fakes.copying import APP, SHOP, Copying
from tests.fakes.rehearsal import P
from tests.integration.test_copies import events_of, manifest_of


def slow(seconds=0.6):
    """Time to do something before Amplitude has made a copy."""
    return Knobs(gate_s=0.0, hour_s=36.0, dsar_s=seconds)


async def test_refused_keys_are_said_once_to_each_copy_and_it_goes_on_when_they_work():
    """Nothing fails for it."""
    async with Copying() as bench:
        bench.pocket.misbehave(Fault(Kind.STATUS, "DSAR", status=403, count=None, for_s=1.0))
        records = [bench.ask(f"u-{n}") for n in range(3)]
        for record in records:
            await bench.reach(record, "delivered")
        assert [bench.waits(record) for record in records] == [[Reason.CREDENTIALS_REFUSED]] * 3


async def test_keys_that_vanish_after_the_beginning_are_waited_for():
    """The copy is not made in another way halfway."""
    async with Copying(knobs=slow()) as bench:
        record = bench.ask("u-1")
        await bench.reach(record, "requested")
        access, bench.org_access = bench.org_access, None
        await bench.until(lambda: bench.waits(record) == [Reason.CREDENTIALS_MISSING])
        bench.org_access = access
        await bench.reach(record, "delivered")
        assert manifest_of(bench, record)["source"] == "dsar"


async def test_several_identities_are_one_package_and_each_has_its_own_end():
    """By position, so that nobody is named."""
    async with Copying() as bench:
        record = bench.ask("u-1", "ghost-1", "heavy-1", "several-1")
        await bench.reach(record, "delivered")
        last = bench.about(record)[-1].entry
        assert [i.stage for i in last.identities] == ["delivered", "not_found", "refused", "delivered"]
        assert {event["user_id"] for event in events_of(bench, record)} == {"u-1", "several-1"}
        told = manifest_of(bench, record)
        assert [each["events"] for each in told["identities"]] == [50, 0, 0, 100]
        assert any("Identifier 3 of the request could not be copied (too_many_events)" in s for s in told["missing"])


@pytest.mark.parametrize("org_keys", [True, False])
async def test_an_amplitude_id_is_copied_without_a_search(org_keys):
    """In the projects that know it."""
    async with Copying(org_keys=org_keys) as bench:
        [known] = bench.pocket.world.people.amplitude_ids(SHOP, "u-1")
        who = [identity(str(known), "amplitude_id")]
        record = bench.tell(
            subject_request_type="access", project=None, scope="org", org="acme", subject_identities=who
        )
        await bench.reach(record, "delivered")
        assert {e["amplitude_id"] for e in events_of(bench, record) if "amplitude_id" in e} == {known}


async def test_without_org_keys_a_projects_hour_is_never_exceeded_and_pages_do_not_overlap():
    """More events than one page holds."""
    knobs = Knobs(gate_s=0.0, hour_s=36.0, events_per_person=2_300)
    async with Copying(org_keys=False, knobs=knobs) as bench:
        record = bench.ask("u-1", project="shop")
        await bench.reach(record, "delivered", seconds=20)
        found = [event["$insert_id"] for event in events_of(bench, record) if "$insert_id" in event]
        assert len(found) == len(set(found)) == 2_300
        assert bench.pocket.seen(SHOP).statuses == {200: 4}
        assert bench.pocket.seen(APP).requests == {}


async def test_files_that_expired_before_they_were_fetched_are_asked_for_again():
    """Two days after the job was done."""
    async with Copying() as bench:
        bench.pocket.misbehave(Fault(Kind.STATUS, "LINK", status=503, count=999))
        record = bench.ask("u-1")
        await bench.reach(record, "ready")
        bench.clock.advance(days=3)
        bench.pocket.world.faults.clear()
        await bench.reach(record, "delivered")
        assert bench.seen.asked == {"u-1": 2}
        assert bench.stages(record) == ["accepted", "requested", "ready", "delivered"]


async def test_a_copy_that_failed_can_be_asked_for_again_and_nothing_of_the_first_run_stays():
    """In a folder of its own."""
    async with Copying() as bench:
        bench.pocket.misbehave(Fault(Kind.JOB_FAILS, "DSAR", count=3))
        record = bench.ask("u-1")
        await bench.reach(record, "failed")
        assert bench.about(record)[-1].reason is Reason.COPY_FAILED
        assert bench.files() == set()
        bench.tell(**record | {"command": "resubmit", "command_id": "again"})
        await bench.until(lambda: bench.stages(record)[-1] == "delivered")
        assert {path.split("/")[0] for path in bench.files()} == {f"{record['subject_request_id']}-2"}


async def test_the_same_command_again_is_a_duplicate_and_another_body_a_conflict():
    """Also where the request id is an erasure's."""
    async with Copying(knobs=slow()) as bench:
        record = bench.ask("u-1")
        bench.tell(**record)
        bench.tell(**record | {"command_id": "new", "projects": ["shop"]})
        erasure = bench.tell("u-9")
        bench.tell(**record | {"command_id": "newer", "subject_request_id": erasure["subject_request_id"]})
        bench.tell(**erasure | {"command_id": "newest", "subject_request_id": record["subject_request_id"]})
        replies = [(o.duplicate_of is not None, o.reason) for o in bench.outcomes if o.sequence == 0]
        refused = [o.reason for o in bench.outcomes if o.stage == "refused"]
        assert (True, None) in replies
        assert refused == [Reason.CONFLICTING_DUPLICATE] * 3


async def test_an_erasure_of_another_project_or_person_waits_for_nothing():
    """Only what would take something away does."""
    async with Copying(knobs=slow()) as bench:
        bench.ask("u-1", project="app")
        for erasure in (bench.tell("u-1"), bench.tell("u-2")):
            await bench.reach(erasure, "scheduled")


@pytest.mark.parametrize("end", ["cancelled", "not_found", "refused"])
async def test_an_erasure_goes_on_however_the_copy_ends(end):
    """It must not wait for ever."""
    who = {"cancelled": "u-1", "not_found": "ghost-1", "refused": "heavy-1"}[end]
    async with Copying(knobs=slow()) as bench:
        copy = bench.ask(who)
        erasure = bench.tell(who)
        assert bench.stages(erasure) == ["held"]
        if end == "cancelled":
            await bench.reach(copy, "requested")
            bench.cancel(copy | {"project": "shop"})
        await bench.reach(copy, end)
        await bench.reach(erasure, "scheduled", "not_found")


async def test_an_erasure_waits_for_every_copy_and_can_be_approved_or_cancelled_meanwhile():
    """Two copies; the erasure is let go by the last one."""
    async with Copying(knobs=slow(1.0)) as bench:
        first, second = bench.ask("u-1"), bench.ask("u-1", project="shop")
        waiting, approved, cancelled = bench.tell("u-1"), bench.tell("u-1"), bench.tell("u-1")
        bench.tell(**approved | {"command": "approve", "command_id": "go", "subject_identities": []})
        bench.cancel(cancelled)
        await bench.reach(approved, "scheduled")
        await bench.reach(cancelled, "cancelled")
        assert bench.stages(waiting) == ["held"]
        await bench.reach(first, "requested")
        bench.cancel(first | {"project": "shop"})
        await bench.reach(first, "cancelled")
        await asyncio.sleep(0.1)
        assert bench.stages(waiting) == ["held"]
        await bench.reach(second, "delivered")
        await bench.reach(waiting, "scheduled")


async def test_a_copy_and_an_erasure_in_one_turn_keep_their_order():
    """Nothing of the copy is in the ledger yet."""
    async with Copying(knobs=slow()) as bench:
        commit, decided = bench._commit, []
        bench._commit = decided.append
        copy, erasure = bench.ask("u-1"), bench.tell("u-1")
        bench._commit = commit
        commit(lambda turn: [decide(turn) for decide in decided])
        assert (bench.stages(copy), bench.stages(erasure)) == (["accepted"], ["held"])
        await bench.reach(erasure, "scheduled")


class Failing:
    """A store that fails for some names, so often."""

    def __init__(self, store, name, times):
        self._store, self._name, self.left, self.written = store, name, times, []

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def put(self, name, chunks):
        if self._name in name and self.left > 0:
            self.left -= 1
            raise StoreFailed
        stored = await self._store.put(name, chunks)
        self.written.append(name)
        return stored


@pytest.mark.parametrize("name", ["events/", "index", "manifest"])
async def test_a_store_that_fails_at_any_file_is_tried_again_and_nothing_is_left_over(name):
    """By another owner, too, in between."""
    async with Copying() as bench:
        await bench.copies.close()
        bench.store = Failing(bench.store, name, 3)
        await bench.open()
        record = bench.ask("u-1")
        await bench.until(lambda: bench.store.left < 3)
        folder = bench.folder / record["subject_request_id"] / "events"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "of-somebody-who-was-killed.jsonl.gz").write_bytes(b"left over")
        await bench.restart()
        await bench.reach(record, "delivered")
        folder, told = record["subject_request_id"], manifest_of(bench, record)
        named = {f"{folder}/{each['name']}" for each in (*told["files"], told["page"])}
        await bench.until(lambda: bench.files() == named | {f"{folder}/manifest.json"})


async def test_a_file_that_changed_in_the_store_before_the_package_was_closed_is_fetched_again():
    """What is delivered was read back."""
    async with Copying() as bench:
        await bench.copies.close()
        bench.store = Failing(bench.store, "index", 1)
        await bench.open()
        record = bench.ask("u-1")
        await bench.until(lambda: bench.store.left == 0)
        await bench.copies.close()
        spoilt = next((bench.folder / record["subject_request_id"] / "events").iterdir())
        data = bytearray(spoilt.read_bytes())
        data[9] ^= 1  # the operating system, in the header of a gzip file: the events are the same, the file is not
        spoilt.write_bytes(data)
        await bench.open()
        await bench.reach(record, "delivered")
        assert len(list(events_of(bench, record))) == 50
        assert spoilt.name not in json.dumps(manifest_of(bench, record))


async def test_of_a_copy_that_fails_with_files_in_the_store_nothing_stays():
    """One file came well, and another one again and again not."""
    async with Copying() as bench:
        await bench.copies.close()
        bench.store = Failing(bench.store, "", 0)
        await bench.open()
        bench.pocket.misbehave(Fault(Kind.LATENCY, "LINK"), Fault(Kind.LATENCY, "LINK", seconds=0.3, count=99))
        record = bench.ask("u-1")
        await bench.until(lambda: len(bench.store.written) == 1)
        bench.pocket.misbehave(Fault(Kind.CORRUPT, "LINK", count=999))
        await bench.reach(record, "failed")
        assert bench.about(record)[-1].reason is Reason.ARCHIVE_DAMAGED
        assert bench.files() == set()


async def test_a_member_that_lost_the_org_deletes_nothing():
    """A process that was frozen may wake up in the middle of clearing what its successor has stored."""
    async with Copying() as bench:
        record = bench.ask("u-1")
        await bench.reach(record, "delivered")
        stored, entry = bench.files(), bench.about(record)[-1].entry
        tenure = Tenure(P, 1, lambda: bench, bench.clock, 1e9)
        packing = Packing(Ground(tenure, "acme", bench.world), lambda key: asyncio.sleep(0))
        bench.owned = False
        with pytest.raises(LeaseLost):
            await packing.clear(entry)
        assert bench.files() == stored
        bench.owned = True
        await packing.clear(entry)
        assert bench.files() == set()


async def test_nothing_that_is_said_or_named_tells_who_it_is():
    """Outcomes, names of files, the manifest; the events and the page do, because they are for the person."""
    async with Copying() as bench:
        record = bench.ask("jane.doe@example.com")
        await bench.reach(record, "delivered")
        assert "jane" not in json.dumps(manifest_of(bench, record))
        assert not [path for path in bench.files() if "jane" in path]
        assert "jane" not in repr(bench.outcomes)
        assert "jane" in "".join(str(event["user_id"]) for event in events_of(bench, record))
