"""`fixtures convert` takes what people paste, keeps the bytes of an answer, and says what it did."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.core.errors import OperatorError
from mockserver.core.exchange import Ending
from mockserver.files.exchange_file import exchange_of
from mockserver.files.secrets import Scrubbing
from mockserver.pipeline.read import carried
from mockserver.recording.formats.convert import convert, exchanges
from mockserver.recording.formats.imported_exchange import Hints
from mockserver.recording.formats.pasted import mended
from tests.command import called

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.files.exchange_file import ExchangeFile

HINTS = Hints("mt-infini-3b", "nvidia", "pasted?")
ARGUMENTS = ("--model", "mt-infini-3b", "--chip", "nvidia", "--prompt", "pasted?")


def chunk(text: str, finish: str | None = None) -> str:
    """The JSON of a chunk."""
    return json.dumps({"id": "c", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


A, B = chunk("a"), chunk("b", "stop")
EVENTS = f"data: {A}\n\ndata: {B}\n\ndata: [DONE]\n\n"
PASTED = f"data: {A}\ndata: {B}\ndata: [DONE]\n"
WHOLE = json.dumps({"id": "c", "choices": [{"index": 0, "message": {"content": "ab"}, "finish_reason": "stop"}]})


def taken(folder: Path, name: str, data: str | bytes, hints: Hints = HINTS) -> tuple[ExchangeFile, list[str]]:
    """The one exchange of a file, and what was told of it without the file's name."""
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    told: list[str] = []
    [one] = exchanges(path, hints, Scrubbing(), told.append)
    return one, [line.removeprefix(f"{path}: ") for line in told]


def body_of(file: ExchangeFile) -> bytes:
    """The body of its answer."""
    plan = exchange_of(file).plan
    assert plan is not None
    return b"".join(plan.frames)


def times_of(file: ExchangeFile) -> list[float]:
    """When its sends come."""
    return [send.at_ms for send in file.response.sends]


# --- bodies are kept ----------------------------------------------------------------------------------------------

BODIES: dict[str, tuple[str, bool, str]] = {
    "events": (EVENTS, True, "server-sent events"),
    "an-error-alone": ('data: {"error":{"message":"quota"}}\n\ndata: [DONE]\n\n', True, "server-sent events"),
    "begins-with-an-id": ('id:1\nevent:error\n:HTTP_STATUS/429\ndata:{"code":"x"}\n\n', True, "server-sent events"),
    "begins-with-retry": (f"retry: 3000\n\n{EVENTS}", True, "server-sent events"),
    "begins-with-event": (f"event: x\n{EVENTS}", True, "server-sent events"),
    "begins-with-a-comment": (f": keep-alive\n\n{EVENTS}", True, "server-sent events"),
    "begins-with-a-mark": (f"\ufeff{EVENTS}", True, "server-sent events"),
    "a-mark-before-an-id": (f"\ufeffid: 1\n{EVENTS}", True, "server-sent events"),
    "done-alone": ("data: [DONE]\n\n", True, "server-sent events"),
    "choices-null": ('data: {"choices": null}\n\n', True, "server-sent events"),
    "crlf": (EVENTS.replace("\n", "\r\n"), True, "server-sent events"),
    "no-newline-at-the-end": (EVENTS.rstrip(), True, "server-sent events"),
    "three-newlines": (EVENTS + "\n", True, "server-sent events"),
    "cr": (EVENTS.replace("\n", "\r"), True, "server-sent events"),
    "cut-in-an-event": (EVENTS[:-90], True, "server-sent events"),
    "cut-in-the-first-line": ('data: {"id', True, "server-sent events"),
    "blank-lines-around": (f"\n\n{EVENTS}\n\n", True, "server-sent events"),
    "lines": (f"{A}\n{B}\n", True, "JSON lines"),
    "lines-cut": (f"{A}\n{B[:20]}", True, "JSON lines"),
    "whole": (WHOLE, False, "one JSON body"),
    "whole-cut": (WHOLE[:40], False, "one JSON body"),
    "an-error-body": ('{"error": {"message": "x"}}', False, "one JSON body"),
    "json-then-done": (f"{WHOLE}\n\ndata: [DONE]\n\n", True, "JSON lines"),
    "html": ("<html><body>502</body></html>\n", False, "an HTML page"),
    "text": ("upstream timed out", False, "plain text"),
    "empty": ("", False, "an empty body"),
    "blank": (" \n\n", False, "an empty body"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".sse", ".bin"])
