"""The scanner in a process of its own: the same result, back-pressure, aborts, deaths."""

import asyncio
import gzip
import io
import os
import signal
import zipfile
from pathlib import Path

import pytest

from scanner.engine import make_engine
from scanner.errors import Fault, ScanError, Stopped
from scanner.hosted import HostSettings, ScannerHost
from scanner.pool import Source
from scanner.ports import Wanted
from scanner.rules import load
from tests.fakes.exports import archive

KEY = b"a key for the tests"


def packed(events=400, members=6, seed=3):
    """A zip of gzip members, as the export gives it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as zipped:
        lines = [line for _, line, _, _ in archive.lines(events, seed)]
        for number in range(members):
            zipped.writestr(
                f"1/1_2024-03-01_{number}#0.json.gz", gzip.compress(b"".join(lines[number::members]), mtime=0)
            )
    return target.getvalue()


DATA = packed()


async def chunks(data=DATA, size=10_000):
    for at in range(0, len(data), size):
        yield data[at : at + size]


def directly(data=DATA, sample=1.0):
    engine = make_engine(Wanted(load(), "auto", 1, KEY))
    return engine.scan([Source(lambda: [data], zip_only=True)], ["it"], lambda *_: None, sample)


async def started(processes=1, **more):
    return await ScannerHost.start(HostSettings((), "auto", processes, KEY)._replace(**more))


async def test_the_host_is_of_the_code_that_starts_it_whatever_the_folder_holds(tmp_path, monkeypatch):
    """A clone of this repository, say, whose kernel was never built; or another's trap."""
    (tmp_path / "scanner").mkdir()
    for name in ("__init__.py", "host.py"):
        (tmp_path / "scanner" / name).write_text("raise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    host = await started()
    await host.close()
    assert host.engine == make_engine(Wanted(load(), "auto", 1, KEY)).name


@pytest.mark.parametrize("processes", [1, 2])
async def test_the_summary_is_that_of_a_scan_in_this_process(processes):
    host = await started(processes)
    moved = []
    try:
        first = await host.scan(chunks(), progress=lambda *amounts: moved.append(amounts))
        again = await host.scan(chunks())
    finally:
        await host.close()
    wanted = directly()
    assert first.summary == again.summary == wanted.summary
    assert first.summary.tally.account["input_bytes"] == len(DATA)
    assert (host.rules, host.key) == (wanted.summary.rules, wanted.summary.key)
    assert sum(text for _, text in moved) == wanted.summary.tally.account["text_scanned"]
    assert not first.incidents


@pytest.mark.parametrize("processes", [1, 2])
async def test_what_was_given_up_counts_nowhere(processes):
    """The source fails, the caller cancels: the host goes on with the next archive, in the same process."""

    async def breaking():
        async for chunk in chunks():
            yield chunk
            if len(seen := [*told, chunk]) > 3:
                raise ConnectionError("the line broke")
            told.append(seen)

    async def stalling():
        async for chunk in chunks(DATA[: len(DATA) // 2]):
            yield chunk
        arrived.set()
        await asyncio.Event().wait()

    told, arrived = [], asyncio.Event()
    host = await started(processes)
    try:
        pid = host.pid
        with pytest.raises(ConnectionError):
            await host.scan(breaking())
        cancelled = asyncio.create_task(host.scan(stalling()))
        await arrived.wait()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert (await host.scan(chunks())).summary == directly().summary
        assert host.pid == pid
    finally:
        await host.close()


async def test_a_host_that_is_killed_is_told_and_replaced():
    async def killing():
        async for chunk in chunks():
            yield chunk
            os.kill(host.pid, signal.SIGKILL)
            await asyncio.sleep(0.05)

    host = await started()
    try:
        with pytest.raises(Stopped) as stopped:
            await host.scan(killing())
        assert stopped.value.fault is Fault.WORKER_DIED
        assert (await host.scan(chunks())).summary == directly().summary
    finally:
        await host.close()


async def test_a_scanner_process_that_is_killed_is_told_and_the_host_lives_on():
    async def killing():
        async for chunk in chunks(size=2_000):
            yield chunk
            for child in children(host.pid):
                os.kill(child, signal.SIGKILL)
            await asyncio.sleep(0.02)

    host = await started(2)
    try:
        pid = host.pid
        with pytest.raises(Stopped):
            await host.scan(killing())
        assert (await host.scan(chunks())).summary == directly().summary
        assert host.pid == pid
    finally:
        await host.close()


async def test_the_source_is_read_at_the_scanners_pace():
    """A host that stands still takes a few pieces, whatever there is."""
    host = await started()
    taken = 0

    async def endless():
        nonlocal taken
        while True:
            yield bytes(100_000)
            taken += 1

    try:
        os.kill(host.pid, signal.SIGSTOP)
        task = asyncio.create_task(host.scan(endless()))
        before = -1
        while taken != before:
            before = taken
            await asyncio.sleep(0.3)
        assert taken <= 8
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    finally:
        os.kill(host.pid, signal.SIGCONT)
        await host.close()


async def test_it_ends_with_its_client():
    host = await started(2)
    pid = host.pid
    await host.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_what_is_no_zip_is_an_incident():
    host = await started()
    try:
        scanned = await host.scan(chunks(b"Too many requests, slow down" * 1_000))
        assert [incident.fault for incident in scanned.incidents] == [Fault.NOT_AN_ARCHIVE]
    finally:
        await host.close()


async def test_rules_that_are_wrong_do_not_start(tmp_path):
    wrong = tmp_path / "mine.toml"
    wrong.write_text("[[rule]]\nid = 7\n")
    with pytest.raises(ScanError):
        await started(rules=(wrong,))


def test_the_key_does_not_print():
    assert "tests" not in repr(HostSettings((), "auto", 1, KEY))


def children(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found
