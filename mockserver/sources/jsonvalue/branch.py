"""From nested schemas to flat ones: references and `allOf` followed, choices made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockserver.core.errors import shown_json
from mockserver.sources.jsonvalue.depth import ENDLESS, Depths
from mockserver.sources.jsonvalue.errors import UnsatisfiableSchemaError, inside

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from mockserver.sources.jsonvalue.document import Document
    from mockserver.sources.jsonvalue.shape import Schema

    Part = tuple[Any, str]
    """A schema, and its path."""
    FlatPart = tuple[Schema, str]
    """A part that is an object."""
    Fork = list[list[Part]]
    """The branches of one choice; each is a list of parts."""


_LISTS = ("allOf", "anyOf", "oneOf")


class Branches:
    """Makes the choices that the schemas of one document leave open.

    Args:
        document: Where references lead.
        dice: Decides which branch comes first.
    """

    def __init__(self, document: Document, dice: random.Random) -> None:
        self._document = document
        self._dice = dice
        self._depths = Depths(document)
        self._kept: list[Schema] = []

    def denial(self, schema: Any) -> Schema:
        """A schema that takes what the other does not."""
        return self.kept({"not": schema})

    def kept(self, schema: Schema) -> Schema:
        """A schema that does not stand in the document, kept as long as it may be known by its identity."""
        self._kept.append(schema)
        return schema

    def alternatives(
        self, parts: Sequence[Part], failures: list[UnsatisfiableSchemaError], *, deep: bool
    ) -> Iterator[list[FlatPart]]:
        """Lists of parts that leave no choice, the likelier first.

        Args:
            parts: What must be met together.
            failures: Receives why a list was ruled out.
            deep: Prefer branches whose values end soon.
        """
        start: list[Fork] = []
        stack: list[tuple[list[Part], list[FlatPart], list[Fork]]] = [([*parts], [], start)]
        while stack:
            todo, flat, forks = stack.pop()
            try:
                self._flatten(todo, flat, forks, deep=deep)
            except UnsatisfiableSchemaError as failure:
                failures.append(failure)
                continue
            if not forks:
                yield flat
                continue
            branches, *rest = forks
            self._document.spend(len(branches) * (2 + (len(flat) + len(rest)) // 16))
            stack += [([*branch], [*flat], [*rest]) for branch in reversed(branches)]

    def _flatten(self, todo: list[Part], flat: list[FlatPart], forks: list[Fork], *, deep: bool) -> None:
        """Move `todo` to `flat`, following `$ref` and `allOf`; choices are put on `forks`."""
        self._document.spend(1 + len(flat) // 16)
        seen = {id(schema) for schema, _ in flat}
        while todo:
            schema, where = todo.pop(0)
            self._document.spend(2 if isinstance(schema, bool) else 2 + sum(len(schema.get(key, ())) for key in _LISTS))
            if schema is False:
                raise UnsatisfiableSchemaError(
                    where, "the schema is false, so nothing is valid", "remove it or allow something"
                )
            if schema is True or id(schema) in seen:
                continue
            seen.add(id(schema))
            flat.append((schema, where))
            if "$ref" in schema:
                todo.append(self._followed(schema, where))
            todo += placed(schema, "allOf", where)
            forks += [self._ordered(schema, key, where, deep=deep) for key in ("anyOf", "oneOf") if key in schema]
            if "if" in schema:
                condition, then, otherwise = (inside(where, key) for key in ("if", "then", "else"))
                met = [(schema["if"], condition), (schema.get("then", True), then)]
                unmet = [(self.denial(schema["if"]), condition), (schema.get("else", True), otherwise)]
                forks.append(self._flattest([met, unmet]) if deep else [met, unmet])

    def _followed(self, schema: Schema, where: str) -> Part:
        target = self._document.resolve(schema)
        if self._depths.of(target) == ENDLESS:
            raise UnsatisfiableSchemaError(
                where,
                f"$ref {shown_json(schema['$ref'])} recurses without end",
                "make a property on the way optional, or let it be null",
            )
        return target, self._document.place(target)

    def _ordered(self, schema: Schema, keyword: str, where: str, *, deep: bool) -> Fork:
        """The branches of a choice in the order to try them: null last, when deep the flattest first."""
        branches = placed(schema, keyword, where)
        self._dice.shuffle(branches)
        branches.sort(key=lambda part: _only_null(part[0]))
        fork = [[branch] for branch in branches]
        return self._flattest(fork) if deep else fork

    def _flattest(self, fork: Fork) -> Fork:
        """The branches whose values end soonest first."""
        return sorted(fork, key=lambda branch: max(self._depths.of(schema) for schema, _ in branch))


def placed(schema: Schema, keyword: str, where: str) -> list[Part]:
    """The schemas listed under a keyword, with their paths."""
    return [(item, inside(inside(where, keyword), place)) for place, item in enumerate(schema.get(keyword, ()))]


def _only_null(schema: Any) -> bool:
    """Whether a branch is the usual one for "no value"."""
    return isinstance(schema, dict) and (schema.get("type") == "null" or schema.get("const", ...) is None)