@pytest.mark.parametrize(("body", "streamed", "what"), BODIES.values(), ids=BODIES)
def test_a_body_is_kept_to_the_byte(body: str, streamed: bool, what: str, suffix: str, tmp_path: Path) -> None:
    """Good or bad, whatever its line ends: it is told what it was taken for, and comes back as it was."""
    file, told = taken(tmp_path, f"body{suffix}", body)

    assert body_of(file) == body.encode()
    assert file.request.body == {"messages": [{"role": "user", "content": "pasted?"}], "stream": streamed}
    assert told == [f"taken for the body of an answer: {what}; no byte of the body was changed"]
    [back] = convert(tmp_path / f"body{suffix}", tmp_path / "back.txt", HINTS, Scrubbing())
    assert back.read_bytes() == body.encode()


def test_events_without_blank_lines_are_kept_in_a_stream_and_told(tmp_path: Path) -> None:
    """Some servers send them so: only where a file is a paste are they put back."""
    file, told = taken(tmp_path, "body.sse", PASTED)

    assert body_of(file) == PASTED.encode()
    assert told[0].endswith("no blank lines stand between its events, and none was put there: in a .txt they are")


@pytest.mark.parametrize(("flag", "stream"), [("--stream", True), ("--no-stream", False)])
def test_the_flag_says_whether_it_was_streamed(flag: str, stream: bool, tmp_path: Path) -> None:
    """An HTML page may answer a streamed request, and an event one that was not."""
    for name, body in (("page.html", "<html>"), ("events.sse", EVENTS)):
        (tmp_path / name).write_text(body)
        code, out, err = called("fixtures", "convert", str(tmp_path / name), str(tmp_path / name[:4]), *ARGUMENTS, flag)
        assert code == 0, err
        assert f'"stream": {str(stream).lower()}' in (tmp_path / out.strip()).read_text()
        assert "taken for the body of an answer" in err


FORMS = {"sse": 3, "lines": 6, "body": 1}


@pytest.mark.parametrize(("form", "sends"), FORMS.items(), ids=FORMS)
def test_the_flag_says_what_it_is(form: str, sends: int, tmp_path: Path) -> None:
    """`--as` takes the whole file to the byte, a paste too, whatever it looks like."""
    file, told = taken(tmp_path, "body.txt", "\n" + EVENTS, Hints(*ARGUMENTS[1::2], form=form))

    assert body_of(file) == b"\n" + EVENTS.encode()
    assert len(file.response.sends) == sends + (form == "lines")
    assert told[0].endswith("no byte of the body was changed")


# --- pastes -------------------------------------------------------------------------------------------------------

