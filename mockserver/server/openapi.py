"""The OpenAPI document of the control API, made from the table of operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockserver import __version__
from mockserver.server.control import NUMBER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.server.control import Operation

_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string", "description": "field, what was seen, what is allowed"}},
    "required": ["error"],
}


def document(operations: Sequence[Operation], prefix: str) -> dict[str, Any]:
    """An OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(prefix + operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "genstudio-mock control API", "version": __version__},
        "paths": paths,
        "components": {"schemas": {**schemas, "Error": _ERROR}},
    }


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "schema": dict(one.schema), "description": one.says}
        for name, one in operation.query.items()
    ]
    if "{number}" in operation.path:
        schema, says = dict(NUMBER.schema), NUMBER.says
        parameters.append({"name": "number", "in": "path", "required": True, "schema": schema, "description": says})
    failure = {"description": "refused", "content": _json({"$ref": "#/components/schemas/Error"})}
    responses: dict[str, Any] = {str(operation.status): {"description": operation.says, "content": _json({})}}
    if not operation.open:
        responses |= {"401": failure, "403": failure}
    if parameters or operation.body:
        responses["400"] = failure
    if operation.body:
        responses |= {"413": failure, "415": failure}
    if "{number}" in operation.path:
        responses["404"] = failure
    if operation.path.endswith("/fixture"):
        responses["409"] = failure
    name = operation.method.lower() + operation.path.title().replace("/", "").replace("-", "").replace(
        "{Number}", "One"
    )
    made: dict[str, Any] = {"operationId": name, "summary": operation.says, "responses": responses}
    if parameters:
        made["parameters"] = parameters
    if operation.body:
        schema = operation.body.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update({name: _told_apart(part) for name, part in schema.pop("$defs", {}).items()})
        schemas[operation.body.__name__] = schema
        content = _json({"$ref": f"#/components/schemas/{operation.body.__name__}"})
        made["requestBody"] = {"required": "required" in schema, "content": content}
    return made


def _told_apart(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose `type` is one word needs it: that is how one fault is told from another."""
    if "const" in schema.get("properties", {}).get("type", {}):
        schema["required"] = ["type", *schema.get("required", ())]
    return schema


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
