"""The exchange file: one exchange as JSON that people can read, diff and edit.

    {"provenance": {…}, "request": {…}, "response": {"status": …, "headers": […], "sends": […], "ending": …}}

One send a line. Text stands as UTF-8; a transfer chunk that was cut inside a character keeps its stray bytes as
`{"hex": "e6"}` beside the text. Headers are kept by an allow list, so a key, a cookie or an organisation has no place
to go: a file that holds a header whose name tells of one is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cached_property
from json.encoder import encode_basestring as _quoted
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, field_validator
from pydantic_core import from_json

from mockserver.core.errors import OperatorError
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.core.headers import with_length
from mockserver.core.immutable import immutable
from mockserver.files.bounded import UnreadableFileError, decoded, read_bounded, without_byte_order_mark
from mockserver.files.byte_text import Text, bytes_of, plain, text_of
from mockserver.files.checked import Data, checked
from mockserver.files.kept_headers import (
    Header,
    checked_headers,
    kept_of_request,
    kept_of_response,
    kept_trailers,
    raw,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


PARTS_START: Final = ',\n  "request": {\n'
"""What stands in a written file before the parts that are sealed."""
_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]")

Origin = Literal["proxy", "har", "vcr", "curl", "lines", "learn", "fuzz", "contract"]


@immutable(frozen=True, slots=True)
class Send:
    """One transfer chunk, or one read where the upstream did not chunk. No model: a stream has thousands.

    Attributes:
        at_ms: Milliseconds after the request was sent.
        data: Its bytes.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")
    at_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    data: Text


class RequestPart(Data):
    """What was asked; the query is never kept, and of the headers what recordings are found by (`--match-on`)."""

    method: Literal["GET", "POST"] = "POST"
    """HTTP method."""
    path: str = Field(pattern="^/")
    """The path, which names model and chip."""
    headers: tuple[Header, ...] = ()
    """Headers of the allow list, as pairs."""
    body: dict[str, Any] | None = None
    """The JSON body; a request is found by its messages."""
    data: Text = ""
    """A body that is no JSON object."""

    @field_validator("headers")
    @classmethod
    def _allowed(cls, headers: tuple[Header, ...]) -> tuple[Header, ...]:
        return checked_headers(headers)


class ResponsePart(Data):
    """What came back, as it came."""

    status: int = Field(ge=200, le=999)
    """HTTP status."""
    headers: tuple[Header, ...] = ()
    """Headers of the allow list, as pairs; a content-length is made to fit."""
    head_at_ms: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """When the head came, in milliseconds after the request was sent; not known where it is missing."""
    sends: tuple[Send, ...] = ()
    """The body, one transfer chunk each."""
    ending: Ending = Ending.COMPLETE
    """How it stops after the last of them: complete, cut, reset or hang."""
    end_at_ms: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """When it ended, in milliseconds after the request was sent; missing where that was with the last send."""
    trailers: tuple[Header, ...] = ()
    """Headers after a chunked body."""

    @field_validator("headers", "trailers")
    @classmethod
    def _allowed(cls, headers: tuple[Header, ...]) -> tuple[Header, ...]:
        return checked_headers(headers)

    @field_validator("sends")
    @classmethod
    def _rising(cls, sends: tuple[Send, ...]) -> tuple[Send, ...]:
        for number in range(1, len(sends)):
            if sends[number].at_ms < sends[number - 1].at_ms:
                raise ValueError(f"at_ms falls at send {number}: {sends[number - 1].at_ms} to {sends[number].at_ms}")
        return sends


class Provenance(Data):
    """Where an exchange came from.

    `seal` is the sha256 of request and response as they were written: a file whose seal no longer fits was edited by
    hand and is never overwritten.
    """

    recorded_at: str
    """ISO 8601, UTC; empty where an imported file does not tell."""
    edition: str = ""
    upstream: Literal["loopback", "private", "public", "unknown"] = "unknown"
    """The class of the upstream's host; its name is not kept."""
    origin: Origin = "proxy"
    tool: str
    body_sha256: str
    seal: str = ""