PASTES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "as-it-ought-to-be": (EVENTS, EVENTS, ()),
    "no-blank-lines": (PASTED, EVENTS, ("2 blank lines between its events put back", "its end made that of its form")),
    "blank-lines-around": (f"\n\n{EVENTS}\n\n", EVENTS,
                           ("blank lines before it taken off", "its end made that of its form")),
    "no-newline-at-the-end": (EVENTS.rstrip(), EVENTS, ("its end made that of its form",)),
    "crlf": (EVENTS.replace("\n", "\r\n"), EVENTS.replace("\n", "\r\n"), ()),
    "crlf-without-blank-lines": (PASTED.replace("\n", "\r\n"), EVENTS.replace("\n", "\r\n"),
                                 ("2 blank lines between its events put back", "its end made that of its form")),
    "indented": ("".join(f"    {line}\n" for line in PASTED.splitlines()), EVENTS,
                 ("the indent of all lines taken off", "2 blank lines between its events put back",
                  "its end made that of its form")),
    "quoted": ("".join(f"> {line}\n" for line in PASTED.splitlines()), EVENTS,
               ("the mark of quotation in front of each line taken off", "2 blank lines between its events put back",
                "its end made that of its form")),
    "quoted-in-a-fence": ("".join(f"> {line}".rstrip() + "\n" for line in f"```\n{EVENTS}```".splitlines()), EVENTS,
                          ("the mark of quotation in front of each line taken off", "the fence around it taken off",
                           "its end made that of its form")),
    "of-docker-compose": ("".join(f"app-1  | {line}\n" for line in PASTED.splitlines()), EVENTS,
                          ("the same words in front of each line taken off",
                           "2 blank lines between its events put back", "its end made that of its form")),
    "of-docker-compose-with-blank-lines": ("".join(f"app-1  | {line}".rstrip() + "\n" for line in EVENTS.splitlines()),
                                           EVENTS, ("the same words in front of each line taken off",)),
    "lines-as-python-prints-them": ("".join(f"{line.encode()!r}\n" for line in PASTED.splitlines()), EVENTS,
                                    ("Python's spelling of bytes read", "2 blank lines between its events put back",
                                     "its end made that of its form")),
    "parts-as-python-prints-them": (f"{EVENTS[:9].encode()!r}\n{EVENTS[9:].encode()!r}\n", EVENTS,
                                    ("Python's spelling of bytes read",)),
    "a-word-before-one-line": (f"error: {A}\n", f"error: {A}\n", ()),
    "words-that-differ": (f"a data: {A}\nb data: {B}\n", f"a data: {A}\nb data: {B}\n", ()),
    "a-text-that-quotes": ("> so it was said\n", "> so it was said", ("its end made that of its form",)),
    "in-a-fence": (f"```text\n{EVENTS}```\n", EVENTS,
                   ("the fence around it taken off", "its end made that of its form")),
    "cut-in-an-event": (f"data: {A}\n\ndata: {B[:20]}", f"data: {A}\n\ndata: {B[:20]}", ()),
    "cut-without-blank-lines": (f"data: {A}\ndata: {A}\ndata: {B[:20]}\n",
                                f"data: {A}\n\ndata: {A}\n\ndata: {B[:20]}\n",
                                ("2 blank lines between its events put back",)),
    "with-names": (f"event: a\ndata: {A}\nevent: b\ndata: {B}\n", f"event: a\ndata: {A}\n\nevent: b\ndata: {B}\n\n",
                   ("1 blank line between its events put back", "its end made that of its form")),
    "one-event-of-two-lines": ("data: {\ndata: }\n\n", "data: {\ndata: }\n\n", ()),
    "lines": (f"\n{A}\n{B}", f"{A}\n{B}\n", ("blank lines before it taken off", "its end made that of its form")),
    "whole": (f"{WHOLE}\n", WHOLE, ("its end made that of its form",)),
}  # fmt: skip


@pytest.mark.parametrize(("paste", "body", "changes"), PASTES.values(), ids=PASTES)
def test_a_paste_is_mended_and_it_is_told(paste: str, body: str, changes: tuple[str, ...], tmp_path: Path) -> None:
    """What a page or a log did to it is taken back; what is cut stays cut."""
    file, told = taken(tmp_path, "pasted.txt", paste)

    assert body_of(file) == body.encode()
    assert told[0].partition("; ")[2] == ("; ".join(changes) or "no byte of the body was changed")


def stamped(
    *stamps: str, between: str = " ", lines: tuple[str, ...] = (f"data: {A}", f"data: {B}", "data: [DONE]")
) -> str:
    """Lines of a log."""
    return "".join(f"{stamp}{between}{line}\n" for stamp, line in zip(stamps, lines, strict=True))


