"""Each fault as a raw socket sees it and as the OpenAI SDK takes it: the tables of README and docs/faults.md.

`python -m tests.fault_table` observes all of them and writes the tables anew; tests/test_fault_table.py holds them.
"""

from __future__ import annotations

import json
import re
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import openai

from mockserver.testing.mock_server import MockServer
from tests.snippets import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAULTS: Final = (
    "status;status=503",
    "rate_limit;rpm=0",
    "latency;ms=50",
    "first_token_delay;ms=50",
    "stall;after_frames=4",
    "cut;after_frames=4",
    "cut;after_frames=4;clean=true",
    "reset_peer",
    "limit_data;bytes=300",
    "timeout",
    "slicer",
    "bandwidth;bytes_per_s=100000",
    "malformed_frame",
    "truncated_json",
    "drop_done",
    "duplicate_frame",
    "reorder",
    "error_frame",
    "wrong_content_type",
    "bad_chunked_framing",
    "slow_close;ms=50",
    "empty_body",
    "drop_field;field=choices",
    "blocked_at;after_pieces=3",
)
"""What is observed, in the order of the table of faults."""
EVENTS_CHIP: Final = "nvidia"
LINES_CHIP: Final = "chip3"
QUESTION: Final = "你是谁?"
HANGS: Final = ("stall", "timeout")
PATIENCE_S: Final = 1.5
"""How long a fault that hangs is waited for; nothing else is bounded so closely."""
LONG_S: Final = 30.0
WORKERS: Final = 8
TABLES: Final = {
    ROOT / "README.md": ("armed", "SDK, stream", "SDK, whole"),
    ROOT / "docs" / "faults.md": (
        "armed",
        "wire, stream",
        "SDK, stream",
        "SDK, chip3 stream",
        "wire, whole",
        "SDK, whole",
    ),
}
"""The documents and the headings of their tables."""


@dataclass(frozen=True)
class Asked:
    """One question to the mock, for which a fault is armed."""

    base_url: str
    fault: str
    stream: bool

    @property
    def headers(self) -> dict[str, str]:
        """The fault and what its dice are thrown with."""
        return {"X-Mock-Fault": self.fault, "X-Mock-Seed": "0"} if self.fault else {}

    @property
    def patience_s(self) -> float:
        """How long to wait for the next bytes."""
        return PATIENCE_S if self.fault.startswith(HANGS) else LONG_S


# --- a raw socket ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heard:
    """What a raw socket heard of an answer.

    Attributes:
        status: Of the status line; empty where none came.
        body: What of the body could be read, without the chunked coding.
        ended: How the body or the connection ended.
    """

    status: str
    body: bytes
    ended: str


@cache
def heard(asked: Asked) -> Heard:
    """Ask over a socket of our own, and read what comes as RFC 9112 says."""
    parts = urlsplit(asked.base_url)
    data = json.dumps({"messages": [{"role": "user", "content": QUESTION}], "stream": asked.stream}).encode()
    headers = {
        "Host": parts.netloc,
        "Authorization": "Bearer any-key",
        "Content-Type": "application/json",
        "Content-Length": str(len(data)),
        **asked.headers,
    }
    lines = [f"POST {parts.path}/chat/completions HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    came, body, ended = b"", b"", ""
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=asked.patience_s) as wire:
        wire.sendall("\r\n".join([*lines, "", ""]).encode() + data)
        while not ended:
            try:
                part = wire.recv(65536)
            except TimeoutError:
                ended = "then silence"
            except ConnectionResetError:
                ended = "reset (RST)"
            else:
                came += part
                body, ended = body_of(came)
                ended = ended or ("" if part else "closed too early")
    return Heard(came[9:12].decode(), body, ended)


def body_of(came: bytes) -> tuple[bytes, str]:
    """What of the body has come, and how it ended: `complete`, `broken chunk`, or nothing while it goes on."""
    head, separator, rest = came.partition(b"\r\n\r\n")
    if not separator:
        return b"", ""
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    if length is not None:
        return rest, "complete" if len(rest) >= int(length[1]) else ""
    body = b""
    while b"\r\n" in rest:
        line, _, rest = rest.partition(b"\r\n")
        try:
            size = int(line, 16)
        except ValueError:
            return body, "broken chunk"
        if size == 0:
            return body, "complete"
        body, rest = body + rest[:size], rest[size + 2 :]
    return body, ""


