"""The installed uvicorn: our connection fits it, and one that it does not fit takes nothing away but what is told."""

from __future__ import annotations

import inspect
import logging
import socket
import sys
import tomllib
from types import ModuleType
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn
import uvicorn.protocols.http.auto

import mockserver.server
from mockserver.core.errors import OperatorError
from mockserver.server import uvicorn_fit
from mockserver.server.protocol import MockProtocol
from mockserver.testing.mock_server import MockServer
from tests.command import ROOT, called
from tests.in_thread import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTION = {"messages": [{"role": "user", "content": "你是谁?"}], "stream": True}
HEADERS = {"Authorization": "Bearer any-key"}
TOLD = (
    f"uvicorn {uvicorn.__version__} is unlike those that genstudio-mock knows ({uvicorn_fit.KNOWN}): faults made of "
    "network writes are refused, and slow, large or unreadable requests are left to uvicorn"
)


@pytest.fixture(autouse=True)
def tried_anew() -> Iterator[None]:
    """What was found before and is found here is not remembered."""
    uvicorn_fit.connection_class.cache_clear()
    yield
    uvicorn_fit.connection_class.cache_clear()


def test_our_connection_fits() -> None:
    """It does with the uvicorn of this environment, whichever that is."""
    assert uvicorn_fit.connection_class() is MockProtocol


def test_what_is_said_to_be_known_is_what_is_tested() -> None:
    """The lowest release is the floor of the dependencies, the highest the pinned one."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    pins = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    lowest, _, highest = uvicorn_fit.KNOWN.partition(" to ")

    assert f"uvicorn>={lowest}" in dependencies
    assert f"uvicorn=={highest}.0" in pins


DIFFERENCES = {
    "a method has another name": ("_unset_keepalive_if_required", "_stop_keepalive"),
    "an attribute has another name": ("self.transport", "self._wire"),
    "a connection is made with keywords": ("self,\n        config: Config", "self, *,\n        config: Config"),
    "the class has another name": ("class HttpToolsProtocol", "class HttpProtocol"),
    "a constant has another name": ("STATUS_LINE", "STATUS_LINES"),
    "the same names mean something else": ("elif self.chunked_encoding:", "elif self.chunked_encoding is not None:"),
    "the module is gone": ("", ""),
}
MODULE = "uvicorn.protocols.http.httptools_impl"


def differing(name: str, patch: pytest.MonkeyPatch) -> None:
    """Have a uvicorn whose connection is written otherwise."""
    old, new = DIFFERENCES[name]
    source = inspect.getsource(sys.modules[MODULE])
    assert old in source
    other = ModuleType(MODULE)
    exec(source.replace(old, new), other.__dict__)  # noqa: S102 - uvicorn's own code
    patch.setitem(sys.modules, MODULE, other if old else None)
    for ours in ("protocol", "limited_protocol", "client_connection"):
        patch.delitem(sys.modules, f"mockserver.server.{ours}")
        patch.delattr(mockserver.server, ours)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_another_uvicorn_serves_all_but_network_writes(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Answers come in each wire form and faults are performed; what cannot be is refused with the reason."""
    differing(name, monkeypatch)

    with (
        caplog.at_level(logging.WARNING),
        MockServer() as mock,
        httpx.Client(headers=HEADERS, trust_env=False) as client,
    ):

        def ask(chip: str, **more: str) -> httpx.Response:
            return client.post(f"{mock.base_url(chip=chip)}/chat/completions", json=QUESTION, headers=more)

        events, lines, slow = ask("nvidia"), ask("chip3"), ask("nvidia", **{"X-Mock-Fault": "latency;ms=1"})
        refused = [ask("nvidia", **{"X-Mock-Fault": fault}) for fault in ("slicer", "reset_peer")]
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            ask("nvidia", **{"X-Mock-Fault": "cut;after_frames=3"})

    assert events.text.endswith("data: [DONE]\n\n")
    assert lines.text.startswith('{"id"')
    assert slow.text == events.text
    for answer in refused:
        assert (answer.status_code, answer.json()["msg"]) == (400, TOLD)
    said = [record for record in caplog.records if record.name != "uvicorn.error"]
    assert [record.getMessage() for record in said] == [TOLD]
    assert not [record for record in caplog.records if record.exc_info]


def test_a_stream_that_is_cut_at_the_end_leaves_no_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mock on another uvicorn that stops while it answers ends that answer as it does elsewhere."""
    differing("a method has another name", monkeypatch)

    with MockServer(pace="first_token_ms=0,inter_token_ms=60000") as mock:
        address = mock.url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1])), timeout=WAIT_SECONDS) as client:
            body = b'{"stream": true, "messages": [{"role": "user", "content": "a"}]}'
            path = mock.base_url(chip="nvidia").removeprefix(mock.url).encode()
            client.sendall(
                b"POST %b/chat/completions HTTP/1.1\r\nHost: %b\r\nAuthorization: Bearer k\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (path, ":".join(address).encode(), len(body), body)
            )
            seen = client.recv(65536)
            mock.stop()
            while data := client.recv(65536):
                seen += data
            mock.start()

    assert seen.startswith(b"HTTP/1.1 200 OK\r\n")
    assert not seen.endswith(b"0\r\n\r\n")
    assert not [record for record in caplog.records if record.exc_info]


def test_recording_needs_our_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder is made of network writes; it says so at once, in one line."""
    differing("a method has another name", monkeypatch)

    assert called("record", "--base-url", "http://127.0.0.1:9", "--output", "there") == (
        2,
        "",
        (
            f"genstudio-mock record: uvicorn {uvicorn.__version__} is unlike those that genstudio-mock knows "
            f"({uvicorn_fit.KNOWN}): pip install 'uvicorn<=0.54'\n"
        ),
    )


@pytest.mark.parametrize("name", uvicorn_fit.SERVER_NAMES)
def test_a_server_that_cannot_be_ours_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the server's own methods nothing can be served; nobody waits for a mock that never becomes ready."""
    monkeypatch.delattr(uvicorn.Server, name)

    with pytest.raises(OperatorError) as caught:
        MockServer().start()

    assert str(caught.value) == (
        f"uvicorn {uvicorn.__version__}: its Server has no {name}; genstudio-mock knows {uvicorn_fit.KNOWN}: "
        "pip install 'uvicorn<=0.54'"
    )
