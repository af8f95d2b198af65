"""Each fault as a raw socket sees it: on events, on bare JSON lines and on a whole body, said anew and replayed."""

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.pipeline.disturb import FAULT_TYPES
from mockserver.settings.config import Config
from mockserver.testing.mock_server import MockServer
from tests.session_helpers import asked, control

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mockserver.testing.session import Session

KINDS = {"sse": ("nvidia", True), "json-lines": ("chip3", True), "json": ("nvidia", False)}
"""Wire formats: a chip that sends it, and whether it streams."""
QUIET_SECONDS = 0.15
ASKED = "这句话没有 fixture"
TEXT = "你好😀\u2028" * 3


@dataclass
class Got:
    """What a client got.

    Attributes:
        status: 0 for no head.
        headers: By name in lower case.
        data: The body without its transfer coding.
        end: `whole`, `cut`, `reset`, `hang`, or `bad` for a transfer coding that is none.
    """

    status: int
    headers: dict[str, str]
    data: bytes
    end: str


def got(session: Session, kind: str, fault: str = "") -> Got:
    """Ask over a raw socket."""
    chip, stream = KINDS[kind]
    path = session.chip(chip).base_url.removeprefix(session.url) + "/chat/completions"
    body = json.dumps({"messages": [{"role": "user", "content": ASKED}], "stream": stream}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {session.api_key}\r\nconnection: close\r\n"
    )
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    head += f"x-mock-fault: {fault}\r\n" if fault else ""
    host, port = session.url.removeprefix("http://").split(":")
    raw, end = b"", "whole"
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        sock.sendall(head.encode() + b"\r\n" + body)
        if fault.startswith(("timeout", "stall")):
            sock.settimeout(QUIET_SECONDS)
        try:
            while part := sock.recv(65_536):
                raw += part
        except TimeoutError:
            end = "hang"
        except ConnectionResetError:
            end = "reset"
    return read(raw, end)


def read(raw: bytes, end: str) -> Got:
    """What the bytes are in HTTP."""
    if not raw:
        return Got(0, {}, b"", end)
    head, _, rest = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if "content-length" in headers:
        cut = len(rest) < int(headers["content-length"])
        return Got(int(first.split()[1]), headers, rest, "cut" if cut and end == "whole" else end)
    data = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        try:
            length = int(size, 16)
        except ValueError:
            return Got(int(first.split()[1]), headers, data, "bad")
        if length == 0:
            return Got(int(first.split()[1]), headers, data, end)
        data, rest = data + rest[:length], rest[length + 2 :]
    return Got(int(first.split()[1]), headers, data, "cut" if end == "whole" else end)


def same(_kind: str, good: Got, bad: Got) -> bool:
    """Nothing is lost or changed."""
    return (bad.status, bad.data, bad.end) == (200, good.data, "whole")


def spoilt(kind: str, good: Got, bad: Got) -> bool:
    """The body ends well, and one of its parts is no JSON any more."""
    parts = [bad.data] if kind == "json" else [one.removeprefix(b"data: ") for one in bad.data.split(b"\n") if one]
    wrong = 0
    for part in parts:
        try:
            json.loads(part)
        except ValueError:
            wrong += part != b"[DONE]"
    return wrong == 1 and bad.end == "whole" and len(bad.data) < len(good.data)


EFFECTS: dict[str, Callable[[str, Got, Got], bool]] = {
    "status;status=503": lambda _, __, bad: (bad.status, bad.end) == (503, "whole"),
    "rate_limit;rpm=0": lambda _, __, bad: (bad.status, bad.end) == (429, "whole"),
    "latency;ms=1": same,
    "first_token_delay;ms=1": same,
    "stall;after_frames=0;ms=1": same,
    "stall;after_frames=0": lambda _, __, bad: (bad.status, bad.data, bad.end) == (200, b"", "hang"),
    "cut;after_frames=0": lambda _, __, bad: (bad.status, bad.data, bad.end) == (200, b"", "cut"),
    "cut;after_bytes=10": lambda _, good, bad: (bad.data, bad.end) == (good.data[:10], "cut"),
    "cut;after_bytes=10;clean=true": lambda _, good, bad: (bad.data, bad.end) == (good.data[:10], "whole"),
    "limit_data;bytes=10": lambda _, good, bad: (bad.data, bad.end) == (good.data[:10], "cut"),
    "reset_peer": lambda _, __, bad: (bad.status, bad.end) == (0, "reset"),
    "timeout": lambda _, __, bad: (bad.status, bad.end) == (0, "hang"),
    "slicer;delay_ms=0": same,
    "bandwidth;bytes_per_s=1000000": same,
    "malformed_frame": spoilt,
    "malformed_frame;at_frame=999": spoilt,
    "truncated_json": spoilt,
    "truncated_json;at_frame=999": spoilt,
    "drop_done": lambda _, good, bad: (bad.data, bad.end) == (good.data.replace(b"data: [DONE]\n\n", b""), "whole"),
    "duplicate_frame;at_frame=0": lambda _, good, bad: bad.end == "whole" and _twice(good.data, bad.data),
    "reorder;at_frame=0": lambda kind, good, bad: (
        bad.end == "whole" and sorted(bad.data) == sorted(good.data) and (bad.data != good.data) is (kind != "json")
    ),
    "error_frame;after_frames=0": lambda _, __, bad: b'"server_error"' in bad.data and bad.end == "whole",
    "wrong_content_type": lambda _, good, bad: (bad.headers["content-type"], bad.data) == ("text/html", good.data),
    "bad_chunked_framing;at_frame=0": lambda _, __, bad: (bad.data, bad.end) == (b"", "bad"),
    "slow_close;ms=1": same,
    "empty_body": lambda _, __, bad: (bad.status, bad.data, bad.end) == (200, b"", "whole"),
    "drop_field;field=choices": lambda _, good, bad: b'"choices"' in good.data and b'"choices"' not in bad.data,
    "blocked_at;after_pieces=1": lambda _, __, bad: b'"blocked"' in bad.data and bad.end == "whole",
}


