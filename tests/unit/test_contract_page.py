"""Every field of every contract is on the page, with what it means."""

import pytest

import schemas
from schemas.page import markdown, shapes, type_of
from tests.pages import read

PAGE = read("docs/contracts.md")


def fields(schema):
    """Every record's fields, wherever the record is defined."""
    if isinstance(schema, list):
        for each in schema:
            yield from fields(each)
    elif isinstance(schema, dict):
        for field in schema.get("fields", ()):
            yield schema["name"], field
            yield from fields(field["type"])
        yield from fields(schema.get("items"))
        yield from fields(schema.get("values"))
        if isinstance(schema.get("type"), dict | list):
            yield from fields(schema["type"])


@pytest.mark.parametrize("subject", schemas.subjects())
def test_every_field_has_a_row_with_its_meaning(subject):
    """Of the newest version; `make contracts` writes the page."""
    schema = schemas.load(subject)
    told = markdown(schema)
    assert told in PAGE
    rows = {(shape.name, row[0]): row for shape in shapes(schema) for row in shape.rows}
    wanted = {(record, field["name"]): field for record, field in fields(schema)}
    assert wanted.keys() == rows.keys()
    assert all(meaning for *_, meaning in rows.values())
    assert len(rows) == sum(line.startswith("| `") for line in told.splitlines())


def test_types_are_said_in_words():
    """Unions, lists, maps, instants and names."""
    instant = {"type": "long", "logicalType": "timestamp-millis"}
    assert "instant (ms) or null" == type_of(["null", instant])
    assert "list of Job" == type_of({"type": "array", "items": {"type": "record", "name": "Job", "fields": []}})
    assert "map of number" == type_of({"type": "map", "values": "long"})
    assert "true or false" == type_of({"type": "boolean"})
