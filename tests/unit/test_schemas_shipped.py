"""The schema files themselves: documented, indexed, and equal to what travelled when each version was current."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

import schemas
from consumer.adapters.avro.codec import Codec
from consumer.adapters.avro.source import DirectorySource
from schemas.__main__ import decode_sample

EVERY = [(subject, version) for subject in schemas.subjects() for version in schemas.versions(subject)]
GOLDEN = sorted(files(schemas).joinpath("golden").glob("*/*/*.json"))
CODEC = Codec(DirectorySource())


def undocumented(schema: Any, path: str) -> list[str]:
    """Paths of the fields and named types without a doc."""
    if isinstance(schema, list):
        return [each for branch in schema for each in undocumented(branch, path)]
    if not isinstance(schema, dict):
        return []
    named = schema["type"] in ("record", "enum", "fixed")
    missing = [path] if named and not schema.get("doc") else []
    for part in schema.get("fields", []):
        here = f"{path}.{part['name']}"
        missing += ([] if part.get("doc") else [here]) + undocumented(part["type"], here)
    return missing + undocumented(schema.get("items", schema.get("values")), path)


def includes(record: Any, sample: Any) -> bool:
    """Does the record hold all that the sample says? It may hold more: fields that were added later."""
    if isinstance(sample, dict):
        return isinstance(record, dict) and all(k in record and includes(record[k], v) for k, v in sample.items())
    if isinstance(sample, list):
        return len(record) == len(sample) and all(map(includes, record, sample))
    return bool(type(record) is type(sample) and record == sample)


def test_there_are_these_contracts():
    """And each says what its next version must keep."""
    requests = {schemas.COMMANDS, schemas.OUTCOMES, schemas.LEDGER}
    discovery = {schemas.DISCOVERY_COMMANDS, schemas.DISCOVERY_TASKS, schemas.DISCOVERY_RESULTS}
    discovery |= {schemas.DISCOVERY_LEDGER, schemas.DISCOVERY_OUTCOMES, schemas.INVENTORY}
    assert set(schemas.subjects()) == requests | discovery == set(schemas.COMPATIBILITY)


@pytest.mark.parametrize(("subject", "version"), EVERY)
def test_every_field_and_type_says_what_it_is(subject, version):
    """The schema is the documentation that producers read."""
    assert undocumented(schemas.load(subject, version), subject) == []


def test_the_index_is_up_to_date_and_without_collisions():
    """`python -m schemas` writes it; `index()` raises when two schemas share an id."""
    assert json.loads(files(schemas).joinpath("index.json").read_text()) == schemas.index()
    assert len(schemas.index()) == len(EVERY)


@pytest.mark.parametrize(("subject", "version"), EVERY)
def test_ids_are_positive_31_bit_numbers(subject, version):
    """A signed 32-bit id that no reader can take for "none"."""
    assert 0 < schemas.schema_id(schemas.load(subject, version)) < 2**31


def test_the_id_depends_on_content_and_not_on_key_order():
    """Also on what Avro's canonical form drops: docs, defaults, logical types."""
    schema = schemas.load(schemas.COMMANDS)
    assert schemas.schema_id(dict(reversed(schema.items()))) == schemas.schema_id(schema)
    assert schemas.schema_id(schema | {"doc": "Other."}) != schemas.schema_id(schema)


def test_a_collision_is_refused(monkeypatch):
    """Two schemas under one id would be read as each other."""
    monkeypatch.setattr(schemas, "schema_id", lambda _: 7)
    with pytest.raises(ValueError, match="id of another schema"):
        schemas.index()


@pytest.mark.parametrize(("subject", "version"), [("nobody", None), (schemas.COMMANDS, 99)])
def test_what_does_not_exist_is_a_key_error(subject, version):
    """By subject and by version."""
    with pytest.raises(KeyError):
        schemas.load(subject, version)


def test_the_loaded_schema_is_the_callers_own():
    """Changing it does not change what the next caller gets."""
    schemas.load(schemas.COMMANDS).clear()
    assert schemas.load(schemas.COMMANDS)


def test_every_version_has_a_golden_sample():
    """Bytes that a later reader will have to understand."""
    assert {(path.parent.parent.name, int(path.parent.name)) for path in GOLDEN} == set(EVERY)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_todays_reader_understands_every_golden_sample(path):
    """The bytes of that time, under the id of that time, with the values written beside them."""
    sample = decode_sample(path.read_text())
    record = CODEC.decode(path.parent.parent.name, path.with_suffix(".bin").read_bytes())
    assert includes(record, sample)
