"""What a polite client does: how fast it asks, when it stops, how long it waits, what a request may cost."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mockserver.core.errors import printable
from mockserver.core.exchange import Ending
from mockserver.core.route import said_twice

if TYPE_CHECKING:
    from collections.abc import Collection

    from mockserver.contract.clauses.reading import Reading

FALLBACK_WAIT_S: Final = 2.0
POLITE_PER_MINUTE: Final = 12.0
"""Requests a minute where the target is not on this machine: the service's free tier allows no more."""
MOST_BYTES_ELSEWHERE: Final = 64 * 1024
"""Of a request to a target that is not on this machine: what is larger is not asked."""
TEMPLATE_TOKENS: Final = 32
"""What a model's template may add to a prompt before any answer has told: the tutorial's sample has 17."""


def is_here(base_url: str) -> bool:
    """Whether a target is on this machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def usual_rate(base_url: str) -> float:
    """Requests a second where nobody says otherwise: no limit (0) on this machine, else `POLITE_PER_MINUTE`."""
    return 0.0 if is_here(base_url) else POLITE_PER_MINUTE / 60


def most_prompt_tokens(body: object) -> int:
    """What a body's texts may cost, without the template: one token a character is more than any tokenizer takes."""
    if isinstance(body, dict):
        return sum(len(key) + most_prompt_tokens(value) for key, value in body.items() if key not in _NOT_PROMPT)
    if isinstance(body, list):
        return sum(map(most_prompt_tokens, body))
    return len(body.strip() if isinstance(body, bytes) else body) if isinstance(body, (str, bytes)) else 1


_NOT_PROMPT: Final = frozenset({"model", "stream", "max_tokens", "role", "type"})


def no_target(reading: Reading, key_codes: Collection[int | str] = ()) -> str:
    """Why the first valid request shows that there is nobody to hold the contract against; empty where there is.

    Args:
        reading: What came.
        key_codes: The codes of a body by which the service says that a key is missing or wrong, whatever the status.
    """
    said = " ".join(reading.body[:1000].decode("utf-8", "replace").split()) or "no body"
    shown = f"status {reading.status}: {printable(said if len(said) <= 200 else said[:197] + '...')}"
    match reading.status:
        case _ if is_bad_key(reading, key_codes):
            return f"refuses the API key ({shown}); --api-key-env VAR names the variable that holds a good one"
        case 0 if reading.exchange.ending is Ending.HANG:
            return "takes the request and does not answer in time; is --base-url right?"
        case 0:
            return "takes the request and closes the connection without an answer; is --base-url right?"
        case 403:
            return f"refuses the API key ({shown}); --api-key-env VAR names the variable that holds a good one"
        case 402:
            return f"wants to be paid first ({shown})"
        case 404:
            path = reading.exchange.request.path
            if added := said_twice(path):
                return (
                    f"does not serve {path} (status 404): the path of a chat is put behind --base-url, so say it "
                    f"without {added}"
                )
            return f"does not serve {path} ({shown}); are --model, --chip and --path-template right?"
        case 301 | 302 | 303 | 307 | 308:
            where = printable(reading.headers.get("location", "nowhere")[:200])
            return f"redirects to {where} (status {reading.status}), which is not followed; is --base-url right?"
    return ""


def is_bad_key(reading: Reading, key_codes: Collection[int | str]) -> bool:
    """Whether a refusal says that the key is bad: by its status, or by its code, be it beside or below `error`.

    Args:
        reading: What came.
        key_codes: The codes by which the service says so, whatever the status.
    """
    error = reading.objects[0].get("error") if reading.objects else None
    codes = [reading.error_code, error.get("code") if isinstance(error, dict) else None]
    told = any(type(code) in (int, str) and code in key_codes for code in codes)
    return reading.status == 401 or (not reading.answered and told)


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
