"""What recording costs: against a bare asyncio relay in the same run, for the same upstream and the same client.

Upstream, relay and proxy are processes of their own, so that the CPU time of each is its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report import Figure, Goal
from bench.servers import pin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from bench.servers import Bench

PATH = b"/maas/m/chip/chat/completions"
NOT_KEPT = b"/maas/v1/embeddings"
"""A path that is passed through and not kept: what passing through costs alone."""
CHUNK = (
    '{"id": "chatcmpl-3HjYf888MzQ6XAHADiPanf", "model": "mt-infini-3b", "choices": [{"index": 0, "delta": '
    '{"content": "无问"}, "finish_reason": null}]}\n'
).encode()
BIG = b"x" * 65536
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
FILES = 10_000
ROUNDS = 5
STREAMS, CHUNKS, GAP_MS = 20, 500, 4
ANSWERS = 60


# --- the three processes ------------------------------------------------------------------------------------------


async def upstream() -> None:
    """Answers by the number in the body: `<chunks> <gap in ms> <size>`; a size of 0 is the usual chunk."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(next(line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")))
        asked = json.loads(await reader.readexactly(length))["messages"][0]["content"]
        chunks, gap_ms, size = (int(word) for word in asked.split()[:3])
        data = CHUNK if not size else BIG
        frame = b"%x\r\n%b\r\n" % (len(data), data)
        writer.write(HEAD)
        loop = asyncio.get_running_loop()
        started = loop.time()
        for number in range(chunks):
            if gap_ms:
                await asyncio.sleep(max(started + number * gap_ms / 1000 - loop.time(), 0))
            writer.write(frame)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    await _serve(answer)


async def relay(port: int) -> None:
    """The bare relay: bytes to and fro, nothing read, nothing kept."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        up = asyncio.ensure_future(pump(reader, there[1]))
        await pump(there[0], writer)
        up.cancel()

    await _serve(answer)


async def _serve(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def proxy(port: int, folder: str) -> None:
    """The recording proxy."""
    import argparse

    from mockserver.cli.record import add_arguments, main

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["--base-url", f"http://127.0.0.1:{port}", "--output", folder, "--mode", "all", "--port", "0"]
    with Path(os.devnull).open("w") as nowhere:
        main(parser.parse_args(words), {}, sys.stdout, nowhere)


class Process:
    """One of the three, its port, its CPU time and its memory."""

    def __init__(self, *words: str, core: int | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.recording", *words], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if words[0] == "proxy":
            line = self._process.stdout.readline().split(":")[-1].split("/")[0]
        self.port = int(line)
        if core is not None:
            pin(self._process.pid, core)

    def cpu_s(self) -> float:
        """Time on a processor so far, of all its threads; counted in nanoseconds, where `stat` has ticks of 10 ms."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def rss_mb(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()


# --- the client ---------------------------------------------------------------------------------------------------