LOGS: dict[str, tuple[str, list[float]]] = {
    "iso": (stamped("2026-11-28T12:00:00.100Z", "2026-11-28T12:00:00.350Z", "2026-11-28T12:00:01Z"), [0, 250, 900]),
    "iso-with-a-zone": (stamped("2026-11-28T12:00:00+08:00", "2026-11-28T12:00:01+08:00", "2026-11-28T12:00:03+08:00"),
                        [0, 1000, 3000]),
    "python-logging": (stamped("2026-11-28 12:00:00,100", "2026-11-28 12:00:00,101", "2026-11-28 12:00:00,350",
                               between=" INFO client.py:12: "), [0, 1, 250]),
    "slashes": (stamped("2026/11/28 12:00:00", "2026/11/28 12:00:01", "2026/11/28 12:00:02"), [0, 1000, 2000]),
    "brackets": (stamped("[12:00:00.5]", "[12:00:00.75]", "[12:00:01.0]"), [0, 250, 500]),
    "midnight": (stamped("23:59:59.9", "00:00:00.1", "00:00:00.2"), [0, 200, 300]),
    "unix-seconds": (stamped("1764331200.25", "1764331200.5", "1764331201.25"), [0, 250, 1000]),
    "unix-milliseconds": (stamped("1764331200250", "1764331200300", "1764331200301", between="|"), [0, 50, 51]),
    "passed-seconds": (stamped("+0.100", "+0.200", "+1.000"), [0, 100, 900]),
    "passed-milliseconds": (stamped("10ms", "20ms", "35.5ms", between=" <- "), [0, 10, 25.5]),
    "nanoseconds": (stamped(*(f"2026-11-28T12:00:00.{n}00000000Z" for n in (1, 2, 3)), between=" stdout F "),
                    [0, 100, 200]),
    "compose": (stamped(*(f"app-1  | 2026-11-28T12:00:0{n}.5Z" for n in (0, 1, 2))), [0, 1000, 2000]),
    "kubectl-prefix": (stamped(*(f"[pod/app-5d/app] 2026-11-28T12:00:0{n}.5Z" for n in (0, 1, 2))), [0, 1000, 2000]),
    "journalctl": (stamped(*(f"Nov 28 12:00:0{n}" for n in (0, 1, 2)), between=" host app[12]: "), [0, 1000, 2000]),
    "level-first": (stamped(*(f"INFO 2026-11-28 12:00:00,{n}00" for n in (1, 2, 3)), between=" app: "), [0, 100, 200]),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".txt", ".log", ".sse"])
@pytest.mark.parametrize(("log", "at_ms"), LOGS.values(), ids=LOGS)
def test_time_stamps_become_times(log: str, at_ms: list[float], suffix: str, tmp_path: Path) -> None:
    """In front of every line and of one form, with the same words behind them: no bytes of the stream."""
    file, told = taken(tmp_path, f"a{suffix}", log)

    assert body_of(file) == EVENTS.encode()
    assert times_of(file) == at_ms
    assert "the time stamp in front of each line taken off and used as its time; 2 blank lines" in told[0]


def test_stamped_blank_lines_and_json_lines(tmp_path: Path) -> None:
    """A log that keeps blank lines stamps them too; lines of JSON have their times as well."""
    log = "".join(f"12:00:0{number} {line}\n" for number, line in enumerate(EVENTS.split("\n")[:-1]))
    lines = f"12:00:00 {A}\n12:00:02 {B}\n"

    assert times_of(taken(tmp_path, "a.log", log)[0]) == [0, 2000, 4000]
    assert body_of(taken(tmp_path, "a.log", log)[0]) == EVENTS.encode()
    assert (times_of(taken(tmp_path, "b.log", lines)[0]), body_of(taken(tmp_path, "b.log", lines)[0])) == (
        [0, 2000], f"{A}\n{B}\n".encode(),
    )  # fmt: skip


def test_times_that_fall_are_not_used(tmp_path: Path) -> None:
    """They are taken off, and that is told."""
    file, told = taken(tmp_path, "a.log", stamped("12:00:02", "12:00:01", "12:00:03"))

    assert body_of(file) == EVENTS.encode()
    assert times_of(file) == [0, 0, 0]
    assert "taken off; the times fall, so none is kept" in told[0]


