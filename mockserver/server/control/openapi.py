"""The OpenAPI document of the control API, made from the table of operations."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from pydantic import TypeAdapter, ValidationError

from mockserver import __version__
from mockserver.server.control.operations import NUMBER
from mockserver.server.guard import JSON_ALONE, TOKEN_HEADER
from mockserver.server.namespace import Touches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel
    from pydantic.json_schema import JsonSchemaMode

    from mockserver.server.control.operations import Operation

_REFERENCE: Final = "#/components/schemas/{model}"
_ERROR: Final = {
    "type": "object",
    "properties": {"error": {"type": "string", "description": "field, what was seen, what is allowed"}},
    "required": ["error"],
    "additionalProperties": False,
}
_SAYS: Final = (
    "For tests in any language. An operation acts on the namespace of the API key in `Authorization: Bearer …`, which "
    "it claims; without a key on the one that all unclaimed keys share. GET also answers HEAD. A path that is not here "
    "gets 404, another method 405 with `Allow`, a foreign `Host` or `Origin` 403."
)


def document(operations: Sequence[Operation], prefix: str, *, token: bool) -> dict[str, Any]:
    """An OpenAPI 3.1 document.

    Args:
        operations: What there is.
        prefix: What their paths begin with.
        token: Whether a token is asked for.
    """
    wanted: list[tuple[tuple[str, str], JsonSchemaMode, TypeAdapter[Any]]] = []
    for one in operations:
        if one.body is not None:
            wanted.append((_place(one, "body"), "validation", TypeAdapter(one.body)))
        wanted.append((_place(one, "reply"), "serialization", TypeAdapter(_returns(one))))
    schemas, made = TypeAdapter.json_schemas(wanted, ref_template=_REFERENCE)
    by_place = {place: schema for (place, _), schema in schemas.items()}
    parts = {name: _told_apart(part) for name, part in made.get("$defs", {}).items()}
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(prefix + one.path, {})[one.method.lower()] = _operation(one, operations, by_place)
    components: dict[str, Any] = {"schemas": {**parts, "Error": _ERROR}}
    whole: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "genstudio-mock control API", "version": __version__, "description": _SAYS},
        "paths": paths,
        "components": components,
    }
    says = "the API key whose namespace is meant; none for the one that all unclaimed keys share"
    schemes: dict[str, Any] = {"key": {"type": "http", "scheme": "bearer", "description": says}}
    entry: dict[str, list[str]] = {}
    if token:
        schemes["token"] = {"type": "apiKey", "in": "header", "name": TOKEN_HEADER.decode().title()}
        entry = {"token": []}
    components["securitySchemes"] = schemes
    whole["security"] = [entry, {**entry, "key": []}]
    for one in operations:
        if one.open:
            paths[prefix + one.path][one.method.lower()]["security"] = []
    return whole


def _place(operation: Operation, what: str) -> tuple[str, str]:
    return f"{operation.method} {operation.path}", what


def _returns(operation: Operation) -> Any:
    """The type of what comes back."""
    return operation.returns or get_type_hints(operation.handler)["return"]


def _operation(
    operation: Operation, operations: Sequence[Operation], schemas: dict[tuple[str, str], Any]
) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "schema": dict(one.schema), "description": one.says}
        for name, one in operation.query.items()
    ]
    if operation.numbered:
        schema, says = dict(NUMBER.schema), NUMBER.says
        parameters.append({"name": "number", "in": "path", "required": True, "schema": schema, "description": says})
    success: dict[str, Any] = {"description": operation.says, "content": _json(schemas[_place(operation, "reply")])}
    if links := _links(operation, operations):
        success["links"] = links
    made: dict[str, Any] = {
        "operationId": _name(operation),
        "summary": operation.says,
        "responses": {str(operation.status): success}
        | {str(status): _refused(status) for status in _statuses(operation)},
    }
    if parameters:
        made["parameters"] = parameters
    if operation.body is not None:
        made["requestBody"] = {
            "required": not _is_empty_enough(operation.body),
            "content": _json(schemas[_place(operation, "body")])
            | {kind.decode(): {} for kind in operation.takes if kind not in JSON_ALONE},
        }
    return made


def _statuses(operation: Operation) -> list[int]:
    """The statuses of refusals."""
    found = {400, 405, *operation.refusals}
    if not operation.open:
        found |= {401, 403}
    if operation.touches is not Touches.NOTHING:
        found |= {409, 503}
    if operation.numbered:
        found.add(404)
    if operation.body is not None:
        found |= {413, 415}
    return sorted(found)


def _refused(status: int) -> dict[str, Any]:
    return {"description": HTTPStatus(status).phrase, "content": _json({"$ref": "#/components/schemas/Error"})}


def _links(operation: Operation, operations: Sequence[Operation]) -> dict[str, Any]:
    """To the operations on one row, from the one that makes it."""
    if operation.status != HTTPStatus.CREATED:
        return {}
    on_one = [one for one in operations if one.path == f"{operation.path}/{{number}}"]
    parameters = {"number": "$response.body#/number"}
    return {_name(one): {"operationId": _name(one), "parameters": parameters} for one in on_one}


def _is_empty_enough(body: type[BaseModel]) -> bool:
    """Whether an empty object will do, so that nothing need be sent."""
    try:
        body.model_validate({})
    except ValidationError:
        return False
    return True


def _name(operation: Operation) -> str:
    """The operation's id, like `deleteFaultsOne`."""
    words = operation.path.replace("{number}", "one").replace("-", "/").title()
    return operation.method.lower() + words.replace("/", "")


def _told_apart(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose `type` is one word needs it: that is how one fault is told from another."""
    if "const" in schema.get("properties", {}).get("type", {}) and "type" not in schema.get("required", ()):
        schema["required"] = ["type", *schema.get("required", ())]
    return schema


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
