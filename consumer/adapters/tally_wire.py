"""Between the scanner's counters and the records they travel in.

Names of fields and event types come from other people's JSON and may hold lone surrogates, which no UTF-8 has: they
are written as escapes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from scanner.evidence import Evidence, Field, Key, Origin
from scanner.findings import Reason as Why
from scanner.summary import Tally

Record = dict[str, Any]

PART_BYTES = 700_000
"""Of one record of a result, by estimate; a record may have a megabyte."""
_ROW_BYTES, _FIELD_BYTES = 1_500, 24


def parts_out(tally: Tally) -> Iterator[tuple[list[Record], list[Record]]]:
    """The counters of fields, and the rows, in pieces that fit into one record each."""
    seen: list[Record] = []
    rows: list[Record] = []
    size = 0
    for place, events in tally.seen.items():
        seen.append(_seen_out(place, events))
        size += _FIELD_BYTES + 4 * (len(place.event_type) + len(place.path))
        if size >= PART_BYTES:
            yield seen, rows
            seen, rows, size = [], [], 0
    for key, evidence in tally.rows.items():
        rows.append(_row_out(key, evidence, tally.origins.get(key)))
        size += _ROW_BYTES + 4 * (len(key.event_type) + len(key.path))
        if size >= PART_BYTES:
            yield seen, rows
            seen, rows, size = [], [], 0
    if seen or rows:
        yield seen, rows


def tally_in(seen: Iterable[Record], rows: Iterable[Record]) -> Tally:
    """A piece of a tally. Names that differed in lone surrogates only may have become the same: they count together."""
    total = Tally(seen_in(seen))
    for row in rows:
        key = _key(row)
        origin = origin_in(row)
        one = Tally(rows={key: evidence_in(row, row["distinct"])}, origins={key: origin} if origin else {})
        total = (
            total + one
            if key in total.rows
            else replace(total, rows={**total.rows, **one.rows}, origins={**total.origins, **one.origins})
        )
    return total


def seen_in(records: Iterable[Record]) -> dict[Field, int]:
    """Counters of fields."""
    seen: dict[Field, int] = {}
    for each in records:
        place = Field(each["event_type"], each["path"])
        seen[place] = seen.get(place, 0) + each["events"]
    return seen


def seen_out(seen: Mapping[Field, int]) -> list[Record]:
    """Counters of fields, in a fixed order."""
    return [_seen_out(place, events) for place, events in sorted(seen.items())]


def _seen_out(place: Field, events: int) -> Record:
    return {"event_type": plain_text(place.event_type), "path": plain_text(place.path), "events": events}


def _row_out(key: Key, evidence: Evidence, origin: Origin | None) -> Record:
    return evidence_out(key, evidence, origin) | {
        "hits": list(evidence.hits),
        "distinct": evidence.distinct.to_bytes(),
    }


def evidence_out(key: Key, evidence: Evidence, origin: Origin | None) -> Record:
    """What a row of a result and a line of the inventory have in common."""
    return {
        "event_type": plain_text(key.event_type),
        "path": plain_text(key.path),
        "data_type": key.data_type,
        "reasons": list(evidence.reasons.words),
        "via": list(evidence.via.words),
        "shapes": [
            {"fingerprint": _signed(shape.fingerprint), "masked": plain_text(shape.masked)} for shape in evidence.shapes
        ],
        "first_hour": evidence.first_hour,
        "last_hour": evidence.last_hour,
        "app_version": origin.app_version if origin else "",
        "library": origin.library if origin else "",
    }


def _key(record: Record) -> Key:
    return Key(record["event_type"], record["path"], record["data_type"])


def evidence_in(record: Record, sketch: bytes) -> Evidence:
    """The counters of a row or a line, without what was concluded from its column."""
    told = {
        "hits": record["hits"],
        "reasons": record["reasons"],
        "via": record["via"],
        "distinct": base64.b64encode(sketch).decode(),
        "shapes": [[f"{each['fingerprint'] & _ALL:x}", each["masked"]] for each in record["shapes"]],
        "hours": [record["first_hour"], record["last_hour"]],
    }
    evidence = Evidence.from_json(told)
    return replace(evidence, reasons=evidence.reasons & ~(Why.COLUMN | Why.FIELD))


def origin_in(record: Record) -> Origin | None:
    """Version and library of an event with it, if an event told them."""
    told = Origin(record["first_hour"], record["app_version"], record["library"])
    return told if told.app_version or told.library else None


_ALL = (1 << 64) - 1


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def plain_text(text: str) -> str:
    """The text without lone surrogates: those as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