class Judged(Data):
    """What the contract said of an exchange, and what it was measured against; the edition is the provenance's."""

    clause: str
    evidence: str
    model: str
    chip: str
    refusal: str | None = None
    """The kind of refusal that was due; None for an answer."""
    authorization: str | None = None
    """The request's header as it is sent again, with a placeholder for the key."""
    sent: Text | None = None
    """The request's body without the spaces at its end, where its JSON written anew would be other bytes."""
    spaces: int = Field(default=0, ge=0)
    """How many spaces follow the request's body: by them a body is too large."""


class ExchangeFile(Data):
    """One file. Written by hand it needs no provenance."""

    provenance: Provenance = Provenance(recorded_at="", tool="hand", body_sha256="")
    """Where it came from; written by the recorder."""
    contract: Judged | None = None
    """What the contract said of it; written by the contract."""
    request: RequestPart
    """What was asked."""
    response: ResponsePart
    """What came back."""

    @cached_property
    def parts_text(self) -> str:
        """Request and response as the file has them: one send a line, what does not show (U+2028 …) as escapes."""
        asked, came = self.request, self.response
        body = ("body", asked.body) if asked.body is not None else ("data", plain(asked.data))
        lines = [
            '  "request": {',
            f'    "method": "{asked.method}",',
            f'    "path": {_quoted(asked.path)},',
            f'    "headers": {_listed(map(_pair, asked.headers))},',
            f'    "{body[0]}": {_indented(body[1])}'.replace("\n", "\n    "),
            "  },",
            '  "response": {',
            f'    "status": {came.status},',
            f'    "headers": {_listed(map(_pair, came.headers))},',
            *([] if came.head_at_ms is None else [f'    "head_at_ms": {came.head_at_ms!r},']),
            f'    "sends": {_listed(map(_send, came.sends))},',
            ",\n".join(
                [
                    f'    "ending": "{came.ending}"',
                    *([] if came.end_at_ms is None else [f'    "end_at_ms": {came.end_at_ms!r}']),
                    *([f'    "trailers": {_listed(map(_pair, came.trailers))}'] if came.trailers else []),
                ]
            ),
            "  }",
        ]
        return _shown("\n".join(lines) + "\n")

    @property
    def edited(self) -> bool:
        """Whether request or response were changed after the file was written."""
        return self.provenance.seal != _seal(self.parts_text)

    @property
    def bodies_match(self) -> bool:
        """Whether the response's body is the one that came."""
        return self.provenance.body_sha256 == body_sha256(bytes_of(send.data) for send in self.response.sends)


def read(path: Path) -> ExchangeFile:
    """One exchange file; raises OperatorError with file and key."""
    found = read_if_exchange(path)
    if found is None:
        raise OperatorError(f"{path}: no exchange file: it has no key 'response' (an answer file has match and answer)")
    return found


def read_if_exchange(path: Path) -> ExchangeFile | None:
    """One exchange file, or None for a JSON file of another form; raises OperatorError with file and key."""
    data = read_bounded(path)
    try:
        document = from_json(without_byte_order_mark(data))
    except ValueError as error:
        decoded(data, path)  # which tells of what is no text
        raise UnreadableFileError(f"{path}: not a JSON file: {error}") from None
    if not isinstance(document, dict) or "response" not in document:
        return None
    return checked(document, ExchangeFile, path, mapping="an object")


def exchange_of(file: ExchangeFile, source: str = "recording") -> Exchange:
    """The exchange that a file holds."""
    asked, plan = file.request, plan_of(file, source)
    request = Request(asked.method, asked.path, dict(raw(asked.headers)), request_body(asked))
    ended_ms = max(plan.at_ms[-1] if plan.at_ms else 0.0, plan.end_at_ms or 0.0)
    return Exchange(request, plan, len(plan.frames), ended_ms, plan.ending)


def plan_of(file: ExchangeFile, source: str = "recording") -> Plan:
    """The plan that sends the file's bytes again, in the same chunks and at the same times."""
    came = file.response
    frames = tuple(bytes_of(send.data) for send in came.sends)
    times = tuple(send.at_ms for send in came.sends)
    headers = raw(came.headers)
    if came.status not in {204, 304}:  # whose length is that of a body which is not sent
        headers = with_length(headers, sum(map(len, frames)), or_more=came.ending is not Ending.COMPLETE)
    return Plan(
        came.status, headers, frames, times or None, came.ending, came.head_at_ms, came.end_at_ms,
        source=source, joinable=False, trailers=raw(came.trailers),
    )  # fmt: skip


