"""docs/testing.md and docs/faults.md: the faults are the program's, and README's test is the one that is tested."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mockserver.pipeline.disturb import FAULT_TYPES
from mockserver.testing.session import Session
from tests.inner_pytest import SIX_LINES
from tests.snippets import ROOT, blocks, table

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

GUIDE = ROOT / "docs" / "testing.md"
FAULTS = ROOT / "docs" / "faults.md"


def setting(name: str, field: FieldInfo) -> str:
    """A setting as the table shows it: by name alone where it is needed, else with its default."""
    if field.is_required():
        return f"`{name}`"
    return f"`{name}` (or not)" if field.default is None else f"`{name}={json.dumps(field.default)}`"


def test_every_fault_is_documented() -> None:
    """A row for each fault, with the first sentence of its class and its settings, in the order of the table."""
    rows = [
        [
            f"`{name}`",
            " ".join((kind.__doc__ or "").split("\n\n")[0].split()),
            ", ".join(setting(*one) for one in kind.model_fields.items() if one[0] != "type"),
        ]
        for name, kind in FAULT_TYPES.items()
    ]

    assert table(FAULTS, "fault") == rows


def test_the_six_lines_are_those_that_are_tested() -> None:
    """The first snippet is the test that is run inside pytest elsewhere."""
    assert blocks(GUIDE)[0].text == SIX_LINES
    assert len([line for line in SIX_LINES.splitlines() if line]) <= 6


def test_every_method_of_a_session_is_documented() -> None:
    """The table of sessions names each public method and property."""
    told = " ".join(row[0] for row in table(GUIDE, "on a session"))
    public = {name for name in dir(Session) if not name.startswith("_")} - {"call", "close", "url"}

    assert not {name for name in public if name not in told}
