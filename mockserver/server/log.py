"""The log: one line a request on standard error, as text or JSON; what clients sent cannot forge or colour a line."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from abc import ABC, abstractmethod
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from mockserver.server.log_writer import LogWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mockserver.core.exchange import Ending, Exchange

SHOWN_PATH_CHARACTERS = 200
SHOWN_DETAIL_CHARACTERS = 1000
SHOWN_NAME_CHARACTERS = 60
SHOWN_IGNORED = 20
_ESCAPES = {"\x7f": "\\u007f"}  # the one control character that JSON leaves as it is
log = logging.getLogger("mockserver")


def escaped(text: str) -> str:
    r"""Text on one line that a terminal shows as it is: `\n`, ESC, U+2028, bidirectional marks … become `\uXXXX`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _ESCAPES.get(char) or json.dumps(char)[1:-1] for char in text)


class ToldExchange(NamedTuple):
    """What the log tells of an exchange, but for when it was and how long it took: much the same of most."""

    method: str
    path: str
    status: int
    frames: int
    planned: int
    source: str
    ending: Ending
    faults: tuple[str, ...]
    ignored: tuple[str, ...]
    stale: tuple[str, ...]
    detail: str


def told_of(exchange: Exchange) -> ToldExchange:
    """What the log tells of an exchange that ended."""
    request, plan, chat = exchange.request, exchange.plan, exchange.chat
    path = shortened(request.path, SHOWN_PATH_CHARACTERS)
    ignored = _shown_ignored(chat.ignored) if chat is not None and chat.ignored else ()
    stale: tuple[str, ...] = ()
    status, planned, source, detail = 0, 0, "", "the client left before its request was whole"
    if plan is not None:
        status, planned, source, stale = plan.status, len(plan.frames), plan.source, plan.stale
        detail = plan.detail and shortened(plan.detail, SHOWN_DETAIL_CHARACTERS)
    sent, ending, faults = exchange.frames_sent, exchange.ending, exchange.faults
    return ToldExchange(request.method, path, status, sent, planned, source, ending, faults, ignored, stale, detail)


def facts(told: ToldExchange, milliseconds: float) -> dict[str, Any]:
    """What is told of the exchange, by name; facts that have nothing to tell are absent."""
    facts: dict[str, Any] = {
        "method": told.method,
        "path": told.path,
        "status": told.status or None,
        "frames": told.frames,
        "planned": told.planned,
        "ms": round(milliseconds, 1),
        "source": told.source,
        "ending": str(told.ending),
        "faults": list(told.faults),
        "ignored": list(told.ignored),
        "stale": list(told.stale),
        "detail": told.detail,
    }
    return {name: value for name, value in facts.items() if name == "path" or value not in ("", [])}


@lru_cache(maxsize=256)
def in_words(told: ToldExchange) -> tuple[str, str]:
    """The words before and behind the milliseconds, as a terminal may show them."""
    sent, planned, source = told.frames, told.planned, told.source
    count = sent if sent == planned else f"{sent} of {planned}"
    before = f"{told.method} {told.path} {told.status or '-'}  {count} frame{'' if planned == 1 else 's'}  "
    after = f" ms{f'  {source}' if source else ''}  {told.ending.value}"
    if told.faults:
        after += f"  faults {', '.join(told.faults)}"
    if told.ignored:
        after += f"  ignored {', '.join(told.ignored)}"
    if told.stale:
        after += f"  stale {'; '.join(told.stale)}"
    if told.detail:
        after += f": {told.detail}"
    return escaped(before), escaped(after)