NOT_UNIFORM = {
    "not-on-each-line": f"12:00:00 data: {A}\ndata: {B}\n",
    "of-two-forms": f"12:00:00 data: {A}\n1764331200 data: {B}\n",
    "other-words": f"12:00:00 INFO data: {A}\n12:00:01 DEBUG data: {B}\n",
    "other-words-before": f"a-1 | 12:00:00 data: {A}\nb-1 | 12:00:01 data: {B}\n",
    "no-time": f"99:00:00 data: {A}\n99:00:01 data: {B}\n",
    "nothing-behind": "12:00:00 hello\n12:00:01 hello\n",
}


@pytest.mark.parametrize("log", NOT_UNIFORM.values(), ids=NOT_UNIFORM)
def test_stamps_that_are_not_uniform_stay(log: str, tmp_path: Path) -> None:
    """It is a body as it stands, and so it is told."""
    file, told = taken(tmp_path, "a.sse", log)

    assert body_of(file) == log.encode()
    assert ": plain text" in told[0]
    assert told[0].endswith("; no byte of the body was changed")


# --- requests in front, and heads ---------------------------------------------------------------------------------

URL = "https://example.com/maas/mt-infini-3b/chip4/chat/completions"
BODY = '{"messages": [{"role": "user", "content": "it\'s 你"}], "stream": true}'
SHELL = BODY.replace("'", "'\\''")
ANSI = BODY.replace("'", "\\'").replace("你", "\\u4f60")
CMD = "".join(f"^{letter}" if letter in '"{}' else letter for letter in BODY.replace("你", "n").replace('"', '\\"'))
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
REQUESTS = {
    "curl": f"curl '{URL}' -H 'Authorization: Bearer sk-0123456789abcdef' --data-raw '{SHELL}'\n\n",
    "curl-of-many-lines": f"$ curl -sN -X POST '{URL}' \\\n  -H 'content-type: application/json' \\\n  -d '{SHELL}'\n",
    "curl-of-chrome": f"curl '{URL}' \\\r\n"
    f"  -b 'session=abcdefgh' \\\r\n  --data-raw $'{ANSI}' \\\r\n  --compressed\r\n\r\n",
    "curl-url-last": f"curl -d '{SHELL}' -m 10 -o - {URL}\n",
    "fetch": "fetch({}, {});\n\n".format(json.dumps(URL), json.dumps({"headers": {"a": "b"}, "body": BODY})),
    "fetch-of-firefox": "await fetch({}, {})\n".format(json.dumps(URL), json.dumps({"body": BODY}, indent=4)),
    "http": f"POST {URL[19:]} HTTP/1.1\r\nHost: example.com\r\nContent-Length: {len(BODY.encode())}\r\n\r\n{BODY}",
    "http-without-length": f"POST {URL[19:]} HTTP/1.1\nHost: example.com\n\n{BODY}\n\n",
}  # fmt: skip
ANSWERS = {"with-head": f"{HEAD}\r\n{EVENTS}", "bare": EVENTS}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("request_text", REQUESTS.values(), ids=REQUESTS)
def test_a_request_in_front_is_the_request(request_text: str, answer: str, tmp_path: Path) -> None:
    """Copied from a browser or a wire: path and body are taken from it, and no secret gets into the file."""
    if request_text.startswith("POST") and answer == EVENTS:
        request_text += "" if "Length" in request_text else HEAD + "\r\n"
        answer = EVENTS if "Length" not in request_text else f"{HEAD}\r\n{EVENTS}"
    file, told = taken(tmp_path, "a.http", request_text + answer, Hints())

    assert file.request.path == URL[19:]
    assert file.request.body == json.loads(BODY)
    assert body_of(file) == EVENTS.encode()
    assert "0123456789abcdef" not in str(file)
    assert told[0].startswith(
        ("taken for a copied curl command and", "taken for a copied fetch and", "taken for an HTTP")
    )


