"""Streams that break clients: valid ones are generated, cut into network writes, and read by a client on a real socket.

What the client read is compared with what the stream says. Of the streams that it gets wrong the smallest is kept.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings

from mockserver.contract import strategies
from mockserver.contract.evidence import hex_rows
from mockserver.contract.fuzz_server import StreamServer, load, serving
from mockserver.contract.harmless import harmless
from mockserver.contract.result import counted
from mockserver.contract.streams import Stream, smaller, sweep
from mockserver.core.errors import OperatorError, suggestion
from mockserver.core.exchange import Exchange, Plan, Request
from mockserver.core.route import Route
from mockserver.pipeline.frame import content_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mockserver.pipeline.wire_settings import WireSettings

    Client = Callable[[str], "Said"]

__all__ = ["Failure", "difference", "find_bug", "harmless", "judge", "load", "serving", "truth_of"]

Said = str | Mapping[str, Any]
"""What a client read: the text, or several keys of `truth_of`."""
PATH: Final = Route("model", "chip").path
ASKED: Final = b'{"model":"any","messages":[{"role":"user","content":"hi"}],"stream":true}'
MOST_STEPS: Final = 400  # in the search for a smaller stream
SHOWN: Final = 300  # characters of a problem


@dataclass(frozen=True, slots=True)
class Failure:
    """The smallest stream found that the client gets wrong.

    Attributes:
        stream: How it was made.
        exchange: How it was sent.
        problem: What the client did, in one line.
    """

    stream: Stream
    exchange: Exchange
    problem: str

    @property
    def writes(self) -> Sequence[bytes]:
        """The body as it is written to the network."""
        return self.exchange.plan.frames if self.exchange.plan else ()

    def hexdump(self) -> str:
        """The writes, each with its bytes in hex and as text."""
        return "\n".join(_hexdump(number, data) for number, data in enumerate(self.writes, 1))

    def explain(self) -> str:
        """What went wrong and with which stream, for people."""
        added = f" (with {', '.join(self.stream.quirks)})" if self.stream.quirks else ""
        size = f"{counted(len(self.stream.frames), 'frame')} in {counted(len(self.writes), 'write')}"
        return f"{self.problem}\na stream of {size}{added}:\n{self.hexdump()}\n"


def _hexdump(number: int, data: bytes) -> str:
    return "\n".join([f"write {number}, {counted(len(data), 'byte')}", *(f"  {row}" for row in hex_rows(data))])


def exchange_of(stream: Stream, path: str = PATH) -> Exchange:
    """A generated stream as a server sends it."""
    buffered = stream.wire.frame.delivery == "buffered"
    writes = (b"".join(stream.writes),) if buffered else stream.writes
    headers = [(b"content-type", content_type(stream.wire.frame))] if content_type(stream.wire.frame) else []
    if buffered:
        headers.append((b"content-length", b"%d" % len(writes[0])))
    request = Request("POST", path, {b"content-type": b"application/json"}, ASKED)
    return Exchange(request, Plan(200, tuple(headers), writes), frames_sent=len(writes))


def truth_of(stream: Stream) -> dict[str, Any]:
    """What a client must read: `text`, `finish_reason`, `usage` (None where none is sent) and `tool_calls`."""
    answer = stream.answer
    usage = {
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "total_tokens": answer.usage.prompt_tokens + answer.usage.completion_tokens,
    }
    return {
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "usage": None if stream.wire.shape.usage == "never" else usage,
        "tool_calls": [{"name": call.name, "arguments": call.arguments} for call in answer.tool_calls],
    }


# --- the search ---------------------------------------------------------------------------------------------------


def find_bug(
    client: Client,
    wire: WireSettings,
    *,
    further: Sequence[str] | None = None,
    examples: int = 100,
    number: int = 0,
    full: bool = False,
    path: str = PATH,
    progress: Callable[[int, str], None] = lambda _count, _problem: None,
) -> Failure | None:
    """The smallest valid stream that a client reads wrongly; None where it reads all of them rightly.

    Args:
        client: Given a base URL, asks for a stream there and returns the text that it read, or several keys of
            `truth_of`, which are all compared.
        wire: The chip's settings.
        further: Quirks that may be added, () for none: then only the cuts and texts vary; None adds harmless ones.
        examples: How many streams are tried before a bug is found; the search for a smaller one takes more.
        number: The same number gives the same streams.
        full: Whether some answers call functions or end at a limit, for clients that tell of it.
        path: Where the stream is found.
        progress: Told of each stream: how many were tried, and the problem, empty where there was none.
    """
    count = 0
    server = StreamServer(Exchange(Request("POST", path, {}, ASKED)))
    further = harmless(wire) if further is None else further

    def tried(stream: Stream) -> Failure | None:
        nonlocal count
        count += 1
        server.exchange = exchange_of(stream, path)
        problem = judge(client, server.base_url, truth_of(stream))
        progress(count, problem)
        return Failure(stream, server.exchange, problem) if problem else None

    try:
        first = sweep(wire, further)[:examples]
        streams = chain(first, _drawn(wire, further, examples - len(first), number, full=full))
        failure = next(filter(None, map(tried, streams)), None)
        return failure and _smallest(failure, wire, tried)
    finally:
        server.close()


def _drawn(wire: WireSettings, further: Sequence[str], count: int, number: int, *, full: bool) -> Iterator[Stream]:
    """Hypothesis's streams; the same number gives the same ones."""
    if count < 1:
        return
    drawn: list[Stream] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategies.streams(wire, further, tools=full, finishes=("stop", "length") if full else ("stop",)))
    def draw(stream: Stream) -> None:
        drawn.append(stream)

    draw()
    yield from drawn


