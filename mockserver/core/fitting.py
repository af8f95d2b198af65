"""What is plainly a value of a class of `written`, told without pydantic, which takes a third of a start.

Plainly means that pydantic would certainly let it pass. All else is for pydantic to check, which says what is wrong
with it, or that nothing is: so a mistake in a shipped file is told like one in a user's, and none costs no import.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from functools import cache
from types import NoneType, SimpleNamespace, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

from mockserver.core.written import Checks, Reads, Written, trusted, types_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Fits = Callable[[Any], bool]

W = TypeVar("W", bound=Written)

_LIMITS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "ge": lambda value, least: bool(value >= least),
    "le": lambda value, most: bool(value <= most),
    "min_length": lambda value, least: len(value) >= least,
    "pattern": lambda value, pattern: "\n" not in value and re.search(pattern, value) is not None,
    "alias": lambda _value, _name: True,
    "description": lambda _value, _says: True,
    "json_schema_extra": lambda _value, _says: True,
}
"""What the words of `key` want of a value."""
_PLAIN: Final[Mapping[Any, Callable[[Any], bool]]] = {
    Any: lambda _: True,
    NoneType: lambda value: value is None,
    bool: lambda value: value is True or value is False,
    str: lambda value: type(value) is str,
    int: lambda value: type(value) is int,
    float: lambda value: type(value) in {int, float} and value - value == 0,
}


def plainly(kind: type[W], data: object) -> W | None:
    """The value that data plainly is; None where pydantic has to look at it."""
    try:
        return trusted(kind, data) if _fits(kind)(data) else None  # type: ignore[arg-type] # as in `trusted`
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return None  # what reads a value, or looks at one, has its own way to say no


@cache
def _fits(hint: Any) -> Fits:
    """Whether what JSON or TOML holds has a type; never where the type is none of those that are known here."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _fits_marks(inner[0], inner[1:])
    if origin in {Union, UnionType}:
        some = tuple(map(_fits, inner))
        return lambda value: any(fits(value) for fits in some)
    if origin is Literal:
        return lambda value: any(value == one and type(value) is type(one) for one in inner)
    if origin is tuple and inner[1:] == (...,):
        each = _fits(inner[0])
        return lambda value: type(value) is list and all(map(each, value))
    if origin is dict:
        name, item = map(_fits, inner)
        return lambda value: type(value) is dict and all(name(own) and item(one) for own, one in value.items())
    if isinstance(hint, type) and issubclass(hint, Written):
        return _fits_keys(hint)
    return _PLAIN.get(hint, lambda _: False)


def _fits_marks(hint: Any, marks: tuple[Any, ...]) -> Fits:
    """The type, and what its marks check or read: they say no by raising ValueError."""
    reads = [mark.by for mark in marks if isinstance(mark, Reads)]
    typed = all(isinstance(mark, Checks) for mark in marks if isinstance(mark, Reads))
    own = _fits(hint) if typed else _PLAIN[Any]

    def fits(value: Any) -> bool:
        if not own(value):
            return False
        for read in reads:
            read(value)
        return True

    return fits


def _fits_keys(kind: Any) -> Fits:
    """Known keys, all that must be there, each with its type and within its limits; and the rules between them."""
    hints = types_of(kind)
    known = {one.metadata.get("alias", one.name): one for one in fields(kind)}
    typed = {name: _fits(hints[one.name]) for name, one in known.items()}
    needed = {name for name, one in known.items() if one.default is MISSING and one.default_factory is MISSING}
    absent = {one.name: None if one.default is MISSING else one.default for one in known.values()}

    def fits(value: Any) -> bool:
        data = kind.from_short(value)
        if type(data) is not dict or not needed <= data.keys() <= known.keys():
            return False
        for name, one in data.items():
            if not typed[name](one):
                return False
            if one is not None and not all(_LIMITS[word](one, limit) for word, limit in known[name].metadata.items()):
                return False
        given = {known[name].name: one for name, one in data.items()}
        for rule in kind.field_rules:
            rule.check(SimpleNamespace(**{**absent, **given}, model_fields_set=given.keys()))
        return True

    return fits
