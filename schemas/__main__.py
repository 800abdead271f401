"""`python -m schemas` writes index.json; `python -m schemas golden` also encodes the samples that have no bytes yet.

A golden sample is a hand-written `golden/<subject>/<version>/<name>.json` and, beside it, the bytes as they travelled
when that version was current. Bytes that exist are history and are kept; `--replace` is for a version not yet released.
Works on a source tree only: an installed package is not a place to write to.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any

import fastavro

import schemas

HERE = Path(__file__).parent


def decode_sample(text: str) -> Any:
    """A sample's JSON as the record it stands for. `{"hex": "00ff"}` is a byte string, which JSON lacks."""
    return json.loads(text, object_hook=lambda each: bytes.fromhex(each["hex"]) if each.keys() == {"hex"} else each)


def encode_sample(subject: str, version: int, record: Any) -> bytes:
    """The record in Confluent framing under the id of that version."""
    schema = schemas.load(subject, version)
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), record, strict_allow_default=True)
    return b"\0" + schemas.schema_id(schema).to_bytes(4, "big") + body.getvalue()


def write_golden(root: Path, *, replace: bool) -> list[Path]:
    """Encode each sample under `root` without bytes (or all); returns the files written."""
    written = []
    for sample in sorted(root.glob("*/*/*.json")):
        target = sample.with_suffix(".bin")
        if replace or not target.exists():
            version, subject = int(sample.parent.name), sample.parent.parent.name
            target.write_bytes(encode_sample(subject, version, decode_sample(sample.read_text(encoding="utf-8"))))
            written.append(target)
    return written


def write_index(path: Path) -> None:
    """Write `schemas.index()` as indented JSON."""
    path.write_text(json.dumps(schemas.index(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Parse the command line and write what it asks for."""
    parser = argparse.ArgumentParser(prog="python -m schemas", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", nargs="?", choices=["index", "golden"], default="index")
    parser.add_argument("--replace", action="store_true", help="encode every sample again (unreleased versions only)")
    chosen = parser.parse_args(arguments)
    write_index(HERE / "index.json")
    if chosen.what == "golden":
        for path in write_golden(HERE / "golden", replace=chosen.replace):
            sys.stdout.write(f"{path.relative_to(HERE)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
