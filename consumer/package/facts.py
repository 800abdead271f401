"""What the page says about the package it lies in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from consumer.domain.subject import Day, Millis

Source = Literal["dsar", "user_activity"]
"""Where the events come from: Amplitude's DSAR API, or User Search and User Activity page by page."""


@dataclass(frozen=True, slots=True)
class FileFact:
    """One file beside the page, as it lies in the package: size in bytes, SHA-256 in hex. `lines` of its text, if it is
    one of lines."""

    name: str
    size: int
    sha256: str
    lines: int | None


@dataclass(frozen=True, slots=True)
class Facts:
    """A package: for which request, of which org and projects, which days (both inclusive), prepared when.

    `projects`: ids as the events' `app` has them. `missing`: what is not in the package and why, a plain sentence each,
    without personal data. `identities`: how many identifiers of the person were looked up. `encrypted`: the files lie
    in the package encrypted with age.
    """

    request_id: str
    org: str
    projects: tuple[str, ...]
    start: Day
    end: Day
    created: Millis
    source: Source
    files: tuple[FileFact, ...]
    missing: tuple[str, ...]
    identities: int
    encrypted: bool
