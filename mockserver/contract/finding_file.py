"""An exchange file with the clause that it broke: what a report links to and `contract replay` reads."""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from mockserver import __version__
from mockserver.core.errors import OperatorError
from mockserver.files.byte_text import bytes_of, text_of
from mockserver.files.checked import explain
from mockserver.files.exchange_file import (
    ExchangeFile,
    Judged,
    Provenance,
    exchange_of,
    file_of,
    read,
    request_body,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.contract.result import Finding
    from mockserver.core.exchange import Exchange, Request

FEW_SPACES: Final = 1000
"""At the end of a body; more of them are counted in a line or a test that sends it again."""


@dataclass(frozen=True)
class SavedFinding:
    """One exchange and what it was measured against.

    Attributes:
        clause: The id of the check or relation that it broke.
        evidence: What was seen.
        edition: Name of the edition.
        model: The path's model.
        chip: The chip's profile.
        refusal: The kind of refusal that was due; None for an answer.
        exchange: The exchange.
    """

    clause: str
    evidence: str
    edition: str
    model: str
    chip: str
    refusal: str | None
    exchange: Exchange


def of_finding(finding: Finding, edition: str, model: str) -> SavedFinding:
    """A finding as it is saved."""
    case = finding.case
    return SavedFinding(
        finding.clause.id, finding.evidence, edition, case.model or model, finding.chip, case.refusal, finding.exchange
    )


def dump(saved: SavedFinding) -> str:
    """The text of an exchange file that can be judged again; other readers of such files leave that part alone.

    Raises:
        OperatorError: nothing came back, or what came is no HTTP that a file can hold.
    """
    request = saved.exchange.request
    authorization = request.headers.get(b"authorization")
    judged = Judged(
        clause=saved.clause,
        evidence=saved.evidence,
        model=saved.model,
        chip=saved.chip,
        refusal=saved.refusal,
        authorization=None if authorization is None else authorization.decode("latin-1"),
    )
    tool = f"genstudio-mock {__version__}"
    provenance = Provenance(recorded_at="", edition=saved.edition, origin="contract", tool=tool, body_sha256="")
    try:
        made = file_of(saved.exchange, provenance)
    except ValueError as error:
        why = explain(error, ExchangeFile) if isinstance(error, ValidationError) else error
        raise OperatorError(f"{saved.clause} on {saved.chip}: no exchange file: {why}") from None
    head = request.body.rstrip(b" ")
    sent = None if request_body(made.request).rstrip(b" ") == head else text_of(head)
    exactly = judged.model_copy(update={"sent": sent, "spaces": len(request.body) - len(head)})
    return written(made.model_copy(update={"contract": exactly}))


def load(path: Path) -> SavedFinding:
    """Read a file; raises OperatorError with the file and what is wrong with it."""
    file = read(path)
    judged = file.contract
    if judged is None:
        raise OperatorError(f"{path}: contract: missing; only files of contract --exchanges can be judged again")
    exchange = exchange_of(file)
    asked = exchange.request
    headers = dict(asked.headers)
    if judged.authorization is not None:
        headers[b"authorization"] = judged.authorization.encode("latin-1")
    body = asked.body.rstrip(b" ") if judged.sent is None else bytes_of(judged.sent)
    exchange.request = replace(asked, headers=headers, body=body + b" " * judged.spaces)
    return SavedFinding(
        judged.clause, judged.evidence, file.provenance.edition, judged.model, judged.chip, judged.refusal, exchange
    )


def curl(request: Request, base_url: str) -> str:
    """A request as a line for a shell; the key is taken from `$API_KEY`."""
    from urllib.parse import urlsplit

    parts = urlsplit(base_url)
    words = ["curl", "-sN", "-X", request.method, shlex.quote(f"{parts.scheme}://{parts.netloc}{request.path}")]
    for name, value in request.headers.items():
        if name == b"host":
            continue
        line = f"{name.decode('latin-1')}: {value.decode('latin-1')}"
        words += ["-H", f'"{line}"' if "$API_KEY" in line else shlex.quote(line)]
    if not request.body:
        return " ".join(words)
    head, spaces = _without_spaces(request.body)
    if spaces:
        return f"printf '%s%{spaces}s' {shlex.quote(head.decode())} '' | " + " ".join([*words, "--data-binary", "@-"])
    try:
        return " ".join([*words, "--data-binary", shlex.quote(request.body.decode())])
    except UnicodeDecodeError:
        encoded = base64.b64encode(request.body).decode()
        return f"printf %s {encoded} | base64 -d | " + " ".join([*words, "--data-binary", "@-"])


def _without_spaces(body: bytes) -> tuple[bytes, int]:
    """A text without the spaces at its end, and how many they are, where a line could not hold them."""
    head = body.rstrip(b" ")
    spaces = len(body) - len(head)
    return (head, spaces) if spaces > FEW_SPACES else (body, 0)


def pytest_test(saved: SavedFinding, base_url: str, path_template: str) -> str:
    """A test that sends the request again and fails as long as the clause is broken."""
    name = "".join(one if one.isalnum() else "_" for one in f"{saved.clause}_{saved.chip}")
    request = saved.exchange.request
    head, spaces = _without_spaces(request.body)
    try:
        sent = repr(head.decode()) + ".encode()" + (f' + b" " * {spaces}' if spaces else "")
    except UnicodeDecodeError:
        sent = repr(request.body)
    return f"""import os

from mockserver.contract.library import Target, assert_clause


def test_{name}():
    key = os.environ.get("API_KEY", "sk-test")
    target = Target(
        {base_url!r}, {saved.model!r}, {saved.chip!r}, {saved.edition!r}, key, {path_template!r}
    )
    assert_clause(
        {saved.clause!r},
        target,
        refusal={saved.refusal!r},
        method={request.method!r},
        path={request.path!r},
        headers={dict(request.headers)!r},
        body={sent},
    )
"""
