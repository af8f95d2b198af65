"""Servers that others wrote are learnt: what is written is what they send, and the mock then cannot be told apart."""

from __future__ import annotations

import http.client
import json
import re
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest

from mockserver.cli import drift as drift_command
from mockserver.cli import learn as learn_command
from mockserver.contract import library
from mockserver.contract.clauses.clause import Outcome
from mockserver.contract.clauses.wire_form import WIRE_CHECKS
from mockserver.contract.library import Target
from mockserver.contract.result import Budget
from mockserver.core.data import shipped
from mockserver.profile.edition import load_edition
from tests.contract_live import serving
from tests.learning import MODEL, run
from tests.stand_ins import PATH, standing_in

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.contract.result import Result

EVERYWHERE = {"no-trace-header", "no-request-id", "body-compact"}
"""What tells all of them from the service."""

CAPTURED = 0.95
"""The least share of exchanges that have the same form under what was learnt; `make contract-score` measures it."""


class Learnt(NamedTuple):
    """What is learnt of one server.

    Attributes:
        quirks: Names of its quirks, less those of `EVERYWHERE`.
        held: What its streams hold, looked for in the raw bytes.
        absent: What they do not hold.
        unnamed: Wire clauses of which it shows what no quirk is named for.
    """

    quirks: set[str]
    held: set[bytes]
    absent: set[bytes]
    unnamed: set[str]


SERVERS = {
    "llmock": Learnt(
        {
            "usage-on-request", "usage-null", "usage-chunk", "role-with-content", "logprobs-null-in-stream",
            "json-compact", "ascii-escapes", "body-utf8-text", "usage-total-last", "id-form=chatcmpl-{hex:24}",
            "extra-key=chunk.system_fingerprint:null", "extra-key=message.tool_calls:null",
            "extra-key=message.refusal:null",
            "key-order=chunk:id+object+created+model+system_fingerprint+choices+usage",
        },
        {b'{"role":"assistant","content":""},"logprobs":null', b'"choices":[],"usage":{', b"\ndata: [DONE]\n"},
        {b'": ', b", ", b"\xe4"},
        set(),
    ),
    "mockllm": Learnt(
        {
            "usage-never", "usage-total-last", "role-null", "role-with-null", "json-compact", "chunk-id=own",
            "id-form=mock-{uuid}", "finish-delta-null", "key-order=choice:delta+index+finish_reason",
        },
        {b'"delta":{"role":"assistant","content":null}', b'"delta":{"role":null,"content":"', b"\xe6\x88\x91"},
        {b"usage"},
        set(),
    ),
    "mock-llm": Learnt(
        {
            "type-event-stream", "created-never", "usage-never", "role-merged", "finish-merged", "one-chunk",
            "json-compact", "id-form=chatcmpl-{digits:13}", "fixed-key=body.created:absent",
            "fixed-key=body.usage:absent", "fixed-key=body-choice.index:absent", "key-order=delta:content+role",
        },
        {b'"role":"assistant"},"finish_reason":"stop"}]}\n\ndata: [DONE]'},
        {b"created", b"usage"},
        set(),
    ),
}  # fmt: skip


def raw_stream(url: str) -> bytes:
    """A whole streamed answer with usage asked for, as it comes."""
    body = {
        "model": MODEL, "messages": [{"role": "user", "content": "介绍 yourself"}], "stream": True,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    parts = urlsplit(url)
    headers = {"content-type": "application/json", "authorization": "Bearer sk-test"}
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)) as connection:
        connection.request("POST", PATH, json.dumps(body), headers)
        return connection.getresponse().read()


def broken_on_the_wire(result: Result) -> set[str]:
    """Wire clauses that are broken."""
    return {check.id for check in WIRE_CHECKS if result.outcome(check.id) is Outcome.BROKEN}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_of_another_maker_is_learnt(name: str, tmp_path: Path) -> None:
    """Within its budget learn writes the quirks that the raw bytes show; no clause of the wire then tells the server
    from the mock with that profile, and drift has no more to patch there; of refusals it asks more than learn did.
    """  # noqa: D205 - one sentence
    due = SERVERS[name]
    there = ["--model", MODEL, "--chip", name, "--path-template", PATH]
    (tmp_path / "server").mkdir()
    with standing_in(name, tmp_path / "server") as url:
        raw = raw_stream(url)
        code, out, err = run(learn_command, "--base-url", url, *there, "--output", str(tmp_path))
        edition = load_edition("2024-tutorial", [tmp_path, shipped("profiles")])
        target = Target(url, MODEL, name, edition, path_template=PATH)
        theirs = library.check(target, budget=Budget(requests=40))
        drifted = run(drift_command, "--base-url", url, *there, "--profiles", str(tmp_path), "--report", "json")
    with serving(edition) as url:
        ours = library.check(Target(url, MODEL, name, edition), budget=Budget(requests=40))

    assert code == 0, out
    assert re.search(r"probes? left out", err) is None
    same = re.search(r"(\d+) of (\d+) exchanges have the same form", out)
    assert same is not None
    assert int(same[1]) >= CAPTURED * int(same[2]), out
    learnt = {claim.name for claim in edition.chips[name].claims if claim.claim == "observed"}
    assert learnt >= EVERYWHERE
    assert learnt - EVERYWHERE - {claim.name for claim in edition.file.quirks} == due.quirks
    assert [one for one in due.held if one not in raw] + [one for one in due.absent if one in raw] == []
    assert broken_on_the_wire(theirs) == due.unnamed
    assert all(f"note: {one.partition('-')[2].replace('-', '_')}: " in out for one in due.unnamed)
    assert [one.evidence for one in ours.broken] == []
    assert f"{name}.toml" not in json.loads(drifted[1])[0]["patch"]