def _twice(good: bytes, bad: bytes) -> bool:
    """Whether what is sent begins again after its first part."""
    first = bad[: len(bad) - len(good)]
    return bool(first) and bad == first + good and good.startswith(first)


def test_every_fault_is_here() -> None:
    """A fault that is added is seen from a socket too."""
    assert {text.split(";")[0] for text in EFFECTS} == set(FAULT_TYPES)


@pytest.fixture(scope="module")
def replaying(mock: MockServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A mock that replays what another one has sent, to the byte."""
    folder = tmp_path_factory.mktemp("recordings")
    with mock.session() as session:
        for number, (chip, stream) in enumerate(KINDS.values(), 1):
            session.answer(TEXT)
            asked(session.chip(chip), ASKED, stream=stream)
            (folder / f"{number}.json").write_bytes(control(session, "GET", f"/exchanges/{number}/fixture").content)
    with MockServer(Config(port=0, fixtures=(folder,), replay="exact")) as other, other.session() as session:
        yield session


@pytest.mark.parametrize("fault", EFFECTS)
@pytest.mark.parametrize("kind", KINDS)
def test_on_what_is_scripted(session: Session, kind: str, fault: str) -> None:
    """The fault does what its name says to a scripted answer, and the head tells the seed."""
    session.answer(TEXT, times=None)
    good, bad = got(session, kind), got(session, kind, fault)

    assert EFFECTS[fault](kind, good, bad), bad
    assert (bad.status == 0) is ("x-mock-seed" not in bad.headers)


@pytest.mark.parametrize("fault", [fault for fault in EFFECTS if not fault.startswith("blocked_at")])
@pytest.mark.parametrize("kind", KINDS)
def test_on_a_recording(replaying: Session, kind: str, fault: str) -> None:
    """The same to a recording that is replayed to the byte; only the review judges what is said anew alone."""
    good, bad = got(replaying, kind), got(replaying, kind, fault)

    assert "你好" in good.data.decode()
    assert EFFECTS[fault](kind, good, bad), bad
    assert (bad.status == 0) is ("x-mock-seed" not in bad.headers)


WRITES = ("slicer;delay_ms=0", "bandwidth;bytes_per_s=1000000")


@pytest.mark.parametrize("fault", [fault for fault in EFFECTS if fault not in WRITES])
@pytest.mark.parametrize("kind", KINDS)
def test_beside_a_fault_of_writes(session: Session, kind: str, fault: str) -> None:
    """Whichever stands first, the network writes carry what the other fault has made of the answer."""
    session.answer(TEXT, times=None)
    good = got(session, kind)
    for pair in (f"{fault}, {WRITES[0]}", f"{WRITES[0]}, {fault}"):
        if fault == "timeout" or fault.startswith("stall;after_frames=0"):
            pair = f"stall;after_frames=99;ms=0, {pair}"  # noqa: PLW2901 - so that the reader does not wait long
        assert EFFECTS[fault](kind, good, got(session, kind, pair)), pair


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_repeats_an_exchange(session: Session, kind: str) -> None:
    """Sent back, the seed repeats whether a fault with a probability fires, and how a slicer cuts."""
    chip, stream = KINDS[kind]
    session = session.chip(chip)
    session.answer(TEXT, times=None)
    session.arm("status;status=503", probability=0.5)
    for _ in range(3):
        asked(session, stream=stream)
    first = [(one.status, one.seed) for one in session.exchanges()]
    session.disarm()
    session.arm("slicer;delay_ms=0")
    session.arm("status;status=503", probability=0.5)

    def again(seed: int) -> Any:
        with contextlib.suppress(OSError):
            asked(session, stream=stream, headers={"x-mock-seed": str(seed)})
        return session.last

    for status, seed in first:
        one, other = again(seed), again(seed)
        assert (one.seed, one.status) == (seed, status)
        assert [size for _, size in one.sends] == [size for _, size in other.sends]
    assert {status for status, _ in first} <= {200, 503}