def test_a_command_of_windows(tmp_path: Path) -> None:
    """`Copy as cURL (cmd)` escapes by carets."""
    command = f'curl ^"{URL}^" ^\r\n  -H ^"content-type: application/json^" ^\r\n  --data-raw ^"{CMD}^"\r\n'

    file, _ = taken(tmp_path, "a.txt", command + EVENTS, Hints())

    assert file.request.body == json.loads(BODY.replace("你", "n"))
    assert body_of(file) == EVENTS.encode()


VERBOSE = f"""*   Trying 127.0.0.1:80...
* Connected to example.com (127.0.0.1) port 80
> POST {URL[19:]} HTTP/1.1
> Host: example.com
> Authorization: Bearer sk-0123456789abcdef
>\x20
< HTTP/1.1 100 Continue
<\x20
* We are completely uploaded and fine
< HTTP/1.1 429 Too Many Requests
< Retry-After: 3
< Content-Type: application/json
<\x20
{{ [20 bytes data]
{{"error": {{"message": "slow down"}}}}* Connection #0 to host example.com left intact
"""


def test_what_curl_v_tells(tmp_path: Path) -> None:
    """Its own words go, both heads are read, and the body is what stood between."""
    file, told = taken(tmp_path, "a.txt", VERBOSE, Hints(prompt="pasted?"))

    assert (file.request.path, file.response.status) == (URL[19:], 429)
    assert file.response.headers == (("Retry-After", "3"), ("Content-Type", "application/json"))
    assert body_of(file) == b'{"error": {"message": "slow down"}}'
    assert "0123456789abcdef" not in str(file)
    assert told == ["taken for what curl -v tells: one JSON body; no byte of the body was changed"]


def test_curl_v_with_events_and_a_cut(tmp_path: Path) -> None:
    """Curl's last words tell how the body ended."""
    text = f"< HTTP/1.1 200 OK\n< content-type: text/event-stream\n< \ndata: {A}\n\n"
    left = "* transfer closed with outstanding read data remaining\n* Closing connection\n"
    words = "curl: (18) transfer closed with outstanding read data remaining\n"

    file, told = taken(tmp_path, "a.http", text + left + words)

    assert body_of(file) == f"data: {A}\n\n".encode()
    assert file.response.ending is Ending.CUT
    assert "curl's last words taken for the ending cut" in told[0]


@pytest.mark.parametrize(("code", "ending"), [(18, "cut"), (28, "hang"), (56, "reset"), (92, "cut"), (0, "complete")])
def test_how_curl_saw_it_end(code: int, ending: str, tmp_path: Path) -> None:
    """A partial file, a timeout, a reset."""
    file, _ = taken(tmp_path, "a.http", f"{HEAD}\r\ndata: {A}\n\ncurl: ({code}) and so on\n")

    assert file.response.ending == ending


def test_a_dump_that_is_an_event_stream_was_streamed(tmp_path: Path) -> None:
    """Also where nothing but an error, or nothing at all, came in it."""
    for body in ("", '{"error": {}}', "<html>"):
        assert (taken(tmp_path, "a.http", f"{HEAD}\r\n{body}")[0].request.body or {})["stream"] is True


def test_a_packed_dump_stays_packed(tmp_path: Path) -> None:
    """Curl takes the coding off only where it is told to; the header says what the bytes are."""
    packed = gzip.compress(EVENTS.encode())
    file, told = taken(tmp_path, "a.txt", f"{HEAD}Content-Encoding: gzip\r\n\r\n".encode() + packed)

    assert body_of(file) == packed
    assert ("content-encoding", "gzip") in file.response.headers
    assert "server-sent events" in told[0]
    assert carried(exchange_of(file)).text == "ab"


# --- hostile and broken -------------------------------------------------------------------------------------------

