"""Data that people write, whose keys are described by the sentences below them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mockserver.files.checked import Data

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import BaseModel


class Described(Data):
    """Data whose keys are described in the JSON Schema by the sentences below them."""


def with_sentences(schema: dict[str, Any], models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """The JSON Schema with the sentences of these models in it, for keys that have none yet; changed in place."""
    forms = {**schema.get("$defs", {}), schema.get("title", ""): schema}
    for model in models:
        for form in _objects(forms.get(model.__name__, {})):
            for name, sentence in sentences(model).items():
                key = model.model_fields[name].alias or name
                if key in form:
                    form[key].setdefault("description", sentence)
    return schema


def sentences(model: type[BaseModel]) -> dict[str, str]:
    """The sentence below each field, read from the source when a schema is asked for: at start it costs 40 ms."""
    import ast
    import inspect
    import textwrap

    tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    lines = tree.body if isinstance(tree, ast.ClassDef) else []
    return {
        named.target.id: inspect.cleandoc(said.value.value)
        for named, said in pairwise(lines)
        if isinstance(named, ast.AnnAssign) and isinstance(named.target, ast.Name)
        and isinstance(said, ast.Expr)
        and isinstance(said.value, ast.Constant) and isinstance(said.value.value, str)
    }  # fmt: skip


def _objects(form: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The properties of a form, also where it is one of some."""
    for one in (form, *form.get("anyOf", ())):
        if "properties" in one:
            yield one["properties"]
