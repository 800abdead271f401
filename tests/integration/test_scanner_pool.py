"""The pool on real processes, forked and spawned: the same result with any number of them, and none left behind."""

import gzip
import io
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from scanner.errors import Fault, Stopped
from scanner.pool import Source, scan
from tests.fakes.archives import DEFLATED, Entry, export_of, pieces, zip_of
from tests.fakes.line_engine import (
    DyingEngine,
    FailingEngine,
    LineEngine,
    OriginEngine,
    SlowEngine,
    digest,
    no_engine,
)

KIB = 1024


def text(seed, lines=2_000):
    dice = random.Random(seed)
    return b"".join(b'{"n":"%d","v":"%s"}\n' % (n, dice.randbytes(40).hex().encode()) for n in range(lines))


TEXTS = [text(seed) for seed in range(7)]
EXPORT = export_of(*TEXTS)
ALL = digest(line for each in TEXTS for line in each.splitlines(keepends=True))


def source(data, size=10_000):
    return Source(lambda: pieces(data, size), len(data))


@pytest.fixture(autouse=True, params=["fork", "spawn"])
def start(request, monkeypatch):
    """How the processes are started: forked where this one seems to have no other thread, else spawned."""
    if request.param == "fork":  # a test runner's thread holds nothing that a scanner process needs
        monkeypatch.setattr(threading, "active_count", lambda: 1)
        yield request.param
        return
    done = threading.Event()
    bystander = threading.Thread(target=done.wait)
    bystander.start()
    yield request.param
    done.set()
    bystander.join()


@pytest.fixture(autouse=True)
def _nobody_left():
    yield
    assert [] == multiprocessing.active_children()
    assert [] == [thread for thread in threading.enumerate() if thread.name.startswith("scanner-")]


