"""Reading and checking a control request: its body, its query, the number in its path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from mockserver.core.checking import strictly
from mockserver.core.errors import MOST_DETAIL_CHARACTERS, Refusal, suggestion, without_middle
from mockserver.pipeline.request.body import explain_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

M = TypeVar("M", bound=BaseModel)
BODY_LIMIT_BYTES: Final = 4 * 2**20


class ControlError(Exception):
    """A control request that cannot be; `status` is a 4xx, the text names field and what is allowed."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(without_middle(detail, MOST_DETAIL_CHARACTERS))
        self.status = status


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of path or query: its JSON Schema and what it is for."""

    schema: Mapping[str, Any]
    says: str


async def read_body(request: Request) -> bytes:
    """The whole body; raises ControlError where it is too large."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT_BYTES:
            raise ControlError(413, f"the body has more than {BODY_LIMIT_BYTES} bytes; allowed: at most that many")
        parts.append(part)
    return b"".join(parts)


def checked_body(model: type[M], data: bytes) -> M:
    """The body as its model; no body at all is an empty object.

    JSON has types, so 0 is no boolean here and "5" no number, as the document says.

    Raises:
        ControlError: it is no such model.
    """
    from pydantic_core import from_json

    data = data or b"{}"
    try:
        document = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise ControlError(400, explain_json(data, str(error))) from None
    if not isinstance(document, dict):
        raise ControlError(400, f"the body is {_kind(document)}; allowed: a JSON object")
    try:
        return strictly(model, data, document)
    except ValidationError as wrong:
        raise ControlError(400, _explained(wrong, model, document)) from None
    except Refusal as refusal:
        raise ControlError(400, refusal.detail) from None


def checked_query(allowed: Mapping[str, Parameter], given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The query parameters with their types; raises ControlError for an unknown name or a wrong value."""
    found: dict[str, Any] = {}
    for name, text in given:
        parameter = allowed.get(name)
        if parameter is None:
            known = suggestion(name, allowed) if allowed else "allowed: none"
            raise ControlError(400, f"query: {name!r} is not a parameter here; {known}")
        if name in found:
            raise ControlError(400, f"query: {name} is given twice; give it once")
        found[name] = checked_value(f"query: {name}", text, parameter.schema)
    return found


def checked_value(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    """The text of a parameter with its type; raises ControlError where it is not allowed."""
    if schema["type"] == "boolean":
        if text not in {"true", "false"}:
            raise ControlError(400, f"{name}: {text!r} is not allowed; allowed: true, false")
        return text == "true"
    if schema["type"] == "integer":
        low, high = schema["minimum"], schema["maximum"]
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and low <= int(text) <= high):
            raise ControlError(400, f"{name}: {text!r} is not allowed; allowed: an integer from {low} to {high}")
        return int(text)
    return text


def _explained(wrong: ValidationError, model: type[BaseModel], document: dict[str, Any]) -> str:
    """What is wrong in one line. Of a fault it is told by the faults: its type decides what is allowed."""
    from mockserver.files.checked import explain
    from mockserver.pipeline.disturb import FaultError, fault_of

    if "fault" in model.model_fields and "fault" in document:
        try:
            fault_of(document["fault"], strict=True)
        except FaultError as error:
            return f"fault: {error}"
    return explain(wrong, model)


def _kind(value: object) -> str:
    from mockserver.core.errors import kind_of

    return kind_of(value)
