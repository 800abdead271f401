"""The scanner for programs: the shipped rules, and whichever engine was built.

Importing this is cheap. The first call loads rules and automata, in half a second; where this machine has no automata
yet, it builds them for a minute and keeps them in the user's cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from scanner.errors import BadInput, Fault
from scanner.findings import Finding
from scanner.secret import secret

if TYPE_CHECKING:
    from scanner.ports import Engine, Wanted
    from scanner.summary import Summary


def scan_text(text: str, field: str | None = None) -> list[Finding]:
    """The personal data in a text, by place. `field` is the name, or the path, of the field that the text stands in.

    `start` and `end` of a finding are half-open character offsets in `text`. The field's name is context: nine digits
    are a finding in `ssn` and none in `order_id`.

    Blocks: for microseconds once the engine is loaded, for longer if the text is long. Threads may share it. Raises
    `ScanError` only where the scanner cannot start.
    """
    return list(_shared().engine.scan_text(text, field or ""))


def scan_file(path: str | Path, processes: int | None = None) -> Summary:
    """What a zip, gzip or JSON-lines file holds, counted by event type, field and data type; `-` is standard input.

    Blocks until the whole file is read, in so many processes (None: one for each core; 1: in this one). They are forked
    where the caller has no other thread; otherwise they are started anew, and the caller's main module must be
    importable. Threads may call it at the same time: every call has an engine of its own.

    Summaries of several files merge with `|`: those of one process, and those of many where `DSR_FINGERPRINT_KEY` is
    set. What is damaged is left out and the rest is scanned: `incidents` of the summary says how much, by its fault.

    Raises `BadInput` for a file that is not there or cannot be opened, `Stopped` if a scanner process dies: then
    nothing counts.
    """
    shared = _shared()
    engine = shared.make_engine(replace(shared.wanted, processes=processes or os.cpu_count() or 1))
    scanned = engine.scan_sources([str(path)], _unheard)
    if any(incident.fault is Fault.UNREADABLE for incident in scanned.incidents):
        raise BadInput(Fault.UNREADABLE, f"{Path(path).name} is not there, or cannot be read")
    return scanned.summary


class _Shared(NamedTuple):
    """What all calls of this process have in common. `engine` is for texts: it holds nothing of them."""

    make_engine: Callable[[Wanted], Engine]
    wanted: Wanted
    engine: Engine


_loading = Lock()


def _shared() -> _Shared:
    with _loading:  # threads that come first at once would draw two keys, and their summaries would not merge
        return _loaded()


@lru_cache(maxsize=1)
def _loaded() -> _Shared:
    # Validators and their libraries, for which `import scanner` must not wait.
    from scanner.engine import make_engine  # noqa: PLC0415
    from scanner.ports import Wanted  # noqa: PLC0415
    from scanner.rules import load  # noqa: PLC0415

    wanted = Wanted(load(), "auto", 1, secret())
    return _Shared(make_engine, wanted, make_engine(wanted))


def _unheard(input_bytes: int, text_bytes: int) -> None:
    """Nobody asked for the progress."""
