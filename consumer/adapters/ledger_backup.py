"""A backup of the ledger in one file: an Avro container, encrypted with age.

It names every person with an open request, so there is no plain form. age authenticates each piece and the end: what
opens to its end is whole and unchanged, and needs no checksum of ours. The container carries its schema: any Avro tool
reads it (`age -d -i KEY FILE | avro-tools tojson -`).

The library for age works on files, so it runs in a thread at the other end of a pipe.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import fastavro
import pyrage

import schemas
from consumer.adapters.avro.source import admit
from consumer.adapters.sealing import Keys, recipient
from consumer.domain.errors import Fatal, Reason
from consumer.domain.subject import Millis

FIRST, PARTIAL = "dsr.", ".part"
_CUT_OFF = (ValueError, LookupError, EOFError, TypeError, StopIteration, zlib.error)
"""What the library raises for a container that ends early, as one does that cannot be decrypted to its end."""


class Saved(NamedTuple):
    """One record of the ledger: `entry` as the ledger's schema has it."""

    partition: int
    key: str
    entry: dict[str, Any]


class About(NamedTuple):
    """What a backup says of itself. `taken`: everything that was durable then is in it."""

    topic: str
    partitions: int
    taken: Millis


def _schema() -> Any:
    fields = [
        {"name": "partition", "type": "int", "doc": "Partition of the ledger's topic."},
        {"name": "key", "type": "string", "doc": "Key of the record there."},
        {"name": "entry", "type": schemas.load(schemas.LEDGER), "doc": "The record."},
    ]
    named = {"type": "record", "name": "LedgerBackup", "namespace": "dsr.ledger", "fields": fields}
    return admit(0, named).plain


def save(path: Path, records: Iterable[Saved], about: About, recipients: Iterable[str]) -> None:
    """Write the file, readable for its owner alone. It gets its name when it is whole and on the disk. Blocks.

    `Fatal(INVALID_SETTINGS)` for a recipient that is none, `Fatal(STORE_UNAVAILABLE)` if the file cannot be written;
    raises what `records` raises, and leaves nothing behind.
    """
    keys = [recipient(text, f"--to {text[:4]}...") for text in recipients]
    told = {FIRST + name: str(value) for name, value in about._asdict().items()}
    part = path.with_name(path.name + PARTIAL)
    try:
        with _created(part) as sink:
            with _pipe(lambda source: pyrage.encrypt_io(source, sink, keys)) as plain:
                rows = (each._asdict() for each in records)
                fastavro.writer(plain, _schema(), rows, codec="deflate", metadata=told)
            sink.flush()
            os.fsync(sink.fileno())
        part.replace(path)
    except OSError:
        raise Fatal(Reason.STORE_UNAVAILABLE, "the file cannot be written") from None
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        yield file


@contextmanager
def _pipe(reader: Callable[[BinaryIO], None]) -> Iterator[BinaryIO]:
    """A file to write to; `reader` reads it in a thread of its own. Its failure is an `OSError` here."""
    inlet, outlet = os.pipe()
    failed: list[BaseException] = []

    def read() -> None:
        with os.fdopen(inlet, "rb") as source:
            try:
                reader(source)
            except BaseException as error:  # noqa: BLE001 (told in the other thread)
                failed.append(error)

    thread = threading.Thread(target=read, name="age", daemon=True)
    thread.start()
    try:
        with os.fdopen(outlet, "wb") as sink:
            yield sink
    finally:
        thread.join()
    if failed:
        raise OSError


class Backup:
    """A backup that is being read. `about` is known at once; ask for `records` once, and then `close` it.

    `Fatal(ARCHIVE_DAMAGED)` from either for a file that none of the identities opens, that was cut off or changed.
    """

    def __init__(self, path: Path, keys: Keys) -> None:
        inlet, outlet = os.pipe()
        self._source, self._failed = os.fdopen(inlet, "rb"), list[BaseException]()
        self._thread = threading.Thread(target=self._decrypt, args=(path, outlet, keys), name="age", daemon=True)
        self._thread.start()
        try:
            self._reader = fastavro.reader(self._source, _schema())
            told = {name.removeprefix(FIRST): value for name, value in self._reader.metadata.items()}
            self.about = About(told["topic"], int(told["partitions"]), Millis(int(told["taken"])))
        except _CUT_OFF:
            self.close()
            raise self._damaged() from None

    def _decrypt(self, path: Path, outlet: int, keys: Keys) -> None:
        try:
            with os.fdopen(outlet, "wb") as sink, path.open("rb") as source:
                pyrage.decrypt_io(source, sink, keys.identities)
        except BaseException as error:  # noqa: BLE001 (told in the other thread)
            self._failed.append(error)

    def records(self) -> Iterator[Saved]:
        """Every record. Only when the last one was given without an error was the file whole."""
        try:
            for row in cast("Iterator[dict[str, Any]]", self._reader):
                yield Saved(row["partition"], row["key"], row["entry"])
        except _CUT_OFF:
            raise self._damaged() from None
        self._thread.join()
        if self._failed:
            raise self._damaged()

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()
        self._thread.join()

    @staticmethod
    def _damaged() -> Fatal:
        return Fatal(Reason.ARCHIVE_DAMAGED, "no backup that this identity opens, or one that was cut off or changed")