BROKEN: dict[str, tuple[str, str]] = {
    "curl-alone": (f"curl {URL} -d '{{}}'", "read as curl: a copied curl command without its answer: paste"),
    "an-open-quote": (f"curl '{URL}", "read as curl: the curl command has a quote ' that does not close"),
    "fetch-that-is-code": (f'fetch("{URL}", {{body: x}})', "read as curl: the arguments of fetch are no JSON"),
    "fetch-that-is-open": (f'fetch("{URL}"', "read as curl: fetch(…) is not whole"),
    "verbose-alone": ("* a\n> POST / HTTP/1.1\n", "not a JSON file"),
    "a-har-that-is-cut": ('{"log": {"entries": [', "not a JSON file"),
    "a-recording-that-is-cut": ('{"provenance": {"tool"', "not a JSON file"),
    "no-prompt": (EVENTS, "read as lines: an answer without its request: say --prompt TEXT"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_taken_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    """File, form and what to do; the exit code is 2 and nothing is written."""
    path = tmp_path / "a.txt"
    path.write_text(text)
    arguments = ARGUMENTS[:4] if text == EVENTS or text.startswith("*") else ARGUMENTS

    code, out, err = called("fixtures", "convert", str(path), str(tmp_path / "out"), *arguments)

    assert code == 2
    assert out == ""
    assert f"{path}: {message}" in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


PIECES = st.sampled_from(
    ["data: ", A, B, "[DONE]", "\n", "\n\n", "\r\n", "HTTP/1.1 200 OK", "HTTP/2 503", "< ", "> ", "* ", "curl ", "'",
     '"', "$'", "\\", "-d ", "fetch(", "{", "}", "[", "12:00:00 ", "2026-11-28T12:00:00Z ", "curl: (18) x",
     "POST / HTTP/1.1\n",
     "content-length: 5\n", "transfer-encoding: chunked\n\n", "5\r\nabcde\r\n0\r\n\r\n", "interactions:", '"log"',
     '{"log": {"entries": [', "\ufeff", "\x00", "^\"", "id: 1\n", "event: error\n", ": c\n", "    ", "```\n",
     "content-encoding: gzip\n", "\\ud800", "\\u", "\ud83d"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(data=st.lists(PIECES, max_size=12).map("".join) | st.binary(max_size=60))
def test_anything_is_taken_or_one_line(data: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever a file holds: files that can be written, or one line for the operator."""
    folder = tmp_path_factory.mktemp("any")
    path = folder / "a.txt"
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))

    told = ""
    made: list[Path] = []
    try:
        made = convert(path, folder / "out", HINTS, Scrubbing())
    except OperatorError as error:
        told = str(error)

    assert bool(made) != bool(told)
    assert "\n" not in told
    assert all(one.is_file() for one in made)


# --- any stream ---------------------------------------------------------------------------------------------------

FRAMES = st.sampled_from(
    [f"data: {A}", f"data:{B}", "data: [DONE]", ": hi", "event: x\ndata: {}", "data: half {", "id: 1"]
)
STREAMS = st.builds(
    lambda frames, newline, gap, end: (gap.join(frames) + end).replace("\n", newline),
    st.lists(FRAMES, min_size=1, max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["\n\n", "\n", "\n\n\n"]),
    st.sampled_from(["", "\n", "\n\n", "\n\n\n"]),
)


@settings(max_examples=80, deadline=None)
@given(body=STREAMS | st.sampled_from([one for one, _, _ in BODIES.values()]))
def test_bytes_in_are_bytes_out(body: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any stream saved from the wire, imported and written again, is the same to the byte."""
    folder = tmp_path_factory.mktemp("bytes")
    (folder / "a.sse").write_bytes(body.encode())

    [file] = convert(folder / "a.sse", folder / "out", HINTS, Scrubbing())
    [back] = convert(file, folder / "back.sse", HINTS, Scrubbing())

    assert back.read_bytes() == body.encode()


@given(body=STREAMS)
def test_mending_adds_nothing_but_blank_lines(body: str) -> None:
    """Of any paste the lines that are not blank stay, in their order, and mending twice is mending once."""
    once = mended(body.encode(), pasted=True)

    assert [line for line in once.body.split() if line] == [line for line in body.encode().split() if line]
    assert mended(once.body, pasted=True).body == once.body
