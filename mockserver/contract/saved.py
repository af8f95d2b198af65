"""An exchange in a file, with the clause that it broke: what a report links to and `contract replay` reads."""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mockserver.errors import OperatorError
from mockserver.exchange import Ending, Exchange, Plan, Request

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.contract.result import Finding

VERSION = 1


@dataclass(frozen=True)
class Saved:
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


def of_finding(finding: Finding, edition: str, model: str) -> Saved:
    """A finding as it is saved."""
    case = finding.case
    return Saved(
        finding.clause.id, finding.evidence, edition, case.model or model, finding.chip, case.refusal, finding.exchange
    )


def dump(saved: Saved) -> str:
    """The file's text: one send a line, Chinese readable, bytes that are no text in base64."""
    plan, request = saved.exchange.plan, saved.exchange.request
    head = {
        "contract": VERSION,
        "clause": saved.clause,
        "evidence": saved.evidence,
        "edition": saved.edition,
        "model": saved.model,
        "chip": saved.chip,
        "refusal": saved.refusal,
        "request": {
            "method": request.method,
            "path": request.path,
            "headers": {n.decode("latin-1"): v.decode("latin-1") for n, v in request.headers.items()},
            **_data(request.body),
        },
    }
    if plan is None:
        return json.dumps({**head, "response": None}, ensure_ascii=False, indent=1) + "\n"
    times = plan.at_ms or [0.0] * len(plan.frames)
    sends = [
        json.dumps({"at_ms": round(at, 3), **_data(frame)}, ensure_ascii=False)
        for at, frame in zip(times, plan.frames, strict=True)
    ]
    response = {
        "status": plan.status,
        "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in plan.headers],
        "ending": plan.ending.value,
        "sends": "@sends@",
    }
    text = json.dumps({**head, "response": response}, ensure_ascii=False, indent=1)
    return text.replace('"@sends@"', "[\n   " + ",\n   ".join(sends) + "\n  ]" if sends else "[]") + "\n"


def _data(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def load(path: Path) -> Saved:
    """Read a file; raises OperatorError with the file and what is wrong with it."""
    try:
        data: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorError(f"{path}: not an exchange file: {error}") from None
    try:
        return _saved(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise OperatorError(f"{path}: not an exchange file of the contract: {what}") from None


def _saved(data: Any) -> Saved:
    if data["contract"] != VERSION:
        raise ValueError(f"contract: {data['contract']!r} is not allowed; allowed: {VERSION}")
    asked = data["request"]
    headers = {n.encode("latin-1"): v.encode("latin-1") for n, v in asked["headers"].items()}
    request = Request(asked["method"], asked["path"], headers, _bytes(asked))
    exchange = Exchange(request)
    if data["response"] is not None:
        came = data["response"]
        frames = [_bytes(one) for one in came["sends"]]
        exchange.plan = Plan(
            int(came["status"]),
            tuple((n.encode("latin-1"), v.encode("latin-1")) for n, v in came["headers"]),
            frames,
            [float(one["at_ms"]) for one in came["sends"]],
            Ending(came["ending"]),
        )
        exchange.frames_sent = len(frames)
    clause, evidence, edition, model, chip = (data[k] for k in ("clause", "evidence", "edition", "model", "chip"))
    return Saved(clause, evidence, edition, model, chip, data["refusal"], exchange)


def _bytes(one: dict[str, str]) -> bytes:
    return one["text"].encode() if "text" in one else base64.b64decode(one["base64"], validate=True)


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
    try:
        return " ".join([*words, "--data-binary", shlex.quote(request.body.decode())])
    except UnicodeDecodeError:
        encoded = base64.b64encode(request.body).decode()
        return f"printf %s {encoded} | base64 -d | " + " ".join([*words, "--data-binary", "@-"])


def pytest_test(saved: Saved, base_url: str, path_template: str) -> str:
    """A test that sends the request again and fails as long as the clause is broken."""
    name = "".join(one if one.isalnum() else "_" for one in f"{saved.clause}_{saved.chip}")
    request = saved.exchange.request
    body = _data(request.body)
    sent = repr(body["text"]) + ".encode()" if "text" in body else repr(request.body)
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
