"""A recording holds all that a client reacts to: headers that steer it, and when the body ended."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.cli.scrubbing import scrubbing_of
from mockserver.core.errors import OperatorError
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.core.network_writes import as_writes, with_frames
from mockserver.files.exchange_file import Provenance, exchange_of, file_of, plan_of, read, written
from mockserver.files.kept_headers import STEERING, dropped, may_stand, names_to_keep, steers
from mockserver.files.secrets import Scrubbing
from mockserver.recording.formats import har
from mockserver.recording.formats.imported_exchange import Hints
from mockserver.recording.show import compared, time_line
from mockserver.sources.recordings import recording
from mockserver.sources.replay import exact_plan
from tests.command import ROOT, called
from tests.in_thread import WAIT_SECONDS, serving
from tests.recording_helpers import CHAT, SSE_HEAD, PlanApp, RawUpstream, ask, chat_body, chunked, posted, recording_of

if TYPE_CHECKING:
    from pathlib import Path

KEPT = [
    "Retry-After",
    "retry-after-ms",
    "x-should-retry",
    "X-Request-ID",
    "x-siliconcloud-trace-id",
    "x-tt-logid",
    "server",
    "x-ratelimit-remaining-tokens",
    "RateLimit",
    "x-rate-limit-reset",
    "anthropic-ratelimit-tokens-reset",
    "cf-ray",
    "openai-processing-ms",
    "x-envoy-upstream-service-time",
    "WWW-Authenticate",
]
NEVER = ["set-cookie", "Authorization", "openai-organization", "x-api-key", "x-session-id", "date", "Transfer-Encoding"]


@pytest.mark.parametrize("name", KEPT)
def test_headers_that_steer_clients_are_kept(name: str) -> None:
    """Retries, limits, ids, times and who answered: none holds a secret."""
    assert steers(name)
    assert may_stand(name)


@pytest.mark.parametrize("name", NEVER)
def test_headers_that_are_never_kept(name: str) -> None:
    """Not even where the operator asks for it; it is one line that says why."""
    assert not steers(name)
    with pytest.raises(OperatorError, match=f"--keep-header {name}: its name (tells of a secret|belongs to one conn)"):
        names_to_keep([name])


def test_each_pattern_is_told_in_the_page() -> None:
    """The allow list of the page is the code's."""
    page = (ROOT / "docs" / "recording.md").read_text("utf-8")

    assert [one for one in STEERING if f"`{one}`" not in page] == []


HEAD_503 = (
    b"HTTP/1.1 503 Service Unavailable\r\nx-should-retry: false\r\nRetry-After-Ms: 250\r\nX-Foo: bar\r\n"
    b"Set-Cookie: a=secret-value\r\nServer: gw/1.2\r\nDate: Sat, 28 Nov 2026 12:00:00 GMT\r\n"
    b'Content-Type: application/json\r\nContent-Length: 24\r\n\r\n{"error":{"message":""}}'
)


