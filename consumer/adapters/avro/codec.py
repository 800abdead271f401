"""Bytes to records and back. This is the intake's hot path: everything that can be known before a record is.

Input is Confluent framing (0, 4-byte big-endian schema id) or Avro single-object encoding (C3 01, 8-byte little-endian
CRC-64-AVRO); output is Confluent framing. Timestamps are integers: milliseconds since 1970-01-01 UTC. Error texts of
fastavro are dropped, because they quote values.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any, cast

from fastavro import schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError

import schemas
from consumer.adapters.avro.source import ParsedSchema, SchemaSource, admit
from consumer.domain.errors import Poison, Reason

Record = dict[str, Any]
Decode = Callable[[bytes | None], Record]
Encode = Callable[[Record], bytes]

_CONFLUENT_SIZE = 5
_SINGLE_OBJECT = b"\xc3\x01"
_SINGLE_OBJECT_SIZE = 10
# What fastavro raises on foreign bytes, found by fuzzing; anything else is a bug of ours and passes.
_UNDECODABLE = (
    ValueError,  # includes UnicodeDecodeError
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    struct.error,
    RecursionError,
    SchemaResolutionError,
)


class Codec:
    """Decoders and encoders for our subjects over one schema source. Not thread-safe: the Kafka thread owns it.

    Decoding raises `Poison(EMPTY_RECORD | UNKNOWN_SCHEMA | TRAILING_BYTES | UNDECODABLE)`, or the source's `Deferred`.
    It may block while the source looks up a schema id for the first time; after that it never does.
    """

    def __init__(self, source: SchemaSource) -> None:
        self._source = source
        self._decoders = {subject: _decoder(source, subject) for subject in schemas.subjects()}
        self._encoders: dict[str, Encode] = {}
        self.decode_command: Decode = self._decoders[schemas.COMMANDS]
        """`decode` for `schemas.COMMANDS`, without the look-up."""

    def decode(self, subject: str, value: bytes | None) -> Record:
        """The record, resolved to our newest schema of the subject. Raises as the class says."""
        return self._decoders[subject](value)

    def encode(self, subject: str, record: Record) -> bytes:
        """The record in Confluent framing. Fields left out take their default; an unknown field, a missing one without
        default or a wrong type is a bug: `TypeError`, without the values. `Deferred` until the id is known."""
        return self.encoder(subject)(record)

    def encoder(self, subject: str) -> Encode:
        """`encode` for one subject, for loops. The first call asks the source for the id, and raises its `Deferred`."""
        if subject not in self._encoders:
            self._encoders[subject] = _encoder(self._source.id_of(subject), subject)
        return self._encoders[subject]


def _decoder(source: SchemaSource, subject: str) -> Decode:
    reader = admit(0, schemas.load(subject))
    known: dict[bytes, tuple[int, Any, Any]] = {}

    def learn(value: bytes) -> tuple[int, Any, Any]:
        size, writer = _writer(source, value)
        if writer.name != reader.name:
            raise Poison(Reason.UNKNOWN_SCHEMA, "the schema is of another kind of record")
        # Equal canonical forms decode alike, whatever the docs, defaults or logical types say: no resolution needed.
        resolve_to = None if writer.canonical == reader.canonical else reader.plain
        known[value[:size]] = layout = (size, writer.plain, resolve_to)
        return layout

    def decode(value: bytes | None) -> Record:
        if not value:
            raise Poison(Reason.EMPTY_RECORD)
        size, writer, resolve_to = known.get(value[:5]) or known.get(value[:10]) or learn(value)
        body = BytesIO(value)
        body.seek(size)
        try:
            record = schemaless_reader(body, writer, resolve_to)
        except _UNDECODABLE:
            raise Poison(Reason.UNDECODABLE) from None
        if body.tell() != len(value):
            raise Poison(Reason.TRAILING_BYTES)
        return cast("Record", record)

    return decode


def _writer(source: SchemaSource, value: bytes) -> tuple[int, ParsedSchema]:
    if value[0] == 0 and len(value) >= _CONFLUENT_SIZE:
        return _CONFLUENT_SIZE, source.by_id(int.from_bytes(value[1:_CONFLUENT_SIZE], "big"))
    if value[:2] == _SINGLE_OBJECT and len(value) >= _SINGLE_OBJECT_SIZE:
        return _SINGLE_OBJECT_SIZE, source.by_fingerprint(value[2:_SINGLE_OBJECT_SIZE])
    raise Poison(Reason.UNDECODABLE, "neither Confluent framing nor Avro single-object encoding")


def _encoder(schema_id: int, subject: str) -> Encode:
    header = b"\0" + schema_id.to_bytes(4, "big")
    schema = admit(schema_id, schemas.load(subject)).plain

    body = BytesIO()  # one for all calls: a fresh one each time costs a fifth of the rate

    def encode(record: Record) -> bytes:
        body.seek(0)
        body.truncate()
        body.write(header)
        try:
            schemaless_writer(body, schema, record, strict_allow_default=True)
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError):
            raise TypeError(f"the record does not fit {subject}") from None
        return body.getvalue()

    return encode
