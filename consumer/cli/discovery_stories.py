"""What is said about a discovery as a line for people, and as a JSON object for programs."""

from __future__ import annotations

from typing import Any

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.cli.printing import iso, out, plural, say
from consumer.domain.discovery.discovery import ENDS, Stage
from consumer.domain.errors import Poison

Fields = dict[str, Any]


def outcome_of(codec: Codec, value: bytes | None) -> Fields | None:
    """The decoded `DiscoveryOutcome`; None for a record that this version cannot read."""
    try:
        return codec.decode(schemas.DISCOVERY_OUTCOMES, value)
    except Poison:
        return None


def subject_of(outcome: Fields) -> str | None:
    """The discovery it is about."""
    discovery: str | None = outcome["discovery_id"]
    return discovery


def as_json(outcome: Fields) -> Fields:
    """The `DiscoveryOutcome` with its times in ISO 8601."""
    return outcome | {name: iso(outcome[name]) for name in ("from_hour", "to_hour", "occurred_time")}


def line(outcome: Fields) -> str:
    """One line: when, which discovery, where, what, and how far it is."""
    where = outcome["project"] or "-"
    when = iso(outcome["occurred_time"])
    return f"{when}  {outcome['discovery_id'] or '(none)':<36}  {where:<12}  {_what(outcome)}"


def _what(outcome: Fields) -> str:
    if (field := outcome["field"]) is not None:
        return f"field {field['state']}: {', '.join(field['data_types'])} in {field['event_type']} {field['path']}"
    said = f"{outcome['stage']}({outcome['reason']})" if outcome["reason"] else str(outcome["stage"])
    if outcome["kind"] == "reply":
        return f"answer: duplicate, {said}" if outcome["duplicate_of"] else f"answer: {said}"
    return f"{said}  {_hours(outcome)}" if outcome["hours"] else said


def _hours(outcome: Fields) -> str:
    hours = outcome["hours"]
    parts = [f"{hours[name]:,} {name}" for name in ("scanned", "empty", "known", "refused", "open") if hours[name]]
    text = outcome["account"].get("text_scanned", 0)
    size = f"; {text / 1e6:,.1f} MB of text" if text else ""
    dirty = outcome["dirty_fields"]
    fields = f"; {plural(dirty, 'dirty field')}" if dirty is not None and outcome["stage"] in ENDS else ""
    return f"{plural(hours['total'], 'hour')} ({', '.join(parts) or 'none'}){size}{fields}"


def style_of(outcome: Fields) -> str | None:
    """Green for what ended well, red for what did not, yellow for a field that holds personal data."""
    if (field := outcome["field"]) is not None:
        return "yellow" if field["state"] == "dirty" else "green"
    if outcome["stage"] == Stage.DONE:
        return "yellow" if outcome["hours"] and outcome["hours"]["refused"] else "green"
    return "red" if outcome["stage"] in ENDS else None


def tell(outcome: Fields) -> None:
    """Print it for people."""
    say(line(outcome), style_of(outcome) if out.is_terminal else None)
