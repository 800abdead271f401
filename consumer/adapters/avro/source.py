"""Where schemas come from: what the codec asks, and the answer from the files this package ships.

A schema is admitted once, here, before any datum is decoded with it: an array whose items take no bytes lets a
ten-byte record ask for 2**40 of them, and a recursive type lets a long one overflow the C stack (both seen with
fastavro 1.13: 13 s and 900 MB for one record, and a segmentation fault). Neither is possible with an admitted schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from fastavro import parse_schema
from fastavro.schema import SchemaParseException, UnknownType, fingerprint, to_parsing_canonical_form

import schemas
from consumer.domain.errors import Poison, Reason

MAX_DEPTH = 32
"""Nesting of types in an admitted schema; ours need 8."""


@dataclass(frozen=True, slots=True)
class ParsedSchema:
    """One admitted schema. `plain` is what fastavro reads and writes with: logical types are taken out, so that
    timestamps are plain integers (the bytes are the same, and decoding is 1.5 times faster)."""

    id: int
    name: str
    canonical: str = field(repr=False)
    plain: Any = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        """CRC-64-AVRO of the canonical form in the byte order of Avro's single-object encoding."""
        return bytes.fromhex(fingerprint(self.canonical, "CRC-64-AVRO"))


class SchemaSource(Protocol):
    """Answers the codec's questions. Synchronous: called from the Kafka thread, may block for a bounded time."""

    def by_id(self, schema_id: int) -> ParsedSchema:
        """The writer's schema. `Poison(UNKNOWN_SCHEMA)` if there is none, `Deferred` if it cannot be known now."""
        ...

    def by_fingerprint(self, crc: bytes) -> ParsedSchema:
        """The schema with this 8-byte little-endian CRC-64-AVRO. Raises like `by_id`."""
        ...

    def id_of(self, subject: str) -> int:
        """The id to write the newest version of one of our subjects with. `Deferred` if it cannot be known now."""
        ...


def admit(schema_id: int, schema: Any) -> ParsedSchema:
    """Parse a schema and refuse one that could be abused. Pure. `Poison(UNKNOWN_SCHEMA)` when refused or invalid."""
    try:
        plain = parse_schema(without_logical_types(schema))
        canonical = to_parsing_canonical_form(plain)
    except (SchemaParseException, UnknownType, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Poison(Reason.UNKNOWN_SCHEMA, "the schema is not valid Avro") from None
    if not isinstance(plain, dict) or plain.get("type") != "record":
        raise Poison(Reason.UNKNOWN_SCHEMA, "the schema is not a record")
    _Width().of(plain)
    return ParsedSchema(schema_id, plain["name"], canonical, plain)


def without_logical_types(schema: Any) -> Any:
    """The same schema with every `logicalType` attribute left out. Field names and defaults are not touched."""
    if isinstance(schema, list):
        return [without_logical_types(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _bare(key, value) for key, value in schema.items() if key != "logicalType"}


def _bare(key: str, value: Any) -> Any:
    return without_logical_types(value) if key in {"type", "fields", "items", "values"} else value


class _Width:
    """Walks a parsed schema once and tells whether a datum of a type always takes at least one byte."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}
        self._open: set[str] = set()

    def of(self, schema: Any, depth: int = 0) -> bool:
        """True when every datum takes a byte or more. `Poison` for an abusable schema."""
        if depth > MAX_DEPTH:
            raise Poison(Reason.UNKNOWN_SCHEMA, "the schema is nested too deeply")
        if isinstance(schema, str):
            return self._named(schema)
        if isinstance(schema, list):
            return [self.of(each, depth + 1) for each in schema] != []  # the branch index is the byte
        kind = schema["type"]  # itself a list or dict for {"type": {"type": "string"}}: hence tuples below
        if kind in ("record", "error"):
            return self._record(schema, depth)
        if kind in ("array", "map"):
            return self._block(schema, depth)
        if kind in ("fixed", "enum"):
            wide = kind == "enum" or bool(schema["size"] > 0)
            self._known[schema["name"]] = wide
            return wide
        return self.of(kind, depth + 1)

    def _named(self, name: str) -> bool:
        if name in self._open:
            raise Poison(Reason.UNKNOWN_SCHEMA, "the schema is recursive")
        return self._known.get(name, name != "null")

    def _record(self, schema: Any, depth: int) -> bool:
        self._open.add(schema["name"])
        wide = any([self.of(each["type"], depth + 1) for each in schema["fields"]])  # noqa: C419  every field is walked
        self._open.discard(schema["name"])
        self._known[schema["name"]] = wide
        return wide

    def _block(self, schema: Any, depth: int) -> bool:
        wide = self.of(schema["items" if schema["type"] == "array" else "values"], depth + 1)
        if schema["type"] == "array" and not wide:
            raise Poison(Reason.UNKNOWN_SCHEMA, "the schema has an array of items without bytes")
        return True


class DirectorySource:
    """The schemas shipped in the `schemas` package; ids are those of `schemas.schema_id`. Reads files on construction
    only; safe to share between threads."""

    def __init__(self) -> None:
        shipped = [
            schemas.load(subject, version) for subject in schemas.subjects() for version in schemas.versions(subject)
        ]
        admitted = [admit(schemas.schema_id(schema), schema) for schema in shipped]
        self._by_id = {schema.id: schema for schema in admitted}
        # Versions that share a fingerprint have the same binary layout, so whichever comes last will do.
        self._by_fingerprint = {schema.fingerprint: schema for schema in admitted}

    def by_id(self, schema_id: int) -> ParsedSchema:
        """Never blocks and never defers."""
        return _found(self._by_id.get(schema_id))

    def by_fingerprint(self, crc: bytes) -> ParsedSchema:
        """Never blocks and never defers."""
        return _found(self._by_fingerprint.get(crc))

    def id_of(self, subject: str) -> int:
        """`KeyError` for a subject that is not ours: a bug."""
        return schemas.schema_id(schemas.load(subject))


def _found(schema: ParsedSchema | None) -> ParsedSchema:
    if schema is None:
        raise Poison(Reason.UNKNOWN_SCHEMA)
    return schema
