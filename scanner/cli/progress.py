"""A progress bar on a terminal: by bytes of the inputs, with the speed in bytes of text.

It is drawn when there is progress, by the thread that scans: a thread of its own would keep the scanner processes from
being forked, and each of them would have to load the rules again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from scanner.ports import STDIN, Progress

REDRAW_S = 0.1


@contextmanager
def shown(total: int | None, console: Console) -> Iterator[Progress]:
    """The callback that moves the bar of so many bytes, if that is known; without a terminal it does nothing."""
    if not console.is_terminal:
        yield _silent
        return
    columns = (BarColumn(), DownloadColumn(), TextColumn("{task.fields[rate]:,.0f} MB/s"), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, auto_refresh=False) as bar:
        task, started, drawn, scanned = bar.add_task("scan", total=total, rate=0.0), time.monotonic(), 0.0, 0

        def moved(input_bytes: int, text_bytes: int) -> None:
            nonlocal drawn, scanned
            scanned += text_bytes
            now = time.monotonic()
            bar.update(task, advance=input_bytes, rate=scanned / 1e6 / max(0.001, now - started))
            if now - drawn >= REDRAW_S:
                drawn = now
                bar.refresh()

        yield moved


def _silent(input_bytes: int, text_bytes: int) -> None:
    pass


def size_of(sources: Sequence[str]) -> int | None:
    """Bytes of these files; None if one of them is standard input."""
    return None if STDIN in sources else sum(Path(source).stat().st_size for source in sources)
