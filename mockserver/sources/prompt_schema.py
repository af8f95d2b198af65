"""Finds the JSON Schema that a prompt asks the answer to follow, in text that may hold anything.

GenStudio's documents have no `response_format`, so this is how libraries get structure from it. The work is bounded,
whatever the text: two passages of it are read, and only so many openings of an object may turn out to be none.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import Any, Final

MOST_READ: Final = 200_000
"""Characters of a text that are read: half of them from its beginning, half from its end."""
MOST_FAILED: Final = 400
"""Openings of an object that may turn out to be none."""
MOST_LITERALS: Final = 8
_LONGEST_LITERAL: Final = 50_000
_DEEPEST_WRAPPING: Final = 4
_OPEN: Final = r"""\{\s*["']"""
_DOUBLED: Final = r"""\{\{\s*["']"""
_NESTED: Final = r"""[{}]|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
_OF_A_TOOL: Final = r"(?i)(?:tool|function|takes)[^\n]{0,40}\b(?:args|arguments|parameters|params|inputs?)\b\W{0,6}$"
_TYPES: Final = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_WRAPPERS: Final = ("json_schema", "schema", "response_format", "output_schema")
_DECIDES: Final = frozenset({"type", "enum", "const", "anyOf", "oneOf", "allOf", "not", "$ref"})
_KEYWORDS: Final = frozenset(
    {
        "$schema", "$id", "$ref", "$defs", "definitions", "title", "description", "default", "examples", "type", "enum",
        "const", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "properties", "required", "items",
        "prefixItems", "additionalProperties", "patternProperties", "propertyNames", "minProperties", "maxProperties",
        "dependentRequired", "dependentSchemas", "dependencies", "minItems", "maxItems", "uniqueItems", "contains",
        "minContains", "maxContains", "additionalItems", "minLength", "maxLength", "pattern", "format", "minimum",
        "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "nullable", "strict", "$anchor",
        "contentEncoding", "contentMediaType", "unevaluatedProperties", "unevaluatedItems",
    }
)  # fmt: skip


def last_schema(text: str) -> dict[str, Any] | None:
    """The last JSON Schema in a text, for examples of schemas come before the real one; None where there is none.

    Fenced or not, as JSON or as Python writes a dict, alone or below the keys that `response_format` has. What stands
    behind `tool arguments:` and the like describes a tool, not the answer.
    """
    if "{" not in text:
        return None
    half = MOST_READ // 2
    passages = [text] if len(text) <= MOST_READ else [text[:half], text[-half:]]
    found = None
    for passage in passages:
        found = _last_in(passage) or found
        if re.search(_DOUBLED, passage):  # a template's braces that nobody has filled in
            found = _last_in(passage.replace("{{", "{").replace("}}", "}")) or found
    return found


def _last_in(passage: str) -> dict[str, Any] | None:
    """The last schema in a passage that does not describe a tool."""
    found = None
    for start, value in _objects(passage):
        schema = schema_in(value)
        if schema is not None and not re.search(_OF_A_TOOL, passage[max(0, start - 80) : start]):
            found = schema
    return found


def schema_in(value: dict[str, Any], depth: int = 0) -> dict[str, Any] | None:
    """The schema that an object is, wraps, or lists the properties of; None where it is something else."""
    if _is_schema(value):
        return {"type": "object", **value} if value.keys().isdisjoint(_DECIDES) and "properties" in value else value
    for key in _WRAPPERS if depth < _DEEPEST_WRAPPING else ():
        inner = value.get(key)
        if isinstance(inner, dict):
            return schema_in(inner, depth + 1)
    defined = {key: value[key] for key in ("$defs", "definitions") if isinstance(value.get(key), dict)}
    properties = {key: one for key, one in value.items() if key not in defined}
    if properties and all(isinstance(one, dict) and _is_schema(one) for one in properties.values()):
        return {"type": "object", "properties": properties, "required": list(properties), **defined}
    return None


def _is_schema(value: dict[str, Any]) -> bool:
    """Whether an object is meant as a JSON Schema."""
    if isinstance(value.get("$schema"), str) or _has_type(value):
        return True
    properties = value.get("properties")
    if "type" in value and isinstance(value["type"], (str, list)):
        return False
    if isinstance(properties, dict) and not isinstance(value.get("type"), dict):
        return all(isinstance(one, (dict, bool)) for one in properties.values())
    plain = bool(value) and value.keys() <= _KEYWORDS
    return plain and not all(isinstance(one, dict) and _has_type(one) for one in value.values())


def _has_type(value: dict[str, Any]) -> bool:
    kind = value.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    return bool(kinds) and all(isinstance(one, str) and one in _TYPES for one in kinds)


def _objects(text: str) -> list[tuple[int, dict[str, Any]]]:
    """The outermost objects in a text, and where each begins."""
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    opening = re.compile(_OPEN)
    found: list[tuple[int, dict[str, Any]]] = []
    failed = literals = at = 0
    while failed < MOST_FAILED and (met := opening.search(text, at)):
        start = met.start()
        value: Any = None
        end = start + 1
        try:
            if text[met.end() - 1] == '"':
                value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            failed += 1
        if value is None and literals < MOST_LITERALS:
            literals += 1
            try:
                value, end = _literal(text, start)
            except (ValueError, RecursionError):
                failed += 1
        if isinstance(value, dict):
            found.append((start, value))
        at = end
    return found


def _literal(text: str, start: int) -> tuple[Any, int]:
    """A dict as Python writes it, as JSON has it, and where it ends; raises ValueError where there is none."""
    depth = 0
    for met in re.finditer(_NESTED, text[start : start + _LONGEST_LITERAL]):
        depth += {"{": 1, "}": -1}.get(met.group(), 0)
        if depth == 0:
            break
    else:
        raise ValueError("it does not end")
    end = start + met.end()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            value = ast.literal_eval(text[start:end])
        return json.loads(json.dumps(value, allow_nan=False)), end
    except (SyntaxError, TypeError, MemoryError) as error:
        raise ValueError("it is no literal") from error


def _no_constant(name: str) -> None:
    raise ValueError(name)
