"""The log: one line a request on standard error, as text or JSON; what clients sent cannot forge or colour a line."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.core.exchange import Exchange

SHOWN_PATH_CHARACTERS = 200
_ESCAPES = {"\x7f": "\\u007f"}  # the one control character that JSON leaves as it is
log = logging.getLogger("mockserver")


def escaped(text: str) -> str:
    r"""Text on one line that a terminal shows as it is: `\n`, ESC, U+2028, bidirectional marks … become `\uXXXX`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _ESCAPES.get(char) or json.dumps(char)[1:-1] for char in text)


class ExchangeMessage:
    """A log message that is an exchange; rendered only where it is written."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def facts(self) -> dict[str, Any]:
        """What is told of the exchange; facts that have nothing to tell are absent."""
        exchange, plan = self._exchange, self._exchange.plan
        path = exchange.request.path
        facts: dict[str, Any] = {
            "method": exchange.request.method,
            "path": path if len(path) <= SHOWN_PATH_CHARACTERS else path[: SHOWN_PATH_CHARACTERS - 1] + "…",
            "status": (plan.status or None) if plan else None,
            "frames": exchange.frames_sent,
            "planned": len(plan.frames) if plan else 0,
            "ms": round(exchange.duration_ms, 1),
            "source": plan.source if plan else "",
            "ending": str(exchange.ending),
            "faults": list(exchange.faults),
            "ignored": list(exchange.ignored),
            "stale": list(plan.stale) if plan else [],
            "detail": plan.detail if plan else "the client left before its request was whole",
        }
        return {name: value for name, value in facts.items() if name == "path" or value not in ("", [])}

    def __str__(self) -> str:
        facts = self.facts()
        sent, planned = facts["frames"], facts["planned"]
        count = f"{sent}" if sent == planned else f"{sent} of {planned}"
        words = [
            f"{facts['method']} {facts['path']} {facts['status'] or '-'}",
            f"{count} frame{'' if planned == 1 else 's'}",
            f"{facts['ms']} ms",
            *([facts["source"]] if "source" in facts else []),
            facts["ending"],
            *([f"faults {', '.join(facts['faults'])}"] if "faults" in facts else []),
            *([f"ignored {', '.join(facts['ignored'])}"] if "ignored" in facts else []),
            *([f"stale {'; '.join(facts['stale'])}"] if "stale" in facts else []),
        ]
        text = "  ".join(words)
        return f"{text}: {facts['detail']}" if "detail" in facts else text


def tell(exchange: Exchange) -> None:
    """Log a finished exchange; for `Mock(on_exchange=…)`."""
    log.info(ExchangeMessage(exchange))


class TextFormatter(logging.Formatter):
    """`12:34:56.789 POST …`; above info with the level and the logger's name."""

    default_msec_format = "%s.%03d"
    default_time_format = "%H:%M:%S"

    def format(self, record: logging.LogRecord) -> str:
        """One line, and below it the traceback where there is one."""
        text = escaped(record.getMessage())
        if record.levelno > logging.INFO:
            text = f"{record.levelname} {record.name}: {text}"
        lines = [f"{self.formatTime(record)} {text}"]
        if record.exc_info:
            lines += [escaped(line) for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(lines)


class JsonFormatter(logging.Formatter):
    """One JSON object a line; an exchange's facts are its keys."""

    default_msec_format = "%s.%03d"
    default_time_format = "%Y-%m-%dT%H:%M:%S"

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever it holds."""
        line: dict[str, Any] = {"time": self.formatTime(record), "level": record.levelname.lower()}
        if isinstance(record.msg, ExchangeMessage):
            line |= {"event": "exchange", **record.msg.facts()}
        else:
            line |= {"event": "message", "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return escaped(json.dumps(line, ensure_ascii=False))


@contextlib.contextmanager
def logging_to(stream: TextIO, form: str, level: str) -> Iterator[None]:
    """Write the log to a stream while the context lasts: ours from `level` on, the HTTP server's from warning on.

    Args:
        stream: Where the lines go.
        form: `text` or `json`.
        level: `debug`, `info`, `warning` or `error`.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    own = logging.getLevelNamesMapping()[level.upper()]
    loggers = {log: own, logging.getLogger("uvicorn"): max(own, logging.WARNING)}
    before = [(one, one.level, one.propagate) for one in loggers]
    for one, lowest in loggers.items():
        one.setLevel(lowest)
        one.propagate = False
        one.addHandler(handler)
    try:
        yield
    finally:
        for one, old_level, propagate in before:
            one.removeHandler(handler)
            one.setLevel(old_level)
            one.propagate = propagate
