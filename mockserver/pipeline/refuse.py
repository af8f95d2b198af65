"""Stage `refuse`: a refusal becomes a plan in one of the service's two error families.

Gateway: `{"code": <int>, "msg": <text>}` (observed, 401). Upstream: `{"error": {code, message, param, type}}`
(observed, 400). `type` fits the status, since LiteLLM reads it before the status and decides by it whether to retry.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mockserver.core.errors import printable
from mockserver.core.exchange import Headers, Plan
from mockserver.core.headers import of_body, with_headers

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


class ErrorShape(BaseModel):
    """One row of an edition's `[errors]`: how one kind of refusal looks on the wire."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    status: int = Field(ge=400, le=599)
    family: Literal["gateway", "upstream"]
    code: int | str
    message: str | None = None
    """The documents' own words. The reason then goes into the header `x-mock-detail`; None puts it in the message."""
    retry_after_s: int | None = Field(default=None, ge=0)
    claim: Literal["documented", "observed", "assumed"]
    source: str


class OwnShape(ErrorShape):
    """The same of an error that is in no edition's table: any status, success too."""

    status: int = Field(ge=200, le=599)


def refuse(refusal: Refusal, shape: ErrorShape, headers: Headers = ()) -> Plan:
    """The plan of a refusal.

    Args:
        refusal: What is refused, and why.
        shape: The edition's row for `refusal.kind`, or `own_shape`.
        headers: Headers that every answer carries.
    """
    message = shape.message or refusal.detail
    body: dict[str, Any]
    if shape.family == "gateway":
        body = {"code": shape.code, "msg": message}
    else:
        kind = _TYPES.get(shape.status, "server_error" if shape.status >= 500 else "invalid_request_error")
        body = {"error": {"code": str(shape.code), "message": message, "param": refusal.param, "type": kind}}
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    kind_of_body = b"application/json; charset=utf-8"
    if refusal.body is not None:
        kind_of_body, data = refusal.body[0].encode("latin-1"), refusal.body[1]
    extra: list[tuple[bytes, bytes]] = []
    if shape.message:
        extra.append((b"x-mock-detail", header_text(refusal.detail)))
    if shape.retry_after_s is not None:
        extra.append((b"retry-after", b"%d" % shape.retry_after_s))
    own = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in refusal.headers]
    return Plan(
        shape.status,
        with_headers((*of_body(kind_of_body, data), *headers, *extra), own),
        (data,),
        (refusal.delay_ms,) if refusal.delay_ms else None,
        source=f"refusal:{refusal.kind}",
        detail=refusal.detail,
    )


def own_shape(status: int, code: int | str) -> ErrorShape:
    """How an error looks that is in no edition's table: the form follows from what its code is."""
    family: Literal["gateway", "upstream"] = "gateway" if isinstance(code, int) else "upstream"
    return OwnShape(status=status, family=family, code=code, claim="assumed", source="a fixture")


def header_text(text: str) -> bytes:
    """Text as a header may hold it: printable ASCII, all else as a backslash escape."""
    return printable(text).encode("ascii", "backslashreplace")
