"""A profile is learnt from what a target does, holds for it and for the mock, and drift from it is told."""

from __future__ import annotations

import argparse
import io
import json
import tomllib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from mockserver import quirks
from mockserver.contract import command_drift, command_learn, learn, library, rehearsal
from mockserver.contract.checks_wire import WIRE_CHECKS
from mockserver.contract.dialect import alike
from mockserver.contract.library import Target
from mockserver.contract.result import Budget
from mockserver.data import shipped
from mockserver.exchange import Exchange, Plan, Request
from mockserver.profile import Edition, load_edition
from tests.contract_live import Quiet, serving, serving_with

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "mt-infini-3b"


@cache
def tutorial() -> Edition:
    """The default edition."""
    return load_edition("2024-tutorial", [shipped("profiles")])


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


@pytest.mark.parametrize("chip", ["nvidia", "chip3"])
def test_learning_from_the_mock_gives_its_own_profile_back(chip: str, tmp_path: Path) -> None:
    """What is learnt of a shipped chip makes the same bytes as its shipped profile."""
    with serving(tutorial()) as url:
        code, out, _ = run(
            command_learn, "--base-url", url, "--model", MODEL, "--chip", chip, "--output", str(tmp_path)
        )

    assert code == 0, out
    again = load_edition("2024-tutorial", [tmp_path, shipped("profiles")]).chips[chip]
    assert alike(again.wire, tutorial().chips[chip].wire)
    assert "checked: the mock with this profile keeps its contract" in out


def test_another_server_is_learnt_and_then_holds(tmp_path: Path) -> None:
    """A server that is not ours breaks the edition's clauses; under its learnt profile no wire clause is broken."""
    words = ["--model", MODEL, "--chip", "other", "--path-template", "/v1/chat/completions"]
    with serving_with(OtherServer) as url:
        code, out, _ = run(command_learn, "--base-url", url, *words, "--output", str(tmp_path))
        edition = load_edition("2024-tutorial", [tmp_path, shipped("profiles")])
        target = Target(url, MODEL, "other", edition, path_template="/v1/chat/completions")
        after = library.check(target, budget=Budget(requests=60))
        before = library.check(replace(target, chip="nvidia"), budget=Budget(requests=60))

    wire = {check.id for check in WIRE_CHECKS}
    assert code == 0, out
    assert {"frame-content-type", "frame-escapes", "chunk-logprobs", "head-id-form"} <= {
        one.clause.id for one in before.findings
    }
    assert [one.evidence for one in after.findings if one.clause.id in wire] == []
    learnt = {claim.name for claim in edition.chips["other"].claims if claim.claim == "observed"}
    assert {"type-event-stream", "json-compact", "ascii-escapes", "usage-on-request", "usage-chunk"} <= learnt
    assert {
        "body-spaced",
        "body-utf8-text",
        "id-chatcmpl-hex",
        "logprobs-null",
        "no-trace-header",
        "no-request-id",
        "role-with-content",
    } <= learnt
    result = learn.rehearse(edition, edition.chips["other"], MODEL)
    assert [one.evidence for one in result.findings] == []


def test_each_learnt_quirk_names_its_proof_its_date_and_how_sure_it_is(tmp_path: Path) -> None:
    """The profile is TOML whose sources name a probe, a date and a count; the latency has its quantiles."""
    with serving(tutorial()) as url:
        run(command_learn, "--base-url", url, "--model", MODEL, "--chip", "chip3", "--output", str(tmp_path))

    text = (tmp_path / "2024-tutorial" / "chip3.toml").read_text()
    file = tomllib.loads(text)
    sources = {quirk["name"]: quirk["source"] for quirk in file["quirks"]}
    assert sources["json-lines"].startswith("probe 'single turn, streamed', 20")
    assert " exchanges that can show it" in sources["json-lines"]
    assert "TTFT p50" in file["latency"]["source"]
    assert "ITL p50" in file["latency"]["source"]


def test_learning_is_taken_up_again(tmp_path: Path) -> None:
    """A run whose budget was spent keeps its answers, and the next one sends only what is left."""
    words = ["--model", MODEL, "--chip", "nvidia", "--output", str(tmp_path)]
    with serving(tutorial()) as url:
        _, _, first = run(command_learn, "--base-url", url, *words, "--requests", "4")
        _, _, second = run(command_learn, "--base-url", url, *words, "--requests", "100", "--tokens", "9000")

    assert "probes are left out, the budget does not reach; run it again" in first
    assert second.count("kept from") == 4
    assert "left out" not in second


