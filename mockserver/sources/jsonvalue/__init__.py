"""JSON values that are valid against a JSON Schema: arguments of tool calls, documents of `response_format`.

Downwards: `make` puts a value together, with `container` for arrays and objects, `number`, `pattern` and `text` for
scalars, and `branch` for the choices; `check` judges what was made; `depth` tells which schemas can end; `document` is
one schema with its references, and `shape` what a schema may look like.
"""

from mockserver.sources.jsonvalue.errors import UnsatisfiableSchemaError
from mockserver.sources.jsonvalue.make import valid_value

__all__ = ["UnsatisfiableSchemaError", "valid_value"]
