"""Data that people write, whose keys are described by the sentences below them."""

from __future__ import annotations

from itertools import pairwise

from mockserver.files.checked import Data


class Described(Data):
    """Data whose keys are described in the JSON Schema by the sentences below them."""

    @classmethod
    def sentences(cls) -> dict[str, str]:
        """The sentence below each field, read from the source when a schema is asked for: at start it costs 40 ms."""
        import ast
        import inspect
        import textwrap

        tree = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
        lines = tree.body if isinstance(tree, ast.ClassDef) else []
        return {
            named.target.id: inspect.cleandoc(said.value.value)
            for named, said in pairwise(lines)
            if isinstance(named, ast.AnnAssign) and isinstance(named.target, ast.Name)
            and isinstance(said, ast.Expr)
            and isinstance(said.value, ast.Constant) and isinstance(said.value.value, str)
        }  # fmt: skip
