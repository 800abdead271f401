"""Everything that can be turned on the stand-in before it starts. The defaults are what was recorded or documented."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Knobs:
    """`refuse_status` is 403 (live) or 401 (documented). `strict_bool_strings` refuses JSON booleans, as one
    integrator reports. `reply_whole_job` lists a job's earlier ids in the reply to a POST too (not documented).

    Exports: `most_exports` are open at a time per project, a window of more bytes is a 400, one of more hours a 504;
    an hour has `export_parts` members; `export_bytes_per_s` 0 is full speed.

    Copies: each person has so many events over so many months, ending when the world began; a copy takes `dsar_s`; an
    org spends `dsar_units`, a project `lookups`, in any `hour_s` real seconds; a link is good for `link_s`.
    `foreign_urls` names the browser's host in the links, as older documentation does."""

    lead_days: int = 12
    gate_s: float = 0.95
    most_in_flight: int = 8
    most_ids: int = 100
    retry_after: str | None = None
    refuse_status: int = 403
    strict_bool_strings: bool = False
    reply_whole_job: bool = False
    ghost_prefix: str = "ghost-"
    several_prefix: str = "several-"
    most_exports: int = 1
    most_export_bytes: int = 4_000_000_000
    most_export_hours: int = 365 * 24
    export_bytes_per_s: float = 0.0
    export_parts: int = 1
    events_per_person: int = 25
    months_of_history: int = 3
    heavy_prefix: str = "heavy-"
    dsar_s: float = 0.2
    dsar_units: int = 14_400
    lookups: int = 360
    hour_s: float = 3600.0
    link_s: float = 300.0
    foreign_urls: bool = False
