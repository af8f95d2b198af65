"""Drifts of every kind: each is told by name, and where data can say it, the patch makes the mock say the same."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.cli import drift as drift_command
from mockserver.core.data import shipped
from tests.conftest import load
from tests.contract_live import serving
from tests.learning import run
from tests.mutants import (
    Mutant,
    Response,
    answered,
    asking,
    at,
    body,
    header,
    plain,
    refused,
    status,
    streamed,
    swapped,
    text,
    where,
)
from tests.mutating_proxy import between

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from mockserver.core.exchange import Request
    from mockserver.profile.edition import Edition

REFERENCE = load("2025-reference")
MODEL = "qwen3-8b"
BOM = b"\xef\xbb\xbf"
EDITION, CHIP, NOTHING = "edition.toml", "nvidia.toml", ""


@dataclass(frozen=True)
class Drift:
    """What the live service does otherwise.

    Attributes:
        row: The beginning of the line that tells it.
        patch: The file that the patch is to; empty where no data can say it.
        change: What a proxy does to each response.
        ask: What it does to each request.
        edition: The service's own edition.
        counts: Whether it is drift, with exit code 1.
    """

    row: str
    patch: str
    change: Callable[[Response], Response] = lambda response: response
    ask: Callable[[Request], Request] = lambda request: request
    edition: Edition = REFERENCE
    counts: bool = True


def gateway(data: bytes) -> bytes:
    """A refusal of the upstream's family as one of the gateway's."""
    error = json.loads(data)["error"]
    return json.dumps({"code": int(error["code"]), "msg": error["message"]}).encode()


def detail(data: bytes) -> bytes:
    """A refusal as another server words it."""
    found = json.loads(data)
    return json.dumps({"detail": found["error"]["message"] if "error" in found else found["msg"]}).encode()


def stopped(reason: Any) -> Any:
    """`length` is said as `stop`."""
    return "stop" if reason == "length" else reason


def clamped(one: dict[str, Any]) -> None:
    """A temperature out of its range is moved into it."""
    if isinstance(one.get("temperature"), int):
        one["temperature"] = min(max(one["temperature"], 0), 2)


def with_request(**changes: Any) -> Edition:
    """The edition with other rules for requests."""
    request = replace(REFERENCE.file.request, **changes)
    return replace(REFERENCE, file=replace(REFERENCE.file, request=request))


def with_words(kind: str, **changes: Any) -> Edition:
    """The edition with another error row."""
    errors = {**REFERENCE.file.errors, kind: replace(REFERENCE.file.errors[kind], **changes)}
    return replace(REFERENCE, file=replace(REFERENCE.file, errors=errors))


def of(status_due: int, change: Callable[[Response], Response]) -> Callable[[Response], Response]:
    """Change the responses of one status."""
    return where(lambda response: response.status == status_due, change)


DRIFTS: Mapping[str, Drift] = {
    "the code of a 401": Drift("body of a 401", EDITION, of(401, text('"code":60000', '"code":60001'))),
    "the documents' words of a 401": Drift("body of a 401", EDITION, of(401, text("Wrong Bearer", "Bad Bearer"))),
    "all 400 in the other family": Drift("body of a 400", EDITION, of(400, body(gateway))),
    "all refusals as another server words them": Drift("body of a 400", EDITION, where(refused, body(detail))),
    "400 is 422": Drift("status: not JSON at all, and 25 more  400", EDITION, status(400, 422)),
    "a 404 is a page": Drift(
        "body of a 404", EDITION, of(404, lambda r: header("content-type", "text/html")(body(lambda _: b"<p>no")(r)))
    ),
    "a byte order mark before refusals": Drift("body of a 401", EDITION, where(refused, body(lambda d: BOM + d))),
    "refusals announced as text": Drift(
        "content-type of a 401", EDITION, where(refused, header("content-type", "text/plain"))
    ),
    "the trace header is gone": Drift("head-trace-header", CHIP, header("traceresponse", None)),
    "the trace header is gone on errors": Drift(
        "header traceresponse of a 401", EDITION, where(refused, header("traceresponse", None))
    ),
    "a header more": Drift("header x-gateway of an answer", EDITION, header("x-gateway", "one"), counts=False),
    "the type of a body": Drift(
        "content-type of an answer", EDITION, where(plain, header("content-type", "application/json; charset=utf-8"))
    ),
    "the model in capitals": Drift("chunk-model-echo", CHIP, where(answered, at("model", lambda m: m and m.upper()))),
    "the model with its maker": Drift("chunk-model-echo", CHIP, where(answered, at("model", lambda m: m and f"x/{m}"))),
    "a byte order mark before streams": Drift("frame-bom", CHIP, where(streamed, body(lambda d: BOM + d))),
    "a byte order mark before bodies": Drift("readable", NOTHING, where(plain, body(lambda d: BOM + d))),
    "other orders of keys in chunks": Drift("keys of the object", CHIP, where(streamed, swapped("id", "object"))),
    "other orders of keys in a message": Drift(
        "keys of choices[].message", CHIP, where(plain, swapped("role", "content"))
    ),
    "length is stop": Drift(
        "finish_reason at the limit", CHIP, where(answered, at("choices.0.finish_reason", stopped))
    ),
    "a temperature of 99 is let in": Drift("status: temperature: 3", EDITION, ask=asking(clamped)),
    "no key is let in": Drift("status: no key", EDITION, edition=with_request(lets_in=("missing-key",))),
    "a robot is let in": Drift("status: unknown role", EDITION, edition=with_request(lets_in=("unknown-role",))),
    "stop strings are not kept": Drift("stop-kept", EDITION, edition=with_request(not_kept=("stop",))),
    "limits are not kept": Drift(
        "limit-kept", EDITION, edition=with_request(not_kept=("max_tokens", "max_completion_tokens"))
    ),
    "another code of an edition's row": Drift(
        "body of a 404", EDITION, edition=with_words("unknown-model", code=40499, claim="observed")
    ),
}  # fmt: skip


@contextmanager
def live(drift: Drift) -> Iterator[str]:
    """The service that drifted; yields its base URL."""
    mutant = Mutant("", "", counts=drift.counts, change=drift.change, ask=drift.ask)
    with serving(drift.edition) as mock, between(mock, mutant) as url:
        yield url


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the profiles below the current directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(shipped("profiles") / REFERENCE.name, tmp_path / "profiles" / REFERENCE.name)
    return tmp_path / "profiles" / REFERENCE.name


def drift_of(url: str, *words: str) -> tuple[int, list[str], str]:
    """What the command says: its exit code, its rows, and its patch."""
    target = ["--base-url", url, "--model", MODEL, "--chip", "nvidia", "--edition", REFERENCE.name]
    code, out, err = run(drift_command, *target, "--profiles", "profiles", "--quiet", "--patch", "drift.patch", *words)
    assert err == ""
    lines = out.splitlines()
    end = next((number for number, line in enumerate(lines) if line.startswith("--- a/")), len(lines))
    return code, lines[:end], "\n".join(lines[end:])


def counting(rows: list[str]) -> list[str]:
    """The rows of what is drift."""
    return [row for row in rows if row.endswith((" must", " should"))]


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)
def test_a_drift_is_told_and_its_patch_ends_it(drift: Drift, profiles: Path) -> None:
    """The row names it; with the patch applied, the same service has no drift and there is no patch more."""
    with live(drift) as url:
        code, rows, patch = drift_of(url)
        assert any(row.startswith(drift.row) for row in rows), rows
        assert code == int(drift.counts), rows
        touched = [line.rpartition("/")[2] for line in patch.splitlines() if line.startswith("+++ ")]
        if not drift.patch:
            assert touched == []
            return
        assert touched == [drift.patch]
        subprocess.run(["patch", "-p1", "-i", "drift.patch"], check=True, capture_output=True)
        again = drift_of(url)

    assert again[0] == 0, again[1]
    assert counting(again[1]) == []
    assert again[2] == ""
    assert not list(profiles.glob("*.orig"))


def test_a_patch_says_no_more_than_what_changed(profiles: Path) -> None:
    """Another code changes the code, its claim and its source in the rows that have it, and no other line."""
    with live(DRIFTS["the code of a 401"]) as url:
        _, _, patch = drift_of(url)

    gone = {line.partition(" = ")[0] for line in patch.splitlines() if line[:1] == "-" and line[:3] != "---"}
    assert profiles.is_dir()
    assert gone == {"-code", "-source"}
    assert patch.count("+code = 60001") == 2


def test_a_service_that_refuses_again_what_the_edition_lets_in(profiles: Path) -> None:
    """What an edition lets in is asked too, and the patch takes it back."""
    path = profiles / "edition.toml"
    path.write_text(
        path.read_text("utf-8").replace("[request]\n", '[request]\nlets_in = ["missing-key"]\n', 1), "utf-8"
    )
    with serving(REFERENCE) as url:
        code, rows, _ = drift_of(url)
        subprocess.run(["patch", "-p1", "-i", "drift.patch"], check=True, capture_output=True)
        again = drift_of(url)

    assert (code, counting(rows)) == (1, [row for row in rows if row.startswith("status: no key  200")])
    assert (again[0], again[2]) == (0, "")


def test_other_words_of_nobodys_document_are_no_drift(profiles: Path) -> None:
    """A service words its refusals as it likes, where no document has the words."""
    change = of(400, body(lambda data: data.replace(b'"message":"', b'"message":"Dear customer, ')))
    with live(Drift("", "", change)) as url:
        code, rows, patch = drift_of(url)

    assert (profiles.is_dir(), code, counting(rows), patch) == (True, 0, [], "")


@pytest.mark.parametrize(
    ("requests", "note"),
    [
        (40, ", among them the ranges of "),
        (60, "; every documented range was tried"),
        (200, ""),
    ],
)
def test_every_documented_range_is_tried_or_named(requests: int, note: str, profiles: Path) -> None:
    """What the budget does not reach is said, and which ranges are among it; with enough of it, nothing is left."""
    with serving(REFERENCE) as url:
        _, rows, _ = drift_of(url, "--requests", str(requests), "--tokens", "100000")

    told = [row for row in rows if row.startswith("nvidia: note: the budget does not reach ")]
    assert profiles.is_dir()
    assert [note in row for row in told] == ([True] if note else [])


def test_one_patch_to_the_edition_for_all_chips(profiles: Path) -> None:
    """Several chips have one edition's file: what is refused otherwise is changed once."""
    with live(DRIFTS["the code of a 401"]) as url:
        _, _, patch = drift_of(url, "--chip", "nvidia,chip3")
        subprocess.run(["patch", "-p1", "-i", "drift.patch"], check=True, capture_output=True)
        again = drift_of(url, "--chip", "nvidia,chip3")

    assert profiles.is_dir()
    assert patch.count("+++ b/profiles/2025-reference/edition.toml") == 1
    assert (again[0], again[2]) == (0, "")
