"""The catalogue as the service lists it (`GET /maas/v1/models`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mockserver.core.drawn import entropy_of
from mockserver.core.errors import Refusal
from mockserver.core.exchange import Plan
from mockserver.core.headers import of_body
from mockserver.pipeline.head import response_headers
from mockserver.pipeline.incoming import Response
from mockserver.pipeline.request.head import check_key

if TYPE_CHECKING:
    from mockserver.core.exchange import Request
    from mockserver.pipeline.respond import Service


def list_models(service: Service, request: Request, now_ms: int, dice: bytes = b"") -> Response:
    """All models, for a good key; lengths are 0 where they are not published (API reference, models).

    Args:
        service: Whose catalogue it is.
        request: Path and headers.
        now_ms: Milliseconds since the Unix epoch.
        dice: Random bytes for ids, or empty to derive them from the request.
    """
    rules, entropy = service.rules, dice or entropy_of(service.derived, request.path.encode())
    try:
        check_key(request.headers, service.keys)
    except Refusal as refusal:
        return Response(service.errors.plan(refusal, entropy, now_ms))
    rows = [
        {
            "id": model.id,
            "object": "model",
            "created": 0,
            "owned_by": "",
            "max_output_length": model.max_output_tokens or 0,
            "context_length": model.context_tokens or 0,
            "model_type": model.kind,
        }
        for model in rules.models.values()
    ]
    data = json.dumps({"object": "list", "data": rows}, ensure_ascii=False, separators=(",", ":")).encode()
    common = response_headers(rules.wires[rules.default_chip].head, entropy, now_ms)
    headers = (*of_body(b"application/json; charset=utf-8", data), *common)
    return Response(Plan(200, headers, (data,), source="catalogue"))
