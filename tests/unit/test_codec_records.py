"""The codec: framing, poison, and bytes made to hurt."""

import contextlib
import io
import struct
import time

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource, admit
from consumer.domain.errors import Poison, Reason
from tests.fakes.commands import NOW, fields, identity

CODEC = Codec(DirectorySource())
COMMAND_ID = schemas.schema_id(schemas.load(schemas.COMMANDS))
HEADER = b"\0" + COMMAND_ID.to_bytes(4, "big")


class OneSchema:
    """A source that answers every question with one foreign schema, under id 7."""

    def __init__(self, schema):
        self.schema = admit(7, schema)

    def by_id(self, schema_id):
        return self.schema

    def by_fingerprint(self, crc):
        return self.schema

    def id_of(self, subject):
        return 7


def long(value):
    """A number as Avro writes it: zigzag, seven bits to a byte."""
    zigzag, out = (value << 1) ^ (value >> 63), bytearray()
    while zigzag & ~0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes([*out, zigzag])


def poison_of(value, codec=CODEC):
    with pytest.raises(Poison) as caught:
        codec.decode_command(value)
    return caught.value.reason


def single_object(record):
    schema = schemas.load(schemas.COMMANDS)
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), record)
    return b"\xc3\x01" + admit(1, schema).fingerprint + body.getvalue()


def test_a_command_survives_encode_and_decode():
    """Every field, and timestamps as plain integers of milliseconds."""
    record = fields("ada", "bob", expires_time=NOW + 1)
    decoded = CODEC.decode_command(CODEC.encode(schemas.COMMANDS, record))
    assert decoded == record
    assert type(decoded["issued_time"]) is int


def test_the_frame_is_a_zero_byte_and_the_id_of_the_full_schema():
    """The id is the file's, logical types included, though they are taken out for reading and writing."""
    assert CODEC.encode(schemas.COMMANDS, fields("ada"))[:5] == HEADER


def test_fields_left_out_take_their_defaults():
    """Only what has no default must be given."""
    value = CODEC.encode(schemas.COMMANDS, {"command_id": "c", "command": "pause", "issued_time": NOW})
    decoded = CODEC.decode_command(value)
    assert (decoded["scope"], decoded["subject_identities"], decoded["project"]) == ("project", [], None)


def test_single_object_encoding_is_accepted():
    """Its fingerprint is that of the canonical form of the shipped schema."""
    record = fields("ada")
    assert CODEC.decode_command(single_object(record)) == record


@pytest.mark.parametrize("value", [None, b""])
def test_an_empty_record_is_poison(value):
    """A tombstone says nothing that could be answered."""
    assert poison_of(value) is Reason.EMPTY_RECORD


@pytest.mark.parametrize("frame", [lambda r: CODEC.encode(schemas.COMMANDS, r), single_object])
def test_bytes_after_the_record_are_poison(frame):
    """fastavro alone would not notice them."""
    assert poison_of(frame(fields("ada")) + b"\0") is Reason.TRAILING_BYTES


@pytest.mark.parametrize("header", [b"\0" + struct.pack(">i", 12345), b"\xc3\x01" + b"\x09" * 8])
def test_an_id_nobody_knows_is_poison(header):
    """By number or by fingerprint."""
    assert poison_of(header + b"body") is Reason.UNKNOWN_SCHEMA


def test_an_outcome_on_the_command_topic_is_poison():
    """A known schema, but not the command's."""
    outcome = {"outcome_id": "o", "kind": "stage", "stage": "done", "request_status": "completed", "occurred_time": 1}
    assert poison_of(CODEC.encode(schemas.OUTCOMES, outcome)) is Reason.UNKNOWN_SCHEMA


@pytest.mark.parametrize("value", [b"\0", b"\0\0\0", b"\xc3\x01\0", b"{}", b"\x01" + b"x" * 40, HEADER])
def test_bytes_without_a_frame_or_body_are_poison(value):
    """JSON, other magic bytes, and frames cut short."""
    assert poison_of(value) is Reason.UNDECODABLE


