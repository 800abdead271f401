"""Files in a folder, for their owner's eyes only: written beside their name, and on the disk before they get it.

The library's own files are readable for everybody whom the mask lets, and not synced. Everything here blocks, and
raises `OSError`.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from io import FileIO
from pathlib import Path
from secrets import randbits

_STAGED = re.compile(r".+#\d+\Z")
"""How the library, too, names what is being written; it does not list such names."""
_NO_SYNC = (errno.EBADF, errno.EINVAL)


class Draft:
    """A file that is being written. Use from one thread at a time."""

    def __init__(self, root: Path, path: Path) -> None:
        self._root, self._path = root, path
        self._staged = path.with_name(f"{path.name}#{randbits(63)}")
        self._file: FileIO | None = None

    def begin(self) -> None:
        """Nobody else can open it."""
        for folder in reversed(_folders(self._root, self._path)):
            folder.mkdir(mode=0o700, exist_ok=True)
        self._file = FileIO(os.open(self._staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")

    def write(self, data: bytes) -> None:
        """All of it."""
        file, rest = self._begun(), memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]

    def finish(self) -> None:
        """It has its name; what had it before is gone. Both outlast a power cut, and so do the folders above."""
        file = self._begun()
        os.fsync(file.fileno())
        file.close()
        self._staged.replace(self._path)
        for folder in (*_folders(self._root, self._path), self._root):
            sync_folder(folder)

    def discard(self) -> None:
        """Nothing of it is left, whatever was done before; no error. After `finish`, nothing happens."""
        with suppress(OSError):  # `staged` finds what is left all the same
            if self._file is not None:
                self._file.close()
        with suppress(OSError):
            self._staged.unlink(missing_ok=True)

    def _begun(self) -> FileIO:
        if self._file is None:
            raise RuntimeError("the draft was not begun")
        return self._file


def sync_folder(folder: Path) -> None:
    """The names in it are on the disk, where the file system does that for folders at all; some of a network do not."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as failed:
        if failed.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)


def staged(root: Path, folder: Path) -> dict[str, int]:
    """What was being written below the folder, and perhaps still is, by name relative to the root: sizes in bytes."""
    found: dict[str, int] = {}
    for path in folder.rglob("*#*"):
        with suppress(FileNotFoundError):  # it got its name meanwhile
            if _STAGED.match(path.name) and path.is_file():
                found[path.relative_to(root).as_posix()] = path.stat().st_size
    return found


def unlink(root: Path, paths: list[Path]) -> None:
    """With the folders that are empty then."""
    for path in paths:
        path.unlink(missing_ok=True)
    for folder in sorted({folder for path in paths for folder in path.parents}, reverse=True):
        if root in folder.parents and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _folders(root: Path, path: Path) -> list[Path]:
    """Those between the root and the file, the innermost first."""
    return [folder for folder in path.parents if root in folder.parents]
