"""What the tests of `learn` and `drift` share: targets, the commands as calls, and sets of quirks."""

from __future__ import annotations

import argparse
import io
import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from mockserver.contract import in_process, learn
from mockserver.contract.result import Clock
from mockserver.contract.runner import Runner
from mockserver.profile import quirks
from tests.conftest import load
from tests.contract_live import Quiet, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.core.exchange import Exchange
    from mockserver.profile.edition import ChipProfile, Edition

MODEL = "mt-infini-3b"
TUTORIAL = load("2024-tutorial")


def run(which: Any, *words: str) -> tuple[int, str, str]:
    """A command with its arguments; exit code, output and errors."""
    parser = argparse.ArgumentParser()
    which.add_arguments(parser)
    out, err = io.StringIO(), io.StringIO()
    code = which.main(parser.parse_args(words), {}, out, err)
    return code, out.getvalue(), err.getvalue()


class OtherServer(Quiet):
    """A server that is not ours: OpenAI's form of 2026 as many gateways write it, in one way after another its own."""

    def do_POST(self) -> None:  # noqa: N802 - the base class calls it
        """Answer a chat request."""
        try:
            asked = json.loads(self.request_body())
            assert isinstance(asked["messages"], list)
            assert asked.get("max_tokens") is None or type(asked["max_tokens"]) is int
        except (ValueError, KeyError, TypeError, AssertionError):
            self.answer(400, {"error": {"message": "bad request", "type": "invalid_request_error"}})
            return
        pieces = ["你好", "，", "世界", "！", " How", " are", " you", "?"][: asked.get("max_tokens") or 8]
        usage = {"prompt_tokens": 9, "completion_tokens": len(pieces), "total_tokens": 9 + len(pieces)}
        head = {"id": "chatcmpl-0123456789abcdef0123456789abcdef", "created": 1_700_000_000, "model": asked["model"]}
        if not asked.get("stream"):
            message = {"role": "assistant", "content": "".join(pieces)}
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
            self.answer(200, {**head, "object": "chat.completion", "choices": [choice], "usage": usage})
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
        deltas += [({"content": piece}, None) for piece in pieces] + [({}, "stop")]
        for delta, finish in deltas:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            self.event({**head, "object": "chat.completion.chunk", "choices": [choice]})
        if (asked.get("stream_options") or {}).get("include_usage"):
            self.event({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
        self.send_chunk(b"data: [DONE]\n\n")
        self.send_chunk(b"")

    def event(self, chunk: dict[str, Any]) -> None:
        """One event, as a compact JSON text in ASCII."""
        self.send_chunk(b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n")

    def answer(self, status: int, document: dict[str, Any]) -> None:
        """One JSON body."""
        data = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def changed_chip(name: str, text: str) -> Iterator[str]:
    """A mock of the tutorial whose chip differs from its profile; yields its base URL."""
    chip = TUTORIAL.chips[name]
    with serving(in_process.with_chip(TUTORIAL, replace(chip, wire=quirks.changed(chip.wire, text)))) as url:
        yield url


def ask(edition: Edition, chip: ChipProfile) -> dict[str, Exchange]:
    """What a mock in this process answers to the probes."""
    made = in_process.service(in_process.with_chip(edition, chip))
    send = in_process.transport(made, edition.file.defaults.created * 1000)
    model = next(iter(edition.models))
    runner = Runner(send, edition, chip, model, clock=Clock(lambda: 0.0, lambda _s: None))
    asked = {name: case for name, case in learn.probes(edition, model).items() if "-again-" not in name}
    return {name: send(runner.request(case)) for name, case in asked.items()}


quirk_sets = st.lists(st.sampled_from([*quirks.QUIRKS, *quirks.EXAMPLES]), max_size=8, unique=True).map(
    lambda names: [one for one in names if one != "blocked-text-emptied" or "blocked-no-usage" not in names]
)
"""Names of quirks; without usage nothing tells whether a blocked body was emptied, or was empty."""
few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
"""The same examples each time: a search for rare ones costs minutes here, and is for who looks for them."""
