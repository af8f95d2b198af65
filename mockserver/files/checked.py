"""Data that people write (profiles, configuration, fixtures): read from files, checked, its faults told in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mockserver.core.checking import allowed, checks, form_of
from mockserver.core.errors import OperatorError, nearest, shown, suggestion
from mockserver.core.written import Written
from mockserver.files.toml import toml_of

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

T = TypeVar("T")
_NO_KEY: Final = ("[key]", "function-after[")
"""How parts of pydantic's paths begin that are no keys: that a key itself is meant, and which type of a union."""


class Data(BaseModel):
    """Data that people write: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def read_toml(path: Path, kind: type[T]) -> T:
    """A TOML file as a value; raises OperatorError with the file, the key and what is allowed."""
    return checked(toml_of(path), kind, path)


def checked(data: object, kind: type[T], path: Path | str, mapping: str = "a table") -> T:
    """Data read from a file as a value; raises OperatorError for the first thing wrong.

    `mapping` is what an object of keys is called in such files: a table in TOML, an object in JSON.
    """
    try:
        return checks(kind).validate_python(data)
    except ValidationError as wrong:
        raise OperatorError(f"{path}: {explain(wrong, kind, mapping)}") from None


def explain(wrong: ValidationError, kind: type[Any], mapping: str = "an object") -> str:
    """The first error of a validation in one line: key, what was seen, what is allowed."""
    errors = wrong.errors(include_url=False)
    error = next((one for one in errors if _misspelt(one, kind)), errors[0])
    path = [part for part in error["loc"] if not str(part).startswith(_NO_KEY)]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    trouble, seen = error["type"], error["input"]
    where = f"{where}: " if where else ""
    if trouble == "extra_forbidden":
        return f"{where}unknown key; {suggestion(str(error['loc'][-1]), _keys(kind, error['loc'][:-1]))}"
    if trouble == "missing":
        return f"{where}missing"
    message = allowed(error, mapping)
    if trouble == "too_short":
        message = f"at least {error['ctx']['min_length']} of them"
    if trouble == "value_error":
        return f"{where}{message}"
    return f"{where}{shown(seen)} is not allowed; allowed: {message}"


def _misspelt(error: ErrorDetails, kind: type[Any]) -> bool:
    """Whether an unknown key is like a known one, which then may be told of as missing too."""
    known = _keys(kind, error["loc"][:-1]) if error["type"] == "extra_forbidden" else ()
    return bool(nearest(str(error["loc"][-1]), known)) if known else False


def _keys(kind: type[Any], path: tuple[int | str, ...]) -> list[str]:
    """The keys that are known where `path` points in a value, as far as the annotations tell."""
    from typing import get_args

    current: Any = kind
    for part in path:
        known = fields_of(current)
        if part in known:
            current = known[str(part)].annotation
        for _ in range(4):
            if fields_of(current):
                break
            inner = [a for a in get_args(current) if a is not type(None) and a is not str and a is not Ellipsis]
            if not inner:
                break
            current = inner[0]
    return [name for name, info in fields_of(current).items() if info.alias is None]


def fields_of(kind: Any) -> dict[str, FieldInfo]:
    """The fields of a model, or of a class of `written`; none of all else."""
    if not isinstance(kind, type):
        return {}
    if issubclass(kind, Written):
        kind = form_of(kind)  # type: ignore[arg-type] # mypy takes the hash of instances for that of the class
    return dict(kind.model_fields) if issubclass(kind, BaseModel) else {}
