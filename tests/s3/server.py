"""A real S3-compatible server for tests: Versity's gateway over a folder, so that it may be killed and come back.

It shows an object when all of it is there, as S3 does. Built once from its Go module into the user's cache.
`Unavailable` without Go, or when the module cannot be had.

gofakes3 was here before: it reads a mapped file after its transaction is over, and crashed in one of thirty rehearsals.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.request import urlopen

MODULE, VERSION = "github.com/versity/versitygw/cmd/versitygw", "v1.8.0"
BUCKET = "copies"
HEALTH = "/health"
UNFINISHED = ".sgwtmp"
"""Where the gateway keeps what is not an object yet."""
KEY, SECRET = "made-up", "also-made-up"
PATIENCE_S = 20.0
BUILD_S = 900


class Unavailable(Exception):
    """There is no such server here, and why."""


def program() -> Path:
    """The built server. Blocks while it is built, the first time for two minutes."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amplitude-dsr"
    built = root / f"versitygw-{VERSION}" / "versitygw"
    if not built.exists():
        _build(built)
    return built


def _build(target: Path) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise Unavailable("there is no Go to build an S3-compatible server with")
    bin_folder = target.parent / f"building-{os.getpid()}"
    told = os.environ | {"GOBIN": str(bin_folder), "GOFLAGS": "-mod=mod"}
    command = [go, "install", f"{MODULE}@{VERSION}"]
    done = subprocess.run(command, env=told, capture_output=True, timeout=BUILD_S, check=False)
    if done.returncode != 0:
        raise Unavailable("Go cannot build the S3-compatible server: is a module proxy reachable?")
    target.parent.mkdir(parents=True, exist_ok=True)
    (bin_folder / "versitygw").replace(target)  # by a rename: several processes may have built it
    shutil.rmtree(bin_folder)


class S3Server:
    """A context manager. `kill` it and `start` it again: the port and the files stay."""

    def __init__(self, directory: Path) -> None:
        self._program, self._root, self._notes = program(), directory / "s3", directory / "notes-of-s3"
        self._bucket = self._root / BUCKET
        self._bucket.mkdir(parents=True)
        self._notes.mkdir()
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> dict[str, object]:
        """For `[copies]`, and as arguments of `open_store`."""
        options = {
            "endpoint": f"http://127.0.0.1:{self._port}",
            "access_key_id": KEY,
            "secret_access_key": SECRET,
            "region": "us-east-1",
            "virtual_hosted_style_request": "false",
        }
        return {"store": f"s3://{BUCKET}/packages", "store_options": options}

    def start(self) -> None:
        """Serve, and wait until it answers. `Unavailable` if it does not."""
        address = f"127.0.0.1:{self._port}"
        told = os.environ | {"ROOT_ACCESS_KEY_ID": KEY, "ROOT_SECRET_ACCESS_KEY": SECRET}
        serve = [str(self._program), "--quiet", "--keep-alive", "--port", address, "--health", HEALTH]
        command = [*serve, "posix", "--sidecar", str(self._notes), str(self._root)]
        self._process = subprocess.Popen(command, env=told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(OSError), urlopen(f"http://{address}{HEALTH}", timeout=PATIENCE_S):
                return
            time.sleep(0.02)
        self.kill()
        raise Unavailable("the S3-compatible server does not answer")

    def kill(self) -> None:
        """SIGKILL. `Unavailable` if it had died by itself: a test must not take that for its own doing."""
        process, self._process = self._process, None
        if process is None:
            return
        died = process.poll()
        process.send_signal(signal.SIGKILL)
        process.wait()
        if died is not None:
            raise Unavailable(f"the S3-compatible server ended by itself, with exit code {died}")

    def hang(self) -> None:
        """SIGSTOP: connections are taken, and nothing is answered. `kill` and `start` end it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def keys(self) -> list[str]:
        """Everything in the bucket, looked up behind the server's back."""
        files = (path.relative_to(self._bucket) for path in self._bucket.rglob("*") if path.is_file())
        return [file.as_posix() for file in files if file.parts[0] != UNFINISHED]

    def uploads(self) -> list[str]:
        """Uploads in parts that were neither finished nor given up, with parts or without: no listing has them."""
        return [path.name for path in (self._bucket / UNFINISHED).glob("multipart/*/*")]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
