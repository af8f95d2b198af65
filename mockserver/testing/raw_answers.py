"""Raw answers as a test gives them, in the form of the control API. Only the standard library is imported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mockserver.core.errors import OperatorError

Raw = str | bytes | Path | Mapping[str, Any] | Iterable[Any]
"""Bytes; a file of them; what is sent one after the other, each with a delay or without; or an object with more."""


def raw_answer(raw: Raw) -> Any:
    """A raw answer as `POST /_mock/answers` takes it.

    Args:
        raw: Bytes or text; a path, whose file is sent as it is; a list of bytes, texts, or pairs of a delay in
            milliseconds and bytes or text; or an object with `sends`, `status`, `headers`.

    Raises:
        OperatorError: the file cannot be read, or that is nothing of it.
    """
    if isinstance(raw, Path):
        return raw_answer(_read(raw))
    if isinstance(raw, str | bytes):
        return {"sends": [{"data": _text(raw)}]}
    if isinstance(raw, Mapping):
        sends = raw.get("sends", ())
        return {**raw, "sends": [_send(one) for one in ([sends] if isinstance(sends, str | bytes) else sends)]}
    try:
        return {"sends": [_send(one) for one in raw]}
    except TypeError:
        allowed = "bytes, a text, a path, a list of what is sent, or an object with sends"
        raise OperatorError(f"raw: {raw!r:.60} is not allowed; allowed: {allowed}") from None


def raw_file(path: Path) -> dict[str, Any]:
    """The body of `POST /_mock/answers` that sends a file as it is.

    Raises:
        OperatorError: it cannot be read.
    """
    return {"answer": {"raw": raw_answer(path)}}


def exchange_document(path: Path) -> dict[str, Any] | None:
    """The JSON of an exchange file; None for a file that is none.

    Raises:
        OperatorError: it cannot be read.
    """
    try:
        document = json.loads(_read(path).decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and "response" in document else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise OperatorError(f"{path}: no such file or folder") from None
    except OSError as error:
        raise OperatorError(f"{path}: cannot be read: {error.strerror or error}") from None


def _send(one: Any) -> Any:
    """What is sent at once; a pair is its delay and its data."""
    if isinstance(one, Mapping):
        return {**one, "data": _text(one["data"])} if isinstance(one.get("data"), bytes) else dict(one)
    if isinstance(one, tuple | list) and len(one) == 2 and isinstance(one[0], int | float):
        return {"delay_ms": one[0], "data": _text(one[1])}
    if isinstance(one, str | bytes):
        return {"data": _text(one)}
    raise TypeError


def _text(data: str | bytes) -> Any:
    """Bytes as JSON can hold them: as a text where they are one, else in hexadecimal."""
    if isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return [{"hex": data.hex()}]
