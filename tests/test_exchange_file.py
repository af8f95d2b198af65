"""The exchange file: what is written can be read, by the program and by people."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.core.errors import OperatorError
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.files.byte_text import bytes_of, text_of
from mockserver.files.exchange_file import (
    ExchangeFile,
    Provenance,
    exchange_of,
    file_of,
    plan_of,
    read,
    read_if_exchange,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/maas/mt-infini-3b/chip3/chat/completions"
PROVENANCE = Provenance(recorded_at="2026-11-22T12:00:00Z", tool="genstudio-mock", body_sha256="")
TEXTS = st.text(st.sampled_from('aé你🙂\u2028\u0085\x00\x1b\u202e\ufeff"\\\n')) | st.text()
FRAMES = st.lists(
    st.binary(min_size=1, max_size=20) | TEXTS.filter(bool).map(lambda text: text.encode("utf-8", "replace"))
)


def exchange(
    frames: tuple[bytes, ...], ending: Ending = Ending.COMPLETE, body: bytes = b'{"messages": []}'
) -> Exchange:
    """An exchange with these chunks, one a millisecond."""
    times = tuple(float(number) for number in range(len(frames)))
    headers = ((b"Content-Type", b"text/event-stream"), (b"Set-Cookie", b"session=1234567890"))
    plan = Plan(200, headers, frames, times or None, ending)
    asked = {b"content-type": b"application/json", b"authorization": b"Bearer sk-1234567890"}
    return Exchange(Request("POST", PATH, asked, body), plan, len(frames), times[-1] if times else 0.0, ending)


@given(st.binary() | st.binary(min_size=65, max_size=300))
def test_bytes_survive_as_text(data: bytes) -> None:
    """Any bytes come back from their readable form."""
    assert bytes_of(text_of(data)) == data


@settings(max_examples=60)
@given(FRAMES, st.sampled_from(Ending), TEXTS)
def test_a_written_exchange_is_read_again(frames: list[bytes], ending: Ending, prompt: str) -> None:
    """Whatever the chunks and the ending, the file holds the same exchange, and nobody seems to have edited it."""
    body = json.dumps({"messages": [{"role": "user", "content": prompt}]}).encode("utf-8", "replace")
    file = file_of(exchange(tuple(frames), ending, body), PROVENANCE)

    found = ExchangeFile.model_validate_json(written(file))
    back = exchange_of(found)

    assert back.plan is not None
    assert list(back.plan.frames) == frames
    assert back.plan.ending is ending
    assert not back.plan.joinable
    assert not found.edited
    assert found.bodies_match
    assert written(found) == written(file)


def test_the_file_is_readable() -> None:
    """Chinese stands as it is, each send has its line, and bytes of a character that was cut stay beside the text."""
    frames = ("我是".encode(), "来自"[0].encode()[:1], "来自".encode()[1:])

    lines = written(file_of(exchange(frames), PROVENANCE)).splitlines()

    assert '      {"at_ms": 0.0, "data": "我是"},' in lines
    assert '      {"at_ms": 1.0, "data": [{"hex": "e6"}]},' in lines
    assert '      {"at_ms": 2.0, "data": [{"hex": "9da5"}, "自"]}' in lines


def test_packed_bytes_cost_two_letters_each() -> None:
    """What is no text at all is one run of digits, so a packed body makes no file of many times its length."""
    packed = zlib.compress("".join(f"{number}: 我是" for number in range(3000)).encode())

    text = written(file_of(exchange((packed,)), PROVENANCE))

    assert f'"data": [{{"hex": "{packed.hex()}"}}]}}' in text
    assert len(text) < 2 * len(packed) + 1000


def test_what_does_not_show_is_escaped() -> None:
    """U+2028, U+0085 and bidi marks neither break a line nor turn the text of the file around."""
    text = written(file_of(exchange(("a\u2028b\u0085c\u202ed\x1b[31m".encode(),)), PROVENANCE))

    assert '"a\\u2028b\\u0085c\\u202ed\\u001b[31m"' in text


def test_headers_that_are_not_kept_have_no_place() -> None:
    """Keys and cookies are not even in the file's model."""
    text = written(file_of(exchange((b"x",)), PROVENANCE))

    assert "sk-1234567890" not in text
    assert "session" not in text
    assert '["Content-Type", "text/event-stream"]' in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda d: d["response"]["headers"].append(["Set-Cookie", "a"]),
            "header 'Set-Cookie' is not kept",
            id="cookie",
        ),
        pytest.param(
            lambda d: d["request"]["headers"].append(["authorization", "a"]), "header 'authorization' is not", id="key"
        ),
        pytest.param(lambda d: d["response"]["sends"].reverse(), "at_ms falls at send 1: 1.0 to 0.0", id="time"),
        pytest.param(lambda d: d["response"].update(extra=1), "extra", id="unknown-key"),
        pytest.param(lambda d: d["response"]["sends"][0].update(data=[{"hex": "zz"}]), "hex", id="hex"),
        pytest.param(lambda d: d.pop("request"), "request", id="missing"),
    ],
)
def test_bad_files_are_one_line(change: object, message: str, tmp_path: Path) -> None:
    """A file that cannot be taken is named with what is wrong, in one line."""
    document = json.loads(written(file_of(exchange((b"a", b"b")), PROVENANCE)))
    change(document)  # type: ignore[operator]
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(document))

    with pytest.raises(OperatorError) as caught:
        read(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "edited", "bodies_match"),
    [("request", True, True), ("response", True, False), ("nothing", False, True)],
)
def test_an_edit_is_seen(part: str, edited: bool, bodies_match: bool) -> None:
    """The seal covers request and response, the body's hash the answer's bytes."""
    text = written(file_of(exchange((b"answer",), body=b'{"messages": ["request"]}'), PROVENANCE))
    word = {"request": '"request"\n', "response": '"answer"'}.get(part, "none")

    file = ExchangeFile.model_validate_json(text.replace(word, word.replace('"', '"x', 1)))

    assert (file.edited, file.bodies_match) == (edited, bodies_match)


