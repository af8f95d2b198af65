"""The JSON Schemas that are published are those that the program prints, and editors can tell them apart."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest

from mockserver.cli.schema import ID, SCHEMAS, as_file
from tests.command import called
from tests.tables import SCHEMA_FILES


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_file(name: str) -> None:
    """docs/schemas has it as `genstudio-mock schema` prints it, a good schema with an id of its own."""
    text = (SCHEMA_FILES / f"{name}.schema.json").read_text("utf-8")
    held = json.loads(text)

    assert text == as_file(name), "make tables writes it anew"
    assert called("schema", name) == (0, text, "")
    assert held["$id"] == f"{ID}{name}"
    jsonschema_rs.meta.validate(held)


def test_nothing_else_is_published() -> None:
    """One file a schema."""
    assert {path.name for path in SCHEMA_FILES.iterdir()} == {f"{name}.schema.json" for name in SCHEMAS}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_is_described(name: str) -> None:
    """What an editor shows beside the keys at the top of a file that people write by hand is there."""
    properties = json.loads(as_file(name))["properties"]

    assert properties
    if name in {"fixture", "exchange", "config"}:
        assert [key for key, one in properties.items() if not _described(one)] == []


def _described(schema: dict[str, object]) -> bool:
    return "description" in schema or "$ref" in schema or "$comment" in schema
