"""What fields of a JSON document may hold beyond their types: whole numbers, and rules between fields.

A rule is stated once: what checks a document holds to it, and its JSON Schema says it. See `checking`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

MOST_WHOLE: Final = 2**53 - 1
"""The largest integer that every reader of JSON keeps (RFC 8259, section 6)."""


def whole(value: object) -> object:
    """A number without a fraction as an integer: to JSON Schema 31.0 is one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Must(StrEnum):
    """What a rule may want of one field."""

    GIVEN = "given"
    """It is there, and not null."""
    PRESENT = "present"
    """It is there, be it null."""
    NULL = "null"
    """It is not there, or null."""
    ABSENT = "absent"
    """It is not there at all."""


@immutable(frozen=True, slots=True)
class Rule:
    """A rule between fields: one of some ways must hold.

    Attributes:
        says: What is said where none holds; `{field}` is the first field that is in the last way's way.
        ways: What each way wants of fields.
    """

    says: str
    ways: tuple[Mapping[str, Must], ...]

    def check(self, model: BaseModel) -> None:
        """Raise ValueError where no way holds."""
        wrong = ""
        for way in self.ways:  # a hundred thousand fixtures are held to five rules each
            for name, must in way.items():
                if not _HOLDS[must](model, name):
                    wrong = name
                    break
            else:
                return
        raise ValueError(self.says.format(field=wrong))

    def schema(self) -> dict[str, Any]:
        """The rule in JSON Schema."""
        return {"anyOf": [_way_schema(way) for way in self.ways]}


def exactly_one(first: str, second: str, says: str) -> Rule:
    """The rule that one of two fields is given, and not both."""
    return Rule(says, ({first: Must.GIVEN, second: Must.NULL}, {second: Must.GIVEN, first: Must.NULL}))


_HOLDS: Final[Mapping[Must, Callable[[BaseModel, str], bool]]] = {
    Must.GIVEN: lambda model, name: getattr(model, name) is not None,
    Must.PRESENT: lambda model, name: name in model.model_fields_set,
    Must.NULL: lambda model, name: getattr(model, name) is None,
    Must.ABSENT: lambda model, name: name not in model.model_fields_set,
}


def _way_schema(way: Mapping[str, Must]) -> dict[str, Any]:
    wanted: dict[Must, Any] = {Must.GIVEN: {"not": {"type": "null"}}, Must.NULL: {"type": "null"}, Must.ABSENT: False}
    required = [name for name, must in way.items() if must in {Must.GIVEN, Must.PRESENT}]
    properties = {name: wanted[must] for name, must in way.items() if must in wanted}
    return ({"required": required} if required else {}) | ({"properties": properties} if properties else {})
