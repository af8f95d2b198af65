"""The mock inside a Python program: in a thread, and as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import threading
import unittest
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import pytest

from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError
from mockserver.settings.config import Config
from mockserver.testing.control_client import MockError
from mockserver.testing.mock_server import MockServer, asgi_app
from tests.in_thread import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL, FIRST_CHIP = "mt-infini-3b", "nvidia"
QUESTION = {"messages": [{"role": "user", "content": "你是谁?"}]}
HEADERS = {"Authorization": "Bearer any-key"}


def threads() -> list[str]:
    """Names of the running threads of ours."""
    return [thread.name for thread in threading.enumerate() if thread.name == "genstudio-mock"]


def asked(url: str, **more: Any) -> httpx.Response:
    """The answer to a question."""
    return httpx.post(f"{url}/chat/completions", json={**QUESTION, **more}, headers=HEADERS, trust_env=False)


def test_a_mock_lives_as_long_as_its_block() -> None:
    """Within the block it answers; after it nobody listens and no thread is left."""
    with MockServer() as mock:
        url = mock.base_url()
        assert asked(url).json()["choices"][0]["message"]["content"].startswith("我是")
        assert threads() == ["genstudio-mock"]

    assert threads() == []
    with pytest.raises(httpx.ConnectError):
        asked(url)


def test_the_same_in_async_code() -> None:
    """`async with` starts and stops it without blocking the loop."""

    async def ask() -> int:
        async with MockServer() as mock, httpx.AsyncClient(trust_env=False) as client:
            url = f"{mock.base_url()}/chat/completions"
            return (await client.post(url, json=QUESTION, headers=HEADERS)).status_code

    assert asyncio.run(ask()) == 200
    assert threads() == []


def test_a_base_url_names_model_and_chip() -> None:
    """Without names it is that of the edition's first model and chip."""
    with MockServer() as mock:
        assert mock.base_url() == f"{mock.url}/maas/{MODEL}/{FIRST_CHIP}"
        assert mock.base_url(chip="chip3", model="qwen-7b-chat") == f"{mock.url}/maas/qwen-7b-chat/chip3"
        assert mock.edition.name == "2024-tutorial"
        with pytest.raises(MockError) as wrong:
            mock.base_url(chip="chip33")

    assert str(wrong.value) == "chip 'chip33' is not in edition 2024-tutorial; did you mean chip3, chip5, chip4?"


def test_settings_are_those_of_the_configuration() -> None:
    """Edition, further models and seed are given by name, as text or as values."""
    with MockServer(edition="2025-reference", model=["own-model"], seed=7) as mock:
        assert mock.edition.name == "2025-reference"
        assert asked(mock.base_url(model="own-model"), model="own-model").status_code == 200


def busy() -> dict[str, Any]:
    """A port that somebody listens on."""
    listening = socket.create_server(("127.0.0.1", 0))
    return {"port": listening.getsockname()[1], "held": listening}


WRONG: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "unknown setting": (lambda: {"editon": "x"}, "editon: unknown setting; did you mean edition, moderation?"),
    "value": (lambda: {"seed": -1}, "seed: -1 is not allowed; allowed: an integer from 0 to 4294967295"),
    "unknown edition": (
        lambda: {"edition": "1999"},
        f"edition: '1999' is not in {shipped('profiles')}; known: 2024-tutorial, 2025-reference, field, openai",
    ),
    "busy port": (
        busy,
        "--port {port}: 127.0.0.1:{port} cannot be bound: "
        + os.strerror(errno.EADDRINUSE)
        + "; --port 0 takes a free one, and genstudio-mock doctor tells who has this one",
    ),
}


@pytest.mark.parametrize(("settings", "text"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_raised_where_it_is_started(settings: Callable[[], dict[str, Any]], text: str) -> None:
    """The caller gets the operator's one line, and no thread is left."""
    given = settings()
    held = given.pop("held", contextlib.nullcontext())

    with held, pytest.raises(OperatorError) as wrong:
        MockServer(**given).start()

    assert str(wrong.value) == text.format(**given)
    assert threads() == []


def test_a_mock_is_started_once() -> None:
    """Before the start there is no address, and a second start is refused."""
    mock = MockServer(Config(port=0))
    with pytest.raises(RuntimeError) as wrong:
        mock.base_url()
    assert str(wrong.value) == "this mock is not started; use it in a with statement, or call start()"
    with mock, pytest.raises(RuntimeError) as wrong:
        mock.start()
    assert str(wrong.value) == "this mock is started already; stop it first, or make another one"
    mock.stop()
    with mock:
        assert asked(mock.base_url()).status_code == 200


def test_stopping_cuts_an_answer_that_hangs() -> None:
    """A stop does not wait for an answer without end; the client sees its connection go."""
    with contextlib.ExitStack() as held:
        with MockServer() as mock:
            session = mock.session()
            session.arm("stall;after_frames=2")
            headers = {"Authorization": f"Bearer {session.api_key}"}
            client = held.enter_context(httpx.Client(trust_env=False, timeout=WAIT_SECONDS))
            url = f"{session.base_url}/chat/completions"
            answer = held.enter_context(client.stream("POST", url, json={**QUESTION, "stream": True}, headers=headers))
            parts = answer.iter_raw()
            assert next(parts)

        assert threads() == []
        with pytest.raises(httpx.RemoteProtocolError):
            list(parts)


def test_two_mocks_side_by_side() -> None:
    """Each has its own port, edition and thread."""
    with MockServer() as one, MockServer(edition="2025-reference") as other:
        assert one.url != other.url
        assert (one.edition.name, other.edition.name) == ("2024-tutorial", "2025-reference")


def test_in_process_without_a_socket() -> None:
    """The application answers a transport of httpx, and its control API too."""

    async def ask() -> tuple[int, list[int]]:
        transport = httpx.ASGITransport(asgi_app(seed=3))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=HEADERS) as client:
            await client.post("/_mock/reset", json={})
            answer = await client.post(f"/maas/{MODEL}/{FIRST_CHIP}/chat/completions", json=QUESTION)
            seen = await client.get("/_mock/exchanges")
            return answer.status_code, [one["status"] for one in seen.json()]

    assert asyncio.run(ask()) == (200, [200])


class TestOfUnittest(unittest.TestCase):
    """The same in a test case of the standard library."""

    mock: ClassVar[MockServer]

    @classmethod
    def setUpClass(cls) -> None:
        """One mock for the class."""
        cls.mock = cls.enterClassContext(MockServer())

    def setUp(self) -> None:
        """A namespace for each test."""
        self.session = self.enterContext(self.mock.session())

    def test_a_namespace_for_each_test(self) -> None:
        """What is scripted here is answered here."""
        self.session.answer("好")
        headers = {"Authorization": f"Bearer {self.session.api_key}"}
        answer = httpx.post(
            f"{self.session.base_url}/chat/completions", json=QUESTION, headers=headers, trust_env=False
        )

        self.session.assert_client_saw(answer.json()["choices"][0]["message"]["content"])
        self.session.assert_all_used()
