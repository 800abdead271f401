"""What is left in an S3-compatible store by puts that do not end well: a real server, also asked behind our back."""

import asyncio
import hashlib

import pytest

from consumer.adapters import store as adapter
from consumer.adapters.store import PART_BYTES, PARTS_AT_ONCE, open_store
from consumer.copy_ports import Stored, StoreFailed

MEGABYTE = bytes(range(256)) * 4096


async def source(megabytes, then=None):
    for _ in range(megabytes):
        yield MEGABYTE
    if then is not None:
        await then()


async def digest_of(chunks):
    size, digest = 0, hashlib.sha256()
    async for chunk in chunks:
        size += len(chunk)
        digest.update(chunk)
    return Stored(size, digest.hexdigest())


@pytest.fixture
def store(s3):
    return open_store(s3.settings["store"], s3.settings["store_options"])


@pytest.mark.parametrize(
    "size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 5 * PART_BYTES // 2]
)
async def test_at_every_edge_of_a_part_the_bytes_are_the_same(s3, store, size):
    """And no upload stays open."""

    async def once():
        yield bytes(size)

    stored = await store.put("r/a.gz", once())
    assert stored == await digest_of(once()) == await digest_of(store.get("r/a.gz"))
    assert await store.sizes("r") == {"r/a.gz": size}
    assert s3.uploads() == []


@pytest.mark.parametrize("megabytes", [0, 7, 8, 9, 17])
async def test_a_source_that_fails_leaves_neither_a_file_nor_a_part(s3, store, megabytes):
    """Parts that nobody gave up are in no listing, cost money, and hold somebody's data for ever."""

    async def fails():
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        await store.put("r/a.gz", source(megabytes, fails))
    assert (await store.sizes("r"), s3.uploads()) == ({}, [])


@pytest.mark.parametrize("megabytes", [0, 7, 8, 9, 17])
async def test_a_put_that_is_cancelled_leaves_neither_a_file_nor_a_part_nor_a_task(s3, store, megabytes):
    """A rebalance in the middle of a large file; its source may be closed at once."""
    reached = asyncio.Event()

    async def waits():
        reached.set()
        await asyncio.Event().wait()

    chunks = source(megabytes, waits)
    task = asyncio.create_task(store.put("r/a.gz", chunks))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await chunks.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert (await store.sizes("r"), s3.uploads()) == ({}, [])


@pytest.mark.parametrize("megabytes", [3, 20])
async def test_a_put_is_a_failure_while_the_server_is_dead_and_goes_well_afterwards(s3, store, megabytes):
    """In one request or in parts; nothing is under the name in between."""
    await store.put("r/before.gz", source(megabytes))

    async def killed():
        await asyncio.to_thread(s3.kill)

    with pytest.raises(StoreFailed) as raised:
        await store.put("r/a.gz", source(megabytes, killed))
    assert raised.value.__context__ is None
    for step in (store.sizes("r"), digest_of(store.get("r/before.gz")), store.remove(["r/before.gz"])):
        with pytest.raises(StoreFailed):
            await step
    await asyncio.to_thread(s3.start)
    assert await store.sizes("r") == {"r/before.gz": megabytes << 20}
    assert await store.put("r/a.gz", source(megabytes)) == await digest_of(store.get("r/a.gz"))
    assert await digest_of(store.get("r/before.gz")) == await digest_of(source(megabytes))


async def test_a_file_that_breaks_off_while_it_is_read_is_a_failure(s3, store):
    """Never a shorter file."""
    await store.put("r/a.gz", source(60))
    pieces = store.get("r/a.gz")
    await anext(pieces)
    await asyncio.to_thread(s3.kill)
    with pytest.raises(StoreFailed):
        await digest_of(pieces)


async def test_what_is_not_there_is_a_failure_to_read_and_none_to_remove(store):
    """Without its name in the error."""
    with pytest.raises(StoreFailed) as raised:
        await digest_of(store.get("r/nobody.gz"))
    assert "nobody" not in f"{raised.value!r} {raised.value.__context__!r}"
    await store.remove(["r/nobody.gz"])
    assert await store.sizes("r") == {}


async def test_a_bucket_that_is_not_there_is_a_failure_also_in_parts_and_to_list(s3):
    """A folder that seems to be empty would be taken for one that was cleared."""
    store = open_store("s3://nowhere/x", s3.settings["store_options"])
    for step in (store.put("r/a.gz", source(9)), store.sizes("r")):
        with pytest.raises(StoreFailed) as raised:
            await step
        assert "nowhere" not in f"{raised.value!r} {raised.value.__context__!r}"


async def test_nothing_leaves_the_prefix(store):
    """A name that would is a bug of ours."""
    for name in ("", "/r", "..", "../other/a.gz", "r/../../a.gz"):
        with pytest.raises(ValueError, match="leaves the store"):
            await store.put(name, source(1))


async def test_a_server_that_hangs_is_a_failure_of_every_step_in_bounded_time_and_memory(s3, monkeypatch):
    """It takes connections and says nothing; a source of 400 MB is not drawn into memory meanwhile."""
    monkeypatch.setattr(adapter, "SILENCE_S", 2.0)
    store = open_store(s3.settings["store"], s3.settings["store_options"])
    await store.put("r/before.gz", source(3))
    drawn = 0

    async def large():
        nonlocal drawn
        for drawn in range(1, 401):
            if drawn == 17:
                s3.hang()
            yield MEGABYTE

    async with asyncio.timeout(90):
        with pytest.raises(StoreFailed) as raised:
            await store.put("r/large.gz", large())
        assert raised.value.__context__ is None
        small, read = store.put("r/small.gz", source(1)), digest_of(store.get("r/before.gz"))
        steps = [small, read, store.sizes("r"), store.remove(["r/before.gz"])]
        ends = await asyncio.gather(*steps, return_exceptions=True)
    assert [type(end) for end in ends] == [StoreFailed] * 4
    assert 17 <= drawn <= (PARTS_AT_ONCE + 4) * PART_BYTES >> 20
    await asyncio.to_thread(s3.kill)
    await asyncio.to_thread(s3.start)
    assert "r/large.gz" not in await store.sizes("r")
    assert await store.put("r/large.gz", source(20)) == await digest_of(store.get("r/large.gz"))


async def test_no_secret_is_in_what_is_printed_of_a_store(s3):
    """Nor in what it raises."""
    options = s3.settings["store_options"] | {"access_key_id": "hunter1", "secret_access_key": "hunter2"}
    store = open_store("s3://nowhere/x", options)
    with pytest.raises(StoreFailed) as raised:
        await store.put("r/a.gz", source(1))
    told = f"{store!r} {store} {store.url('r/a.gz')} {raised.value!r} {raised.value.__context__!r}"
    assert "hunter" not in told
    assert "127.0.0.1" not in told
