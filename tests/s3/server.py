"""A real S3-compatible server for tests: gofakes3 with its files on disk, so that it may be killed and come back.

Built once from its Go module into the user's cache. `Unavailable` without Go, or when the module cannot be had.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self
from urllib.error import HTTPError
from urllib.request import urlopen
from xml.etree import ElementTree

MODULE, VERSION = "github.com/johannesboyne/gofakes3/cmd/gofakes3", "v1.2.0"
BUCKET = "copies"
PATIENCE_S = 20.0
BUILD_S = 400


class Unavailable(Exception):
    """There is no such server here, and why."""


def program() -> Path:
    """The built server. Blocks while it is built, the first time for half a minute."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amplitude-dsr"
    built = root / f"gofakes3-{VERSION}" / "gofakes3"
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
    (bin_folder / "gofakes3").replace(target)  # by a rename: several processes may have built it
    shutil.rmtree(bin_folder)


class S3Server:
    """A context manager. `kill` it and `start` it again: the port and the files stay."""

    def __init__(self, directory: Path) -> None:
        self._program, self._files = program(), directory / "s3.db"
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> dict[str, object]:
        """For `[copies]`, and as arguments of `open_store`."""
        options = {
            "endpoint": f"http://127.0.0.1:{self._port}",
            "access_key_id": "made-up",
            "secret_access_key": "made-up",
            "region": "us-east-1",
            "virtual_hosted_style_request": "false",
        }
        return {"store": f"s3://{BUCKET}/packages", "store_options": options}

    def start(self) -> None:
        """Serve, and wait until it answers."""
        where = ["-backend", "bolt", "-bolt.db", str(self._files), "-host", f"127.0.0.1:{self._port}"]
        command = [str(self._program), *where, "-initialbucket", BUCKET]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.02)
        self.kill()
        raise Unavailable("the S3-compatible server does not answer")

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """SIGSTOP: connections are taken, and nothing is answered. `kill` and `start` end it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def keys(self) -> list[str]:
        """Everything in the bucket, up to 1,000 objects."""
        return self._listed("list-type=2", "Contents")

    def uploads(self) -> list[str]:
        """The keys of uploads in parts that were neither finished nor given up: no listing has them."""
        return self._listed("uploads", "Upload")

    def _listed(self, query: str, element: str) -> list[str]:
        try:
            answer = urlopen(f"http://127.0.0.1:{self._port}/{BUCKET}?{query}", timeout=PATIENCE_S)
        except HTTPError as refused:
            if b"NoSuchUpload" in refused.read():  # there has never been one
                return []
            raise
        with answer:
            found = ElementTree.fromstring(answer.read()).iterfind(f".//{{*}}{element}/{{*}}Key")
            return [key.text or "" for key in found]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
