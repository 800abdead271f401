"""Scanner against inflate-only: `python -m tests.benchmarks.scanner_rate [--events N] [--rounds N] [PROFILE…]`.

The floor opens the zip, reads each member and inflates it with zlib, nothing else; on one process and on two. The
scanner does the whole job on the same file in the same run: zip, inflate, parse, find, confirm, count, for one process
and for two. Every measurement is a fresh interpreter, so nothing is known of the values; the engine is built before the
clock starts and its start-up is shown apart. MB are 10^6 bytes of JSON lines. The best of the rounds counts; the memory
is the peak of all the scanner's processes together, in any round, sampled four times a second. `known`: the ratio of a
second scan by the same engine, which has every value decided; it tells what new values cost. The memory is of both.
"""

import argparse
import json
import multiprocessing
import sys
import time
import zipfile
import zlib
from pathlib import Path

from tests.benchmarks import memory
from tests.fakes.exports.archive import write

CACHE = Path(".cache/exports")
EVENTS = {"realistic": 200_000, "usual": 200_000, "sparse": 200_000, "dense": 40_000}
BARS = {("realistic", 1): 0.65, ("sparse", 1): 0.9, ("dense", 1): 0.22}


def archive_of(profile, events):
    """The made-up export of a profile, written once."""
    stem = CACHE / f"{profile}-{events}"
    if not stem.with_suffix(".zip").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        write(stem, events, profile=profile)
    return stem.with_suffix(".zip")


def inflate(path, names):
    """Bytes of JSON in these members."""
    size = 0
    with zipfile.ZipFile(path) as archive:
        for name in names:
            size += len(zlib.decompressobj(31).decompress(archive.read(name)))
    return size


def floor(path, processes):
    """(seconds, bytes) of inflating all members, shared out between so many processes."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    began = time.perf_counter()
    if processes == 1:
        size = inflate(path, names)
    else:
        with multiprocessing.Pool(processes) as pool:
            size = sum(pool.starmap(inflate, [(path, [name]) for name in names], chunksize=1))
    return time.perf_counter() - began, size


def scan(path, processes):
    """What one scan in this interpreter took: seconds, start-up seconds, rows of findings, bytes of JSON."""
    began = time.perf_counter()
    from scanner.engine import make_engine  # noqa: PLC0415 (its start-up is measured)
    from scanner.ports import Wanted  # noqa: PLC0415
    from scanner.rules import load  # noqa: PLC0415

    engine = make_engine(Wanted(load(), "native", processes, b"the same key in every run"))
    ready = time.perf_counter()
    scanned = engine.scan_sources([str(path)], lambda *_: None)
    done = time.perf_counter()
    rows, size = len(scanned.summary.tally.rows), scanned.summary.tally.account["text_bytes"]
    once_more = again(engine, path) if processes == 1 else 0  # forked processes have taken with them what they knew
    return {"seconds": done - ready, "start_s": ready - began, "rows": rows, "bytes": size, "again_s": once_more}


def again(engine, path):
    """Seconds of another scan by an engine that knows the values."""
    began = time.perf_counter()
    engine.scan_sources([str(path)], lambda *_: None)
    return time.perf_counter() - began


def measured(what, path, processes):
    """(what one measurement in a fresh interpreter gave, peak PSS, peak RSS)."""
    command = [sys.executable, "-m", "tests.benchmarks.scanner_rate", "--only", what, str(path), str(processes)]
    printed, *peaks = memory.run(command)
    return json.loads(printed), *peaks


def table(profile, path, rounds):
    """The rows of one profile."""
    for processes in (1, 2):
        floors, scans = [], []
        for _ in range(rounds):
            floors.append(measured("floor", path, processes)[0])
            scans.append(measured("scan", path, processes))
        (least, size), best = min(floors), min((one for one, *_ in scans), key=lambda one: one["seconds"])
        assert size == best["bytes"], "the floor and the scanner have not read the same"
        bar = BARS.get((profile, processes))
        seconds = min(one["again_s"] for one, *_ in scans)
        known = f"{least / seconds:.2f}" if seconds else ""
        print(
            f"{profile:10} {processes:9} {size / 1e6 / least:12.0f} {size / 1e6 / best['seconds']:13.0f}"
            f" {least / best['seconds']:7.2f} {bar or '':>5} {known:>6} {best['start_s']:10.2f}"
            f" {max(pss for _, pss, _ in scans) / 1e6:8.0f} {max(rss for *_, rss in scans) / 1e6:8.0f}",
            flush=True,
        )
        yield size / best["seconds"]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profiles", nargs="*", default=["realistic", "usual", "sparse", "dense"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int)
    parser.add_argument("--archive", type=Path, help="scan this file instead of made-up ones")
    parser.add_argument("--only", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        what, path, processes = asked.only
        print(json.dumps({"floor": floor, "scan": scan}[what](path, int(processes))))
        return
    print("profile    processes  inflate MB/s  scanner MB/s   ratio   bar  known start-up s   PSS MB   RSS MB")
    for profile in asked.profiles if not asked.archive else ["given"]:
        path = asked.archive or archive_of(profile, asked.events or EVENTS[profile])
        one, two = table(profile, path, asked.rounds)
        print(f"{profile:10} two processes are {two / one:.2f} × one (bar 1.75 for realistic)")


if __name__ == "__main__":
    main()
