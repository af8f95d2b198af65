"""What a polite client makes of an answer: that there is nobody to ask, and how long to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mockserver.core.exchange import Ending

if TYPE_CHECKING:
    from mockserver.contract.clauses.reading import Reading

FALLBACK_WAIT_S: Final = 2.0


def no_target(reading: Reading) -> str:
    """Why the first valid request shows that there is nobody to hold the contract against; empty where there is."""
    said = " ".join(reading.body[:1000].decode("utf-8", "replace").split()) or "no body"
    shown = f"status {reading.status}: {said if len(said) <= 200 else said[:197] + '...'}"
    match reading.status:
        case 0 if reading.exchange.ending is Ending.HANG:
            return "takes the request and does not answer in time; is --base-url right?"
        case 0:
            return "takes the request and closes the connection without an answer; is --base-url right?"
        case 401 | 403:
            return f"refuses the API key ({shown}); --api-key-env VAR names the variable that holds a good one"
        case 402:
            return f"wants to be paid first ({shown})"
        case 404:
            return f"does not serve this ({shown}); are --model, --chip and --path-template right?"
        case 301 | 302 | 303 | 307 | 308:
            where = reading.headers.get("location", "nowhere")[:200]
            return f"redirects to {where} (status {reading.status}), which is not followed; is --base-url right?"
    return ""


def wait_asked(reading: Reading, attempt: int, now_s: int | None) -> float:
    """Seconds that a 429 asks to wait: a Retry-After in seconds or as a date, else a guess that doubles."""
    asked = reading.headers.get("retry-after", "")
    if asked.isascii() and asked.isdigit():
        return float(asked)
    date, here = _moment(asked), _moment(reading.headers.get("date", ""))
    since = here if here is not None else now_s
    if date is not None and since is not None:
        return max(date - since, 0.0)
    return float(FALLBACK_WAIT_S * 2**attempt)


def _moment(date: str) -> float | None:
    """Unix seconds of an HTTP date; None for what is none."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
