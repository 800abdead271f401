"""The archive itself: members in the layout and the writing styles that exports come in, and the truth beside it."""

import datetime as dt
import gzip
import json
import zipfile
from pathlib import Path
from typing import NamedTuple

from tests.fakes.exports.dice import Dice
from tests.fakes.exports.events import ESCAPED_AT, PROFILES, Events

STYLES = ("raw", "raw", "ascii", "raw", "slash", "raw", "raw", "spaced")


class Written(NamedTuple):
    lines: int
    size_bytes: int
    planted: int
    negatives: int


def encode(event, style):
    """One line, newline included."""
    separators = (", ", ": ") if style == "spaced" else (",", ":")
    text = json.dumps(event, ensure_ascii=style == "ascii", separators=separators)
    text = text.replace(ESCAPED_AT, "\\u0040").replace("\\ue000", "\\u0040")
    return (text.replace("/", "\\/") if style == "slash" else text).encode() + b"\n"


def lines(events, seed=7, profile="realistic", files=24):
    """Yields (member ordinal, encoded line, planted, negatives)."""
    dice = Dice(seed)
    source = Events(dice, PROFILES[profile], max(200, events // 25))
    for n in range(files):
        hour = dt.datetime(2024, 3, 1, n % 24, tzinfo=dt.UTC)
        for _ in range(events // files + (n < events % files)):
            line = encode(source.event(hour), STYLES[n % len(STYLES)])
            yield n, line, source.planted, source.negatives


def write(stem: Path, events: int, seed: int = 7, profile: str = "realistic", files: int = 24) -> Written:
    """Write `stem`.zip, .truth.jsonl.gz and .negatives.jsonl.gz; give the totals."""
    size = planted = negatives = number = 0
    with (
        zipfile.ZipFile(stem.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive,
        gzip.open(stem.with_suffix(".truth.jsonl.gz"), "wt", encoding="utf-8") as truth,
        gzip.open(stem.with_suffix(".negatives.jsonl.gz"), "wt", encoding="utf-8") as clean,
    ):
        members: dict[int, list[bytes]] = {}
        for member, line, plants, lookalikes in lines(events, seed, profile, files):
            if member not in members:
                _close(archive, members)
            members.setdefault(member, []).append(line)
            for note, where in ((plants, truth), (lookalikes, clean)):
                where.writelines(json.dumps({"line": number, **entry}, ensure_ascii=False) + "\n" for entry in note)
            size, number = size + len(line), number + 1
            planted, negatives = planted + len(plants), negatives + len(lookalikes)
        _close(archive, members)
    return Written(number, size, planted, negatives)


def _close(archive, members):
    for member, content in members.items():
        payload = gzip.compress(b"".join(content), compresslevel=6, mtime=0)
        archive.writestr(f"187520/187520_2024-03-01_{member % 24}#0.json.gz", payload)
    members.clear()
