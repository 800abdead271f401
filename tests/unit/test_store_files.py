"""The store of packages, in a folder."""

import asyncio
import hashlib
import os
import stat
import sys

import pytest

from consumer.adapters.store import PART_BYTES, open_store
from consumer.copy_ports import StoreFailed
from consumer.domain.errors import Fatal

MEGABYTE = bytes(range(256)) * 4096


async def source(megabytes, fails_at=None, then=None):
    for number in range(megabytes):
        if number == fails_at:
            raise KeyError("the source's own")
        yield MEGABYTE
    if then is not None:
        await then()


async def read(store, name):
    return b"".join([chunk async for chunk in store.get(name)])


async def until(true):
    for _ in range(1_000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError


def paths(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def store(tmp_path):
    return open_store((tmp_path / "a store").as_uri())


@pytest.mark.parametrize("megabytes", [0, 1, 8, 9, 20])
async def test_a_file_comes_back_as_it_was_put(store, megabytes):
    """In one part or in several; size and digest are those of the bytes."""
    stored = await store.put("r/events/a.gz", source(megabytes))
    data = await read(store, "r/events/a.gz")
    assert data == MEGABYTE * megabytes
    assert (stored.size, stored.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert await store.sizes("r") == {"r/events/a.gz": len(data)}


@pytest.mark.parametrize("at", [0, 1, 7, 9, 17])
async def test_of_a_source_that_fails_nothing_is_left_and_its_error_passes(store, tmp_path, at):
    """Before the first part, in it, after it."""
    with pytest.raises(KeyError, match="the source's own"):
        await store.put("r/a.gz", source(20, at))
    assert paths(tmp_path) == []


async def test_of_a_put_that_is_cancelled_nothing_is_left(store, tmp_path):
    """After several parts."""
    task = asyncio.create_task(store.put("r/a.gz", source(20, then=asyncio.Event().wait)))
    await until(lambda: any("#" in path for path in paths(tmp_path)))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not paths(tmp_path))  # the library deletes in a task of its own


KILLED = """
import asyncio, sys
from consumer.adapters.store import open_store
async def source():
    for _ in range(20):
        yield bytes(1 << 20)
    print("written", flush=True)
    await asyncio.Event().wait()
asyncio.run(open_store(sys.argv[1]).put("r/a.gz", source()))
"""


async def test_what_a_killed_process_was_writing_is_seen_and_can_be_removed(store, tmp_path):
    """It is under no name that anybody reads."""
    command = [sys.executable, "-c", KILLED, (tmp_path / "a store").as_uri()]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert await process.stdout.readline() == b"written\n"
    process.kill()
    await process.wait()
    with pytest.raises(StoreFailed):
        await read(store, "r/a.gz")
    [(name, size)] = (await store.sizes("r")).items()
    assert name.startswith("r/a.gz#")
    assert size >= PART_BYTES
    await store.remove([name])
    assert await store.sizes("r") == {}
    assert list((tmp_path / "a store").iterdir()) == []


async def test_folders_are_for_their_owner_only(store, tmp_path):
    """Whatever the mask."""
    os.umask(old := os.umask(0))
    try:
        os.umask(0)
        await open_store((tmp_path / "b").as_uri()).put("r/events/a.gz", source(1))
    finally:
        os.umask(old)
    modes = {stat.S_IMODE((tmp_path / "b" / place).stat().st_mode) for place in (".", "r", "r/events")}
    assert modes == {0o700}


async def test_a_place_that_cannot_be_written_is_a_failure_of_the_store(tmp_path):
    """A file stands where a folder should be."""
    store = open_store((tmp_path / "a store").as_uri())
    (tmp_path / "a store" / "r").write_text("in the way")
    with pytest.raises(StoreFailed) as raised:
        await store.put("r/a.gz", source(1))
    assert raised.value.__context__ is None
    assert str(raised.value) == "store_unavailable"


async def test_removing_leaves_the_others_and_no_empty_folder(store, tmp_path):
    """One that is not there is no error."""
    for name in ("r/events/a.gz", "r/events/b.gz", "r-2/a.gz"):
        await store.put(name, source(1))
    await store.remove(["r/events/a.gz", "r/nothing"])
    assert set(await store.sizes("r")) == {"r/events/b.gz"}
    await store.remove(["r/events/b.gz"])
    assert paths(tmp_path / "a store") == ["r-2/a.gz"]
    assert not (tmp_path / "a store" / "r").exists()


async def test_a_file_is_replaced_as_a_whole(store):
    """The manifest is written again by whoever takes over."""
    await store.put("r/manifest.json", source(2))
    await store.put("r/manifest.json", source(1))
    assert len(await read(store, "r/manifest.json")) == len(MEGABYTE)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../a", "r/../../a"])
async def test_a_name_that_leaves_the_store_is_a_bug(store, name):
    """Of ours."""
    with pytest.raises(ValueError, match="leaves the store"):
        await store.put(name, source(1))


def test_the_url_of_a_file_can_be_opened(store, tmp_path):
    """Spaces and all."""
    assert store.url("r/manifest.json") == (tmp_path / "a store" / "r" / "manifest.json").as_uri()
    assert str(tmp_path) not in repr(store)


@pytest.mark.parametrize(
    "url",
    ["", "hunter2", "http://example.com/hunter2", "s3://user:hunter2@bucket/x", "s3://bucket?key=hunter2", "s3://"],
)
def test_an_unusable_store_is_an_error_of_the_settings_that_quotes_nothing(url):
    """It could hold a password."""
    with pytest.raises(Fatal, match=r"copies\.store") as raised:
        open_store(url, {"no_such_option": "hunter2"})
    assert "hunter2" not in str(raised.value)
    assert raised.value.__context__ is None