def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    """The probes are printed, about thirty of them, and nothing is written."""
    code, out, _ = run(command_learn, "--base-url", "http://127.0.0.1:9", "--model", MODEL, "--chip", "chip3",
                       "--output", str(tmp_path), "--dry-run")  # fmt: skip

    assert code == 0
    assert 25 <= len(out.splitlines()) <= 35
    assert out.splitlines()[-1].endswith("probes, none sent; at most 60 requests are allowed")
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_answers_nothing_is_no_profile(tmp_path: Path) -> None:
    """Refusals alone teach nothing, and no profile is written."""
    with serving(tutorial()) as url:
        code, _, err = run(command_learn, "--base-url", url, "--model", "no-such", "--chip", "chip3", "--output",
                           str(tmp_path), "--path-template", "/nowhere")  # fmt: skip

    assert code == 3
    assert "does not serve this (status 404" in err
    assert not list(tmp_path.rglob("*.toml"))


def test_latency_is_measured_from_the_pieces() -> None:
    """Time to first token and between tokens are the medians of what came."""
    body = [b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'] * 4
    plan = Plan(200, ((b"content-type", b"text/event-stream"),), body, [100.0, 110.0, 120.0, 150.0])
    exchange = Exchange(Request("POST", "/", {}, b'{"stream": true}'), plan, frames_sent=4)

    latency = learn.latency_of([exchange], "2026-11-22")

    assert (latency.first_token_ms, latency.inter_token_ms) == (100.0, 10.0)
    assert latency.source == (
        "1 streams, 2026-11-22: TTFT p50 100.0, p90 100.0, p99 100.0 ms; ITL p50 10.0, p90 26.0, p99 29.6 ms"
    )


def test_no_drift_is_exit_code_0(tmp_path: Path) -> None:
    """A target that is as its profile says has no drift, live or recorded."""
    words = ["--model", MODEL, "--chip", "chip3"]
    with serving(tutorial()) as url:
        run(command_learn, "--base-url", url, *words, "--output", str(tmp_path))
        live = run(command_drift, "--base-url", url, *words)
    recorded = run(command_drift, *words, "--against", str(tmp_path / "2024-tutorial" / "chip3-probes"))

    assert (live[0], live[1]) == (0, "chip3: no drift in 33 exchanges\n")
    assert (recorded[0], recorded[1]) == (0, "chip3: no drift in 27 exchanges\n")


def test_drift_is_a_table_and_a_patch(tmp_path: Path) -> None:
    """A chip that speaks events now is told field by field, and the patch makes its profile right again."""
    edition = tutorial()
    chip = edition.chips["chip3"]
    now = replace(chip, wire=quirks.changed(chip.wire, "sse,done,type-event-stream"))
    words = ["--model", MODEL, "--chip", "chip3"]
    with serving(rehearsal.with_chip(edition, now)) as url:
        code, out, _ = run(command_drift, "--base-url", url, *words, "--patch", str(tmp_path / "chip3.toml"))

    assert code == 1
    assert out.splitlines()[1].split() == ["field", "mock", "live", "severity"]
    assert any(line.split() == ["frame-framing", "json-lines", "sse", "must"] for line in out.splitlines())
    assert '-name = "json-lines"' in out
    (tmp_path / "2024-tutorial").mkdir()
    (tmp_path / "chip3.toml").rename(tmp_path / "2024-tutorial" / "chip3.toml")
    with serving(rehearsal.with_chip(edition, now)) as url:
        code, out, _ = run(command_drift, "--base-url", url, *words, "--profiles", str(tmp_path))
    assert code == 0, out


def test_drift_of_the_schema_is_told() -> None:
    """A field that is gone and one that is new are rows of the table."""
    with serving_with(OtherServer) as url:
        code, out, _ = run(command_drift, "--base-url", url, "--model", MODEL, "--chip", "nvidia",
                           "--path-template", "/v1/chat/completions")  # fmt: skip

    rows = [line.split() for line in out.splitlines()]
    assert code == 1
    assert ["choices[].logprobs", "absent", "null", "should"] in rows


def test_wrong_usage_of_drift_is_one_line() -> None:
    """Neither a live target nor recordings: the line says what to give."""
    code, out, err = run(command_drift, "--model", MODEL, "--chip", "chip3")

    assert (code, out) == (2, "")
    assert err == "genstudio-mock: drift: nothing to compare with; say --base-url URL or --against DIR\n"
