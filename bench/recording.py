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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATH = b"/maas/m/chip/chat/completions"
NOT_KEPT = b"/maas/v1/chat/completions"
"""A path that is passed through and not kept: what passing through costs alone."""
CHUNK = (
    '{"id": "chatcmpl-3HjYf888MzQ6XAHADiPanf", "model": "mt-infini-3b", "choices": [{"index": 0, "delta": '
    '{"content": "无问"}, "finish_reason": null}]}\n'
).encode()
BIG = b"x" * 65536
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
FILES = 10_000
ROUNDS = 5


@dataclass(frozen=True)
class Measured:
    """One figure and the goal it has to stay under.

    Attributes:
        name: What was measured, with its unit.
        value: The figure.
        goal: What it must stay under; None for a figure that only explains others.
    """

    name: str
    value: float
    goal: float | None = None


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

    from mockserver.recording.command import add_record_arguments, main

    parser = argparse.ArgumentParser()
    add_record_arguments(parser)
    words = ["--upstream", f"http://127.0.0.1:{port}", "--out", folder, "--mode", "all", "--port", "0"]
    with Path(os.devnull).open("w") as nowhere:
        main(parser.parse_args(words), {}, sys.stdout, nowhere)


class Process:
    """One of the three, its port, its CPU time and its memory."""

    def __init__(self, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.recording", *words], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if words[0] == "proxy":
            line = self._process.stdout.readline().split(":")[-1].split("/")[0]
        self.port = int(line)

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
    writer.write(b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (path, len(body), body))
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


async def first_byte_ms(port: int, times: int = 60) -> float:
    """The median time to the first byte."""
    return statistics.median([(await fetch(port, 1, 0, 0, number))[0] for number in range(times)])


async def cpu_us_a_chunk(process: Process, path: bytes = PATH) -> float:
    """CPU time of a process for each chunk of paced streams, in microseconds, without what each request costs."""
    streams, chunks, gap_ms = 20, 1000, 5
    await fetch(process.port, 10, 0, 0, path=path)
    before = process.cpu_s()
    await asyncio.gather(*(fetch(process.port, 1, 0, 0, number, path) for number in range(streams)))
    short = process.cpu_s()
    await asyncio.gather(*(fetch(process.port, chunks, gap_ms, 0, number, path) for number in range(streams)))
    return ((process.cpu_s() - short) - (short - before)) / (streams * (chunks - 1)) * 1e6


# --- the figures --------------------------------------------------------------------------------------------------


async def passing_through(folder: Path) -> list[Measured]:
    """First byte, CPU for each chunk, and memory on a long stream, against the relay."""
    source = Process("upstream")
    plain = Process("relay", str(source.port))
    recorder = Process("proxy", str(source.port), str(folder))
    try:
        direct, through = await first_byte_ms(source.port), await first_byte_ms(recorder.port)
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
        Measured("time to first byte, added by the proxy, ms", through - direct, 5),
        Measured("CPU a chunk, bare relay, µs", relayed),
        Measured("CPU a chunk, passed through, µs", passed),
        Measured("CPU a chunk, passed through / relay", passed / relayed, 1.10),
        Measured("CPU a chunk, with writing the file, µs", kept),
        Measured("memory grown on a 100 MB stream, MB", grown, 64),
    ]


def matching(folder: Path) -> list[Measured]:
    """Loading many files, and finding one of them."""
    from mockserver.exchange import Exchange, Plan, Request
    from mockserver.exchange_file import Provenance, file_of, written
    from mockserver.sources.recordings import Recordings, chat_request, load

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
        Measured(f"loading {FILES} files, s", loaded_s, 2),
        Measured(f"a match among {FILES}, µs", match_us, 100),
    ]


def main(words: list[str]) -> int:
    """Measure, or be one of the processes; the exit code is 1 where a goal is missed."""
    match words:
        case ["upstream"]:
            return _forever(upstream())
        case ["relay", port]:
            return _forever(relay(int(port)))
        case ["proxy", port, folder]:
            proxy(int(port), folder)
            return 0
    with tempfile.TemporaryDirectory(prefix="genstudio-mock-bench-") as name:
        figures = [*asyncio.run(passing_through(Path(name) / "out")), *matching(Path(name) / "many")]
    for figure in figures:
        reached = (
            "" if figure.goal is None else f"goal < {figure.goal:g}  {'ok' if figure.value < figure.goal else 'MISSED'}"
        )
        print(f"{figure.name:48} {figure.value:9.2f}  {reached}")
    return int(any(figure.goal is not None and figure.value >= figure.goal for figure in figures))


def _forever(serving: object) -> int:
    from mockserver.server.run import new_event_loop

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serving)  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
