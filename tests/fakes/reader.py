"""The folder of somebody who reads the pages: the files that the commands take for granted, and a `.venv/bin/dsr`."""

from __future__ import annotations

import gzip
import io
import shlex
import sys
import zipfile
from pathlib import Path

from tests.pages import ROOT

EVENTS = b"".join(
    b'{"event_type":"search","user_id":"u-%d","event_properties":{"q":"ana%d@example.com"}}\n' % (n, n)
    for n in range(50)
)
RULES = """
[[rule]]
id = "acme.badge"
type = "ACME_BADGE"
name = "Badge of somebody at Acme"
group = "personal"
examples = ["ACME-12345"]
counter_examples = ["ACME-1234"]

  [[rule.pattern]]
  regex = '(?<![0-9A-Za-z])ACME-[0-9]{5}(?![0-9A-Za-z])'
  alone = "confirmed"
"""


def furnish(folder: Path) -> None:
    """Write them all. `.venv/bin/dsr` is the command line of this source tree, whatever the folder."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as entries:
        entries.writestr("829000/829000_2026-06-16_11#0.json.gz", gzip.compress(EVENTS, mtime=0))
    files = {
        "ids.txt": b"u-1\nu-2\nghost-1\n",
        "shop.json.gz": gzip.compress(EVENTS, mtime=0),
        "export.zip": archive.getvalue(),
        "mine.toml": RULES.encode(),
        "key.txt": b"# an age identity file\n",
        "ledger.age": b"age-encryption.org/v1\n",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    program = folder / ".venv" / "bin" / "dsr"
    program.parent.mkdir(parents=True)
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[0] = 'dsr'; from consumer.cli import main; main()"
    program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-c", start])} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
