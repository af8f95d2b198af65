"""Data that people write (profiles, configuration, fixtures): read from files, checked, its faults told in one line."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mockserver.core.errors import OperatorError, nearest, shown, suggestion
from mockserver.files.bounded import decoded, read_bounded

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)


class Data(BaseModel):
    """Data that people write: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def read_toml(path: Path, model: type[M]) -> M:
    """A TOML file as a model; raises OperatorError with the file, the key and what is allowed."""
    return checked(toml_of(path), model, path)


def toml_of(path: Path) -> dict[str, Any]:
    """What a TOML file holds; raises OperatorError with the file and the place in it."""
    try:
        return tomllib.loads(decoded(read_bounded(path), path).replace("\r\n", "\n"))
    except RecursionError:
        raise OperatorError(f"{path}: not TOML: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and a plain one for a number of thousands of digits
        raise OperatorError(f"{path}: not TOML: {error}") from None


def checked(data: object, model: type[M], path: Path | str) -> M:
    """Data read from a file as a model; raises OperatorError for the first thing wrong."""
    try:
        return model.model_validate(data)
    except ValidationError as wrong:
        raise OperatorError(f"{path}: {explain(wrong, model)}") from None


def explain(wrong: ValidationError, model: type[BaseModel]) -> str:
    """The first error of a validation in one line: key, what was seen, what is allowed."""
    errors = wrong.errors(include_url=False)
    error = next((one for one in errors if _misspelt(one, model)), errors[0])
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    kind, seen = error["type"], error["input"]
    where = f"{where}: " if where else ""
    if kind == "extra_forbidden":
        return f"{where}unknown key; {suggestion(str(error['loc'][-1]), _keys(model, error['loc'][:-1]))}"
    if kind == "missing":
        return f"{where}missing"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if kind == "too_short":
        message = f"at least {error['ctx']['min_length']} of them"
    if kind == "value_error":
        return f"{where}{message}"
    return f"{where}{shown(seen)} is not allowed; allowed: {message}"


def _misspelt(error: ErrorDetails, model: type[BaseModel]) -> bool:
    """Whether an unknown key is like a known one, which then may be told of as missing too."""
    known = _keys(model, error["loc"][:-1]) if error["type"] == "extra_forbidden" else ()
    return bool(nearest(str(error["loc"][-1]), known)) if known else False


def _keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that are known where `path` points in the model, as far as the annotations tell."""
    from typing import get_args

    current: Any = model
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel) and part in current.model_fields:
            current = current.model_fields[str(part)].annotation
        for _ in range(4):
            if isinstance(current, type) and issubclass(current, BaseModel):
                break
            models = [a for a in get_args(current) if a is not type(None) and a is not str and a is not Ellipsis]
            if not models:
                break
            current = models[0]
    if not isinstance(current, type) or not issubclass(current, BaseModel):
        return []
    return [name for name, info in current.model_fields.items() if info.alias is None]
