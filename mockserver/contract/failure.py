"""A stream that a client gets wrong: how it is sent, what it says, and what is odd about it in words."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract.cut_words import kind_and_words
from mockserver.contract.evidence import hex_rows
from mockserver.contract.forms import FORMS, HALVES
from mockserver.contract.result import counted
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.core.route import Route
from mockserver.pipeline.frame import content_type
from mockserver.profile import quirks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mockserver.contract.streams import Stream

PATH: Final = Route("model", "chip").path
ASKED: Final = b'{"model":"any","messages":[{"role":"user","content":"hi"}],"stream":true}'
LONG_LINE: Final = 1000
"""Bytes of a line that are told of."""
MANY: Final = 100
"""Pieces of a text that are told of."""
MOST_TOLD: Final = 6
"""Cuts that are told of, one by one."""
FIRST, LAST = 6, 4
"""Rows of a write, and writes, that are shown of many."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The smallest stream found that the client gets wrong; as text it is a report for people.

    Attributes:
        stream: How it was made.
        exchange: How it was sent.
        problem: What the client did, in one line.
        known: Why it does not count, where many clients are known to lose such streams; empty for a bug.
    """

    stream: Stream
    exchange: Exchange
    problem: str
    known: str = ""

    def __str__(self) -> str:
        return self.explain().rstrip("\n")

    @property
    def writes(self) -> Sequence[bytes]:
        """The body as it is written to the network."""
        return self.exchange.plan.frames if self.exchange.plan else ()

    @property
    def words(self) -> list[str]:
        """What is odd about the stream, one sentence each."""
        return list(_words(self.stream, self.writes))

    def hexdump(self, *, whole: bool = True) -> str:
        """The writes, each with its bytes in hex and as text; of long ones and of many, the first and the last."""
        most = len(self.writes) if whole else FIRST + LAST
        shown = [_hexdump(number, data, whole=whole) for number, data in enumerate(self.writes, 1)]
        return "\n".join(_without_middle(shown, most, "writes"))

    def explain(self, *, whole: bool = False) -> str:
        """What went wrong and with which stream, for people.

        Args:
            whole: Whether every byte is shown, of however long a stream.
        """
        added = f" (with {', '.join(self.stream.quirks)})" if self.stream.quirks else ""
        size = f"{counted(len(self.stream.frames), 'frame')} in {counted(len(self.writes), 'write')}"
        known = [f"known, {self.known}"] if self.known else []
        told = [self.problem, *known, *self.words, f"a stream of {size}{added}:", self.hexdump(whole=whole)]
        return "\n".join(told) + "\n"


def _hexdump(number: int, data: bytes, *, whole: bool) -> str:
    rows = [f"  {row}" for row in hex_rows(data)]
    shown = _without_middle(rows, len(rows) if whole else FIRST + LAST, "rows")
    return "\n".join([f"write {number}, {counted(len(data), 'byte')}", *shown])


def _without_middle(rows: Sequence[str], most: int, noun: str) -> Sequence[str]:
    if len(rows) <= most + 1:
        return rows
    return [*rows[:FIRST], f"  … {len(rows) - FIRST - LAST:,} more {noun} …", *rows[-LAST:]]


def _words(stream: Stream, writes: Sequence[bytes]) -> Iterator[str]:
    for name in stream.quirks:
        yield (FORMS[name].says if name in FORMS else quirks.find(name)[1].says).rstrip(".")
    if len(writes) == len(stream.writes):
        for number, ms in enumerate(stream.pauses_ms, 1):
            if ms:
                yield f"{ms} ms pass before write {number}"
        yield from cuts_in_words(writes)
    if stream.cuts.joined and stream.wire.frame.delivery == "streamed":
        yield from _joined(stream, writes)
    longest = max((len(line) for data in writes for line in data.split(b"\n")), default=0)
    if longest > LONG_LINE:
        yield f"a line is {longest:,} bytes long"
    if len(stream.answer.pieces) > MANY:
        yield f"the text comes in {len(stream.answer.pieces):,} pieces"
    yield from _said(stream)


_LINE_ENDS: Final = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""Where text is cut into lines by some programs, say Python's `splitlines`, and event streams are not."""


def _said(stream: Stream) -> Iterator[str]:
    text, calls = stream.answer.text, len(stream.answer.tool_calls)
    found = dict.fromkeys(one for one in text if one in _LINE_ENDS)
    if found:
        yield f"the text has {', '.join(f'U+{ord(one):04X}' for one in found)}, which ends no line of a stream"
    if "error" in text.lower():
        yield "the text has the word error in it"
    if "\0" in text:
        yield "the text has U+0000 in it"
    if "data:" in text:
        yield "the text has data: in it"
    if "[DONE]" in text:
        yield "the text has [DONE] in it"
    if text and not text.strip():
        yield "the text is white space alone"
    if calls:
        yield f"the answer calls {counted(calls, 'function')}"


def cuts_in_words(writes: Sequence[bytes]) -> Iterator[str]:
    """Where writes end that do not end between two events, in words."""
    body = b"".join(writes)
    told = [(n, kind_and_words(body, at)[1]) for n, at in enumerate(accumulate(map(len, writes)), 1)]
    odd = [f"write {number} ends {words}" for number, words in told if words]
    yield from odd[:MOST_TOLD]
    if len(odd) > MOST_TOLD:
        yield f"{len(odd) - MOST_TOLD:,} more writes end inside something"


def _joined(stream: Stream, writes: Sequence[bytes]) -> Iterator[str]:
    ends, start = list(accumulate(map(len, stream.frames))), 0
    for number, data in enumerate(writes, 1):
        held = sum(start < end <= start + len(data) for end in ends)
        start += len(data)
        if held > 1:
            yield f"write {number} holds the ends of {counted(held, 'frame')}"


def exchange_of(stream: Stream, path: str = PATH) -> Exchange:
    """A generated stream as a server sends it."""
    buffered = stream.wire.frame.delivery == "buffered"
    writes = (b"".join(stream.writes),) if buffered else stream.writes
    headers = [(b"content-type", content_type(stream.wire.frame))] if content_type(stream.wire.frame) else []
    if buffered:
        headers.append((b"content-length", b"%d" % len(writes[0])))
    times = None if buffered or not stream.cuts.pauses else tuple(map(float, accumulate(stream.pauses_ms)))
    ending = Ending.HANG if stream.never_ends else Ending.COMPLETE
    request = Request("POST", path, {b"content-type": b"application/json"}, ASKED)
    plan = Plan(200, tuple(headers), writes, times, ending)
    return Exchange(request, plan, frames_sent=len(writes), ending=ending)


def truth_of(stream: Stream) -> dict[str, Any]:
    """What a client must read: `text`, `finish_reason`, `usage` (None where none is sent) and `tool_calls`.

    Where the stream cuts characters into halves, so does the text; whether a client joins them is not compared then.
    """
    answer = stream.answer
    usage = {
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "total_tokens": answer.usage.prompt_tokens + answer.usage.completion_tokens,
    }
    return {
        "text": in_halves(answer.text) if HALVES in stream.quirks else answer.text,
        "finish_reason": dict(stream.wire.chunk.finish_words).get(answer.finish_reason, answer.finish_reason),
        "usage": None if stream.wire.shape.usage == "never" else usage,
        "tool_calls": [{"name": call.name, "arguments": call.arguments} for call in answer.tool_calls],
    }


def in_halves(text: str) -> str:
    """A text whose characters beyond U+FFFF are two each, as they come in a stream that cuts them."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(int.from_bytes(units[at : at + 2])) for at in range(0, len(units), 2))
