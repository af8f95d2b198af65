"""Exchange files on disk: where each one lies, and how it gets there whole or not at all."""

from __future__ import annotations

import hashlib
import re
import threading
from typing import TYPE_CHECKING
from urllib.parse import quote

from mockserver.core.data import ANY
from mockserver.core.errors import OperatorError
from mockserver.core.route import CHAT_PATHS, parse
from mockserver.files.atomic import draft
from mockserver.files.bounded import read_bounded
from mockserver.files.exchange_file import is_as_written, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mockserver.files.exchange_file import ExchangeFile

_WORD = re.compile(r"[^a-z0-9]+")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
_LONGEST_NAME = 120


def place(file: ExchangeFile) -> tuple[str, str]:
    """The model or deployment and the chip under which a file lies; what neither path nor body names is `any`.

    Raises:
        OperatorError: The exchange is no chat.
    """
    path = file.request.path
    route = parse(path)
    if route is None:
        raise OperatorError(f"{path[:200]!r} is no path of chat; kept is what is asked of {', '.join(CHAT_PATHS)}")
    named = (file.request.body or {}).get("model")
    return route.named or (named if isinstance(named, str) and named else ANY), route.chip or ANY


def folder_name(name: str) -> str:
    """A model or chip as the name of a folder: what is not plain is percent-encoded, so the way back is certain.

    Names that some system keeps for itself are not plain either: devices of Windows, a dot at the beginning or end.
    """
    coded = quote(name, safe="")
    if coded.startswith(".") or _DEVICE.match(coded):
        coded = f"%{ord(coded[0]):02X}{coded[1:]}"
    return coded[:-1] + "%2E" if coded.endswith(".") else coded


class Store:
    """A directory of exchange files.

    Args:
        root: The directory; made when the first file comes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()

    def save(self, file: ExchangeFile, *, replace: bool = True) -> Path:
        """Write one file: beside its place, flushed to the disk, then renamed.

        A file that is there already is replaced where `replace` says so and nobody edited it; otherwise the next free
        name is taken (`…-2.json`).

        Raises:
            OperatorError: The exchange is no chat, or the directory cannot be written.
        """
        where = place(file)
        folder = self.root / folder_name(where[0]) / folder_name(where[1])
        if any(len(part) > _LONGEST_NAME for part in (folder.name, folder.parent.name)):
            raise OperatorError(f"{where[0][:40]}…: a model or chip of over {_LONGEST_NAME} letters is not kept")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with draft(folder, written(file), recording=True) as whole, self._lock:
                target = _free(folder, slug(file), replace=replace)
                whole.replace(target)
        except OSError as error:
            raise OperatorError(f"{folder}: cannot be written: {error.strerror or error}") from None
        return target


def slug(file: ExchangeFile) -> str:
    """A file's name without its suffix: words of the last message for people, a hash of the request for certainty."""
    body = file.request.body or {}
    messages = body.get("messages")
    said = [one.get("content") for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    words = _WORD.sub("-", str(said[-1] if said else "request").lower()).strip("-")[:32].strip("-")
    asked = file.request
    request = repr((asked.method, asked.path, _ordered(asked.body), asked.data))
    digest = hashlib.sha256(request.encode()).hexdigest()[:10]
    kind = "stream" if body.get("stream") is True else "whole"
    return "-".join(part for part in (words, kind, digest) if part)


def files(paths: list[Path]) -> Iterator[Path]:
    """All JSON files of these files and folders, in order; raises OperatorError for what is not there."""
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("*.json"))
        elif path.exists():
            yield path
        else:
            raise OperatorError(f"{path}: no such file or folder")


def _ordered(value: object) -> object:
    """JSON with its keys in order, so that the order in which a client writes them gives no second file."""
    if isinstance(value, dict):
        return sorted((key, _ordered(one)) for key, one in value.items())
    return [_ordered(one) for one in value] if isinstance(value, list) else value


def _free(folder: Path, name: str, *, replace: bool) -> Path:
    """The file to write: the first of `name`, `name-2` … that is free, or that may be replaced."""
    number = 1
    while True:
        target = folder / (f"{name}.json" if number == 1 else f"{name}-{number}.json")
        if not target.exists() or (replace and _untouched(target)):
            return target
        number += 1


def _untouched(path: Path) -> bool:
    try:
        return is_as_written(read_bounded(path).decode())
    except (OperatorError, ValueError):
        return False
