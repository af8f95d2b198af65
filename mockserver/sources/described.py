"""The keys of what people write, described in its JSON Schema by the sentences below them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mockserver.files.checked import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def with_sentences(schema: dict[str, Any], kinds: Iterable[type[Any]]) -> dict[str, Any]:
    """The JSON Schema with the sentences of these classes in it, for keys that have none yet; changed in place."""
    forms = {**schema.get("$defs", {}), schema.get("title", ""): schema}
    for kind in kinds:
        for form in _objects(forms.get(kind.__name__, {})):
            for name, sentence in sentences(kind).items():
                key = fields_of(kind)[name].alias or name
                if key in form:
                    form[key].setdefault("description", sentence)
    return schema


def sentences(kind: type[Any]) -> dict[str, str]:
    """The sentence below each field, read from the source when a schema is asked for: at start it costs 40 ms."""
    import ast
    import inspect
    import textwrap

    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
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
