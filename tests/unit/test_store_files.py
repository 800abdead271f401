"""The store of packages, in a folder."""

import asyncio
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from consumer.adapters.folder import sync_folder
from consumer.adapters.store import PART_BYTES, open_store
from consumer.copy_ports import StoreFailed
from consumer.domain.errors import Fatal, Reason

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


@pytest.mark.parametrize("megabytes", [0, 1, 8, 9, 20])
async def test_of_a_put_that_is_cancelled_nothing_is_left_nor_anybody_in_its_source(store, tmp_path, megabytes):
    """At once: no file, no part, no task; whoever owns the source may close it."""
    reached = asyncio.Event()

    async def waits():
        reached.set()
        await asyncio.Event().wait()

    chunks = source(megabytes, then=waits)
    task = asyncio.create_task(store.put("r/a.gz", chunks))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert paths(tmp_path) == []
    await chunks.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("turns", range(0, 40, 3))
async def test_after_a_put_that_is_cancelled_nothing_appears(store, tmp_path, turns):
    """Whenever it is: the store may be cleared right after, and stays clear."""
    task = asyncio.create_task(store.put("r/a.gz", source(7)))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    left = paths(tmp_path)
    assert left in ([], ["a store/r/a.gz"])
    await asyncio.sleep(0.05)
    assert paths(tmp_path) == left


@pytest.mark.parametrize("error", [OSError("a"), StoreFailed(), ValueError("b"), asyncio.CancelledError()], ids=repr)
@pytest.mark.parametrize("megabytes", [0, 9])
async def test_an_error_of_the_source_is_never_taken_for_the_stores(store, tmp_path, error, megabytes):
    """Whatever it is."""

    async def breaks():
        raise error

    with pytest.raises(type(error)) as raised:
        await store.put("r/a.gz", source(megabytes, then=breaks))
    assert raised.value is error
    assert paths(tmp_path) == []


async def test_a_put_that_fails_leaves_the_file_that_was_there(store):
    """Until the new one is whole, the old one is read."""
    await store.put("r/a.gz", source(1))
    with pytest.raises(KeyError, match="the source's own"):
        await store.put("r/a.gz", source(20, 17))
    assert await read(store, "r/a.gz") == MEGABYTE


KILLED = """
import asyncio, sys
from consumer.adapters.store import open_store
async def source():
    for _ in range(20):
        yield bytes(1 << 20)
    await asyncio.Event().wait()
asyncio.run(open_store(sys.argv[1]).put("r/a.gz", source()))
"""


async def test_what_a_killed_process_was_writing_is_seen_and_can_be_removed(store, tmp_path):
    """It is under no name that anybody reads."""
    command = [sys.executable, "-c", KILLED, (tmp_path / "a store").as_uri()]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        await until(lambda: any(path.stat().st_size >= PART_BYTES for path in (tmp_path / "a store").rglob("a.gz#*")))
    finally:
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


