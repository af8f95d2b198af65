"""Checking what people write, by pydantic: the model that says what a class of `written` allows, and their rules."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model, model_validator
from pydantic_core import core_schema

from mockserver.core.field_rules import Rule, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema, ErrorDetails

T = TypeVar("T")
_LISTS: Final = frozenset({"list_type", "tuple_type"})
_MAPPINGS: Final = frozenset({"dict_type", "model_type", "model_attributes_type"})


def checks(kind: type[T]) -> TypeAdapter[T]:
    """What checks data that is to be a value of a class, one of `written` or a model."""
    return _checks(kind)  # type: ignore[arg-type] # mypy takes the hash of instances for that of the class


@cache
def _checks(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def strictly(model: type[T], data: bytes, document: Any) -> T:
    """JSON as a value, without conversions but that of 31.0 to 31 where an integer is wanted.

    Args:
        model: What it is to be, as for `checks`.
        data: The text.
        document: What it holds; numbers in it become whole where that helps.

    Raises:
        ValidationError: it is no such value.
    """
    try:
        return checks(model).validate_json(data, strict=True)
    except ValidationError as wrong:
        paths = [error["loc"] for error in wrong.errors(include_url=False) if error["type"] == "int_type"]
        if not sum(_made_whole(document, path) for path in paths):
            raise
    return checks(model).validate_json(json.dumps(document), strict=True)


def allowed(error: ErrorDetails, mapping: str = "an object") -> str:
    """What a value may be, or what is wrong with it; in words of files, where pydantic has those of Python.

    Args:
        error: One error of a validation.
        mapping: What an object of keys is called where the value was written.
    """
    if error["type"] in _LISTS:
        return "a list"
    if error["type"] in _MAPPINGS:
        return mapping
    if error["type"] == "string_too_short":
        least = error["ctx"]["min_length"]
        return f"at least {least} character{'' if least == 1 else 's'}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return message.partition(", unable to")[0] if error["type"].endswith("_parsing") else message


def _made_whole(value: Any, path: tuple[int | str, ...]) -> bool:
    """Whether there was such a number where the path leads; parts of it may be tags of a union, not keys."""
    if not path:
        return False
    here, *rest = path
    known = here in value if isinstance(value, dict) else isinstance(value, list) and isinstance(here, int)
    inner = value[here] if known else None
    if not rest and (made := whole(inner)) is not inner:
        value[here] = made
        return True
    return _made_whole(inner, tuple(rest)) or _made_whole(value, tuple(rest))


class Ruled(BaseModel):
    """A model with rules between its fields."""

    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        for rule in self.rules:
            rule.check(self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        if cls.rules:
            schema["allOf"] = [rule.schema() for rule in cls.rules]
        return schema


class _Form(BaseModel):
    """The base of the models that check values of `written`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True, protected_namespaces=()
    )  # pydantic before 2.10 keeps all of `model_` to itself

    written: ClassVar[Any]

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        if cls.written.field_rules:
            schema["allOf"] = [rule.schema() for rule in cls.written.field_rules]
        short = cls.written.short_schemas(schema["properties"])
        if short:
            whole = dict(schema)
            schema.clear()  # in place, since others may refer to it
            schema["anyOf"] = [*short, whole]
        return schema


@cache
def form_of(kind: Any) -> type[BaseModel]:
    """The model that says what may be written for a class of `written`: its types, limits and rules."""
    hints = get_type_hints(kind, include_extras=True)
    keys: dict[str, Any] = {one.name: (hints[one.name], _field(one)) for one in fields(kind)}
    shorts: dict[str, Any] = (
        {"from_short": model_validator(mode="before")(kind.from_short)} if "from_short" in vars(kind) else {}
    )
    made = create_model(
        kind.__name__, __base__=_Form, __module__=kind.__module__, __doc__=kind.__doc__, __validators__=shorts, **keys
    )
    made.written = kind
    return made


def _field(one: Any) -> Any:
    if one.default_factory is not MISSING:
        return Field(default_factory=one.default_factory, **one.metadata)
    return Field(**one.metadata) if one.default is MISSING else Field(default=one.default, **one.metadata)


def schema_of(kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """How pydantic makes values of a class of `written`: it passes, or is made of what was checked."""

    def plain(checked: Any) -> Any:
        for rule in kind.field_rules:
            rule.check(checked)
        return kind(**vars(checked))

    def passed(value: Any, check: Callable[[Any], Any]) -> Any:
        return value if isinstance(value, kind) else check(value)

    said = core_schema.plain_serializer_function_ser_schema(vars)
    written = core_schema.no_info_after_validator_function(
        plain, handler.generate_schema(form_of(kind)), serialization=said
    )
    if not kind.passes:
        return written
    python = core_schema.no_info_wrap_validator_function(passed, written)
    return core_schema.json_or_python_schema(json_schema=written, python_schema=python, serialization=said)
