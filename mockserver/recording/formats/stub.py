"""A stub of another mock on its way to become a fixture, and what both readers of stubs share."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.data import ANY

if TYPE_CHECKING:
    from collections.abc import Iterator

SIMPLE_PATH: Final = re.compile(r"\$(\.[A-Za-z_][A-Za-z0-9_-]*|\[-?[0-9]{1,9}\])+")
"""A JSON path that a fixture knows: keys and numbers, no wildcard and no filter."""


@dataclass
class Stub:
    """One stub.

    Attributes:
        place: Where it stands in its file, for what is told.
        title: What it is about, for the name of its file.
        model: The model that it is for, or any.
        chip: The chip that it is for, or any.
        match: What it asks, in a fixture's words.
        answer: What it answers, in a fixture's words; empty where there is nothing that a fixture can say.
        more: Further keys of the fixture.
        turn: Which call it answers, of several that ask the same; None for every one.
        left_out: What it says and a fixture cannot say.
        useless: Why it is no fixture at all; empty where it is one.
    """

    place: str
    title: str = ""
    model: str = ANY
    chip: str = ANY
    match: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    turn: int | None = None
    left_out: list[str] = field(default_factory=list)
    useless: str = ""

    def asks(self, path: str, wanted: Any) -> None:
        """Ask something of a value of the body."""
        self.match.setdefault("body", {})[path] = wanted

    def leave_out(self, name: str, why: str = "") -> None:
        """Tell that something is left out, and what can be done instead."""
        self.left_out.append(f"{name}{f' ({why})' if why else ''}")


@contextmanager
def reading(stub: Stub) -> Iterator[None]:
    """Read a stub: where a part of it is of another kind than its makers say, it is no fixture."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        stub.useless = f"a part of it is not as such files have it: {error}"


def as_text(value: object) -> str:
    """A text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def whole(value: object) -> bool:
    """Whether a value is a whole number, which `true` is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def usage_of(value: object) -> dict[str, int] | None:
    """Tokens in a fixture's words; None where a figure is missing."""
    if not isinstance(value, dict):
        return None
    prompt, completion = value.get("prompt_tokens"), value.get("completion_tokens")
    if not (isinstance(prompt, int) and isinstance(completion, int)) or prompt < 0 or completion < 1:
        return None
    return {"prompt_tokens": prompt, "completion_tokens": completion}