async def fetch(
    port: int, chunks: int, gap_ms: int, size: int, number: int = 0, path: bytes = PATH
) -> tuple[float, int]:
    """Milliseconds to the first byte of the body, and how many bytes came."""
    body = json.dumps({"messages": [{"role": "user", "content": f"{chunks} {gap_ms} {size} {number}"}]}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started = time.perf_counter()
    writer.write(b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%b" % (path, len(body), body))
    await reader.readuntil(b"\r\n\r\n")
    got = len(await reader.read(1))
    first_ms = (time.perf_counter() - started) * 1000
    tail = b""
    while not tail.endswith(b"0\r\n\r\n"):
        data = await reader.read(262144)
        if not data:
            break
        got += len(data)
        tail = (tail + data)[-5:]
    writer.close()
    return first_ms, got


async def first_byte_ms(port: int, chunks: int) -> float:
    """The median time to the first byte of a body."""
    return statistics.median([(await fetch(port, chunks, GAP_MS, 0, number))[0] for number in range(ANSWERS)])


async def cpu_us_a_chunk(process: Process, path: bytes = PATH) -> float:
    """CPU time of a process for each chunk of paced streams, in microseconds, without what each request costs."""
    await fetch(process.port, 10, 0, 0, path=path)
    before = process.cpu_s()
    await asyncio.gather(*(fetch(process.port, 1, 0, 0, number, path) for number in range(STREAMS)))
    short = process.cpu_s()
    await asyncio.gather(*(fetch(process.port, CHUNKS, GAP_MS, 0, number, path) for number in range(STREAMS)))
    return ((process.cpu_s() - short) - (short - before)) / (STREAMS * (CHUNKS - 1)) * 1e6


# --- the figures --------------------------------------------------------------------------------------------------


def recording(bench: Bench) -> list[Figure]:
    """What the recording proxy costs beside a bare relay, and what many recordings cost."""
    with tempfile.TemporaryDirectory(prefix="genstudio-mock-bench-") as name:
        counted = Path("/proc/self/schedstat").exists()  # CPU time of another process, fine enough for a chunk
        passed_on = asyncio.run(_passing_on(Path(name) / "out", bench.core)) if counted else []
        return [*passed_on, *_matching(Path(name) / "many")]


async def _passing_on(folder: Path, core: int | None) -> list[Figure]:
    """First byte, CPU for each chunk, and memory on a long stream, against the relay."""
    source = Process("upstream")
    plain = Process("relay", str(source.port), core=core)
    recorder = Process("proxy", str(source.port), str(folder), core=core)
    try:
        stream, whole = [
            await first_byte_ms(recorder.port, chunks) - await first_byte_ms(source.port, chunks) for chunks in (3, 1)
        ]
        turns = [
            (await cpu_us_a_chunk(plain), await cpu_us_a_chunk(recorder, NOT_KEPT), await cpu_us_a_chunk(recorder))
            for _ in range(ROUNDS)
        ]
        relayed, passed, kept = (statistics.median(column) for column in zip(*turns, strict=True))
        before = recorder.rss_mb()
        _, got = await fetch(recorder.port, 100 * 16, 0, 1)
        grown = recorder.rss_mb() - before
        assert got > 100 * 2**20
    finally:
        for process in (recorder, plain, source):
            process.stop()
    return [
        Figure("recording: added to the first byte of a stream (ms)", stream, goal=Goal(5, "mock")),
        Figure("recording: added to a body in one piece, sent after its file (ms)", whole),
        Figure("recording: a chunk passed on (µs of CPU); bare: asyncio relay", passed, relayed, Goal(1.1)),
        Figure("recording: a chunk passed on and kept (µs of CPU)", kept, relayed),
        Figure("recording: memory grown on a 100 MB stream (MB)", max(grown, 0.0), goal=Goal(64, "mock")),
    ]


def _matching(folder: Path) -> list[Figure]:
    """Loading many recordings, and finding one of them."""
    from mockserver.core.exchange import Exchange, Plan, Request
    from mockserver.files.exchange_file import Provenance, file_of, written
    from mockserver.sources.recording_file import chat_request
    from mockserver.sources.recordings import Recordings, load

    provenance = Provenance(recorded_at="", tool="", body_sha256="")
    folder = folder / "m" / "chip"
    folder.mkdir(parents=True)
    bodies = []
    for number in range(FILES):
        dialogue = [{"role": "user", "content": f"问题 {number}"}, {"role": "assistant", "content": "好"},
                    {"role": "user", "content": f"你能做什么? {number}"}]  # fmt: skip
        body = json.dumps({"messages": dialogue, "stream": True}).encode()
        plan = Plan(200, (), (CHUNK,) * 19, tuple(map(float, range(19))))
        exchange = Exchange(Request("POST", PATH.decode(), {}, body), plan, 19)
        (folder / f"{number}.json").write_text(written(file_of(exchange, provenance)))
        bodies.append(body)

    started = time.perf_counter()
    recordings = Recordings(load(folder))
    loaded_s = time.perf_counter() - started
    requests = [chat_request(PATH.decode(), body) for body in bodies]
    started = time.perf_counter()
    found = [recordings.find(request) for request in requests if request is not None]
    match_us = (time.perf_counter() - started) / FILES * 1e6
    assert len(found) == FILES
    assert None not in found
    return [
        Figure(f"recording: loading {FILES:,} recordings (s)", loaded_s, goal=Goal(2, "mock")),
        Figure(f"recording: a match among {FILES:,} (µs)", match_us, goal=Goal(100, "mock")),
    ]


def main(words: list[str]) -> None:
    """Be one of the processes."""
    match words:
        case ["upstream"]:
            _forever(upstream())
        case ["relay", port]:
            _forever(relay(int(port)))
        case ["proxy", port, folder]:
            proxy(int(port), folder)


def _forever(serving: Coroutine[Any, Any, None]) -> None:
    from mockserver.server.serving import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serving)


if __name__ == "__main__":
    main(sys.argv[1:])
