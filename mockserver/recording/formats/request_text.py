"""Requests as people paste them in front of an answer: copied from a browser as cURL or fetch, or as HTTP has them."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final

from mockserver.recording.formats.imported_exchange import AskedFor

if TYPE_CHECKING:
    from collections.abc import Iterator


_CURL: Final = re.compile(rb"\s*(?:[$#%] )?curl(?:\.exe)?(?=[ \t])")
_FETCH: Final = re.compile(rb"\s*(?:await\s+)?fetch\(\s*")
_HTTP: Final = re.compile(rb"\s*(POST|GET|PUT) (\S{1,4096}) HTTP/[0-9.]{1,3}[ \t]*\r?\n")
_STATUS: Final = re.compile(rb"HTTP/[0-9.]{1,3} [0-9]{3}")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_SEPARATOR: Final = re.compile(r"\s*,\s*")
_CLOSED: Final = re.compile(r"\s*\)\s*;?[ \t]*")
_CARET: Final = re.compile(r"\^(\r?\n|.)")
_DATA: Final = ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json")
_WITH_VALUE: Final = frozenset("ACDEFKPQTUXYbcdehmorstuwxyz")
"""Letters of curl's short options that take a value."""
_LONG_WITH_VALUE: Final = re.compile(
    "--(request|url|header|cookie|user|user-agent|referer|output|max-time|connect-timeout|proxy|cacert|cert|key|resolve"
    "|retry|write-out|form|oauth2-bearer|interface|limit-rate)"
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_HEX: Final = re.compile(r"x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}")


def split(data: bytes) -> tuple[AskedFor | None, bytes]:
    """The request at the beginning of a paste, and the rest; None where there is none.

    Raises:
        ValueError: The request cannot be read, or no answer follows.
    """
    for mark, read in ((_CURL, _curl), (_FETCH, _fetch), (_HTTP, _http)):
        found = mark.match(data)
        if found is None:
            continue
        asked, rest = read(data, found)
        if not rest.strip():
            raise ValueError(f"{asked.form} without its answer: paste the response below it")
        return asked, rest
    return None, data


def _http(data: bytes, found: re.Match[bytes]) -> tuple[AskedFor, bytes]:
    end = _HEAD_END.search(data, found.end() - 2)
    head, at = (data[found.end() : end.start()], end.end()) if end else (data[found.end() :], len(data))
    lines = [line.partition(b":") for line in head.splitlines()]
    pairs = [(name.strip(), value.strip()) for name, colon, value in lines if colon]
    length = next((value for name, value in pairs if name.lower() == b"content-length"), b"")
    until = at + int(length) if length.isdigit() and len(length) < 12 else -1
    if not at <= until <= len(data) or (until < len(data) and not _STATUS.match(data[until : until + 64].lstrip())):
        status = _STATUS.search(data, at)
        until = status.start() if status else len(data)
    return AskedFor("an HTTP request", found[2].decode("latin-1"), pairs, data[at:until].strip()), data[until:].lstrip()


def _fetch(data: bytes, found: re.Match[bytes]) -> tuple[AskedFor, bytes]:
    text = data[found.end() :].decode("utf-8", "surrogateescape")
    decoder = json.JSONDecoder(strict=False)
    try:
        url, at = decoder.raw_decode(text)
        comma = _SEPARATOR.match(text, at)
        options: Any = {}
        if comma is not None:
            options, at = decoder.raw_decode(text, comma.end())
    except (ValueError, RecursionError):
        raise ValueError("the arguments of fetch are no JSON: copy them as the browser gives them") from None
    closed = _CLOSED.match(text, at)
    if closed is None or not isinstance(url, str) or not isinstance(options, dict):
        raise ValueError("fetch(…) is not whole: a URL, an object and a closing bracket are due")
    headers = options.get("headers") or {}
    if not isinstance(headers, dict):
        raise ValueError("the headers of fetch are no object")  # noqa: TRY004 - one error for bad input
    pairs = [(_bytes(str(name)), _bytes(str(value))) for name, value in headers.items()]
    body = _bytes(str(options.get("body") or ""))
    return AskedFor("a copied fetch", url, pairs, body), _bytes(text[closed.end() :]).lstrip(b"\r\n")


def _curl(data: bytes, found: re.Match[bytes]) -> tuple[AskedFor, bytes]:
    text = data[found.end() :].decode("utf-8", "surrogateescape")
    if '^"' in text[:65536]:  # copied for Windows' command prompt
        line = re.compile(r"(?:\^\r?\n|[^\n])*").match(text)
        end = line.end() if line else 0
        text = _CARET.sub(lambda one: " " if "\n" in one[1] else one[1], text[:end]) + text[end:]
    words, at = _words(text)
    url, pairs, said = "", [], []
    for option, value in _options(words):
        if option in {"-H", "--header"}:
            name, _, rest = value.partition(":")
            pairs.append((_bytes(name.strip()), _bytes(rest.strip())))
        elif option in _DATA:
            said.append(value)
        elif option in {"-b", "--cookie"}:
            pairs.append((b"cookie", _bytes(value)))
        elif option in {"-u", "--user"}:
            pairs.append((b"authorization", b"Basic " + base64.b64encode(_bytes(value))))
        elif option == "--oauth2-bearer":
            pairs.append((b"authorization", b"Bearer " + _bytes(value)))
        elif option in {"", "--url"} and not url:
            url = value
    body = "&".join(said)
    if body.startswith("@"):
        body = ""  # a file that is not here
    return AskedFor("a copied curl command", url, pairs, _bytes(body)), _bytes(text[at:]).lstrip(b"\r\n")


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Each option with its value, or nothing with what stands by itself."""
    rest = iter(words)
    for word in rest:
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            takes = name in _DATA or _LONG_WITH_VALUE.fullmatch(name)
            yield name, value if equals else next(rest, "") if takes else ""
        elif word.startswith("-") and len(word) > 1:
            at = next((n for n, letter in enumerate(word[1:], 1) if letter in _WITH_VALUE or letter == "H"), None)
            if at is not None:
                yield f"-{word[at]}", word[at + 1 :] or next(rest, "")
        else:
            yield "", word


def _words(text: str) -> tuple[list[str], int]:
    """The words of a shell command up to the end of its line, and where that is."""
    words: list[str] = []
    word: list[str] | None = None
    at, size = 0, len(text)
    while at < size:
        letter = text[at]
        if letter == "\n":
            break
        if letter in " \t\r":
            if word is not None:
                words.append("".join(word))
            word = None
            at += 1
            continue
        if letter == "\\" and text[at + 1 : at + 2] in {"\n", "\r"}:
            at += 3 if text.startswith("\r\n", at + 1) else 2
            continue
        word = [] if word is None else word
        if letter == "'" or text.startswith("$'", at):
            part, at = _quoted(text, at + 1 + (letter == "$"), "'", escapes=_ESCAPES if letter == "$" else None)
        elif letter == '"':
            part, at = _quoted(text, at + 1, '"', escapes={})
        else:
            at += letter == "\\"
            part, at = text[at : at + 1], at + 1
        word.append(part)
    if word is not None:
        words.append("".join(word))
    return words, at


def _quoted(text: str, at: int, closing: str, escapes: dict[str, str] | None) -> tuple[str, int]:
    """What stands between quotes, and the place behind them; raises ValueError where they do not close."""
    made: list[str] = []
    plain = re.compile(r"[^'\\]*" if closing == "'" else r'[^"\\]*')
    while True:
        found = plain.match(text, at)
        assert found is not None  # noqa: S101 - it may match nothing
        made.append(found[0])
        at = found.end()
        if at >= len(text):
            raise ValueError(f"the curl command has a quote {closing} that does not close")
        if text[at] == closing:
            return "".join(made), at + 1
        if escapes is None:
            made.append("\\")
            at += 1
            continue
        letter = text[at + 1 : at + 2]
        number = _HEX.match(text, at + 1) if escapes else None
        if number is not None:
            made.append(_character(int(number[0][1:], 16)))
            at = number.end()
            continue
        kept = "" if escapes or letter in '"\\$`' else "\\"
        made.append("" if letter == "\n" else kept + escapes.get(letter, letter))
        at += 2


def _character(number: int) -> str:
    return chr(number) if number < 0x110000 else "\ufffd"


def _bytes(text: str) -> bytes:
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    try:
        return joined.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return joined.encode("utf-8", "replace")