@pytest.mark.parametrize("size", [1 << 31, 1 << 40, 1 << 62, -1, -5])
def test_a_string_of_a_made_up_length_is_poison_at_once(size):
    """Nothing is allocated or waited for on the word of a length."""
    began = time.monotonic()
    assert poison_of(HEADER + long(size) + b"abc") is Reason.UNDECODABLE
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("count", [long(1 << 40), long(-(1 << 40)) + long(5)])
def test_an_array_of_a_made_up_count_is_poison_at_once(count):
    """Each item of ours takes bytes, so the end of the record ends the count."""
    same = fields("ada")
    none, one = (
        CODEC.encode(schemas.COMMANDS, same | {"subject_identities": each}) for each in ([], [identity("ada")])
    )
    at = next(index for index, (a, b) in enumerate(zip(none, one, strict=False)) if a != b)
    began = time.monotonic()
    assert poison_of(none[:at] + count + b"\x02a") is Reason.UNDECODABLE
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "items",
    ["null", {"type": "record", "name": "E", "fields": []}, {"type": "fixed", "name": "F", "size": 0}],
)
def test_a_foreign_schema_with_items_without_bytes_is_not_admitted(items):
    """Ten bytes could otherwise ask for 2**40 of them."""
    with pytest.raises(Poison) as caught:
        admit(1, {"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": items}}]})
    assert caught.value.reason is Reason.UNKNOWN_SCHEMA


def test_a_recursive_schema_is_not_admitted():
    """A long record of it would overflow the C stack."""
    with pytest.raises(Poison):
        admit(1, {"type": "record", "name": "R", "fields": [{"name": "r", "type": ["null", "R"]}]})


def test_a_newer_writer_is_resolved_to_our_version():
    """Its new field is dropped, and a new kind of command becomes `unknown`."""
    newer = schemas.load(schemas.COMMANDS)
    newer["fields"].append({"name": "note", "type": "string", "doc": "New."})
    kind = next(each for each in newer["fields"] if each["name"] == "command")["type"]
    kind["symbols"] = ["rewind", *kind["symbols"]]
    body = io.BytesIO()
    record = fields("ada", command="rewind") | {"note": "new"}
    fastavro.schemaless_writer(body, fastavro.parse_schema(newer), record)
    decoded = Codec(OneSchema(newer)).decode_command(b"\0\0\0\0\x07" + body.getvalue())
    assert decoded == fields("ada", command="unknown") | {
        key: record[key] for key in ("command_id", "subject_request_id")
    }


def test_a_writer_that_cannot_be_resolved_is_poison():
    """It lacks a field without default."""
    older = {"type": "record", "name": "DsrCommand", "namespace": "dsr", "fields": []}
    assert poison_of(b"\0\0\0\0\x07", Codec(OneSchema(older))) is Reason.UNDECODABLE


@pytest.mark.parametrize("change", [{"issued_time": "soon"}, {"command": "rewind"}, {"extra": 1}, {"command_id": None}])
def test_a_record_that_does_not_fit_is_a_bug_that_quotes_no_value(change):
    """`TypeError` names the subject and nothing of the record."""
    with pytest.raises(TypeError, match=r"^the record does not fit dsr\.commands-value$") as caught:
        CODEC.encode(schemas.COMMANDS, fields("ada@example.org") | change)
    assert caught.value.__cause__ is None


def test_the_encoder_works_after_a_record_that_did_not_fit():
    """What was half written is thrown away."""
    with pytest.raises(TypeError):
        CODEC.encode(schemas.COMMANDS, fields("ada", issued_time="soon"))
    record = fields("bob")
    assert CODEC.decode_command(CODEC.encode(schemas.COMMANDS, record)) == record


@given(st.binary(max_size=200), st.sampled_from([b"", HEADER, single_object(fields("ada"))[:10]]))
def test_random_bytes_are_poison_or_a_record_and_nothing_else(body, header):
    """No other exception ever leaves the decoder."""
    with contextlib.suppress(Poison):
        CODEC.decode_command(header + body)


@given(st.data())
def test_a_damaged_record_is_poison_or_a_record_and_nothing_else(data):
    """Bytes changed, cut out or doubled in a good record."""
    value = CODEC.encode(schemas.COMMANDS, fields("ada", "bob"))
    start = data.draw(st.integers(5, len(value)))
    stop = data.draw(st.integers(start, len(value)))
    with contextlib.suppress(Poison):
        CODEC.decode_command(value[:start] + data.draw(st.binary(max_size=12)) + value[stop:])


@given(st.text(), st.text(), st.integers(-(2**63), 2**63 - 1), st.lists(st.text(), max_size=5))
def test_any_values_survive(project, command_id, instant, user_ids):
    """Any text and any 64-bit instant come back as they were."""
    record = fields(*user_ids, project=project, command_id=command_id, issued_time=instant)
    assert CODEC.decode_command(CODEC.encode(schemas.COMMANDS, record)) == record
