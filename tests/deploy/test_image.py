"""The Dockerfile, by BuildKit's own parser and rules; and its build stage, carried out here without Docker."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch

import pytest

from tests.deploy.tools import ROOT, run

DOCKERFILE = ROOT / "deploy" / "Dockerfile"


@pytest.fixture(scope="module")
def stages(reader):
    done = run(reader, "dockerfile", DOCKERFILE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "broken",
    [("FROM python", "from python"), ("COPY --from=build", "COPYY --from=build"), ("AS build", "as build")],
    ids=["casing", "instruction", "as"],
)
def test_buildkit_would_find_it(reader, tmp_path, broken):
    """The check can fail."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert broken[0] in text
    (tmp_path / "Dockerfile").write_text(text.replace(*broken))
    assert run(reader, "dockerfile", tmp_path / "Dockerfile").returncode == 1


def test_the_image_is_nobodys_and_holds_no_compiler(stages):
    """The last stage copies what was built, and runs as a number."""
    _, last = stages
    assert not [command for command in last if command.startswith("RUN")]
    assert "USER 10001:10001" in last
    assert "STOPSIGNAL SIGTERM" in last
    assert ['ENTRYPOINT ["dsr"]', 'CMD ["run"]'] == last[-2:]


def test_what_the_build_copies_is_sent_and_is_enough(stages, tmp_path):
    """Its own commands, in a folder with nothing but what it copies: the wheel is built, with the native kernel."""
    build, _ = stages
    sources = [name for command in build if command.startswith("COPY") for name in command.split()[1:-1]]
    sent = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(sources) == set(sent)
    for name in sources:
        _copied(name, tmp_path / "src")
    commands = [command.removeprefix("RUN ") for command in build if command.startswith("RUN ")][1:]
    app = tmp_path / "app"
    for command in commands:
        here = command.replace("/app", shlex.quote(str(app))).replace("python -m venv", f"{sys.executable} -m venv")
        done = subprocess.run(here, shell=True, cwd=tmp_path / "src", capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([app / "bin" / "dsr", "--version"], cwd=tmp_path, capture_output=True, text=True)
    version = re.search(r"ARG VERSION=(\S+)", DOCKERFILE.read_text(encoding="utf-8"))[1]
    assert done.stdout.strip() == f"dsr {version}"


def _copied(name, target):
    target.mkdir(exist_ok=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    assert not fnmatch(name, "*__pycache__*")
    if (ROOT / name).is_dir():
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    else:
        shutil.copy(ROOT / name, target / name)
