"""The contract against targets that are nobody, refuse, limit, hang or flood: bounded, polite, one plain line."""

from __future__ import annotations

import argparse
import io
import itertools
import re
import shutil
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.cli import contract as contract_command
from mockserver.cli import drift as drift_command
from mockserver.cli import learn as learn_command
from mockserver.contract import http_client
from mockserver.contract.incoming import Incoming
from mockserver.contract.library import Target
from mockserver.contract.result import Clock
from tests import learning
from tests.conftest import load
from tests.contract_live import KEY, serving
from tests.in_thread import WAIT_SECONDS
from tests.raw_targets import answers, listening, request, says, streams, waits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.raw_targets import Behaviour

NOW = 1_792_567_680  # Wed, 21 Oct 2026 07:28:00 GMT


def run(url: str, *words: str, chip: str = "nvidia", timeout: float = 10) -> tuple[int, str, str, list[float]]:
    """The command against a target; exit code, output, errors, and how long it waited each time, in seconds."""
    parser = argparse.ArgumentParser()
    contract_command.add_arguments(parser)
    out, err, slept = io.StringIO(), io.StringIO(), list[float]()
    target = ["--base-url", url, "--model", "mt-infini-3b", "--chip", chip, "--quiet", "--timeout", str(timeout)]
    args = parser.parse_args([*target, "--api-key-env", "K", *words])
    clock = Clock(lambda: 0.0, slept.append, lambda: NOW)
    code = contract_command.main(args, {"K": KEY}, out, err, clock)
    assert KEY not in out.getvalue() + err.getvalue()
    return code, out.getvalue(), err.getvalue(), slept


