"""Faults as people name them, and the values that the texts stand for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mockserver.core.fault_text import named_faults, typed_fault
from mockserver.pipeline.disturb import fault_of, faults_of_header
from mockserver.pipeline.faults.table import FAULTS
from mockserver.server.control.replies import FaultTypeRow

TEXTS: dict[str, list[dict[str, str]]] = {
    "timeout": [{"type": "timeout"}],
    " cut ; after_frames = 3 ": [{"type": "cut", "after_frames": "3"}],
    "latency;ms=1,, drop_done,": [{"type": "latency", "ms": "1"}, {"type": "drop_done"}],
    "status;status=500;message=a=b": [{"type": "status", "status": "500", "message": "a=b"}],
    " , ": [],
}


@pytest.mark.parametrize(("text", "faults"), TEXTS.items(), ids=TEXTS)
def test_what_a_text_names(text: str, faults: list[dict[str, str]]) -> None:
    """Faults are parted by commas, settings by semicolons; white space does not count."""
    assert named_faults(text) == faults


WRONG = {
    "cut;after_frames": "cut: 'after_frames' is not of the form name=value",
    "latency;ms=1;ms=2": "latency: ms is given twice; give it once",
    "latency;type=cut": "latency: type is given twice; give it once",
}


@pytest.mark.parametrize(("text", "says"), WRONG.items(), ids=WRONG)
def test_what_a_text_must_not(text: str, says: str) -> None:
    """The message names fault and setting."""
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        named_faults(text)


VALUES: dict[str, tuple[str, Any, Any]] = {
    "integer": ("integer", "3", 3),
    "integer with a point": ("integer", "3.0", 3.0),
    "large integer": ("integer", "9007199254740993", 9007199254740993),
    "no integer": ("integer", "three", "three"),
    "number": ("number", "0.5", 0.5),
    "beyond numbers": ("number", "1e999", "1e999"),
    "no number": ("number", "nan", "nan"),
    "true": ("boolean", "True", True),
    "yes": ("boolean", "yes", True),
    "0": ("boolean", "0", False),
    "no boolean": ("boolean", "maybe", "maybe"),
    "text like a number": ("string", "503", "503"),
    "a value already": ("string", 503, 503),
    "null": ("integer", None, None),
}


@pytest.mark.parametrize(("kind", "given", "value"), VALUES.values(), ids=VALUES)
def test_what_a_text_stands_for(kind: str, given: object, value: object) -> None:
    """As the JSON type of its setting; what stands for no such value is left for the mock to refuse."""
    typed = typed_fault({"type": "x", "setting": given}, {"setting": kind})

    assert typed == {"type": "x", "setting": value}
    assert type(typed["setting"]) is type(value)


SETTINGS = (
    "status;status=503;message=503;retry_after_s=0.5, rate_limit;rpm=1;retry_after=on, cut;after_bytes=9;clean=no"
)


def test_the_same_as_in_the_header() -> None:
    """With the types that the control API tells, a strict reader takes the faults for those of the header."""
    types = {name: FaultTypeRow.of(kind).types for name, kind in FAULTS.items()}
    typed = [typed_fault(one, types[one["type"]]) for one in named_faults(SETTINGS)]

    assert [fault_of(one, strict=True) for one in typed] == faults_of_header(SETTINGS)
