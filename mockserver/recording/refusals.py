"""What the proxy does not pass on, and its own answers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mockserver.core.errors import Refusal
from mockserver.core.exchange import Ending, Plan
from mockserver.core.headers import of_body
from mockserver.recording.upstream import AnswerHead, GatewayError
from mockserver.server.guard import ForbiddenError

if TYPE_CHECKING:
    from mockserver.core.exchange import Request
    from mockserver.recording.upstream import UpstreamConnection
    from mockserver.recording.upstream_address import Upstream
    from mockserver.server.guard import Guard

METHODS: Final = ("GET", "POST")
HEALTH_PATH: Final = "/_mock/health"
HEALTHY: Final = Plan(
    200, ((b"content-type", b"application/json"), (b"content-length", b"15")), (b'{"status":"ok"}',), source="proxy"
)
_LOCAL_PAGE = re.compile(r"^(localhost|.+\.localhost|127(\.\d{1,3}){3}|::1)$")


def check_caller(asked: Request, guard: Guard) -> None:
    """Refuse what a page of another site could send, and methods that are not passed on.

    A page on this machine (`Origin: http://localhost:3000`, which a development server passes on) is let in.

    Raises:
        Refusal: the method.
        GatewayError: the page.
    """
    if asked.method not in METHODS:
        allow = ", ".join(METHODS)
        raise Refusal(
            "wrong-method", f"{asked.method} is not passed on; allowed: {allow}", headers=((b"allow", allow.encode()),)
        )
    try:
        guard.check_page(asked.headers)
    except ForbiddenError as error:
        raise GatewayError(str(error), error.status) from None
    origin = asked.headers.get(b"origin", b"").decode("latin-1")
    if origin and not _LOCAL_PAGE.match(_host(origin)):
        raise GatewayError(f"requests of the web page {origin[:100]!r} are not passed on", 403)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def usable(head: object, line: UpstreamConnection, upstream: Upstream) -> AnswerHead:
    """The head of an answer that can be passed on; raises GatewayError for what is none."""
    if head is Ending.HANG:
        raise GatewayError(f"the upstream said nothing for {upstream.silence_seconds:g} s (--timeout)", 504)
    if not isinstance(head, AnswerHead):
        what = "reset the connection" if head is Ending.RESET else "closed the connection"
        raise GatewayError(line.fault or f"the upstream {what} before it answered")
    if head.status in {301, 302, 303, 307, 308}:
        raise GatewayError(f"the upstream redirects ({head.status}), which is not followed: give its final address")
    return head


def gateway_error(error: GatewayError) -> Plan:
    """The proxy's own answer where the upstream gave none."""
    message = {"code": error.status * 100, "msg": f"genstudio-mock record: {error}"}
    body = json.dumps(message, ensure_ascii=False).encode()
    return Plan(error.status, of_body(b"application/json; charset=utf-8", body), (body,), source="proxy")
