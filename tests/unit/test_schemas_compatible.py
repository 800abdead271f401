"""Versions of a subject understand each other as `schemas.COMPATIBILITY` promises, and the rules notice when not.

Three opinions: Apache `avro`'s checker, a walk over logical types (which that checker ignores), and records written
with one version and read with another.
"""

from __future__ import annotations

import copy
import io
import json
import random
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_one

import schemas
from tests.kafka.registry import can_read

Schema = dict[str, Any]


def pairs(subject: str, versions: list[Schema]) -> list[tuple[Schema, Schema]]:
    """Every (writer, reader) that the subject's promise covers."""
    both = schemas.COMPATIBILITY[subject] == "FULL_TRANSITIVE"
    return [(w, r) for i, w in enumerate(versions) for j, r in enumerate(versions) if i <= j or both]


def logical_types(schema: Any, path: str = "") -> dict[str, tuple[Any, ...]]:
    """Path → (logical type, precision, scale), for every plain type."""
    if isinstance(schema, list):
        return {key: value for branch in schema for key, value in logical_types(branch, path).items()}
    if isinstance(schema, str):
        return {f"{path}:{schema}": (None, None, None)}
    if schema["type"] in ("record", "error"):
        return {k: v for f in schema["fields"] for k, v in logical_types(f["type"], f"{path}.{f['name']}").items()}
    if schema["type"] in ("array", "map"):
        return logical_types(schema.get("items", schema.get("values")), f"{path}[]")
    return {f"{path}:{schema['type']}": tuple(schema.get(key) for key in ("logicalType", "precision", "scale"))}


def complaints(writer: Schema, reader: Schema, count: int = 25) -> list[str]:
    """What is wrong with reading this writer's records with this reader, by each of the three opinions."""
    found = []
    if not can_read(json.dumps(reader), json.dumps(writer)):
        found.append("apache avro")
    theirs, ours = logical_types(writer), logical_types(reader)
    if any(theirs[key] != ours[key] for key in theirs.keys() & ours.keys()):
        found.append("logical types")
    if not round_trips(writer, reader, count):
        found.append("round trip")
    return found


def round_trips(writer: Schema, reader: Schema, count: int) -> bool:
    """Can generated records of the writer be read, with every shared top-level value unchanged?"""
    state = random.getstate()
    random.seed(7)
    try:
        return all(_one(fastavro.parse_schema(writer), fastavro.parse_schema(reader)) for _ in range(count))
    finally:
        random.setstate(state)


def _one(writer: Any, reader: Any) -> bool:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, writer, generate_one(writer))
    body.seek(0)
    as_written = fastavro.schemaless_reader(body, writer, None)
    body.seek(0)
    try:
        as_read = fastavro.schemaless_reader(body, writer, reader)
    except (fastavro.read.SchemaResolutionError, ValueError, LookupError, TypeError):
        return False
    kinds = {each["name"]: each["type"] for each in writer["fields"]}
    comparable = [name for name, kind in kinds.items() if kind in ("string", "int", "bytes", "boolean")]
    return all(as_read[name] == as_written[name] for name in comparable if name in as_read) and body.read() == b""


def field(schema: Schema, name: str) -> Schema:
    """One field of a record, to be changed in place."""
    found: Schema = next(each for each in schema["fields"] if each["name"] == name)
    return found


@pytest.mark.parametrize("subject", schemas.subjects())
def test_all_versions_keep_the_subjects_promise(subject):
    """For every (writer, reader) pair, by all three opinions."""
    versions = [schemas.load(subject, version) for version in schemas.versions(subject)]
    assert [
        complaints(writer, reader) for writer, reader in pairs(subject, versions) if complaints(writer, reader)
    ] == []


def lose_default(schema):
    """A new field without default cannot be filled for old records."""
    schema["fields"].append({"name": "added", "type": "string"})


def to_micros(schema):
    """The same bytes, a thousand times later."""
    field(schema, "issued_time")["type"]["logicalType"] = "timestamp-micros"


def lose_logical_type(schema):
    """An instant becomes a number."""
    field(schema, "issued_time")["type"] = "long"


def string_to_int(schema):
    """No promotion leads there."""
    field(schema, "command_id")["type"] = "int"


def required(schema):
    """What was optional may be absent in old records."""
    field(schema, "org")["type"] = "string"
    del field(schema, "org")["default"]


def lose_symbol(schema):
    """Without a default, an old record's symbol has no meaning."""
    kind = field(schema, "command")["type"]
    kind["symbols"] = [each for each in kind["symbols"] if each != "cancel"]
    del kind["default"]


def rename(schema):
    """A field by another name and without alias or default is another field."""
    field(schema, "command_id")["name"] = "id"


def lose_union_branch(schema):
    """Records that hold null cannot be read any more."""
    field(schema, "project")["type"] = ["string"]
    field(schema, "project")["default"] = ""


@pytest.mark.parametrize(
    ("change", "noticed_by"),
    [
        (lose_default, "apache avro"),
        (to_micros, "logical types"),
        (lose_logical_type, "logical types"),
        (string_to_int, "apache avro"),
        (required, "apache avro"),
        (lose_symbol, "apache avro"),
        (rename, "apache avro"),
        (lose_union_branch, "apache avro"),
    ],
)
def test_a_breaking_change_is_noticed(change, noticed_by):
    """Negative control of the rules: each is broken on purpose in a new version of the commands."""
    old = schemas.load(schemas.COMMANDS)
    new = copy.deepcopy(old)
    change(new)
    assert noticed_by in complaints(old, new)


def test_a_change_that_only_old_readers_mind_breaks_full_but_not_backward():
    """Removing a field without default: new readers manage, old ones do not."""
    old = schemas.load(schemas.OUTCOMES)
    new = copy.deepcopy(old)
    new["fields"] = [each for each in new["fields"] if each["name"] != "request_status"]
    assert complaints(old, new) == []
    assert "apache avro" in complaints(new, old)


def test_a_good_change_is_let_pass():
    """A new optional field and a new symbol of an enum with a default."""
    old = schemas.load(schemas.COMMANDS)
    new = copy.deepcopy(old)
    new["fields"].append({"name": "note", "type": ["null", "string"], "default": None, "doc": "New."})
    field(new, "command")["type"]["symbols"].append("rewind")
    assert [complaints(old, new), complaints(new, old)] == [[], []]
