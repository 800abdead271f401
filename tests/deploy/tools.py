"""The real tools, built once with Go into the user's cache: helm, actionlint, and a reader of compose files and
Dockerfiles on Compose's and BuildKit's own libraries. `Unavailable` without Go, or when a module cannot be had."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"
READER = Path(__file__).parent / "validate"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amplitude-dsr"
BUILD_S = 560


class Unavailable(Exception):
    """There is no such tool here, and why."""


def go() -> str:
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if found is None:
        raise Unavailable("there is no Go to build the tool with")
    return found


@cache
def installed(package: str) -> Path:
    """A published program, `path@version`. Blocks while it is built, helm for a minute and a half."""
    path, version = package.split("@")
    name = path.rpartition("/")[2]
    return _built(CACHE / f"{name}-{version}" / name, ["install", package], ROOT)


@cache
def reader() -> Path:
    """Our own, from tests/deploy/validate."""
    content = b"".join(file.read_bytes() for file in sorted(READER.iterdir()))
    target = CACHE / f"validate-{hashlib.sha256(content).hexdigest()[:12]}" / "validate"
    return _built(target, ["install", "."], READER)


def _built(target: Path, build: list[str], directory: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes test at a time
        if target.exists():
            return target
        told = os.environ | {"GOBIN": str(target.parent)}
        done = subprocess.run([go(), *build], env=told, cwd=directory, capture_output=True, timeout=BUILD_S)
        if done.returncode != 0 or not target.exists():
            raise Unavailable(f"Go cannot build {target.name}: is a module proxy reachable?")
        return target


@cache
def module(name: str) -> Path:
    """The source of a Go module, `path@version`."""
    CACHE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([go(), "mod", "download", "-json", name], capture_output=True, timeout=BUILD_S, cwd=CACHE)
    if done.returncode != 0:
        raise Unavailable(f"{name} cannot be had: is a module proxy reachable?")
    return Path(json.loads(done.stdout)["Dir"])


@cache
def packages(*names: str) -> Path:
    """A folder with these npm packages, `name@version`, and what they need."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("there is no npm")
    target = CACHE / f"npm-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:12]}"
    target.mkdir(parents=True, exist_ok=True)
    with (target / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "done").exists():
            command = [npm, "install", "--prefix", str(target), "--no-audit", "--no-fund", "--ignore-scripts", *names]
            if subprocess.run(command, capture_output=True, timeout=BUILD_S).returncode != 0:
                raise Unavailable(f"npm cannot install {names[0]}: is a registry reachable?")
            (target / "done").touch()
    return target


def run(program: Path, *arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=120, **more)
