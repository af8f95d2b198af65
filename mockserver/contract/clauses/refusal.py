"""Clauses on refusals: shape, code, words and headers. The table is in `table.py`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from mockserver.contract.clauses.clause import HOLDS, NOT_APPLICABLE, Severity, Verdict, broken, by_claim, holds_if
from mockserver.core import strict_json
from mockserver.core.errors import shown
from mockserver.pipeline.refuse import VALUE

if TYPE_CHECKING:
    from mockserver.contract.clauses.clause import Context
    from mockserver.contract.clauses.reading import Reading
    from mockserver.pipeline.refuse import ErrorShape


_DATE: Final = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


def _body(r: Reading) -> Any:
    return _json(r.body)


def _json(data: bytes | str) -> Any:
    try:
        return strict_json.loads(data)
    except ValueError:
        return None


def _same_keys(came: object, due: object) -> bool:
    """Whether bodies have the same keys, at all depths; what is no JSON has none, and what repeats the request any."""
    if isinstance(came, dict) and isinstance(due, dict):
        return came.keys() == due.keys() and all(_same_keys(came[name], due[name]) for name in came)
    return due == VALUE or not (isinstance(came, dict) or isinstance(due, dict))


def _is_own(r: Reading, row: ErrorShape) -> bool:
    """Whether the refusal has a row whose body is in no family of the service's."""
    return row.body is not None and r.status == row.status


def error_type(r: Reading, c: Context) -> Verdict:
    """A refusal is announced as JSON and is JSON."""
    row = c.edition.file.errors[c.refusal] if c.refusal else None
    if row is not None and _is_own(r, row):
        return NOT_APPLICABLE
    if not 400 <= r.status <= 599 or r.coding:
        return NOT_APPLICABLE
    sent = r.headers.get("content-type", "none")
    if not isinstance(_body(r), dict):
        return broken(f"the body of the {r.status} is not a JSON object: {r.body[:60]!r}")
    return holds_if(
        sent.split(";")[0].strip().lower() == "application/json", f"content type {sent}; due application/json"
    )


def error_shape(r: Reading, c: Context) -> Verdict:
    """A refusal has the shape of its family: {code, msg} of the gateway, {error: {…}} of the model's server."""
    body = _body(r)
    row = c.edition.file.errors[c.refusal] if c.refusal else None
    if row is not None and _is_own(r, row):
        return holds_if(
            _same_keys(body, _json((row.body or "").replace(VALUE, f'"{VALUE}"'))),
            f"the body is {r.body[:60]!r}; due one as {(row.body or '')[:60]!r}",
        )
    if not 400 <= r.status <= 599 or not isinstance(body, dict):
        return NOT_APPLICABLE
    gateway = type(body.get("code")) is int and isinstance(body.get("msg"), str)
    error = body.get("error")
    words = body["msg"] if gateway else error.get("message") if isinstance(error, dict) else None
    if not isinstance(words, str):
        return broken(f"the body has {', '.join(body) or 'no keys'}; due code and msg, or error with message")
    if not words.strip():
        return broken(f"{'msg' if gateway else 'error.message'} is empty; due words that say what is wrong")
    if row is None or r.status != row.status:
        return HOLDS  # another refusal than the due one has a shape of its own
    due = row.family
    return holds_if((due == "gateway") == gateway, f"the body has {', '.join(body)}; due the {due} family")


def error_words(r: Reading, c: Context) -> Verdict:
    """A refusal whose code and message are documented or were observed has them."""
    body = _body(r)
    if c.refusal is None or not isinstance(body, dict):
        return NOT_APPLICABLE
    row = c.edition.file.errors[c.refusal]
    if row.claim == "assumed" or row.family != "gateway" or r.status != row.status:
        return NOT_APPLICABLE
    if body.get("code") != row.code:
        return broken(f"code is {shown(body.get('code'))}; due {row.code}")
    return holds_if(
        row.message in (None, body.get("msg")), f"msg is {shown(body.get('msg'))}; due {shown(row.message)}"
    )


def error_fits_status(r: Reading, _c: Context) -> Verdict:
    """`error.type` fits the status, since clients decide by it whether to try again."""
    body = _body(r)
    error = body.get("error") if isinstance(body, dict) else None
    if not 400 <= r.status <= 599 or not isinstance(error, dict) or not error.get("type"):
        return NOT_APPLICABLE
    blames_client = error["type"] == "invalid_request_error"
    return holds_if(
        not blames_client or r.status in {400, 404, 405, 413, 415, 422},
        f"type invalid_request_error on a {r.status}: clients will not try again",
    )


def error_charset(r: Reading, c: Context) -> Verdict:
    """A refusal's content type names UTF-8, or is the one that the edition's row gives a body of its own."""
    sent = r.headers.get("content-type", "")
    row = c.edition.file.errors[c.refusal] if c.refusal else None
    if row is not None and _is_own(r, row):
        return holds_if(sent == row.content_type, f"content type {sent}; due {row.content_type}")
    if not 400 <= r.status <= 599 or not sent.lower().startswith("application/json"):
        return NOT_APPLICABLE
    return holds_if("charset=utf-8" in sent.lower().replace(" ", ""), f"content type {sent}; due charset=utf-8")


def retry_told(r: Reading, _c: Context) -> Verdict:
    """A 429 says when to come back."""
    return NOT_APPLICABLE if r.status != 429 else holds_if("retry-after" in r.headers, "a 429 without Retry-After")


def weigh_row(c: Context) -> Severity:
    """A refusal's form weighs what the edition's row of it claims."""
    return by_claim(c.edition.file.errors[c.refusal].claim if c.refusal else None, Severity.SHOULD)


def retry_after(r: Reading, _c: Context) -> Verdict:
    """A Retry-After is whole seconds or an HTTP date."""
    sent = r.headers.get("retry-after")
    if sent is None:
        return NOT_APPLICABLE
    good = (sent.isascii() and sent.isdigit()) or _DATE.fullmatch(sent) is not None
    return holds_if(good, f"retry-after is {sent!r}; due whole seconds or an HTTP date")


def allow(r: Reading, _c: Context) -> Verdict:
    """A 405 names the methods that are allowed."""
    return NOT_APPLICABLE if r.status != 405 else holds_if("allow" in r.headers, "a 405 without an Allow header")