def test_a_503_that_forbids_retries_is_replayed_so(tmp_path: Path) -> None:
    """The head that steers a client comes back; what is dropped is told once."""
    with RawUpstream([HEAD_503]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        ask(proxy.port)
        ask(proxy.port)

    plan = plan_of(read(proxy.files[0]))
    names = [name for name, _ in plan.headers]
    assert names == [b"x-should-retry", b"Retry-After-Ms", b"Server", b"Content-Type", b"Content-Length"]
    told = "not kept: the headers x-foo, set-cookie; --keep-header NAME keeps one that holds no secret"
    assert [line for line in proxy.told if line.startswith("not kept")] == [told]


def test_a_limit_is_no_secret(tmp_path: Path) -> None:
    """`…-tokens` counts tokens of text: the figure is kept, in the header and wherever else it stands."""
    answer = b"HTTP/1.1 200 OK\r\nx-ratelimit-remaining-tokens: 149999\r\nContent-Length: 13\r\n\r\n" + b'{"n": 149999}'

    with RawUpstream([answer]) as upstream, recording_of(upstream.url, tmp_path) as proxy:
        ask(proxy.port)

    plan = plan_of(read(proxy.files[0]))
    assert (b"x-ratelimit-remaining-tokens", b"149999") in plan.headers
    assert b"".join(plan.frames) == b'{"n": 149999}'


def test_a_header_is_kept_where_it_is_asked_for(tmp_path: Path) -> None:
    """`--keep-header` adds to the list, the file can be read again, and `verify` notes it."""
    scrubbing = Scrubbing(keep_headers=names_to_keep(["X-Foo"]))

    with RawUpstream([HEAD_503]) as upstream, recording_of(upstream.url, tmp_path, scrubbing=scrubbing) as proxy:
        ask(proxy.port)

    assert (b"X-Foo", b"bar") in plan_of(read(proxy.files[0])).headers
    code, out, _ = called("fixtures", "verify", str(tmp_path))
    assert code == 0
    assert "note: holds headers that are kept only where they are asked for: x-foo" in out


def test_what_belongs_to_the_connection_is_no_loss() -> None:
    """Nobody is told of a date or a transfer coding."""
    assert dropped([(b"Date", b"x"), (b"Transfer-Encoding", b"chunked"), (b"Connection", b"close")]) == []


# --- when the body ended ------------------------------------------------------------------------------------------


def exchange(end_at_ms: float | None, ending: Ending = Ending.COMPLETE) -> Exchange:
    """A stream of two chunks that ended then."""
    body = json.dumps({"messages": [{"role": "user", "content": "when"}], "stream": True}).encode()
    plan = Plan(200, ((b"content-type", b"text/event-stream"),), (b"data: 1\n\n", b"data: [DONE]\n\n"), (10.0, 20.0),
                ending, 5.0, end_at_ms, joinable=False)  # fmt: skip
    return Exchange(Request("POST", CHAT, {}, body), plan, 2, 20.0, ending)


PROVENANCE = Provenance(recorded_at="", tool="", body_sha256="")


@pytest.mark.parametrize(
    ("end_at_ms", "kept"), [(None, None), (20.0, None), (20.0004, None), (15.0, None), (1820.5, 1820.5)]
)
def test_the_end_is_in_the_file_where_it_was_later(end_at_ms: float | None, kept: float | None) -> None:
    """An end that came with the last send needs no words."""
    file = file_of(exchange(end_at_ms), PROVENANCE)

    assert file.response.end_at_ms == kept
    assert ('"end_at_ms": 1820.5' in written(file)) == (kept is not None)
    assert not file.edited
    assert exchange_of(type(file).model_validate_json(written(file))).duration_ms == (kept or 20.0)


def test_the_end_follows_the_speed(tmp_path: Path) -> None:
    """Ten times as fast, and at once."""
    one = recording(tmp_path / "a.json", file_of(exchange(1820.0), PROVENANCE))
    assert one is not None

    assert [exact_plan(one, speed).end_at_ms for speed in (0, 1, 10)] == [None, 1820.0, 182.0]


def test_the_end_is_recorded(tmp_path: Path) -> None:
    """A service that holds the body open behind the done marker: the file tells how long."""
    gate = threading.Event()
    upstream = RawUpstream([SSE_HEAD, *chunked(b"data: [DONE]\n\n")], gate=gate)

    with upstream, recording_of(upstream.url, tmp_path) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_SECONDS) as client:
            client.sendall(posted(chat_body()))
            seen = b""
            while b"[DONE]" not in seen:
                seen += client.recv(65536)
            gate.set()
            while not seen.endswith(b"0\r\n\r\n"):
                seen += client.recv(65536)
        came = read(proxy.files[0]).response

    assert came.end_at_ms is not None
    assert came.end_at_ms > came.sends[-1].at_ms + 100


@pytest.mark.parametrize("ending", [Ending.COMPLETE, Ending.CUT])
def test_the_end_is_replayed(ending: Ending) -> None:
    """The last chunk comes at its time, the end of the body at its own."""
    plan = exchange(150.0, ending).plan
    assert plan is not None

    with serving(PlanApp(plan)) as served:
        began = time.perf_counter()
        seen = ask(served.port)

    assert time.perf_counter() - began >= 0.149
    assert seen.ending is ending
    assert seen.chunks == list(plan.frames)


