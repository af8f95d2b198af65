"""Stage `refuse`: a refusal becomes a plan in one of the service's two error families.

Gateway: `{"code": <int>, "msg": <text>}` (observed, 401). Upstream: `{"error": {code, message, param, type}}`
(observed, 400). `type` fits the status, since LiteLLM reads it before the status and decides by it whether to retry.
What another server says instead is a body in full, in a row of its own.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, Literal

from mockserver.core import strict_json
from mockserver.core.errors import printable
from mockserver.core.exchange import Headers, Plan
from mockserver.core.headers import as_texts, of_body, with_headers
from mockserver.core.immutable import immutable
from mockserver.core.sent_headers import HeaderValue, NameForAll
from mockserver.core.written import Written, key

if TYPE_CHECKING:
    from mockserver.core.errors import Refusal

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}


@immutable(frozen=True, kw_only=True)
class ErrorShape(Written):
    """One row of an edition's `[errors]`: how one kind of refusal looks on the wire."""

    status: int = key(ge=200, le=599)
    """Below 400 the body alone tells that it is a refusal, as some gateways have it."""
    family: Literal["gateway", "upstream", "own"]
    code: int | str
    message: str | None = None
    """The documents' own words. The reason then goes into the header `x-mock-detail`; None puts it in the message."""
    retry_after_s: int | None = key(default=None, ge=0)
    body: str | None = None
    """Of the family `own`: the whole body. `{message}` stands for the message as JSON text without quotes; `{value}`
    for what is at fault in the request, as JSON: a field's value, the object that lacks it, or all that came; `{text}`
    for the same as a part of a JSON text: without quotes, and what is no text with its own escaped."""
    content_type: HeaderValue = "application/json; charset=utf-8"
    """Empty sends no Content-Type."""
    headers: dict[NameForAll, HeaderValue | Literal[False]] = key(factory=dict)
    """Further headers of this kind of refusal; `false` takes away what the mock would send."""
    claim: Literal["documented", "observed", "assumed"]
    source: str

    def __post_init__(self) -> None:
        if (self.family == "own") != (self.body is not None):
            raise ValueError('body belongs to family "own", and family "own" needs a body')


VALUE: Final = "{value}"
TEXT: Final = "{text}"
_STANDS: Final = re.compile("{(?:message|value|text)}")
_FIELD_OF: Final = {"unknown-model": "model"}
"""The field at fault of a kind, where the refusal names none since the path may say it too."""
_STEP: Final = re.compile(r"[^.\[\]]+")


def at_fault(kind: str, param: str | None, body: bytes) -> Any:
    """The value of a request's field; the object that lacks it; the whole body, as text where it is no JSON.

    Args:
        kind: Of the refusal.
        param: The field, in the form `messages[0].content`; None for none.
        body: Of the request.
    """
    try:
        value = strict_json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
    for step in _STEP.findall(param or _FIELD_OF.get(kind, "")):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            break
    return value


def json_text(value: object) -> str:
    """A value as refusals spell it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _own_body(template: str, message: str, refusal: Refusal, asked: bytes) -> str:
    stands = {"{message}": json_text(message)[1:-1]}
    if VALUE in template or TEXT in template:
        value = at_fault(refusal.kind, refusal.param, asked)
        text = json_text(value)
        stands |= {VALUE: text, TEXT: (text if isinstance(value, str) else json_text(text))[1:-1]}
    return _STANDS.sub(lambda name: stands[name[0]], template)  # once: what was asked may hold such a name too


def refuse(refusal: Refusal, shape: ErrorShape, headers: Headers = (), asked: bytes = b"") -> Plan:
    """The plan of a refusal.

    Args:
        refusal: What is refused, and why.
        shape: The edition's row for `refusal.kind`, or `own_shape`.
        headers: Headers that every answer carries.
        asked: The request's body, which some refusals repeat.
    """
    message = shape.message or refusal.detail
    body: dict[str, Any] = {}
    if shape.family == "gateway":
        body = {"code": shape.code, "msg": message}
    elif shape.family == "upstream":
        kind = _TYPES.get(shape.status, "server_error" if shape.status >= 500 else "invalid_request_error")
        body = {"error": {"code": str(shape.code), "message": message, "param": refusal.param, "type": kind}}
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    if shape.body is not None:
        made = _own_body(shape.body, message, refusal, asked)
        data = made.encode("utf-8", "backslashreplace")  # half a character, as JSON has it
    kind_of_body = shape.content_type.encode("latin-1")
    if refusal.body is not None:
        kind_of_body, data = refusal.body[0].encode("latin-1"), refusal.body[1]
    extra: list[tuple[bytes, bytes]] = []
    if shape.message:
        extra.append((b"x-mock-detail", header_text(refusal.detail)))
    if shape.retry_after_s is not None:
        extra.append((b"retry-after", b"%d" % shape.retry_after_s))
    own = as_texts(refusal.headers)
    described = of_body(kind_of_body, data)
    common = with_headers((*(described if kind_of_body else described[1:]), *headers, *extra), own)
    return Plan(
        shape.status,
        with_headers(common, shape.headers.items()),
        (data,),
        (refusal.delay_ms,) if refusal.delay_ms else None,
        source=f"refusal:{refusal.kind}",
        detail=refusal.detail,
    )


def own_shape(status: int, code: int | str) -> ErrorShape:
    """How an error looks that is in no edition's table: the form follows from what its code is."""
    family: Literal["gateway", "upstream"] = "gateway" if isinstance(code, int) else "upstream"
    return ErrorShape(status=status, family=family, code=code, claim="assumed", source="a fixture")


def header_text(text: str) -> bytes:
    """Text as a header may hold it: printable ASCII, all else as a backslash escape."""
    return printable(text).encode("ascii", "backslashreplace")
