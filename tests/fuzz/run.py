"""Fuzzes the kernel's C core under ASan and UBSan: `python -m tests.fuzz.run SECONDS [SEED]`. Needs gcc."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fakes import json_lines, packed

HERE = Path(__file__).parent
CORE = HERE.parent.parent / "scanner" / "kernel"
SANITIZED = [
    *("-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"),
    *("-fno-pie", "-no-pie"),  # the same addresses, and so the same edges, in every run
]


def build(directory: Path) -> Path:
    """The fuzzer, in `directory`. Raises CalledProcessError if the compiler will not."""
    sources = [path for path in sorted(CORE.glob("*.c")) if path.name != "module.c"]
    objects = [directory / f"{path.stem}.o" for path in sources]
    for source, target in zip(sources, objects, strict=True):
        covered = ["-fsanitize-coverage=trace-pc", "-c", source, "-o", target]
        subprocess.run(["gcc", *SANITIZED, *covered], check=True)
    program = directory / "fuzz_kernel"
    subprocess.run(["gcc", *SANITIZED, HERE / "fuzz_kernel.c", *objects, "-o", program], check=True)
    return program


def fuzz(seconds: int, seed: int) -> subprocess.CompletedProcess[str]:
    """One run; its output ends with how many inputs were tried and how many edges reached."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "tables").write_bytes(packed.tables())
        (directory / "seeds").write_bytes(b"\n".join(json_lines.hostile(random.Random(seed), 300)) + b"\n")
        command = [build(directory), directory / "tables", str(seconds), str(seed), directory / "seeds"]
        return subprocess.run(command, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 31)
    print("seed", seed)
    result = fuzz(int(sys.argv[1]), seed)
    print(result.stdout, result.stderr, sep="")
    sys.exit(result.returncode)