def test_the_result_does_not_depend_on_the_number_of_processes():
    damaged = bytearray(EXPORT)
    damaged[len(EXPORT) // 2] ^= 0xFF
    inputs = [source(EXPORT), source(bytes(damaged)), source(TEXTS[0]), source(EXPORT[: len(EXPORT) * 2 // 3])]
    one, two, three = (scan(inputs, engine=LineEngine, processes=number) for number in (1, 2, 3))
    assert one == two == three
    assert [1, 3] == sorted({trouble.source for trouble in one.account.troubles})
    assert one.result.count == one.account.lines
    assert one.account.split.size == sum(stream.size for stream in one.streams)


@pytest.mark.parametrize("processes", [1, 2])
def test_all_lines_are_scanned_and_progress_ends_at_the_end(processes):
    seen = []
    done = scan([source(EXPORT), source(TEXTS[0])], engine=LineEngine, processes=processes, progress=seen.append)
    assert ALL.merge(digest(TEXTS[0].splitlines(keepends=True))) == done.result
    assert done.account.clean
    assert 8 == done.account.members
    assert seen == sorted(seen, key=lambda progress: progress[3:])
    assert all(0 <= each.read <= each.total for each in seen)
    assert (len(EXPORT) + len(TEXTS[0]), done.result.count) == (seen[-1].total, seen[-1].lines)
    assert sum(map(len, TEXTS)) + len(TEXTS[0]) == seen[-1].text


def test_a_member_larger_than_the_buffer_goes_through_it():
    many = zip_of(Entry(b"".join(TEXTS)), Entry(gzip.compress(TEXTS[0]), DEFLATED), Entry(TEXTS[1]))
    done = scan([source(many)], engine=LineEngine, processes=2, buffer=64 * KIB)
    assert ALL.merge(digest((TEXTS[0] + TEXTS[1]).splitlines(keepends=True))) == done.result


def test_an_input_without_members_has_an_empty_result():
    for processes in (1, 2):
        done = scan([source(b""), source(zip_of())], engine=LineEngine, processes=processes)
        assert (digest([]), 0, True) == (done.result, done.account.members, done.account.clean)


def test_processes_are_forked_with_the_engine_of_their_parent_unless_it_has_threads(start):
    ready = OriginEngine()
    done = scan([source(EXPORT)], engine=(lambda: ready) if start == "fork" else OriginEngine, processes=3)
    pids, starts, inherited = (set(each) for each in zip(*done.result.of, strict=True))
    assert ({start}, {start == "fork"}) == (starts, inherited)
    assert os.getpid() not in pids


def test_forked_processes_start_all_at_once_and_spawned_ones_when_there_is_work(start):
    done = scan([source(TEXTS[0])], engine=OriginEngine, processes=3)
    assert {"fork": 3, "spawn": 1}[start] == len(done.result.of)


def test_a_killed_process_stops_the_scan():
    poisoned = export_of(*TEXTS[:3], TEXTS[3] + b"secret\n", *TEXTS[4:])
    with pytest.raises(Stopped) as stopped:
        scan([source(poisoned)], engine=DyingEngine, processes=2)
    assert Fault.WORKER_DIED is stopped.value.fault
    assert "signal 9" in str(stopped.value)


def test_a_process_killed_from_outside_in_the_middle_stops_the_scan():
    def kill_one(_):
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    with pytest.raises(Stopped):
        scan([source(EXPORT)], engine=SlowEngine, processes=2, progress=kill_one)


def test_a_process_killed_while_its_buffer_is_full_stops_the_scan():
    def kill_one(_):
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    with pytest.raises(Stopped):
        scan([source(b"".join(TEXTS) * 4)], engine=SlowEngine, processes=2, progress=kill_one, buffer=KIB)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("engine", [FailingEngine, no_engine])
def test_the_failure_of_an_engine_is_told_without_its_text(processes, engine):
    with pytest.raises(Stopped) as stopped:
        scan([source(export_of(b"secret\n", *TEXTS))], engine=engine, processes=processes)
    assert "example.com" not in str(stopped.value)
    assert "line_engine.py" in str(stopped.value)


@pytest.mark.parametrize("processes", [1, 2])
def test_the_error_of_a_source_comes_through(processes):
    def chunks():
        yield EXPORT[: len(EXPORT) // 2]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        scan([Source(chunks)], engine=SlowEngine, processes=processes)


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_of_the_operating_system_is_noted_and_the_next_input_is_read(processes, tmp_path):
    def chunks():
        yield EXPORT[: len(EXPORT) // 2]
        raise ConnectionResetError

    inputs = [Source(chunks), Source.path(tmp_path / "missing"), source(TEXTS[0])]
    done = scan(inputs, engine=LineEngine, processes=processes)
    assert {(0, Fault.UNREADABLE), (1, Fault.UNREADABLE)} == {(t.source, t.fault) for t in done.account.troubles}
    assert digest(TEXTS[0].splitlines(keepends=True)).count < done.result.count


def test_a_file_and_a_pipe_are_read_alike(tmp_path):
    path = tmp_path / "export.zip"
    path.write_bytes(EXPORT)
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
        piped = scan([Source.stream(cat.stdout)], engine=LineEngine)
    assert piped == scan([Source.path(path)], engine=LineEngine)
    assert piped == scan([Source.stream(io.BytesIO(EXPORT))], engine=LineEngine, processes=2)


INTERRUPTED = """
import multiprocessing
import sys
import threading
from scanner.pool import Source, scan
from tests.fakes.line_engine import SlowEngine
if __name__ == "__main__":
    if sys.argv[1] == "spawn":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    chunk = b'{"a":1}\\n' * 10_000
    def forever():
        while True:
            yield chunk
    def moved(_):
        print(*[child.pid for child in multiprocessing.active_children()], flush=True)
    try:
        scan([Source(forever)], engine=SlowEngine, processes=2, progress=moved)
    except KeyboardInterrupt:
        print("interrupted", len(multiprocessing.active_children()), flush=True)
"""


@contextmanager
def scanning(folder, start):
    """A process that scans without end, and the first line that it says: the ids of its scanner processes."""
    script = folder / "scanning.py"
    script.write_text(INTERRUPTED)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    env = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen([sys.executable, script, start], env=env, start_new_session=True, **pipes) as child:
        yield child, child.stdout.readline().split()


def test_an_interrupt_from_the_keyboard_ends_all_processes_quietly(start, tmp_path):
    with scanning(tmp_path, start) as (child, pids):
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=20)
    assert (b"interrupted 0", b"") == (out.splitlines()[-1], err)
    assert {"fork": 2, "spawn": 1}[start] == len(pids)
    assert not [pid for pid in pids if running(pid)]


def test_processes_end_when_their_parent_is_killed(start, tmp_path):
    with scanning(tmp_path, start) as (child, pids):
        child.kill()
        deadline = time.monotonic() + 20
        while alive := [pid for pid in pids if running(pid)]:
            assert time.monotonic() < deadline, alive
            time.sleep(0.05)
    assert pids


def running(pid):
    try:
        return Path(f"/proc/{int(pid)}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
