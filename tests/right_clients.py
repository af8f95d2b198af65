"""Clients that read a stream as the standards have it, which the fuzzer lets pass."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from mockserver.pipeline.frame import DONE, WIRE_FORMATS
from tests.buggy_clients import answer
from tests.conftest import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.contract.fuzz import Said
    from mockserver.pipeline.wire_settings import WireSettings


@cache
def wire_of(edition: str, chip: str) -> WireSettings:
    """A shipped chip's settings."""
    return load(edition).chips[chip].wire


NVIDIA = wire_of("2024-tutorial", "nvidia")


def reads_rightly(framing: str) -> Callable[[str], Said]:
    """A client without a bug, which tells all that it read."""

    def read_all(base_url: str) -> dict[str, Any]:
        reader = WIRE_FORMATS[framing].reader()
        events: list[Any] = []
        with answer(base_url) as response:
            while not any(one is DONE for one in events) and (data := response.read1(65536)):
                events += reader.feed(data)
        events += reader.close()
        chunks: list[dict[str, Any]] = [one for one in events if isinstance(one, dict)]
        assert all(one is DONE for one in events[len(chunks) :])
        choices = [choice for chunk in chunks for choice in chunk["choices"]]
        calls: dict[int, dict[str, str]] = {}
        for piece in (piece for choice in choices for piece in choice["delta"].get("tool_calls") or ()):
            call = calls.setdefault(piece["index"], {"name": "", "arguments": ""})
            for key in call:
                call[key] += piece["function"].get(key) or ""
        usage = [chunk["usage"] for chunk in chunks if chunk.get("usage")][-1:]
        kept = ("prompt_tokens", "completion_tokens", "total_tokens")
        return {
            "text": "".join(choice["delta"].get("content") or "" for choice in choices),
            "finish_reason": [choice["finish_reason"] for choice in choices if choice["finish_reason"]][-1],
            "usage": {key: usage[0][key] for key in kept} if usage else None,
            "tool_calls": list(calls.values()),
        }

    return read_all
