"""An exchange as bytes and back: one line of JSON, then the bytes of its bodies and frames one after the other."""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import to_json

from mockserver.core.exchange import ChatRequest, Ending, Exchange, Plan, Request
from mockserver.core.headers import as_texts
from mockserver.server.journal import without_body


def bytes_of(exchange: Exchange) -> bytes:
    """The exchange, with of its dialogue what a journal keeps."""
    request, plan = exchange.request, exchange.plan
    parts = [request.body, *(plan.frames if plan is not None else ())]
    facts: dict[str, Any] = {
        "request": [request.method, request.path, as_texts(request.headers.items()), request.query],
        "plan": None if plan is None else _plan_facts(plan),
        "chat": None if exchange.chat is None else _chat_facts(without_body(exchange.chat)),
        "frames_sent": exchange.frames_sent,
        "duration_ms": exchange.duration_ms,
        "ending": exchange.ending,
        "client_left": exchange.client_left,
        "namespace": exchange.namespace,
        "seed": exchange.seed,
        "faults": exchange.faults,
        "at_ms": exchange.at_ms,
        "in_flight": exchange.in_flight,
        "writes": list(exchange.writes),
        "sizes": [len(part) for part in parts],
    }
    return b"".join((_json_of(facts), b"\n", *parts))


def _json_of(facts: dict[str, Any]) -> bytes:
    try:
        return to_json(facts, fallback=float)  # five times as fast; half of a character it does not write
    except ValueError:
        return json.dumps(facts, separators=(",", ":"), default=float).encode()


def exchange_of(data: bytes, number: int) -> Exchange:
    """The exchange that was made into bytes; raises ValueError or LookupError where they are no exchange's."""
    end = data.index(b"\n")
    facts = json.loads(data[:end])
    parts, at = [], end + 1
    for size in facts["sizes"]:
        parts.append(data[at : at + size])
        at += size
    method, path, headers, query = facts["request"]
    plan = facts["plan"]
    return Exchange(
        Request(method, path, dict(_pairs(headers)), parts[0], query),
        None if plan is None else _plan_of(plan, tuple(parts[1:])),
        facts["frames_sent"], facts["duration_ms"], Ending(facts["ending"]),
        None if facts["chat"] is None else _chat_of(facts["chat"]),
        facts["client_left"], number, facts["namespace"], facts["seed"], tuple(facts["faults"]), facts["at_ms"],
        facts["in_flight"], facts["writes"],
    )  # fmt: skip


def _plan_facts(plan: Plan) -> dict[str, Any]:
    return {
        "status": plan.status,
        "headers": as_texts(plan.headers),
        "at_ms": None if plan.at_ms is None else list(plan.at_ms),
        "ending": plan.ending,
        "head_at_ms": plan.head_at_ms,
        "end_at_ms": plan.end_at_ms,
        "raw": plan.raw,
        "source": plan.source,
        "detail": plan.detail,
        "joinable": plan.joinable,
        "trailers": as_texts(plan.trailers),
        "stale": plan.stale,
    }


def _plan_of(facts: dict[str, Any], frames: tuple[bytes, ...]) -> Plan:
    made = dict(facts)
    for name in ("headers", "trailers"):
        made[name] = tuple(_pairs(made[name]))
    made["at_ms"] = None if made["at_ms"] is None else tuple(made["at_ms"])
    return Plan(frames=frames, **{**made, "ending": Ending(made["ending"]), "stale": tuple(made["stale"])})


def _chat_facts(chat: ChatRequest) -> list[Any]:
    return [chat.model, chat.chip, list(chat.messages), chat.stream, chat.include_usage, chat.ignored]


def _chat_of(facts: list[Any]) -> ChatRequest:
    model, chip, messages, stream, include_usage, ignored = facts
    return ChatRequest(model, chip, tuple(messages), stream, include_usage, {}, tuple(ignored))


def _pairs(texts: list[list[str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in texts]
