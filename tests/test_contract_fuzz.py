"""The fuzzer finds planted bugs, shrinks them to small streams, and lets a right client pass."""

from __future__ import annotations

import argparse
import http.client
import io
import json
import sys
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings

from mockserver import quirks
from mockserver.contract import command_fuzz, fuzz, strategies
from mockserver.contract.fuzz import find_bug
from mockserver.data import shipped
from mockserver.errors import OperatorError
from mockserver.pipeline.frame import DONE, WIRE_FORMATS
from mockserver.profile import load_edition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mockserver.quirks import WireSettings


@cache
def wire_of(edition: str, chip: str) -> WireSettings:
    """A shipped chip's settings."""
    return load_edition(edition, [shipped("profiles")]).chips[chip].wire


NVIDIA = wire_of("2024-tutorial", "nvidia")
CHIP3 = wire_of("2024-tutorial", "chip3")


def network_reads(base_url: str) -> Iterator[bytes]:
    """The pieces of a streamed answer as they come from the network."""
    parts = urlsplit(base_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("POST", parts.path + "/chat/completions", b'{"stream": true}')
        response = connection.getresponse()
        while data := response.read1(65536):
            yield data
    finally:
        connection.close()


def said(line: str) -> str:
    """The content of one chunk's JSON text."""
    chunk = json.loads(line)
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def decodes_each_read(base_url: str) -> str:
    """A client with a bug: it decodes each network read by itself."""
    text = "".join(data.decode("utf-8", "replace") for data in network_reads(base_url))
    return _events(text)


def _events(text: str) -> str:
    found = ""
    for line in text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line.startswith("data:") and line[5:].strip() != "[DONE]":
            found += said(line[5:])
    return found


def wants_a_space(base_url: str) -> str:
    """A client with a bug: it wants `data: ` with the space that the standard makes optional."""
    body = b"".join(network_reads(base_url)).decode().removeprefix("\ufeff")
    lines = [line for line in body.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.startswith("data: ")]
    return "".join(said(line[6:]) for line in lines if line != "data: [DONE]")


def waits_for_done(base_url: str) -> str:
    """A client with a bug: it takes a stream without the done marker for a broken one."""
    body = b"".join(network_reads(base_url)).decode()
    if "[DONE]" not in body:
        raise TimeoutError("no [DONE] came")
    return _events(body)


def reads_rightly(framing: str) -> Callable[[str], str]:
    """A client without a bug."""

    def read(base_url: str) -> str:
        reader = WIRE_FORMATS[framing].reader()
        events = [event for data in network_reads(base_url) for event in reader.feed(data)] + reader.close()
        return "".join(said(json.dumps(one)) for one in events if one is not DONE)

    return read


@pytest.mark.parametrize(
    ("client", "problem"),
    [
        (decodes_each_read, "the client read "),
        (wants_a_space, "silent: the client read nothing and raised nothing; the stream says"),
        (waits_for_done, "the client raised TimeoutError: no [DONE] came"),
    ],
)
def test_a_planted_bug_is_found_and_shrunk(client: Callable[[str], str], problem: str) -> None:
    """Each of three common bugs is found and shown with a stream of at most four frames."""
    failure = find_bug(client, NVIDIA, examples=200)

    assert failure is not None
    assert failure.problem.startswith(problem)
    assert len(failure.stream.frames) <= 4
    assert len(failure.stream.answer.pieces) == 1
    assert len(failure.stream.quirks) <= 1


def test_the_bug_is_shown_by_the_smallest_cause() -> None:
    """What is left of a stream is what the bug needs: one quirk, or one cut inside one character."""
    spaceless = find_bug(wants_a_space, NVIDIA, examples=200)
    halved = find_bug(decodes_each_read, NVIDIA, examples=200)

    assert spaceless is not None
    assert halved is not None
    assert spaceless.stream.quirks == ("data-nospace",)
    assert halved.stream.quirks == ()
    assert any(not _is_text(write) for write in halved.served.writes)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize(("framing", "wire"), [("sse", NVIDIA), ("json-lines", CHIP3)])
def test_a_right_client_passes(framing: str, wire: WireSettings) -> None:
    """A reader that follows the standards reads every stream rightly: what is generated is valid."""
    assert find_bug(reads_rightly(framing), wire, examples=60) is None


def openai_client(base_url: str) -> str:
    """The official SDK, as its documents show it."""
    import openai

    with openai.OpenAI(api_key="sk-test", base_url=base_url, max_retries=0) as client:
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_the_official_sdk_is_silently_empty_on_bare_lines() -> None:
    """The SDK reads nothing from a chip that streams bare JSON lines, and raises nothing."""
    failure = find_bug(openai_client, CHIP3, further=(), examples=3)

    assert failure is not None
    assert failure.problem.startswith("silent: the client read nothing and raised nothing")
    assert len(failure.stream.frames) == 3


def test_a_failure_is_saved_with_all_that_repeats_it(tmp_path: Path) -> None:
    """The exchange file is served again byte for byte, the hexdump shows it, and the test fails until mended."""
    failure = find_bug(wants_a_space, NVIDIA, examples=200)
    assert failure is not None
    broken = "from tests.test_contract_fuzz import wants_a_space as read"

    paths = fuzz.save(failure, tmp_path, "spaceless", broken)

    assert [path.name for path in paths] == ["spaceless.json", "spaceless.hex", "test_spaceless.py"]
    stream = fuzz.load(paths[0])
    assert stream == failure.served
    assert "64 61 74 61 3a 7b" in paths[1].read_text()
    with fuzz.serving(stream) as url:
        assert b"".join(network_reads(url)) == b"".join(failure.stream.frames)
    names: dict[str, object] = {"__file__": str(paths[2])}
    exec(paths[2].read_text(), names)  # noqa: S102 - the text under test is a test
    with pytest.raises(AssertionError):
        names["test_the_client_reads_the_stream"]()  # type: ignore[operator]


CLIENT = """
import os, sys, json, urllib.request
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", b"{}")
body = urllib.request.urlopen(request).read().decode()
for line in body.split("\\n"):
    if line.startswith("data: ") and line != "data: [DONE]":
        for choice in json.loads(line[6:])["choices"]:
            sys.stdout.write(choice["delta"].get("content") or "")
"""


def run(*words: str) -> tuple[int, str, str]:
    """The command with its arguments; exit code, output and errors."""
    parser = argparse.ArgumentParser()
    command_fuzz.add_arguments(parser)
    out, err = io.StringIO(), io.StringIO()
    code = command_fuzz.main(parser.parse_args(words), {}, out, err)
    return code, out.getvalue(), err.getvalue()


def test_a_command_is_fuzzed(tmp_path: Path) -> None:
    """A program in any language is run for each stream; its output is what it read."""
    script = tmp_path / "client.py"
    script.write_text(CLIENT)

    code, out, _ = run("--chip", "nvidia", "--quirks", "data-nospace", "--examples", "6", "--save", str(tmp_path / "s"),
                       "--", sys.executable, str(script))  # fmt: skip

    assert code == 1
    assert "silent: the client read nothing and raised nothing" in out
    assert "curl -sN" in out
    names: dict[str, object] = {"__file__": str(tmp_path / "s" / "test_stream.py")}
    exec((tmp_path / "s" / "test_stream.py").read_text(), names)  # noqa: S102 - the text under test is a test
    with pytest.raises(AssertionError):
        names["test_the_client_reads_the_stream"]()  # type: ignore[operator]


def test_a_command_that_reads_rightly_is_exit_code_0(tmp_path: Path) -> None:
    """Without quirks that it cannot bear, the same program passes."""
    script = tmp_path / "client.py"
    script.write_text(CLIENT)

    code, out, err = run("--chip", "nvidia", "--quirks", "none", "--examples", "3", "--", sys.executable, str(script))

    assert (code, out) == (0, "3 streams, all read rightly\n")
    assert "3/3" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--chip", "nvidia"], "fuzz: no client; say genstudio-mock fuzz --chip nvidia -- python client.py"),
        (["--", "x"], "--chip: missing; say genstudio-mock fuzz --chip CHIP -- python client.py"),
        (
            ["--chip", "nvidia", "--", "/no/such/client"],
            "fuzz: /no/such/client is no program that can be run",
        ),
        (["--chip", "nvidia", "--quirks", "sss", "--", "true"], "--quirks: unknown quirk 'sss'; did you mean sse"),
        (["--chip", "nvidia", "--examples", "0", "--", "true"], "--examples: 0 is not allowed; allowed: at least 1"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(words: list[str], says: str) -> None:
    """A mistake of the operator's is told in one line."""
    code, out, err = run(*words)

    assert (code, out) == (2, "")
    assert err.startswith(f"genstudio-mock: {says}")


def test_a_file_that_is_no_stream_is_refused(tmp_path: Path) -> None:
    """Loading names the file and what is wrong with it."""
    path = tmp_path / "x.json"
    path.write_text("{}")

    with pytest.raises(OperatorError, match="not an exchange file of the contract: contract is missing"):
        fuzz.load(path)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.streams(quirks.STANDARD))
def test_what_is_sent_is_what_was_generated(stream: strategies.Stream) -> None:
    """A served stream has the bytes of its frames, and its truth is the answer's text."""
    served = fuzz.served_of(stream)

    assert b"".join(served.writes) == b"".join(stream.frames)
    assert served.truth == stream.answer.text
