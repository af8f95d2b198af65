"""JSON values that are valid against a JSON Schema: arguments of tool calls, documents of `response_format`.

`document` reads a schema, `check` judges a value, `pattern` and `text` write texts, `number` picks numbers, `depth`
tells which schemas can end, and `make` puts a value together.
"""

from mockserver.sources.jsonvalue.document import UnsatisfiableSchemaError
from mockserver.sources.jsonvalue.make import valid_value

__all__ = ["UnsatisfiableSchemaError", "valid_value"]
