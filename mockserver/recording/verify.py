"""`fixtures verify`: nothing that looks like a key is in a fixture file, and recordings are what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver.core.errors import OperatorError
from mockserver.files.bounded import UnreadableFileError, read_bounded, visible_path
from mockserver.files.exchange_file import plan_of, read_if_exchange, request_body
from mockserver.files.kept_headers import dropped, raw
from mockserver.files.key_shapes import findings
from mockserver.files.secrets import Redactor, SpelledSecretError
from mockserver.pipeline.coding import body_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def problems(path: Path) -> Iterator[str]:
    """What is wrong with one file: it cannot be read, holds a header that is not kept, or what looks like a key.

    A key is looked for in the text as it stands, in what the text decodes to, and in what the answer spells chunk by
    chunk; it is named by its kind, never shown.
    """
    try:
        data = read_bounded(path)
    except UnreadableFileError as error:
        yield str(error).removeprefix(f"{visible_path(path)}: ")
        return
    found = set(findings(data))
    try:
        file = read_if_exchange(path)
    except OperatorError as error:
        yield str(error).removeprefix(f"{path}: ")
        file = None
    if file is not None:
        found |= {*findings(request_body(file.request))}
        try:
            body = body_of(plan_of(file))
            found |= {*findings(body)}
            Redactor().check_spelled(body)
        except SpelledSecretError:
            found.add("a key that the answer spells across its chunks")
        except ValueError as error:
            yield f"its body cannot be looked through: {error}"
    for kind in sorted(found):
        yield f"holds {kind}; record again, or remove it"


def notes(path: Path) -> Iterator[str]:
    """What is worth knowing and no fault: a file was edited, or holds headers that are not kept by themselves."""
    try:
        file = read_if_exchange(path)
    except OperatorError:
        return
    if file is not None and not file.bodies_match:
        yield "its body was edited after it was recorded"
    elif file is not None and file.edited:
        yield "was edited after it was recorded"
    if file is not None and (names := dropped(raw(file.response.headers))):
        yield f"holds headers that are kept only where they are asked for: {', '.join(names)}"
