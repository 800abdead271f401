"""Options that many commands share, and how times are written on the command line."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from consumer.domain.deadline import millis
from consumer.domain.subject import Millis

File = Annotated[
    Path | None,
    typer.Option(
        "--settings", "-s", metavar="FILE", help="TOML file; else $DSR_SETTINGS, else dsr.toml if it is there."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for programs: one object a line.")]
Embedded = Annotated[
    bool, typer.Option("--embedded", help="Use the broker of the `dsr run --embedded` that is running on this machine.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Request = Annotated[str, typer.Argument(metavar="REQUEST", help="The request id (a UUID) that `dsr submit` printed.")]
TIME = "Like 2026-06-16, 2026-06-16T09:30 (UTC unless it says otherwise), or 90m, 12h, 3d for so long ago."

_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def now() -> Millis:
    """The machine's calendar."""
    return Millis(time.time_ns() // 1_000_000)


def instant(text: str) -> Millis:
    """A time as written on the command line. Raises typer's usage error for anything else."""
    if ago := _AGO.fullmatch(text.strip()):
        return Millis(now() - int(ago[1]) * _UNIT_MS[ago[2]])
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"not a time. {TIME}") from None
    return millis(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


Since = Annotated[int | None, typer.Option("--since", parser=instant, metavar="TIME", help=TIME)]