def test_faults_move_the_end() -> None:
    """Other frames end with their last one; as network writes the last chunk comes at the end."""
    plan = exchange(150.0).plan
    assert plan is not None

    assert with_frames(plan, plan.frames[:1], [10.0]).end_at_ms is None
    assert as_writes(plan).at_ms == (5.0, 10.0, 20.0, 150.0)


def test_har_and_the_people_are_told_of_the_end() -> None:
    """It goes through a HAR, stands in the time line, and counts in a comparison."""
    file = file_of(exchange(1820.0), PROVENANCE)
    (back,) = har.read(har.write([file]), Hints())

    assert back.exchange.plan is not None
    assert back.exchange.plan.end_at_ms == 1820.0
    assert "    1820.0   +1800.0          ends" in list(time_line(file))
    other = file_of(exchange(None), PROVENANCE)
    assert compared(file, other) == ["timing: wait for the end 1800.0 ms / 0.0 ms"]


# --- validate is as strict as serve -------------------------------------------------------------------------------


def changed(change: Any) -> str:
    """The text of a good recording, changed."""
    document = json.loads(written(file_of(exchange(None), PROVENANCE)))
    change(document)
    return json.dumps(document)


BROKEN = {
    "a-response-alone": ('{"response": 5}', "request: missing"),
    "a-header-that-is-never-kept": (
        changed(lambda one: one["response"]["headers"].append(["Set-Cookie", "a"])),
        "response.headers: header 'Set-Cookie' is not kept in files",
    ),
    "times-that-fall": (
        changed(lambda one: one["response"]["sends"].reverse()),
        "response.sends: at_ms falls at send 1: 20.0 to 10.0",
    ),
    "an-unknown-key": (changed(lambda one: one["response"].update(stats=1)), "response.stats: unknown key; "),
    "no-number": (changed(lambda one: one["response"].update(end_at_ms="late")), "response.end_at_ms: 'late' is not"),
    "two-byte-order-marks": ("\ufeff\ufeff" + changed(lambda _: None), "not a JSON file"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_validate_finds_what_serve_does_not_start_with(text: str, message: str, tmp_path: Path) -> None:
    """The same line from both, and the same exit code where nothing else may answer in its place."""
    path = tmp_path / "d" / "x.json"
    path.parent.mkdir()
    path.write_text(text, "utf-8")

    code, out, _ = called("validate", str(path))
    served, _, err = called("serve", "--strict", "--fixtures", str(path.parent), "--port", "0")

    assert (code, served) == (2, 2)
    assert f"{path}: {message}" in out
    assert f"{path}: {message}" in err


def test_a_recording_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """As a fixture is: editors write the mark unasked."""
    path = tmp_path / "x.json"
    path.write_text("\ufeff" + changed(lambda _: None), "utf-8")

    assert called("validate", str(path))[0] == 0
    assert read(path).response.status == 200


def test_validate_takes_good_recordings(tmp_path: Path) -> None:
    """A chat is good; what is no chat is told, since no request gets it."""
    (tmp_path / "a.json").write_text(written(file_of(exchange(1820.0), PROVENANCE)), "utf-8")
    asked = replace(exchange(None), request=Request("POST", "/elsewhere", {}, b"{}"))
    (tmp_path / "b.json").write_text(written(file_of(asked, PROVENANCE)), "utf-8")

    code, out, _ = called("validate", str(tmp_path))

    assert code == 0
    assert "b.json: its request is no chat, so no request gets it" in out
    assert "2 files, 0 wrong" in out


def test_scrubbing_takes_the_flag() -> None:
    """Names are compared in lower case."""

    class Flags:
        scrub_field: tuple[str, ...] = ()
        scrub_pattern: tuple[str, ...] = ()
        keep_header = ("X-Foo",)

    assert scrubbing_of(Flags()) == Scrubbing(keep_headers=frozenset({"x-foo"}))  # type: ignore[arg-type]
