"""`dsr copy`: a delivered package, looked at, checked against its manifest, and fetched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from consumer.adapters.sealing import Keys
from consumer.adapters.store import open_store
from consumer.cli.options import AsJson, File
from consumer.cli.printing import BAD, GOOD, emit, err, plural, remark, say, show, table
from consumer.copies import Unsealed
from consumer.copies.manifest import FORMAT
from consumer.copies.packing import MANIFEST
from consumer.copy_ports import Store, StoreFailed
from consumer.domain.errors import Fatal, Reason
from consumer.settings import load

SEALED = ".age"


def copy(
    request: Annotated[UUID, typer.Argument(metavar="REQUEST", help="The request id.")],
    run: Annotated[int, typer.Option(min=1, help="Which run of a request that was resubmitted.")] = 1,
    into: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Fetch the package into this folder.")
    ] = None,
    identity: Annotated[
        Path | None, typer.Option("--identity", "-i", metavar="FILE", help="age identity file: decrypt while fetching.")
    ] = None,
    settings: File = None,
    json: AsJson = False,
) -> None:
    """Look at a delivered copy: every file is read and checked against the manifest's size and SHA-256.

    Needs the settings' copies.store, and no Kafka. Compare the manifest's own
    SHA-256, which is printed, with that of the outcome `delivered`. With -o the
    package is fetched, and with -i as well decrypted on the way.

    \b
    Examples:
      dsr copy 5d0f2d1e-6a35-4f0e-9d47-3c1f5a0c9a11
      dsr copy 5d0f2d1e-6a35-4f0e-9d47-3c1f5a0c9a11 -o for-the-person

    \b
    JSON, once: the manifest, and {"manifest_sha256","url","intact","files":
      [{"name","size","sha256","events","intact"}]}
    Exit codes: 0 complete and intact; 1 a file is missing or differs; 2 usage
      or settings; 3 there is no such package, or the store cannot be reached.
    """
    copies = load(settings).copies
    if copies.store is None:
        raise Fatal(Reason.INVALID_SETTINGS, "copies.store: needed to look at copies")
    keys = Keys.read(identity) if identity else None
    store = open_store(copies.store, copies.store_options)
    folder = f"{request}-{run}" if run > 1 else str(request)
    found = asyncio.run(_look(store, folder, into, keys))
    if json:
        emit(_as_json(found))
    else:
        _tell(found, into)
    raise typer.Exit(0 if found.intact else 1)


@dataclass(frozen=True, slots=True)
class Looked:
    """A package. `files`: name as in the manifest → whether it is intact."""

    manifest: dict[str, Any]
    sha256: str
    url: str
    files: dict[str, bool]

    @property
    def intact(self) -> bool:
        """Everything is there and is what the manifest says."""
        return all(self.files.values())


async def _look(store: Store, folder: str, into: Path | None, keys: Keys | None) -> Looked:
    data = await _whole(store, f"{folder}/{MANIFEST}")
    manifest = _parsed(data)
    listed = [*([manifest["page"]] if manifest["page"] else []), *manifest["files"]]
    if into is not None:
        _write(into / MANIFEST, data)
    files = {}
    with _bar(sum(each["size"] for each in listed)) as advance:
        for each in listed:
            files[each["name"]] = await _check(store, folder, each, into, keys, advance)
    return Looked(manifest, sha256(data).hexdigest(), store.url(f"{folder}/{MANIFEST}"), files)


async def _whole(store: Store, name: str) -> bytes:
    try:
        return b"".join([chunk async for chunk in store.get(name)])
    except StoreFailed:
        pass
    raise Fatal(Reason.STORE_UNAVAILABLE, "there is no such package, or the store cannot be reached")


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        manifest = orjson.loads(data)
    except orjson.JSONDecodeError:
        manifest = None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise Fatal(Reason.ARCHIVE_DAMAGED, "the manifest is not one of ours")
    return manifest


async def _check(
    store: Store, folder: str, file: dict[str, Any], into: Path | None, keys: Keys | None, advance: Any
) -> bool:
    digest, size = sha256(), 0

    async def read() -> AsyncIterator[bytes]:
        nonlocal size
        async for chunk in store.get(f"{folder}/{file['name']}"):
            digest.update(chunk)
            size += len(chunk)
            advance(len(chunk))
            yield chunk

    opening = keys is not None and file["name"].endswith(SEALED)
    chunks = keys.opening(read()) if keys and opening else read()
    name = file["name"].removesuffix(SEALED) if opening else file["name"]
    try:
        await _pour(chunks, into / name if into else None)
    except StoreFailed:
        return False
    except Unsealed:
        remark(f"{file['name']}: not encrypted for this identity", BAD)
        return False
    return (size, digest.hexdigest()) == (file["size"], file["sha256"])


async def _pour(chunks: AsyncIterator[bytes], path: Path | None) -> None:
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("wb") if path else contextlib.nullcontext() as target:
        async for chunk in chunks:
            if target is not None:
                target.write(chunk)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(data)


@contextlib.contextmanager
def _bar(total: int) -> Any:
    """Progress by bytes on a terminal; nothing elsewhere."""
    if not err.is_terminal:
        yield lambda _: None
        return
    with Progress(TextColumn("checking"), BarColumn(), DownloadColumn(), console=err, transient=True) as progress:
        task = progress.add_task("bytes", total=total)
        yield lambda count: progress.advance(task, count)


def _tell(found: Looked, into: Path | None) -> None:
    manifest = found.manifest
    window = manifest["window"]
    whose = ", ".join(manifest["projects"] or ["all projects"])
    say(f"{manifest['subject_request_type']} of {manifest['org']} ({whose}), {window['start']} to {window['end']}")
    filled = table("file", "events", "bytes", "", right=("events", "bytes"))
    for each in [manifest["page"], *manifest["files"]]:
        verdict = "[green]intact[/]" if found.files[each["name"]] else "[red]missing or different[/]"
        events = f"{each['events']:,}" if "events" in each else ""
        filled.add_row(each["name"], events, f"{each['size']:,}", verdict)
    show(filled)
    for sentence in manifest["missing"]:
        say(f"not in it: {sentence}", "dim")
    sealed = ", encrypted" if manifest["encrypted"] else ""
    total = f"{plural(manifest['events'], 'event')} in {plural(len(manifest['files']), 'file')}{sealed}"
    say(f"{total}; {'complete and intact' if found.intact else 'NOT intact'}", GOOD if found.intact else BAD)
    say(f"manifest {found.sha256}")
    say(found.url)
    if into is not None:
        remark(f"fetched into {into}")


def _as_json(found: Looked) -> dict[str, Any]:
    manifest = found.manifest
    files = [each | {"intact": found.files[each["name"]]} for each in manifest["files"]]
    page = manifest["page"] and manifest["page"] | {"intact": found.files[manifest["page"]["name"]]}
    told = {"manifest_sha256": found.sha256, "url": found.url, "intact": found.intact}
    return manifest | told | {"files": files, "page": page}