@pytest.mark.parametrize(
    ("status", "ending", "said", "sent"),
    [
        pytest.param(200, Ending.COMPLETE, "6", b"6", id="right"),
        pytest.param(200, Ending.COMPLETE, "4", b"6", id="longer-now"),
        pytest.param(200, Ending.COMPLETE, "9", b"6", id="shorter-now"),
        pytest.param(200, Ending.COMPLETE, "?", b"6", id="no-number"),
        pytest.param(200, Ending.CUT, "9", b"9", id="cut-before-its-end"),
        pytest.param(200, Ending.CUT, "4", b"6", id="cut-behind-its-end"),
        pytest.param(304, Ending.COMPLETE, "9", b"9", id="no-body-is-due"),
    ],
)
def test_a_length_that_no_longer_fits(status: int, ending: Ending, said: str, sent: bytes) -> None:
    """Who edits a body need not count it: the header that is sent has the length that can be."""
    made = file_of(exchange((b"answer",), ending), PROVENANCE)
    response = made.response.model_copy(update={"status": status, "headers": (("Content-Length", said),)})

    assert plan_of(made.model_copy(update={"response": response})).headers == ((b"Content-Length", sent),)


def test_trailers_that_tell_of_a_secret_have_no_place() -> None:
    """Other trailers are kept in order and case; a file that holds such a one is refused."""
    trailers = ((b"X-Checksum", b"1"), (b"Set-Cookie", b"a=1"), (b"X-Session", b"2"), (b"x-checksum", b"3"))
    made = exchange((b"a",))
    assert made.plan is not None
    made.plan = replace(made.plan, trailers=trailers, head_at_ms=1.23456)

    file = file_of(made, PROVENANCE)
    text = written(file)

    assert plan_of(ExchangeFile.model_validate_json(text)).trailers == (trailers[0], trailers[3])
    assert '    "head_at_ms": 1.235,' in text.splitlines()
    with pytest.raises(
        ValueError, match="header 'X-Session' is not kept in files; allowed: names that tell of no secret"
    ):
        ExchangeFile.model_validate_json(text.replace("x-checksum", "X-Session"))


def test_files_of_another_form_are_left(tmp_path: Path) -> None:
    """An answer file is no exchange, which is no error while looking and one when it was asked for."""
    path = tmp_path / "answer.json"
    path.write_text('{"match": {}, "answer": {"text": "a"}}')

    assert read_if_exchange(path) is None
    with pytest.raises(OperatorError, match="no exchange file: it has no key 'response'"):
        read(path)
