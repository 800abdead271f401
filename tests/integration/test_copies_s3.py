"""Packages in an S3-compatible store: a real server, killed in the middle and started again."""

import asyncio
import gzip
import hashlib
import json
from dataclasses import replace

import pytest

from consumer.adapters.store import open_store
from consumer.copy_ports import StoreFailed
from consumer.domain.errors import Reason
from consumer.domain.pace import Circuit
from consumer.sandbox.amplitude.knobs import Knobs
from tests.fakes.copying import COPYING, Copying

KILLS = (3, 8, 14)
"""So many copies are delivered when the store dies."""
MEGABYTE = bytes(range(256)) * 4096


async def source(megabytes, pause=0.0):
    for _ in range(megabytes):
        await asyncio.sleep(pause)
        yield MEGABYTE


async def read(store, name):
    return b"".join([chunk async for chunk in store.get(name)])


def store_of(s3):
    return open_store(s3.settings["store"], s3.settings["store_options"])


@pytest.mark.parametrize("megabytes", [1, 20])
async def test_a_file_comes_back_as_it_was_put(s3, megabytes):
    """In one request or as an upload in parts."""
    store = store_of(s3)
    stored = await store.put("r/events/a.gz", source(megabytes))
    data = await read(store, "r/events/a.gz")
    assert data == MEGABYTE * megabytes
    assert (stored.size, stored.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert store.url("r/events/a.gz") == "s3://copies/packages/r/events/a.gz"
    assert "made-up" not in repr(store)


async def test_a_folder_is_listed_without_its_neighbours_and_emptied(s3):
    """`r-2` is another run of the same request."""
    store = store_of(s3)
    for name in ("r/a", "r/events/b", "r-2/a"):
        await store.put(name, source(1))
    assert set(await store.sizes("r")) == {"r/a", "r/events/b"}
    await store.remove([*await store.sizes("r"), "r/nothing"])
    assert await store.sizes("r") == {}
    assert set(await store.sizes("r-2")) == {"r-2/a"}


async def test_of_a_source_that_fails_and_of_a_put_that_is_cancelled_nothing_is_left(s3):
    """Nothing under the name."""
    store = store_of(s3)

    async def fails():
        async for piece in source(12):
            yield piece
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        await store.put("r/a", fails())
    task = asyncio.create_task(store.put("r/b", source(60, pause=0.02)))
    await asyncio.sleep(0.4)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.sizes("r") == {}


async def test_a_server_that_dies_in_the_middle_is_a_failure_and_leaves_nothing_under_the_name(s3):
    """And it works again when the server is back."""
    store = store_of(s3)
    task = asyncio.create_task(store.put("r/a", source(60, pause=0.02)))
    await asyncio.sleep(0.4)
    await asyncio.to_thread(s3.kill)
    with pytest.raises(StoreFailed) as raised:
        await task
    assert raised.value.__context__ is None
    with pytest.raises(StoreFailed):
        await store.sizes("r")
    await asyncio.to_thread(s3.start)
    assert await store.sizes("r") == {}
    await store.put("r/a", source(9))
    assert len(await read(store, "r/a")) == 9 * len(MEGABYTE)


async def test_a_bucket_that_is_not_there_is_a_failure(s3):
    """Whatever is asked of it."""
    store = open_store("s3://nowhere/x", s3.settings["store_options"])
    with pytest.raises(StoreFailed):
        await store.put("r/a", source(1))
    with pytest.raises(StoreFailed):
        await read(store, "r/a")


async def test_every_copy_is_whole_though_the_store_dies_again_and_again(s3):
    """Each is delivered once, and nothing lies in the bucket that no manifest names."""
    store = store_of(s3)
    async with Copying(store=store, knobs=Knobs(gate_s=0.0, hour_s=36.0)) as bench:
        records = [bench.ask(f"u-{number}") for number in range(20)]
        for share in KILLS:
            done = lambda share=share: sum("delivered" in bench.stages(r) for r in records) >= share  # noqa: E731
            await bench.until(done, seconds=60)
            await asyncio.to_thread(s3.kill)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(s3.start)
        for record in records:
            await bench.reach(record, "delivered", seconds=60)
        named = set()
        for record in records:
            said = [(o.kind, o.stage) for o in bench.about(record) if o.kind == "stage"]
            assert len(said) == len(set(said))
            assert set(bench.waits(record)) <= {Reason.STORE_UNAVAILABLE}
            assert len(bench.waits(record)) <= len(KILLS)
            named |= await verify(store, bench, record)
        await bench.until(lambda: set(s3.keys()) == {f"packages/{name}" for name in named})
        assert s3.uploads() == []


async def verify(store, bench, record):
    """The names of the package's files, after reading every one back."""
    folder = record["subject_request_id"]
    written = await read(store, f"{folder}/manifest.json")
    package = bench.about(record)[-1].entry.copy.package
    assert package.sha256 == hashlib.sha256(written).hexdigest()
    manifest, events = json.loads(written), 0
    kept = [*manifest["files"], manifest["page"]]
    for file in kept:
        data = await read(store, f"{folder}/{file['name']}")
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["size"], file["sha256"])
        events += len(gzip.decompress(data).splitlines()) if file is not manifest["page"] else 0
    assert events == package.lines == 50
    return {f"{folder}/{name}" for name in ("manifest.json", *(each["name"] for each in kept))}


async def test_copies_say_once_that_they_wait_for_the_store_and_go_on_when_it_is_back(s3):
    """However long it is away; questions to Amplitude go on meanwhile, and are no end of it."""
    await asyncio.to_thread(s3.kill)
    policy = replace(COPYING, store_circuit=Circuit(trip_after=2, first_s=0.5, longest_s=0.5))
    async with Copying(store=store_of(s3), knobs=Knobs(gate_s=0.0, hour_s=36.0), policy=policy) as bench:
        first = [bench.ask(f"u-{number}") for number in range(3)]
        await bench.until(lambda: all(bench.waits(record) for record in first), seconds=60)
        later = [bench.ask(f"v-{number}") for number in range(3)]
        for record in later:
            await bench.reach(record, "ready", seconds=60)
        await bench.until(lambda: all(bench.waits(record) for record in later), seconds=60)
        await asyncio.sleep(3)
        await asyncio.to_thread(s3.start)
        for record in (*first, *later):
            await bench.reach(record, "delivered", seconds=60)
        assert {tuple(bench.waits(record)) for record in (*first, *later)} == {(Reason.STORE_UNAVAILABLE,)}