def wire(asked: Asked) -> str:
    """What a raw socket heard, in words."""
    got, whole = heard(asked), heard(replace(asked, fault=""))
    if not got.status:
        return got.ended.removeprefix("then ")
    size = f"{len(got.body)} bytes"
    if got.status == whole.status and len(got.body) != len(whole.body):
        size = f"{len(got.body)} of {len(whole.body)} bytes"
    return f"{got.status}, {size}, {got.ended}"


# --- the SDK --------------------------------------------------------------------------------------------------------


@dataclass
class Taken:
    """What an application got from the SDK: the pieces of text that it could show, and what was raised."""

    pieces: list[str]
    raised: BaseException | None = None


@cache
def taken(asked: Asked) -> Taken:
    """Ask with the SDK as applications do."""
    question: Any = {"model": "", "messages": [{"role": "user", "content": QUESTION}], "extra_headers": asked.headers}
    taken = Taken([])
    with openai.OpenAI(base_url=asked.base_url, api_key="any-key", max_retries=0, timeout=asked.patience_s) as client:
        try:
            if asked.stream:
                for chunk in client.chat.completions.create(**question, stream=True):
                    piece = chunk.choices[0].delta.content
                    if piece:
                        taken.pieces.append(piece)
            else:
                whole = client.chat.completions.create(**question)
                taken.pieces.append(whole.choices[0].message.content or "")
        except Exception as error:  # noqa: BLE001 - whatever it is, the table names it
            taken.raised = error
    return taken


def sdk(asked: Asked) -> str:
    """What the SDK makes of an answer, in words."""
    got, whole = taken(asked), taken(replace(asked, fault="", base_url=asked.base_url.replace(LINES_CHIP, EVENTS_CHIP)))
    shown, said = "".join(got.pieces), "".join(whole.pieces)
    unit = "pieces" if asked.stream else "characters"
    have, all_of_it = (len(got.pieces), len(whole.pieces)) if asked.stream else (len(shown), len(said))
    if got.raised is not None:
        first = f"{have} of {all_of_it} {unit}, then " if shown else ""
        return f"{first}{named(got.raised)}"
    if shown == said:
        return f"all {all_of_it} {unit}"
    if not shown:
        return "**silent empty**"
    if said.startswith(shown):
        return f"**silently short: {have} of {all_of_it} {unit}**"
    return f"**silently wrong: {have} {unit} for {all_of_it}**" if have != all_of_it else "**silently wrong order**"


def named(error: BaseException) -> str:
    """An exception, and whose it is where it is not the SDK's own."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    ours = trace is not None and trace.tb_frame.f_code.co_filename == __file__
    name = f"`{type(error).__name__}`"
    if isinstance(error, openai.OpenAIError):
        return name
    return f"{name} in the caller's `choices[0]`" if ours else f"{name}, which is no `OpenAIError`"


# --- the tables -----------------------------------------------------------------------------------------------------

CELLS: Final[dict[str, tuple[Callable[[Asked], str], str, bool]]] = {
    "wire, stream": (wire, EVENTS_CHIP, True),
    "SDK, stream": (sdk, EVENTS_CHIP, True),
    "SDK, chip3 stream": (sdk, LINES_CHIP, True),
    "wire, whole": (wire, EVENTS_CHIP, False),
    "SDK, whole": (sdk, EVENTS_CHIP, False),
}
"""How each column is observed: by whom, on which chip, streamed or not."""


def observed() -> dict[str, dict[str, str]]:
    """All cells by fault and heading; several at a time, since most of the time is the waiting for hangs."""
    with MockServer() as mock, ThreadPoolExecutor(WORKERS) as pool:
        found = {
            (fault, heading): pool.submit(look, Asked(mock.base_url(chip=chip), fault, stream))
            for fault in FAULTS
            for heading, (look, chip, stream) in CELLS.items()
        }
        rows: dict[str, dict[str, str]] = {}
        for (fault, heading), cell in found.items():
            rows.setdefault(fault, {"armed": f"`{fault}`"})[heading] = cell.result()
    return rows


def write(document: Path, rows: dict[str, dict[str, str]]) -> None:
    """Put the table into a document in the place of the one that stands there."""
    headings = TABLES[document]
    lines = [headings, ("---",) * len(headings), *([row[heading] for heading in headings] for row in rows.values())]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    old = re.compile(rf"^\| {headings[0]} \|.*\n(\|.*\n)*", re.MULTILINE)
    text, found = old.subn(lambda _: table, document.read_text("utf-8"), count=1)
    if not found:
        sys.exit(f"{document.name}: no table begins with | {headings[0]} |")
    document.write_text(text, "utf-8")


if __name__ == "__main__":
    seen = observed()
    for document in TABLES:
        write(document, seen)