REFUSED = '{"code":10009,"msg":"请使用正确的api key进行请求","seen":"' + KEY + '"}'
NOBODY: dict[str, tuple[Behaviour, str]] = {
    "never answers": (waits, "takes the request and does not answer in time; is --base-url right?"),
    "closes at once": (
        lambda _connection: None,
        "takes the request and closes the connection without an answer; is --base-url right?",
    ),
    "is no HTTP": (
        says(b"SSH-2.0-OpenSSH_9.6\r\n"),
        r"does not speak HTTP: it says 'SSH-2.0-OpenSSH_9.6\r\n'; is --base-url right?",
    ),
    "sends garbage": (
        says(b"\x00\xff\n"),
        r"does not speak HTTP: it says '\x00ÿ\n'; is --base-url right?",
    ),
    "wants another key": (
        answers("401 Unauthorized", body=REFUSED),
        (
            'refuses the API key (status 401: {"code":10009,"msg":"请使用正确的api key进行请求","seen":"$API_KEY"}); '
            "--api-key-env VAR names the variable that holds a good one"
        ),
    ),
    "wants to be paid": (
        answers("402 Payment Required", body="no\nmoney"),
        "wants to be paid first (status 402: no money)",
    ),
    "has no such model": (
        answers("404 Not Found"),
        ("does not serve /maas/mt-infini-3b/nvidia/chat/completions (status 404: no body); "
        "are --model, --chip and --path-template right?"),
    ),
    "redirects": (
        answers("307 Temporary Redirect", "Location: https://elsewhere.example/v1"),
        "redirects to https://elsewhere.example/v1 (status 307), which is not followed; is --base-url right?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NOBODY)
def test_nobody_to_hold_it_against_is_one_line_and_exit_code_3(name: str) -> None:
    """One request is enough to see it; no findings are made up, and the key is not shown."""
    behave, line = NOBODY[name]
    with listening(behave) as port:
        code, out, err, slept = run(f"http://127.0.0.1:{port}", timeout=1 if behave is waits else 10)

    assert (code, out, slept) == (3, "", [])
    assert err == f"genstudio-mock: http://127.0.0.1:{port} {line}\n"


OPENAI_PATHS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "as OpenAI clients take it": ("/v1", (), "/v1/chat/completions"),
    "with a slash": ("/v1/", (), "/v1/chat/completions"),
    "deeper": ("/maas/v1", (), "/maas/v1/chat/completions"),
    "another version": ("/v10", (), "/v10/maas/mt-infini-3b/nvidia/chat/completions"),
    "with a template": ("/v1", ("--path-template", "/chat"), "/v1/chat"),
}


@pytest.mark.parametrize("name", OPENAI_PATHS)
def test_messages_repeat_the_base_url_and_name_the_path(name: str) -> None:
    """Below `/v1` the OpenAI path is asked, and said, unless a template is given."""
    below, words, path = OPENAI_PATHS[name]
    with listening(answers("404 Not Found")) as port:
        url = f"http://127.0.0.1:{port}{below}"
        _, _, err, _ = run(url, *words)
        parser = argparse.ArgumentParser()
        contract_command.add_arguments(parser)
        told = io.StringIO()
        target = ["--base-url", url, "--model", "mt-infini-3b", "--chip", "nvidia", *words]
        contract_command.main(parser.parse_args(target), {}, io.StringIO(), told)

    refused = f"genstudio-mock: {url} does not serve {path} (status 404: no body); are --model, "
    said = f"--base-url ends in /v1: asking http://127.0.0.1:{port}{path}; --path-template asks another path\n"
    concluded = path.endswith("/v1/chat/completions") and not words
    assert err.startswith(refused)
    assert told.getvalue() == (said if concluded else "") + err


@pytest.mark.parametrize(
    ("below", "added"),
    [
        ("/maas/mt-infini-3b/nvidia", "/maas/mt-infini-3b/nvidia"),
        ("/maas/mt-infini-3b/nvidia/", "/maas/mt-infini-3b/nvidia"),
        ("/maas/mt-infini-3b/nvidia/chat/completions", "/maas/mt-infini-3b/nvidia/chat/completions"),
        ("/gateway/maas", "/maas"),
        ("/v1/chat/completions", "/chat/completions"),
    ],
)
@pytest.mark.parametrize("command", [contract_command, drift_command, learn_command])
def test_a_base_url_that_has_the_path_already_is_told(command: Any, below: str, added: str, tmp_path: Path) -> None:
    """As one line that says what was asked and what to leave out, whichever command asks."""
    with listening(answers("404 Not Found", body="x" * 999)) as port:
        url = f"http://127.0.0.1:{port}{below}"
        words = ["--output", str(tmp_path)] if command is learn_command else []
        target = ["--base-url", url, "--model", "mt-infini-3b", "--chip", "nvidia", "--quiet"]
        code, _, err = learning.run(command, *target, *words)

    asked = f"{below.rstrip('/')}/maas/mt-infini-3b/nvidia/chat/completions"
    assert code == 3
    assert err == (
        f"genstudio-mock: {url} does not serve {asked} (status 404): the path of a chat is put behind --base-url, so "
        f"say it without {added}\n"
    )


def test_a_target_below_v1_is_asked_for_openai_s_path() -> None:
    """In Python too, where no template is given."""
    assert Target("http://h/v1", "m", "nvidia").address.path("m", "c") == "/v1/chat/completions"
    assert Target("http://h", "m", "nvidia").address.path("m", "c") == "/maas/m/c/chat/completions"


def too_many(*headers: str) -> Behaviour:
    """A server that always says 429."""
    return answers("429 Too Many Requests", *headers)


@pytest.mark.parametrize(
    ("headers", "waits_for"),
    [
        pytest.param(("Retry-After: 7",), [7.0, 7.0, 7.0], id="seconds"),
        pytest.param(("Retry-After: 0",), [0.0, 0.0, 0.0], id="at once"),
        pytest.param(("Retry-After: Wed, 21 Oct 2026 07:28:09 GMT",), [9.0, 9.0, 9.0], id="a date, by our clock"),
        pytest.param(
            ("Date: Wed, 21 Oct 2020 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2020 07:28:05 GMT"),
            [5.0, 5.0, 5.0],
            id="a date, by the target's clock",
        ),
        pytest.param(("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT",), [0.0, 0.0, 0.0], id="a date that is past"),
        pytest.param((), [2.0, 4.0, 8.0], id="no time"),
        pytest.param(("Retry-After: soon",), [2.0, 4.0, 8.0], id="a word"),
        pytest.param(("Retry-After: \xb2",), [2.0, 4.0, 8.0], id="a digit that is none"),
        pytest.param(("Retry-After: -5",), [2.0, 4.0, 8.0], id="negative"),
        pytest.param(("Retry-After: 61",), [], id="longer than a minute"),
        pytest.param(("Retry-After: " + "9" * 400,), [], id="for ever"),
    ],
)
def test_a_429_is_waited_for_or_left_alone(headers: tuple[str, ...], waits_for: list[float]) -> None:
    """It waits as long as it is asked to and no longer than a minute, tries four times, then says so: exit code 3."""
    with listening(too_many(*headers)) as port:
        code, out, err, slept = run(f"http://127.0.0.1:{port}")

    assert (code, out, slept) == (3, "", waits_for)
    assert re.fullmatch(r"genstudio-mock: the target answers 429 and asks to wait \(.{1,75}\); tried .*\n", err)


@pytest.mark.parametrize(
    ("behave", "clause"),
    [
        pytest.param(
            streams(b'data: {"choices":[],"x":"' + b"y" * 999 + b'"}\n\n', 10**6), "ends", id="an endless stream"
        ),
        pytest.param(streams(b'data: {"x":"' + b"a" * 10_000_000 + b'"}\n\n', 1), "ends", id="a line of 10 MB"),
        pytest.param(answers("200 OK", body="[" * 100_000), "readable", id="deep nesting"),
        pytest.param(answers("200 OK", "Content-Type: text/html", body="<html>"), "readable", id="a page of HTML"),
        pytest.param(answers("204 No Content"), "status", id="no content"),
        pytest.param(answers("500 Oops", body="oops"), "status", id="an error"),
    ],
)
def test_what_is_wrong_is_found_within_the_budget(behave: Behaviour, clause: str) -> None:
    """A target that answers, however badly, breaks the contract: exit code 1, and a flood is cut off."""
    with listening(behave) as port:
        code, out, _, _ = run(f"http://127.0.0.1:{port}", "--requests", "6")

    assert code == 1
    assert f"nvidia: {clause} (must) broken by" in out


def test_three_answers_without_an_end_stop_the_run(
    honest_then_silent: tuple[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target that falls silent is left alone after three requests, and what held until then is told: exit code 1."""
    url, asked = honest_then_silent
    read = itertools.count(1)

    def patient_with_honest_ones(sock: Any, file: Any, _silence_s: float, *more: Any) -> Incoming:
        return Incoming(sock, file, WAIT_SECONDS if next(read) <= HONEST else 0.1, *more)

    monkeypatch.setattr(http_client, "Incoming", patient_with_honest_ones)
    code, out, _, _ = run(url)

    assert code == 1
    assert "nvidia: stopped after 6 requests: 3 answers did not end in time" in out
    assert len(asked) == 7


HONEST = 4
"""Answers before the silence."""


@pytest.fixture
def honest_then_silent() -> Iterator[tuple[str, list[int]]]:
    """A front of an honest mock that never answers from the fifth request on."""
    asked: list[int] = []
    with serving(load("2024-tutorial")) as url:
        behind = int(url.rpartition(":")[2])

        def behave(connection: socket.socket) -> None:
            asked.append(1)
            if len(asked) > HONEST:
                waits(connection)
                return
            pass_on(connection, behind)

        with listening(behave) as port:
            yield f"http://127.0.0.1:{port}", asked


def pass_on(connection: socket.socket, port: int) -> None:
    """Pass one request on to a port of loopback, and its answer back."""
    data = b""
    while not re.search(rb"(?is)content-length: (\d+).*?\r\n\r\n", data):
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.findall(rb"(?i)content-length: (\d+)", head)[0])
    while len(body) < length:
        body += connection.recv(65536)
    with socket.create_connection(("127.0.0.1", port)) as behind:
        behind.sendall(head + b"\r\nconnection: close\r\n\r\n" + body)
        while piece := behind.recv(65536):
            connection.sendall(piece)


def test_ipv6() -> None:
    """An address in brackets is asked as it stands."""
    try:
        with listening(answers("404 Not Found"), "::1") as port:
            code, _, err, _ = run(f"http://[::1]:{port}")
    except OSError:
        pytest.skip("this machine has no IPv6")

    assert code == 3
    assert err.startswith(f"genstudio-mock: http://[::1]:{port} does not serve /maas/")


# --- TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of our own for 127.0.0.1, and its key beside it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder / "cert.pem"


@pytest.fixture
def secure(certificate: Path) -> Iterator[int]:
    """An honest mock behind TLS; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with serving(load("2024-tutorial")) as url:
        behind = int(url.rpartition(":")[2])
        with listening(lambda connection: pass_on(connection, behind), tls=context) as port:
            yield port


def test_https_holds_with_its_certificate(secure: int, certificate: Path) -> None:
    """`--ca FILE` trusts the certificates of a file."""
    code, out, err, _ = run(f"https://127.0.0.1:{secure}", "--ca", str(certificate), "--requests", "20", chip="chip3")

    assert (code, err) == (0, "")
    assert "The contract holds" in out


@pytest.mark.parametrize(
    ("scheme_and_host", "says_line"),
    [
        (
            "https://127.0.0.1",
            "its certificate is not trusted (self-signed certificate); --ca FILE trusts the certificates of a file",
        ),
        ("http://127.0.0.1", None),
    ],
)
def test_a_certificate_that_nobody_trusts_is_exit_code_3(
    secure: int, scheme_and_host: str, says_line: str | None
) -> None:
    """The reason stands in the line, and what to do; plain HTTP to a TLS port is told too."""
    code, out, err, _ = run(f"{scheme_and_host}:{secure}")

    assert (code, out) == (3, "")
    if says_line:
        assert err == f"genstudio-mock: {scheme_and_host}:{secure} cannot be reached: {says_line}\n"
    assert err.count("\n") == 1


def test_https_to_a_plain_port_is_exit_code_3() -> None:
    """A server without TLS is told as one."""
    with listening(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        code, _, err, _ = run(f"https://127.0.0.1:{port}")

    assert code == 3
    assert err.count("\n") == 1
    assert f"https://127.0.0.1:{port} cannot be reached: " in err


def test_a_file_without_certificates_is_wrong_usage(tmp_path: Path) -> None:
    """`--ca` names a file that is missing or holds none."""
    (tmp_path / "empty.pem").write_text("")
    for name, why in (("absent.pem", "No such file or directory"), ("empty.pem", "")):
        code, _, err, _ = run("https://127.0.0.1:9", "--ca", str(tmp_path / name))
        assert code == 2
        assert err.startswith(f"genstudio-mock: --ca {tmp_path / name}: no certificates can be read: {why}")
        assert err.count("\n") == 1


@pytest.mark.parametrize("bypass", ["", "127.0.0.1"])
def test_https_goes_through_the_proxy_unless_the_host_is_excepted(
    bypass: str, secure: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`HTTPS_PROXY` is asked to CONNECT, with its own password and without the API key; `NO_PROXY` excepts hosts."""
    heads: list[bytes] = []

    def refuse(connection: socket.socket) -> None:
        heads.append(request(connection))
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    with listening(refuse) as proxy:
        for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{proxy}")
        monkeypatch.setenv("NO_PROXY", bypass)
        code, _, err, _ = run(f"https://127.0.0.1:{secure}", "--ca", str(certificate), "--requests", "3")

    if bypass:
        assert (code, heads) == (0, [])
        return
    assert code == 3
    assert err == (
        f"genstudio-mock: https://127.0.0.1:{secure} cannot be reached: Tunnel connection failed: 403 Forbidden; "
        "is it running, and is --base-url right?\n"
    )
    assert heads[0].startswith(f"CONNECT 127.0.0.1:{secure} ".encode())
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0" in heads[0]
    assert KEY.encode() not in heads[0]
