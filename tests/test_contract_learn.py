"""A profile is learnt from what a target does, and the mock under it does the same."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.cli import learn as learn_command
from mockserver.contract import learn, library
from mockserver.contract.clauses.dialect import alike
from mockserver.contract.clauses.wire_form import WIRE_CHECKS
from mockserver.contract.library import Target
from mockserver.contract.result import Budget
from mockserver.core.data import shipped
from mockserver.core.exchange import Exchange, Plan, Request
from mockserver.files.exchange_file import read
from mockserver.profile import quirks
from mockserver.profile.edition import load_edition
from tests.conftest import EDITIONS
from tests.contract_live import serving, serving_with
from tests.learning import MODEL, TUTORIAL, OtherServer, ask, few, quirk_sets, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("chip", ["nvidia", "chip3"])
def test_learning_from_the_mock_gives_its_own_profile_back(chip: str, tmp_path: Path) -> None:
    """What is learnt of a shipped chip makes the same bytes as its shipped profile."""
    with serving(TUTORIAL) as url:
        code, out, _ = run(
            learn_command, "--base-url", url, "--model", MODEL, "--chip", chip, "--output", str(tmp_path)
        )

    assert code == 0, out
    again = load_edition("2024-tutorial", [tmp_path, shipped("profiles")]).chips[chip]
    assert alike(again.wire, TUTORIAL.chips[chip].wire)
    assert "checked: the mock with this profile keeps its contract" in out


def test_another_server_is_learnt_and_then_holds(tmp_path: Path) -> None:
    """A server that is not ours breaks the edition's clauses; under its learnt profile no wire clause is broken."""
    words = ["--model", MODEL, "--chip", "other", "--path-template", "/v1/chat/completions"]
    with serving_with(OtherServer) as url:
        code, out, _ = run(learn_command, "--base-url", url, *words, "--output", str(tmp_path))
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
    with serving(TUTORIAL) as url:
        run(learn_command, "--base-url", url, "--model", MODEL, "--chip", "chip3", "--output", str(tmp_path))

    text = (tmp_path / "2024-tutorial" / "chip3.toml").read_text()
    file = tomllib.loads(text)
    sources = {quirk["name"]: quirk["source"] for quirk in file["quirks"]}
    assert re.fullmatch(
        r"chip3-probes/02-single-turn-streamed\.json, 20..-..-..; 16 of 16 exchanges show it, confidence 94%",
        sources["json-lines"],
    )
    proof = read(tmp_path / "2024-tutorial" / sources["json-lines"].partition(",")[0])
    assert proof.provenance.origin == "learn"
    assert proof.request.path == f"/maas/{MODEL}/chip3/chat/completions"
    assert "# these follow from them, and change no byte more: no-done, type-json\n" in text
    assert "TTFT p50" in file["latency"]["source"]
    assert "ITL p50" in file["latency"]["source"]


def test_learning_is_taken_up_again(tmp_path: Path) -> None:
    """A run that stopped midway keeps its answers, and the next one sends only what is left; a finished one is asked
    anew, and so is what was asked otherwise.
    """  # noqa: D205 - one sentence
    words = ["--model", MODEL, "--chip", "nvidia", "--output", str(tmp_path)]
    with serving(TUTORIAL) as url:
        _, _, first = run(learn_command, "--base-url", url, *words, "--requests", "4")
        _, _, second = run(learn_command, "--base-url", url, *words, "--tokens", "9000")
        _, _, third = run(learn_command, "--base-url", url, *words, "--tokens", "9000")
        next(tmp_path.rglob("05-*.json")).unlink()
        _, _, fourth = run(learn_command, "--base-url", url, *words, "--tokens", "9000", "--model", "qwen1.5-72b-chat")

    assert "23 probes left out: the budget does not reach; run it again\n" in first
    assert second.count("kept from") == 4
    assert "left out" not in second
    assert third.count("kept from") == 0
    assert fourth.count("kept from") == 0


def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    """The probes are printed, about thirty of them, and nothing is written."""
    code, out, _ = run(learn_command, "--base-url", "http://127.0.0.1:9", "--model", MODEL, "--chip", "chip3",
                       "--output", str(tmp_path), "--dry-run")  # fmt: skip

    assert code == 0
    assert 25 <= len(out.splitlines()) <= 35
    assert out.splitlines()[-1].endswith("probes, none sent; at most 60 requests are allowed")
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_answers_nothing_is_no_profile(tmp_path: Path) -> None:
    """Refusals alone teach nothing, and no profile is written."""
    with serving(TUTORIAL) as url:
        code, _, err = run(learn_command, "--base-url", url, "--model", "no-such", "--chip", "chip3", "--output",
                           str(tmp_path), "--path-template", "/nowhere")  # fmt: skip

    assert code == 3
    assert "does not serve /nowhere (status 404" in err
    assert not list(tmp_path.rglob("*.toml"))