def request_body(asked: RequestPart) -> bytes:
    """The request's body; a JSON object is written anew, so only its meaning is what was sent."""
    if asked.body is None:
        return bytes_of(asked.data)
    return json.dumps(asked.body, ensure_ascii=False, separators=(",", ":")).encode()


def file_of(
    exchange: Exchange,
    provenance: Provenance,
    keep: frozenset[str] = frozenset(),
    pinned: frozenset[str] = frozenset(),
) -> ExchangeFile:
    """The file of an exchange: headers that are not on the allow lists are left out, hash and seal are set.

    Args:
        exchange: What was asked and answered.
        provenance: Where it came from.
        keep: Names, in lower case, of response headers that are kept besides.
        pinned: Names, in lower case, of request headers that are kept besides, unless they tell of a secret.

    Raises:
        ValueError: The exchange has no answer.
    """
    plan = exchange.plan
    if plan is None:
        raise ValueError("an exchange without an answer is not kept")
    asked = exchange.request
    body, data = None, text_of(asked.body)
    try:
        document = from_json(asked.body, allow_inf_nan=False)
        json.dumps(document, allow_nan=False)
    except ValueError:
        document = None
    if isinstance(document, dict):
        body, data = document, ""
    made = ExchangeFile(
        provenance=provenance.model_copy(update={"body_sha256": body_sha256(plan.frames), "seal": ""}),
        request=RequestPart(
            method="GET" if asked.method == "GET" else "POST",
            path=asked.path,
            headers=kept_of_request(asked.headers.items(), pinned),
            body=body,
            data=data,
        ),
        response=ResponsePart(
            status=plan.status,
            headers=kept_of_response(plan.headers, keep),
            head_at_ms=None if plan.head_at_ms is None else round(plan.head_at_ms, 3),
            sends=tuple(Send(round(at, 3), text_of(data)) for at, data in exchange.sends),
            ending=exchange.ending,
            end_at_ms=_end_of(plan),
            trailers=kept_trailers(plan.trailers),
        ),
    )
    sealed = made.provenance.model_copy(update={"seal": _seal(made.parts_text)})
    return made.model_copy(update={"provenance": sealed})


def _end_of(plan: Plan) -> float | None:
    """When the answer ended, where that was later than its last send."""
    if plan.end_at_ms is None:
        return None
    end_at_ms, last_ms = round(plan.end_at_ms, 3), round(plan.at_ms[-1] if plan.at_ms else 0.0, 3)
    return end_at_ms if end_at_ms > last_ms else None


def is_as_written(text: str) -> bool:
    """Whether a file's text is, from its request on, what was written: quicker than reading it and asking `edited`."""
    head, found, parts = text.partition(PARTS_START)
    return bool(found) and f'"seal": "{_seal((found[2:] + parts).removesuffix("}" + chr(10)))}"' in head


def written(file: ExchangeFile) -> str:
    """The file's text."""
    provenance = _shown(_indented(file.provenance.model_dump(mode="json", exclude_defaults=True)))
    judged = ""
    if file.contract is not None:
        part = _shown(_indented(file.contract.model_dump(mode="json", exclude_defaults=True)))
        judged = '  "contract": ' + part.replace("\n", "\n  ") + ",\n"
    return '{\n  "provenance": ' + provenance.replace("\n", "\n  ") + ",\n" + judged + file.parts_text + "}\n"


def body_sha256(frames: Iterable[bytes]) -> str:
    """The hash of a body, whatever its chunks."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(frame)
    return digest.hexdigest()


def _listed(rows: Iterable[str]) -> str:
    joined = ",\n".join("      " + row for row in rows)
    return f"[\n{joined}\n    ]" if joined else "[]"


def _pair(header: Header) -> str:
    return f"[{_quoted(header[0])}, {_quoted(header[1])}]"


def _send(send: Send) -> str:
    data = _quoted(send.data) if isinstance(send.data, str) else _line(plain(send.data))
    return f'{{"at_ms": {send.at_ms!r}, "data": {data}}}'


_line = json.JSONEncoder(ensure_ascii=False).encode
_indented = json.JSONEncoder(ensure_ascii=False, indent=2).encode


def _shown(text: str) -> str:
    """JSON text whose characters all show: those that do not are inside strings, where an escape means the same."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