def shortened(text: str, most: int) -> str:
    """Text of at most so many characters: a longer one ends in `…`."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _shown_ignored(names: tuple[str, ...]) -> tuple[str, ...]:
    shown = tuple(shortened(name, SHOWN_NAME_CHARACTERS) for name in names[:SHOWN_IGNORED])
    return shown if len(names) <= SHOWN_IGNORED else (*shown, f"and {len(names) - SHOWN_IGNORED} more")


@lru_cache(maxsize=2)
def _second(second: int, pattern: str) -> str:
    return time.strftime(pattern, time.localtime(second))


class LineFormatter(logging.Formatter, ABC):
    """What the two forms of a line have in common."""

    default_time_format = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - its name
        """The record's time with milliseconds."""
        return self.moment(record.created)

    def moment(self, at: float) -> str:
        """A time, in seconds since the Unix epoch, with milliseconds."""
        return f"{_second(int(at), self.default_time_format)}.{int(at % 1 * 1000):03d}"

    @abstractmethod
    def exchange(self, at: float, milliseconds: float, told: ToldExchange) -> str:
        """The line of an exchange that ended then, and took so long."""

    def message(self, text: str) -> str:
        """The line of a warning of our own, told now."""
        return self.format(logging.LogRecord(log.name, logging.WARNING, "", 0, text, None, None))


class TextFormatter(LineFormatter):
    """`12:34:56.789 POST …`; above info with the level and the logger's name."""

    default_time_format = "%H:%M:%S"

    def exchange(self, at: float, milliseconds: float, told: ToldExchange) -> str:
        """One line."""
        before, after = in_words(told)
        return f"{self.moment(at)} {before}{round(milliseconds, 1)}{after}"

    def format(self, record: logging.LogRecord) -> str:
        """One line, and below it the traceback where there is one."""
        text = escaped(record.getMessage())
        if record.levelno > logging.INFO:
            text = f"{record.levelname} {record.name}: {text}"
        lines = [f"{self.formatTime(record)} {text}"]
        if record.exc_info:
            lines += [escaped(line) for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(lines)


class JsonFormatter(LineFormatter):
    """One JSON object a line; an exchange's facts are its keys."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"

    def exchange(self, at: float, milliseconds: float, told: ToldExchange) -> str:
        """One line."""
        line = {"time": self.moment(at), "level": "info", "event": "exchange", **facts(told, milliseconds)}
        return escaped(json.dumps(line, ensure_ascii=False))

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever it holds."""
        line: dict[str, Any] = {"time": self.formatTime(record), "level": record.levelname.lower()}
        line |= {"event": "message", "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return escaped(json.dumps(line, ensure_ascii=False))


class _WriterHandler(logging.Handler):
    """Gives what is logged to the writer, in words already: it is rare, and what it refers to may change."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        self._writer.add(lambda: text)


@contextlib.contextmanager
def logging_to(
    stream: TextIO, form: str, level: str, turn: int | None = None
) -> Iterator[Callable[[Exchange], None] | None]:
    """Write the log to a stream while the context lasts: ours from `level` on, the HTTP server's from warning on.

    Gives what logs a finished exchange, for `Mock(on_exchange=…)`; None where the level leaves exchanges out.

    Args:
        stream: Where the lines go.
        form: `text` or `json`.
        level: `debug`, `info`, `warning` or `error`.
        turn: The number of a file that is locked while lines are written; None where no other process writes.
    """
    formatter = JsonFormatter() if form == "json" else TextFormatter()
    writer = LogWriter(stream, formatter.message, turn=turn)
    handler = _WriterHandler(writer)
    handler.setFormatter(formatter)
    own = logging.getLevelNamesMapping()[level.upper()]
    loggers = {log: own, logging.getLogger("uvicorn"): max(own, logging.WARNING)}
    before = [(one, one.level, one.propagate) for one in loggers]
    for one, lowest in loggers.items():
        one.setLevel(lowest)
        one.propagate = False
        one.addHandler(handler)

    def tell(exchange: Exchange) -> None:
        writer.add(partial(formatter.exchange, time.time(), exchange.duration_ms, told_of(exchange)))

    try:
        yield tell if own <= logging.INFO else None
    finally:
        for one, old_level, propagate in before:
            one.removeHandler(handler)
            one.setLevel(old_level)
            one.propagate = propagate
        writer.close()