def test_latency_is_measured_from_the_pieces() -> None:
    """Time to first token and between tokens are the medians of what came."""
    body = [b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'] * 4
    plan = Plan(200, ((b"content-type", b"text/event-stream"),), body, [100.0, 110.0, 120.0, 150.0])
    exchange = Exchange(Request("POST", "/", {}, b'{"stream": true}'), plan, frames_sent=4)

    latency = learn.latency_of([exchange], "2026-11-22")

    assert (latency.first_token_ms, latency.inter_token_ms) == (100.0, 10.0)
    assert latency.source == (
        "1 stream, 2026-11-22: TTFT p50 100.0, p90 100.0, p99 100.0 ms; ITL p50 10.0, p90 26.0, p99 29.6 ms"
    )


def sent(exchanges: dict[str, Exchange]) -> dict[str, tuple[object, list[bytes]]]:
    """Headers and bytes of exchanges."""
    return {n: (one.plan.headers, list(one.plan.frames)) for n, one in exchanges.items() if one.plan is not None}


@few
@given(st.sampled_from(EDITIONS), quirk_sets)
def test_what_is_learnt_of_any_quirks_makes_the_same_bytes(name: str, names: list[str]) -> None:
    """Whatever quirks a chip has, the mock with the learnt profile sends what it sends, and learns the same again."""
    edition = library.edition_of(name)
    unknown = learn.blank(edition, "new")
    chip = replace(unknown, wire=reduce(quirks.changed, names, unknown.wire))
    seen = ask(edition, chip)
    found = learn.learned(edition, MODEL, "new", seen, "2026-11-22").file
    wire = reduce(quirks.changed, (claim.name for claim in found.quirks), unknown.wire)
    again = ask(edition, replace(unknown, wire=wire))

    assert sent(again) == sent(seen)
    assert learn.learned(edition, MODEL, "new", again, "2026-11-22").file.quirks == found.quirks


@pytest.mark.parametrize("name", EDITIONS)
def test_every_shipped_chip_is_learnt_back(name: str) -> None:
    """Of each chip of both editions the learnt profile makes the same bytes as the shipped one."""
    edition = library.edition_of(name)
    base = learn.blank(edition, "x").wire
    for chip in edition.chips.values():
        found = learn.learned(edition, MODEL, chip.name, ask(edition, chip), "2026-11-22")
        wire = reduce(quirks.changed, (claim.name for claim in found.file.quirks), base)
        declared = {quirk.name for quirk in quirks.deviations(chip.wire)} - {q.name for q in quirks.deviations(base)}

        assert alike(wire, chip.wire), chip.name
        assert declared == {claim.name for claim in found.file.quirks} | set(found.implied), chip.name
        assert found.notes == (), chip.name


@pytest.mark.parametrize("chip", ["nvidia", "chip3"])
@pytest.mark.parametrize("name", [name for name in quirks.QUIRKS if name.startswith(("usage", "blocked", "finish"))])
def test_a_mock_with_any_quirk_of_the_end_keeps_its_contract(name: str, chip: str) -> None:
    """How usage, finish and review are written is a chip's own: no clause breaks on what a profile declares."""
    base = TUTORIAL.chips[chip]

    assert learn.rehearse(TUTORIAL, replace(base, wire=quirks.changed(base.wire, name)), MODEL).findings == []


def test_what_a_server_says_cannot_break_the_file() -> None:
    """A field whose name holds line ends and control characters stays on its line, in the file and on a terminal."""
    edition = library.edition_of("2024-tutorial")
    chip = edition.chips["nvidia"]
    evil = "\n[latency]\n\x1b[31m\u2028"

    def spoilt(exchange: Exchange) -> Exchange:
        assert exchange.plan is not None
        changed = [
            frame.replace(b'"model": "', b'"model": ' + json.dumps(evil).encode()[:-1])
            for frame in exchange.plan.frames
        ]
        return replace(exchange, plan=replace(exchange.plan, frames=changed))

    seen = {name: spoilt(one) for name, one in ask(edition, chip).items()}
    found = learn.learned(edition, MODEL, "nvidia", seen, "2026-11-22")
    text = learn.text_of(found.file, found.notes)

    assert any("model-echo" in note for note in found.notes)
    assert all(note.isprintable() for note in found.notes)
    assert tomllib.loads(text)["summary"] == found.file.summary
    assert tomllib.loads(text)["latency"]["source"] == found.file.latency.source
