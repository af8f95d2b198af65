"""Values that people write in files and requests, and how plain JSON or TOML becomes one.

A class of them is a plain one. Its fields say what may be written: by their types, and by `key` in the words of
pydantic's `Field`. Pydantic checks what people write by the model that `checking` makes of such a class, and is
imported for that alone, since it takes a third of a start. `trusted` makes values of what needs no check.
"""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - evaluated with the types of fields
from dataclasses import MISSING, field, fields
from datetime import date
from functools import cache, partial
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from mockserver.core.field_rules import Rule, whole
from mockserver.core.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Mapping


def key(default: Any = MISSING, *, factory: Any = MISSING, **words: Any) -> Any:
    """A field with more to say than type and default.

    Args:
        default: Its value where the key is absent; without one, and without a factory, the key must be there.
        factory: Makes that value.
        words: Limits, alias and the like, as `pydantic.Field` takes them.
    """
    return field(default=default, default_factory=factory, metadata=words)


class Described:
    """In an annotation: the JSON Schema of what may be written, where the type does not tell it."""

    def __init__(self, schema: Mapping[str, Any] | None) -> None:
        self.schema = schema

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> Any:
        return handler(core_schema) if self.schema is None else dict(self.schema)


class Reads(Described):
    """In an annotation: how a value is made of what was written, whatever that is.

    Args:
        by: Makes it; raises ValueError, whose text says what is allowed.
        schema: See `Described`.
    """

    def __init__(self, by: Callable[[Any], Any], schema: Mapping[str, Any] | None = None) -> None:
        super().__init__(schema)
        self.by = by

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(self.by)


class Checks(Reads):
    """In an annotation: what is checked of a value that has the type; `by` gives it back as it was."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.by, handler(source))


@immutable(frozen=True, kw_only=True)
class Written:
    """The base of values that people write; a subclass is `@immutable(frozen=True, kw_only=True)`."""

    field_rules: ClassVar[tuple[Rule, ...]] = ()
    """Rules between its fields."""
    passes: ClassVar[bool] = False
    """Whether values of it pass the check as they are: the program makes some, and hands them to models."""

    @staticmethod
    def from_short(value: Any) -> Any:
        """What a short form is short for; all else as it is. Classes that have none leave it out."""
        return value

    @staticmethod
    def short_schemas(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The JSON Schemas of the short forms; `properties` are those of the whole form."""
        del properties
        return []

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from mockserver.core.checking import schema_of

        return schema_of(cls, handler)


W = TypeVar("W", bound=Written)


def trusted(kind: type[W], data: Any) -> W:
    """What JSON or TOML holds as a value, unchecked: of files that tests hold, and of what was checked before.

    It is the value that checking gives. What would not pass gives any value, or any error.
    """
    readers = _readers(kind)  # type: ignore[arg-type] # mypy takes the hash of instances for that of the class
    found = {}
    for name, value in kind.from_short(data).items():
        own, read = readers[name]
        found[own] = value if read is None else read(value)
    return kind(**found)


def keys_of(value: Written, *without: str, defaults: bool = True) -> dict[str, Any]:
    """What a value says, by key, in order.

    Args:
        value: The value.
        without: Keys that are left out.
        defaults: Whether keys are told too that say what their absence says.
    """
    told = {one.name: getattr(value, one.name) for one in fields(value) if one.name not in without}
    usual = {
        one.name: one.default if one.default_factory is MISSING else one.default_factory() for one in fields(value)
    }
    return {name: said for name, said in told.items() if defaults or said != usual[name]}


@cache
def types_of(kind: Any) -> dict[str, Any]:
    """The annotations of a class by field, with what marks them."""
    return get_type_hints(kind, include_extras=True)


@cache
def _readers(kind: Any) -> dict[str, tuple[str, Callable[[Any], Any] | None]]:
    """By key: the field's name, and what makes its value of what is written; None leaves it as it is."""
    hints = types_of(kind)
    return {one.metadata.get("alias", one.name): (one.name, _reader(hints[one.name])) for one in fields(kind)}


def _reader(hint: Any) -> Callable[[Any], Any] | None:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return next((mark.by for mark in inner[1:] if type(mark) is Reads), _reader(inner[0]))
    if origin in {Union, UnionType}:
        return _reader_of_some([one for one in inner if one is not NoneType])
    if origin is tuple:
        each = _reader(inner[0])
        return tuple if each is None else lambda value: tuple(map(each, value))
    if origin is dict:
        every = _reader(inner[1])
        return None if every is None else lambda value: {name: every(one) for name, one in value.items()}
    if isinstance(hint, type) and issubclass(hint, Written):
        return partial(trusted, hint)
    return _READ.get(hint)


_READ: Final[dict[Any, Callable[[Any], Any]]] = {float: float, int: whole, date: date.fromisoformat}


def _reader_of_some(hints: list[Any]) -> Callable[[Any], Any] | None:
    """Of one type or null, that type's; of several, those of what is a list or an object in JSON."""
    if len(hints) == 1:
        read = _reader(hints[0])
        return None if read is None else lambda value: None if value is None else read(value)
    by_form = {form: made for one in hints if (made := _reader(one)) is not None for form in _forms(one)}
    return lambda value: by_form[type(value)](value) if type(value) in by_form else value


def _forms(hint: Any) -> tuple[Any, ...]:
    """The types that what is written for a type may have."""
    if isinstance(hint, type) and issubclass(hint, Written):
        return (dict,)
    origin = get_origin(hint)
    return (list, tuple) if origin is tuple else (origin or hint,)
