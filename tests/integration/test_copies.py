"""Copies from command to package: real sockets, real files, the pocket Amplitude; every turn is committed at once."""

import asyncio
import gzip
import hashlib
import json

from pyrage import decrypt, x25519

from consumer.domain.errors import Reason
from consumer.sandbox.amplitude.faults import Fault, Kind
from consumer.sandbox.amplitude.knobs import Knobs
from tests.fakes.copying import APP, SHOP, Copying


def manifest_of(bench, record):
    return json.loads((bench.folder / record["subject_request_id"] / "manifest.json").read_bytes())


def events_of(bench, record, open_file=lambda data: data):
    folder = bench.folder / record["subject_request_id"]
    for file in manifest_of(bench, record)["files"]:
        data = (folder / file["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["size"], file["sha256"])
        lines = gzip.decompress(open_file(data)).splitlines()
        assert len(lines) == file["events"]
        yield from map(json.loads, lines)


def delivered(bench, record):
    (said,) = [o for o in bench.about(record) if o.stage == "delivered" and o.kind == "stage"]
    return said.entry.copy.package


async def test_a_copy_of_an_org_is_delivered_whole_and_verified():
    """Everything that Amplitude holds on the person in either project, and a manifest with the digest that was said."""
    async with Copying() as bench:
        record = bench.ask("u-1")
        await bench.reach(record, "delivered")
        assert bench.stages(record) == ["accepted", "requested", "ready", "delivered"]
        package = delivered(bench, record)
        written = (bench.folder / record["subject_request_id"] / "manifest.json").read_bytes()
        assert package.manifest == (bench.folder / record["subject_request_id"] / "manifest.json").as_uri()
        assert package.sha256 == hashlib.sha256(written).hexdigest()
        events = list(events_of(bench, record))
        assert len(events) == package.lines == 50
        assert {event["app"] for event in events} == {int(SHOP), int(APP)}
        assert {event["user_id"] for event in events} == {"u-1"}
        assert bench.seen.credentials_leaked == 0
        page = json.loads(written)["page"]["name"]
        assert "u-1" in (bench.folder / record["subject_request_id"] / page).read_text()
        assert "u-1" not in written.decode()


async def test_only_the_projects_that_were_asked_for_are_delivered():
    """The rest is counted, and not stored."""
    async with Copying() as bench:
        record = bench.ask("u-1", project="shop")
        await bench.reach(record, "delivered")
        assert {event["app"] for event in events_of(bench, record)} == {int(SHOP)}
        assert any("were left out: 25" in said for said in manifest_of(bench, record)["missing"])


async def test_somebody_whom_amplitude_does_not_know_ends_not_found():
    """Without a package, and with nothing in the store."""
    async with Copying() as bench:
        record = bench.ask("ghost-1")
        await bench.reach(record, "not_found")
        assert bench.files() == set()


async def test_without_org_keys_the_projects_own_answers_are_delivered_and_marked():
    """And somebody whose id only begins like the one that was asked for is not in it."""
    async with Copying(org_keys=False) as bench:
        bench.pocket.world.people.amplitude_ids(SHOP, "u-12")
        record = bench.ask("u-1")
        await bench.reach(record, "delivered")
        assert bench.about(record)[-1].reason is Reason.WITHOUT_ORG_KEYS
        told = manifest_of(bench, record)
        assert told["source"] == "user_activity"
        assert {event["user_id"] for event in events_of(bench, record) if "user_id" in event} == {"u-1"}


async def test_an_encrypted_package_leaves_nothing_plain():
    """Every file but the manifest, which names nobody, opens with the recipient's key only."""
    key = x25519.Identity.generate()
    async with Copying(recipients=[str(key.to_public())]) as bench:
        record = bench.ask("u-1")
        await bench.reach(record, "delivered")
        assert len(list(events_of(bench, record, lambda data: decrypt(data, [key])))) == 50
        folder = bench.folder / record["subject_request_id"]
        for path in folder.rglob("*"):
            if path.is_file() and path.name != "manifest.json":
                assert path.read_bytes().startswith(b"age-encryption.org/v1")
        assert bench.shard.get(f"copy/{record['subject_request_id']}/acme").copy.seal is None


async def test_an_erasure_waits_for_the_copy_that_was_asked_for_first():
    """It is held, says why, and goes on by itself; the copy has what was there."""
    async with Copying(knobs=Knobs(gate_s=0.0, hour_s=36.0, dsar_s=0.6)) as bench:
        copy = bench.ask("u-1")
        erasure = bench.tell("u-1")
        other = bench.tell("u-2")
        await bench.reach(other, "scheduled")
        assert bench.stages(erasure) == ["held"]
        assert bench.about(erasure)[0].reason is Reason.COPY_FIRST
        await bench.reach(copy, "delivered")
        await bench.reach(erasure, "scheduled")


async def test_what_is_broken_on_the_way_is_fetched_again():
    """A link that has expired, damaged files, a job that fails, lost answers: the package is whole all the same."""
    async with Copying() as bench:
        bench.pocket.misbehave(
            Fault(Kind.STATUS, "LINK", status=403),
            Fault(Kind.CORRUPT, "LINK"),
            Fault(Kind.CUT, "LINK"),
            Fault(Kind.TRUNCATED, "LINK"),
            Fault(Kind.JOB_FAILS, "DSAR"),
            Fault(Kind.APPLIED_DROP, "DSAR"),
            Fault(Kind.STATUS, "DSAR", status=429),
            Fault(Kind.STATUS, "DSAR_GET", status=503),
        )
        record = bench.ask("u-1")
        await bench.reach(record, "delivered", seconds=20)
        assert len(list(events_of(bench, record))) == 50
        assert len(bench.pocket.world.faults) == 0


async def test_another_owner_goes_on_where_the_last_one_stood():
    """What is stored is not fetched again, and the package is said to be delivered once."""
    async with Copying() as bench:
        bench.pocket.misbehave(Fault(Kind.LATENCY, "LINK", seconds=0.2, count=20))
        records = [bench.ask(f"u-{n}") for n in range(6)]
        for _ in range(8):
            await bench.restart()
            await asyncio.sleep(0.15)
        for record in records:
            await bench.reach(record, "delivered", seconds=20)
            assert len(list(events_of(bench, record))) == 50
            assert bench.stages(record).count("delivered") == 1


async def test_a_cancelled_copy_leaves_nothing_behind():
    """Whatever of it was stored is deleted before it is said to be cancelled."""
    async with Copying() as bench:
        bench.pocket.misbehave(
            Fault(Kind.LATENCY, "LINK", seconds=0.5, count=2), Fault(Kind.STATUS, "LINK", status=503, count=999)
        )
        record = bench.ask("u-1")
        await bench.reach(record, "ready")
        bench.cancel(record | {"project": "shop"})
        await bench.reach(record, "cancelled")
        assert bench.stages(record)[-2:] == ["cancelling", "cancelled"]
        assert bench.files() == set()


async def test_a_package_whose_time_is_over_is_deleted_and_said_so():
    """Retention ends."""
    async with Copying() as bench:
        record = bench.ask("u-1")
        await bench.reach(record, "delivered")
        bench.clock.advance(days=30, hours=1)
        await bench.reach(record, "expired")
        assert bench.files() == set()


async def test_a_person_with_too_many_events_is_refused_with_the_reason():
    """Amplitude does not copy more than 100,000 events a month."""
    async with Copying() as bench:
        record = bench.ask("heavy-1")
        await bench.reach(record, "refused")
        assert bench.about(record)[-1].reason is Reason.TOO_MANY_EVENTS
