"""Other mocks beside this one, on the same requests and the same core; `make bench PEERS=1` installs and measures them.

A peer is asked for a chat of its own path, once for a prompt that it has an answer for and that is always the same, and
once with prompts that all differ, which it answers in its own way. CPU is that of its whole process tree.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.client import post
from bench.report import Figure, measured
from bench.servers import ROOT, Command
from bench.users import CONNECTIONS, LONG_TEXT, ROUNDS, cpu_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.servers import Bench

PATH: Final = "/v1/chat/completions"
WANTED: Final = bool(os.environ.get("PEERS"))
"""Whether peers are measured where everything is."""
COUNT: Final = 600
STREAMS: Final = 40
STARTS: Final = 5
PIECES: Final = 100
AIMOCK: Final = "@copilotkit/aimock@1.43.0"


@dataclass(frozen=True)
class Case:
    """What a peer is asked.

    Attributes:
        name: The row's name.
        request: A request, from a number that no other has.
        count: How many are asked a turn.
        chunks: Chunks of the answer, of which the figure is that of one; 0 for a body.
    """

    name: str
    request: Callable[[int], bytes]
    count: int
    chunks: int = 0


def _chat(text: str, **more: Any) -> bytes:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **more}).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer bench\r\ncontent-type: application/json\r\n"
    )
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


CASES: Final = (
    Case("a fixture, asked before", lambda _: _chat("Say a few words."), COUNT),
    Case("every prompt new", lambda number: _chat(f"What is special about number {number}, and why?"), COUNT),
    Case("a chunk of a stream", lambda number: _chat(LONG_TEXT, stream=True, user=str(number)), STREAMS, PIECES),
)


def peers(bench: Bench) -> list[Figure]:
    """aimock, a mock in Node: CPU of an answer and of a chunk, the start, and the memory."""
    programs = installed("peer-aimock", AIMOCK)
    if programs is None:
        return []
    with tempfile.TemporaryDirectory(prefix="genstudio-mock-peer-") as folder:
        answers = Path(folder) / "answers.json"
        rules = [
            {"match": {"userMessage": LONG_TEXT}, "response": {"content": "word " * PIECES}},
            {"match": {"userMessage": "a"}, "response": {"content": "Here are a few words, as you asked."}},
        ]
        answers.write_text(json.dumps({"fixtures": rules}), "utf-8")
        words = (str(programs / "llmock"), "-h", "127.0.0.1", "-f", str(answers), "-c", "5", "-l", "0")
        figures = [_row(case, words, bench) for case in CASES]
        took, memory = [], []
        for _ in range(STARTS):
            with Command(_chat("a"), bench.core, (), ROOT, words, port_flag="-p") as command:
                took.append(command.first_answer_ms)
                memory.append(command.resident_mb() * 1e6 / 2**20)
    return [
        *figures,
        measured("aimock: command to first answer (ms)", took),
        measured("aimock: memory after a first answer (MiB)", memory),
    ]


def _row(case: Case, words: tuple[str, ...], bench: Bench) -> Figure:
    number, ours, theirs = 0, [], []
    with (
        Command(_chat("a"), bench.core, (), ROOT, words, port_flag="-p") as peer,
        bench.server("bare-stream" if case.chunks else "bare-small") as bare,
    ):
        for turn in range(ROUNDS + 1):
            requests = [case.request(number + at) for at in range(case.count)]
            number += case.count
            cost = cpu_of(peer, requests, CONNECTIONS) / max(case.chunks, 1)
            bare_requests = [post(f"/{case.chunks or ''}", "x" * 100)] * case.count
            beside = cpu_of(bare, bare_requests, CONNECTIONS) / max(case.chunks, 1)
            if turn:
                ours.append(cost)
                theirs.append(beside)
    return measured(f"aimock: {case.name} (µs of CPU)", ours, theirs)


def installed(name: str, package: str) -> Path | None:
    """The folder of a package's commands, installed below `.cache/`; None, with a word, where there is no npm."""
    folder = ROOT / ".cache" / name
    programs = folder / "node_modules" / ".bin"
    if programs.is_dir():
        return programs
    npm = shutil.which("npm")
    if npm is None:
        print(f"peers: npm is not installed, which {package} would come with; they are left out")
        return None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text("{}", "utf-8")
    subprocess.run([npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", package], cwd=folder, check=True)
    return programs