def _smallest(failure: Failure, wire: WireSettings, tried: Callable[[Stream], Failure | None]) -> Failure:
    """A failure from which no step leads to a smaller one."""
    steps = 0
    while steps < MOST_STEPS:
        for stream in smaller(wire, failure.stream):
            steps += 1
            found = tried(stream)
            if found or steps == MOST_STEPS:
                failure = found or failure
                break
        else:
            break
    return failure


def judge(client: Client, base_url: str, truth: Mapping[str, Any]) -> str:
    """What a client does wrong with a stream, in one line; empty where nothing."""
    try:
        read = client(base_url)
    except OperatorError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a client raises at a valid stream is its fault
        first = str(error).strip().partition("\n")[0]
        return f"the client raised {type(error).__name__}: {first}"[:SHOWN]
    return difference(read, truth)


def difference(read: Said, truth: Mapping[str, Any]) -> str:
    """In what a client's reading differs from the truth, in one line; empty where in nothing.

    A line end after the text does not count: many programs print one.

    Args:
        read: The text, or several keys of the truth.
        truth: What is due, by key.

    Raises:
        OperatorError: the client tells of a key that the truth does not have.
    """
    for key, value in ({"text": read} if isinstance(read, str) else read).items():
        if key not in truth:
            raise OperatorError(f"fuzz: the client tells {key!r}, which is not compared; {suggestion(key, truth)}")
        if key == "text" and isinstance(value, str) and _same_text(value, truth[key]):
            continue
        if key == "text" and not value:
            return f"silent: the client read nothing and raised nothing; the stream says {_short(truth[key])}"
        if value != truth[key]:
            what = "" if key == "text" else f"{key} "
            return f"the client read {what}{_short(value)}; the stream says {_short(truth[key])}"
    return ""


def _same_text(read: str, due: str) -> bool:
    if os.name == "nt":  # where programs print \r\n for \n
        read, due = read.replace("\r\n", "\n"), due.replace("\r\n", "\n")
    return read in (due, f"{due}\n", f"{due}\r\n")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
