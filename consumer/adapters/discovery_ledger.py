"""What the coordinator remembers, as records: one for each discovery, one for what a project's inventory covers, and
the counters of its fields in buckets. The inventory's lines are their own memory: they are read back from its topic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.discovery_wire import refused_out
from consumer.adapters.tally_wire import evidence_in, origin_in, seen_in, seen_out
from consumer.discovery.draft import Shelf
from consumer.discovery.inventory import Inventory, Mark
from consumer.domain.discovery.command import DiscoveryId
from consumer.domain.discovery.discovery import Answered, Discovery, Issued, Stage
from consumer.domain.errors import Reason
from consumer.domain.hours import Hour, Span, Spans, hour_of
from consumer.domain.subject import Millis, ProjectId
from scanner.evidence import Evidence, Field, Key, Origin
from scanner.findings import Grade
from scanner.summary import Tally

Record = dict[str, Any]


def discovery_key(project: ProjectId, discovery: DiscoveryId) -> bytes:
    """Of a discovery's entry."""
    return f"discovery/{project}/{discovery}".encode()


def coverage_key(project: ProjectId) -> bytes:
    """Of the entry of what a project's inventory covers."""
    return f"project/{project}".encode()


def fields_key(project: ProjectId, bucket: int) -> bytes:
    """Of the entry of one bucket of fields' counters."""
    return f"fields/{project}/{bucket}".encode()


_NOTHING = {"discovery": None, "coverage": None, "fields": None}


def discovery_out(discovery: Discovery) -> Record:
    """The entry of a discovery: its fields by their names."""
    told = discovery._asdict()
    told["discovery_id"] = told.pop("id")
    told["stage"] = discovery.stage.value
    told["own"] = _spans_out(discovery.own)
    told["issued"] = [{**_span_out(each.span), "slot": each.slot, "since": each.since} for each in discovery.issued]
    told["ahead"] = [{**_span_out(each.span), "line": each.line} for each in discovery.ahead]
    told["refused"] = refused_out(discovery.refused)
    told["account"] = dict(discovery.account)
    told["commands"] = list(discovery.commands)
    return _NOTHING | {"discovery": told}


def discovery_in(told: Record) -> Discovery:
    """The same back."""
    fields = dict(told)
    fields["id"] = DiscoveryId(fields.pop("discovery_id"))
    fields["stage"] = Stage(told["stage"])
    fields["own"] = _spans_in(told["own"])
    fields["issued"] = tuple(Issued(_span_in(each), each["slot"], Millis(each["since"])) for each in told["issued"])
    fields["ahead"] = tuple(Answered(_span_in(each), each["line"]) for each in told["ahead"])
    fields["refused"] = {Reason(each["reason"]): each["hours"] for each in told["refused"]}
    fields["commands"] = tuple(told["commands"])
    return Discovery(**fields)


def coverage_out(inventory: Inventory) -> Record:
    """The entry of what an inventory covers."""
    told = {
        "project": inventory.project,
        "covered": _spans_out(inventory.covered),
        "key": inventory.fingerprints or None,
    }
    return _NOTHING | {"coverage": told}


def fields_out(inventory: Inventory, bucket: int) -> Record | None:
    """The entry of one bucket; None if it is empty."""
    seen = inventory.bucket(bucket)
    if not seen:
        return None
    return _NOTHING | {"fields": {"project": inventory.project, "bucket": bucket, "seen": seen_out(seen)}}


class ShelfReader:
    """Fills shelves with the versions of entries and lines as they are read back, oldest first. The last one counts."""

    def __init__(self, codec: Codec, public: Codec) -> None:
        self._codec, self._public = codec, public
        self._entries: dict[bytes, Record] = {}
        self._lines: dict[bytes, Record] = {}

    def entry(self, key: bytes, value: bytes | None) -> None:
        """One version of an entry of the ledger. A value that cannot be read is an error, not a guess: `Poison`."""
        _put(self._entries, key, value, lambda data: self._codec.decode(schemas.DISCOVERY_LEDGER, data))

    def line(self, key: bytes, value: bytes | None) -> None:
        """One version of a line of the inventory."""
        _put(self._lines, key, value, lambda data: self._public.decode(schemas.INVENTORY, data))

    def shelf(self) -> Shelf:
        """What all of it amounts to."""
        shelf = Shelf()
        covers: dict[ProjectId, Record] = {}
        seen: dict[ProjectId, dict[Field, int]] = {}
        for entry in self._entries.values():
            if (told := entry["discovery"]) is not None:
                discovery = discovery_in(told)
                shelf.discoveries[discovery.project, discovery.id] = discovery
            if (told := entry["coverage"]) is not None:
                covers[told["project"]] = told
            if (told := entry["fields"]) is not None:
                seen.setdefault(told["project"], {}).update(seen_in(told["seen"]))
        for project, cover in covers.items():
            lines = [line for line in self._lines.values() if line["project"] == project]
            shelf.inventories[project] = _inventory(project, cover, seen.get(project, {}), lines)
        return shelf


def _put(into: dict[bytes, Record], key: bytes, value: bytes | None, decode: Callable[[bytes], Record]) -> None:
    if value is None:
        into.pop(key, None)
    else:
        into[key] = decode(value)


def _inventory(project: ProjectId, cover: Record, seen: dict[Field, int], lines: list[Record]) -> Inventory:
    rows: dict[Key, Evidence] = {}
    marks: dict[Key, Mark] = {}
    origins: dict[Key, Origin] = {}
    for line in lines:
        key = Key(line["event_type"], line["path"], line["data_type"])
        last_hit = hour_of(line["last_hit"]) if line["last_hit"] is not None else None
        marks[key] = Mark(Grade[line["grade"].upper()], line["expected"], last_hit, line["clean_hours"])
        rows[key] = evidence_in(line, line["sketch"])
        if (origin := origin_in(line)) is not None:
            origins[key] = origin
    tally = Tally(seen, rows, origins=origins)
    return Inventory(project, _spans_in(cover["covered"]), cover["key"] or "", tally, marks)


def _span_out(span: Span) -> Record:
    return {"first": span.first, "last": span.last}


def _span_in(told: Record) -> Span:
    return Span(Hour(told["first"]), Hour(told["last"]))


def _spans_out(spans: Spans) -> list[Record]:
    return [_span_out(span) for span in spans]


def _spans_in(told: list[Record]) -> Spans:
    return tuple(map(_span_in, told))
