"""How commands in other terminals find the embedded broker of a running `dsr run --embedded`.

A file of this user's in the runtime directory (else in a directory of his own under the temporary one) says where the
broker is and which process it lives in. A file of a process that has ended, or that somebody else owns, is no file.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from consumer.domain.errors import Fatal, Reason

TOPICS: tuple[str, ...] = ("commands", "outcomes", "dead_letters", "ledger", "discovery_commands", "discovery_tasks")
TOPICS += ("discovery_results", "discovery_ledger", "discovery_outcomes", "inventory")
"""The settings of `[kafka]` that name a topic."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the broker is, whose it is, and what its topics are called, by the settings that name them."""

    pid: int
    bootstrap: str
    partitions: int
    topics: dict[str, str]


def directory() -> Path:
    """Only this user's. Not made by looking."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "amplitude-dsr"
    return Path(tempfile.gettempdir()) / f"amplitude-dsr-{os.getuid()}"


def _file() -> Path:
    return directory() / "embedded.json"


def find() -> Place | None:
    """The running one, if there is one."""
    try:
        with _file().open("rb") as opened:
            status = os.fstat(opened.fileno())
            if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return None
            place = Place(**json.loads(opened.read()))
    except (OSError, ValueError, TypeError):
        return None
    return place if _lives(place.pid) else None


@contextmanager
def announced(place: Place) -> Iterator[None]:
    """Let others find it while the block lasts. `Fatal(INVALID_SETTINGS)` if another one is running already."""
    if (other := find()) is not None:
        raise Fatal(Reason.INVALID_SETTINGS, f"an embedded broker is running already, in process {other.pid}")
    folder = directory()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise Fatal(Reason.INVALID_SETTINGS, "the directory for the embedded broker's address is somebody else's")
    fresh = folder / f".{place.pid}"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(place), file)
    fresh.replace(_file())
    try:
        yield
    finally:
        if (ours := find()) is not None and ours.pid == place.pid:
            _file().unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
