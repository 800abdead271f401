"""What a process and all its descendants hold in memory, from `/proc`; Linux only."""

import subprocess
import threading
from contextlib import suppress
from pathlib import Path

INTERVAL_S = 0.25


def tree(pid):
    """The process and its descendants, as far as they are still there."""
    yield pid
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                yield from tree(int(child))


def held(pid):
    """(PSS, RSS) of the tree in bytes: PSS counts a page that n processes share as a nth in each of them."""
    sums = {"Pss:": 0, "Rss:": 0}
    for one in tree(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                name, *amount = line.split()
                if name in sums:
                    sums[name] += 1024 * int(amount[0])
    return tuple(sums.values())


def run(command):
    """(what the command prints, the peak of the PSS, the peak of the RSS) of a process and its descendants."""
    peaks, over = [0, 0], threading.Event()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:

        def watch():
            while not over.wait(INTERVAL_S):
                peaks[:] = map(max, peaks, held(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        printed, _ = process.communicate()
        over.set()
        watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return printed, *peaks