def modes(folder):
    return {path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


@pytest.mark.parametrize("made", [False, True], ids=["our own folder", "a folder that everybody may enter"])
async def test_files_and_folders_are_for_their_owner_only(tmp_path, made):
    """Whatever the mask, from the first byte on, in one part and in several."""
    seen = []

    async def looks():
        seen.extend(mode for name, mode in modes(tmp_path / "b").items() if "#" in name)

    old = os.umask(0)
    try:
        if made:
            (tmp_path / "b").mkdir(mode=0o777)
        store = open_store((tmp_path / "b").as_uri())
        await store.put("top.gz", source(1, then=looks))
        await store.put("r/events/a.gz", source(17, then=looks))
    finally:
        os.umask(old)
    assert seen == [0o600, 0o600]
    folders, files = ("r", "r/events"), ("top.gz", "r/events/a.gz")
    assert modes(tmp_path / "b") == dict.fromkeys(folders, 0o700) | dict.fromkeys(files, 0o600)
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == (0o777 if made else 0o700)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no such file system here")
def test_a_file_system_that_does_not_sync_folders_is_none_the_worse():
    """Some of a network; here the one of the kernel."""
    handle = os.open("/proc", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Invalid"):
            os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(Path("/proc"))


OUTCOME = """
import asyncio, pathlib, resource, sys
from consumer.adapters.store import open_store
from consumer.copy_ports import StoreFailed
root, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2])
async def source(megabytes):
    for _ in range(megabytes):
        yield bytes(1 << 20)
async def steps():
    store = open_store(root.as_uri())
    await store.put("r/before.gz", source(1))
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    else:
        (root / "r").chmod(0o500)
    for step in (store.put("r/a.gz", source(1)), store.put("r/b.gz", source(20)), store.remove(["r/before.gz"])):
        try:
            await step
            print("well")
        except StoreFailed as failed:
            print("failed", failed.__context__)
asyncio.run(steps())
"""


def outcome(folder, limit=0):
    """What two puts and a removal come to in a process of its own, where root minds permissions like everybody."""
    minding = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [*minding, sys.executable, "-c", OUTCOME, str(folder), str(limit)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()


def test_a_disk_that_takes_no_more_is_a_failure_that_leaves_nothing_of_the_file(tmp_path):
    """A smaller one still goes; the old ones are there."""
    assert outcome(tmp_path / "b", limit=12 << 20) == ["well", "failed None", "well"]
    assert paths(tmp_path / "b") == ["r/a.gz"]


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_a_failure(tmp_path):
    """Nor can anything be removed from it."""
    assert outcome(tmp_path / "b") == ["failed None"] * 3
    (tmp_path / "b" / "r").chmod(0o700)
    assert paths(tmp_path / "b") == ["r/before.gz"]


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


@pytest.mark.parametrize("name", ["", "/etc/passwd", "..", "../a", "r/..", "r/../../a"])
async def test_a_name_that_leaves_the_store_is_a_bug(store, tmp_path, name):
    """Of ours; nothing outside is read, written or deleted."""
    (tmp_path / "a").write_text("not ours")
    for step in (store.put(name, source(1)), read(store, name), store.sizes(name), store.remove([name])):
        with pytest.raises(ValueError, match="leaves the store"):
            await step
    with pytest.raises(ValueError, match="leaves the store"):
        store.url(name)
    assert paths(tmp_path) == ["a"]


async def test_a_file_that_is_not_there_is_a_failure_without_its_name(store):
    """So that it is tried again."""
    with pytest.raises(StoreFailed) as raised:
        await read(store, "r/nobody.gz")
    assert "nobody" not in f"{raised.value!r} {raised.value.__context__!r}"


@pytest.mark.parametrize("folder", ["plain", "100%", "a%20b", "über", "a#b?c"])
async def test_a_stores_own_url_opens_the_same_store(tmp_path, folder):
    """Whatever has to be quoted in it."""
    store = open_store((tmp_path / folder).as_uri() + "/")
    await store.put("r/manifest.json", source(1))
    assert store.url("r/manifest.json") == (tmp_path / folder / "r" / "manifest.json").as_uri()
    assert await open_store((tmp_path / folder).as_uri()).sizes("r") == {"r/manifest.json": len(MEGABYTE)}


@pytest.mark.parametrize(
    "url", ["file://", "file:hunter2", "file://hunter2{}", "file://{}/hunter2#1", "s3://copies/p#hunter2"]
)
def test_a_url_of_which_a_part_would_be_ignored_is_refused(url, tmp_path, monkeypatch):
    """Packages would go to another folder than the one that was meant; nothing is made."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Fatal) as raised:
        open_store(url.format(tmp_path / "sub"))
    assert raised.value.reason is Reason.INVALID_SETTINGS
    assert "hunter2" not in f"{raised.value} {raised.value.__context__!r}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("below", ["file/hunter2", "hunter2%00"])
def test_a_folder_that_cannot_be_made_is_an_error_of_the_settings(tmp_path, below):
    """Below a file, or with a name that no folder can have."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Fatal) as raised:
        open_store(f"file://{tmp_path}/{below}")
    assert "hunter2" not in f"{raised.value} {raised.value.__context__!r}"


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
