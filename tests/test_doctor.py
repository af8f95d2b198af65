"""`genstudio-mock doctor`: each thing that can stand in the way is seen, said in a sentence, and told from a good one.

Nothing outside of this machine is asked.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mockserver import __version__
from mockserver.cli import doctor_messages, doctor_network, doctor_project
from mockserver.cli.doctor_chinese import CHINESE
from mockserver.cli.doctor_messages import MESSAGES
from mockserver.testing.mock_server import MockServer
from tests.command import called
from tests.session_helpers import asked

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = {"OPENAI_API_KEY": "any-key"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty project."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port on which this process listens, and answers nobody."""
    monkeypatch.setattr(doctor_network, "PATIENCE_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def free() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number: int = listening.getsockname()[1]
    return number


def looked(*words: str, environ: dict[str, str] | None = None) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and message to weight and sentence; the last of several."""
    code, out, err = called("doctor", "--json", *words, environ=environ)
    assert err == ""
    return code, {row["message"]: (row["weight"], row["text"]) for row in json.loads(out)}


def test_nothing_in_the_way() -> None:
    """Where nothing is in the way, doctor fills less than a screen and ends with 0."""
    code, out, err = called("doctor", "--port", "0")

    assert (code, err) == (0, "")
    assert out.endswith("\nnothing stands in the way\n")
    assert len(out.splitlines()) < 24
    assert {line.split()[0] for line in out.splitlines()[:-2]} - {"ok", "note"} <= {"uvloop", "0.54.0,"}


def test_a_port_that_is_taken(taken: int) -> None:
    """Who has it is named, by number and command line."""
    code, said = looked("--port", str(taken))

    assert code == 1
    weight, text = said["port-taken"]
    assert weight == "wrong"
    assert text.startswith(f"127.0.0.1:{taken} is taken by ")
    assert text.endswith(" → end it, or --port 0 takes a free one")
    if sys.platform == "linux":
        assert f"process {os.getpid()} (" in text


def test_a_port_that_a_mock_has() -> None:
    """A mock that runs is no trouble."""
    with MockServer(edition="2025-reference") as mock:
        url = mock.url
        code, said = looked("--port", url.rpartition(":")[2])

    assert code == 0
    assert said["port-mock"] == ("ok", f"genstudio-mock {__version__} answers at {url}, edition 2025-reference")


def test_a_server_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program that answers without an end is named by its header, and holds nobody up."""
    monkeypatch.setattr(doctor_network, "LONGEST_S", 0.0)

    class Endless(BaseHTTPRequestHandler):
        """Says a word, and then more of it."""

        server_version = "endless/1"

        def do_GET(self) -> None:
            """Answer until nobody reads."""
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"more")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, said = looked("--port", str(server.server_port))
        server.shutdown()

    assert code == 1
    assert ", which answers HTTP as endless/1" in said["port-taken"][1]


def test_an_address_that_cannot_be_had() -> None:
    """An address of another machine is said to be none of ours."""
    code, said = looked("--host", "192.0.2.1", "--port", "9")

    assert code == 1
    assert re.fullmatch(r"192\.0\.2\.1:9 cannot be had: .+ → another --host or --port", said["port-refused"][1])


PORT_FILES = [
    ("an earlier run's", "{free}\n", "port-file-stale", "port names port {free}, where nobody answers: it is {stale}"),
    ("a live one's", "{taken}\n", "port-file-live", "port names port {taken}, where somebody answers"),
    ("empty", "", "port-file-wrong", "port holds no port: b'' → rm port"),
    ("no number", "x\n", "port-file-wrong", "port holds no port: b'x\\n' → rm port"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("held", "message", "text"), [one[1:] for one in PORT_FILES], ids=[one[0] for one in PORT_FILES]
)
def test_port_files(held: str, message: str, text: str, taken: int) -> None:
    """A file that an earlier run left behind is told from one of a mock that runs."""
    ports = {"free": free(), "taken": taken, "stale": "of an earlier run → rm port"}
    Path("port").write_text(held.format_map(ports), "utf-8")
    code, said = looked("--port", "0", "--port-file", str(Path("port")))

    assert said[message][1] == text.format_map(ports)
    assert code == (0 if message == "port-file-live" else 1)


PROXIES: list[tuple[dict[str, str], str]] = [
    ({"HTTP_PROXY": "http://p:1"}, "127.0.0.1"),
    ({"all_proxy": "http://p:1", "NO_PROXY": "a.b"}, "a.b,127.0.0.1"),
    ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "127.0.0.1"}, ""),
    ({"HTTPS_PROXY": "http://p:1"}, ""),
]


@pytest.mark.parametrize(("environ", "rules"), PROXIES, ids=[" ".join(one) for one, _ in PROXIES])
def test_proxies(environ: dict[str, str], rules: str) -> None:
    """A proxy that would be asked for this machine is in the way, with the line that mends it."""
    code, said = looked("--port", "0", environ=environ)

    assert code == (1 if rules else 0)
    asks = f"{next(iter(environ))} is set, so clients ask the proxy for 127.0.0.1"
    mended = f"{asks} → export NO_PROXY={rules} no_proxy={rules}"
    assert said.get("proxy", ("", ""))[1] == (mended if rules else "")


WRITE = " → write 127.0.0.1 in base URLs"
LOCALHOST = [
    (["127.0.0.1"], "localhost", "localhost is 127.0.0.1"),
    (["::1", "127.0.0.1"], "localhost-ipv6", f"localhost is ::1 first, where the mock does not listen{WRITE}"),
    (["::1"], "localhost-none", f"localhost does not lead to 127.0.0.1 (it is ::1){WRITE}"),
    ([], "localhost-none", f"localhost does not lead to 127.0.0.1 (it is –){WRITE}"),
]


@pytest.mark.parametrize(("addresses", "message", "text"), LOCALHOST, ids=[",".join(one) for one, _, _ in LOCALHOST])
def test_localhost(addresses: list[str], message: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the name leads first is where Node's clients go."""
    before = socket.getaddrinfo

    def resolved(host: str, *rest: Any, **more: Any) -> Any:
        if host != "localhost":
            return before(host, *rest, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    _, said = looked("--port", "0")

    assert said[message][1] == text


def test_another_program_at_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    """What listens at [::1] on the same port answers in the mock's place."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    before = socket.getaddrinfo
    monkeypatch.setattr(doctor_network, "PATIENCE_S", 0.1)
    monkeypatch.setattr(
        socket, "getaddrinfo",
        lambda host, *rest, **more: [  # it has both addresses
            (socket.AF_INET6, 1, 6, "", ("::1", 0)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", 0))
        ] if host == "localhost" else before(host, *rest, **more),
    )  # fmt: skip
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        number = other.getsockname()[1]
        code, said = looked("--port", str(number))

    assert code == 1
    assert said["localhost-other"][1].startswith(f"another program listens at [::1]:{number}, which clients reach ")


CLIENTS = [
    ("the mock's chip", "http://127.0.0.1:{port}/maas/mt-infini-3b/chip3", "clients", 0),
    ("by the body's model", "http://localhost:{port}/maas/v1/", "clients", 0),
    ("no path", "http://127.0.0.1:{port}", "client-path", 1),
    ("OpenAI's path", "http://127.0.0.1:{port}/v1", "client-path", 1),
    ("another server", "https://api.example.com/v1", "client-elsewhere", 0),
    ("another port", "http://127.0.0.1:1/maas/v1", "client-elsewhere", 0),
    ("no address", "127.0.0.1", "client-wrong", 1),
]


@pytest.mark.parametrize(("url", "message", "code"), [one[1:] for one in CLIENTS], ids=[one[0] for one in CLIENTS])
@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_variables_of_clients(name: str, url: str, message: str, code: int, taken: int) -> None:
    """A base URL that leads to nothing is told, with one that leads to a chip."""
    shown = url.format(port=taken)
    _, said = looked("--port", str(taken), environ={name: shown, **KEY})

    weight, text = said[message]
    assert (weight == "wrong") == bool(code)
    assert name in text
    if message != "clients":
        assert f"{name}={shown}" in text
    if weight == "wrong":
        assert text.endswith(f"→ http://127.0.0.1:{taken}/maas/mt-infini-3b/nvidia")


def test_a_client_without_a_mock_and_without_a_key() -> None:
    """Nobody answers, and the SDK would not even start; a password is not shown."""
    port = free()
    _, said = looked("--port", str(port), environ={"OPENAI_BASE_URL": f"http://u:pw@127.0.0.1:{port}/maas/v1"})

    assert said["client-dead"][1] == (
        f"OPENAI_BASE_URL=http://***@127.0.0.1:{port}/maas/v1: nobody answers there → start genstudio-mock serve, or "
        "unset it"
    )
    assert "OPENAI_API_KEY=any-key" in said["client-key"][1]


def test_wrong_settings() -> None:
    """What serve would refuse is said, and what does not need settings is looked at all the same."""
    Path("genstudio-mock.toml").write_text("prot = 1\n", "utf-8")
    code, said = looked()

    assert code == 1
    assert (
        said["configuration-wrong"][1] == "genstudio-mock.toml: prot: unknown key; did you mean port, profiles, host?"
    )
    assert "packages" in said


def test_an_edition_that_is_not_there() -> None:
    """The profiles are looked at too."""
    code, said = looked("--port", "0", "--edition", "2024")

    assert code == 1
    assert "2024-tutorial" in said["configuration-wrong"][1]


def fixture(path: str, **parts: Any) -> None:
    """A fixture file below `answers`."""
    place = Path("answers", path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"match": {"user": "a"}, "answer": {"text": "b"}, **parts}), "utf-8")


def test_fixtures_that_cannot_match() -> None:
    """A broken one, one behind another that asks the same, and one that is over."""
    fixture("any/any/first.json")
    fixture("any/any/second.json", answer={"text": "never"})
    fixture("any/any/before.json", match={"user": "c"}, priority=1, expires="2099-01-01")
    fixture("any/any/behind.json", match={"user": "c"})
    fixture("any/any/over.json", match={"user": "d"}, expires="2001-01-01")
    fixture("any/any/broken.json", match={"usr": "a"})
    code, said = looked("--port", "0", "--fixtures", "answers")

    assert code == 1
    assert said["fixture-hidden"][1] == (
        "any/any/second.json never matches: any/any/first.json asks the same and comes first → "
        "remove one, or give it a priority"
    )
    _, out, _ = called("doctor", "--json", "--port", "0", "--fixtures", "answers")
    texts = [row["text"] for row in json.loads(out) if row["message"] == "fixture-broken"]
    assert [text.partition(": ")[0] for text in texts] == ["answers/any/any/broken.json", "answers/any/any/over.json"]
    assert not any(row["text"].startswith("any/any/behind.json") for row in json.loads(out))


def test_fixtures_that_have_not_matched() -> None:
    """The mock that runs tells which fixtures answered, in whatever namespace."""
    fixture("any/any/used.json")
    for number in range(10):
        fixture(f"any/any/unused-{number}.json", match={"user": f"other {number}"})
    with MockServer(fixtures=["answers"]) as mock:
        url = mock.url
        words = ("--port", url.rpartition(":")[2], "--fixtures", "answers")
        _, before = looked(*words)
        with mock.session() as session:
            asked(session, "a")
            code, said = looked(*words)

    assert "fixtures-unasked" in before
    assert code == 0
    assert said["fixtures-used"][1] == "1 of 11 fixtures have answered the mock that runs"
    assert said["fixture-unused"][1] == (
        f"any/any/unused-7.json has answered none of 1 requests → see what they asked: {url}/_mock/ui/"
    )
    assert said["fixtures-more"][1] == "… and 2 more"


def test_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too old or missing is named with what to install; an extra that is missing is no trouble."""
    has = {"pydantic": "2.6.4", "uvicorn": "", "uvloop": "", "rich": ""}
    before = doctor_project._version
    monkeypatch.setattr(doctor_project, "_version", lambda name: has.get(name, before(name)))
    code, said = looked("--port", "0")

    assert code == 1
    assert said["package-old"] == ("wrong", "pydantic 2.6.4 is older than 2.7.3 → pip install 'pydantic>=2.7.3'")
    assert said["package-missing"] == ("wrong", "uvicorn is not installed → pip install 'uvicorn>=0.29'")
    assert said["extra-missing"][0] == "note"
    assert said["extra-missing"][1].startswith("extra contract is not installed: rich>=13.7 → pip install 'hyp")


def test_a_uvicorn_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said what is lost, and which release is known."""
    monkeypatch.setattr("mockserver.server.uvicorn_fit.connection_class", lambda: None)

    assert looked("--port", "0")[1]["uvicorn-unfit"][0] == "wrong"


def test_every_message_is_said() -> None:
    """The table holds what the code says, and nothing else; each key once."""
    folder = Path(doctor_messages.__file__).parent
    code = "".join(path.read_text("utf-8") for path in folder.glob("doctor*.py") if path.stem != "doctor_messages")

    assert set(MESSAGES) == {name for name in re.findall(r'"([a-z]+(?:-[a-z0-9]+)*)"', code) if name in MESSAGES}


def test_every_sentence_has_its_chinese() -> None:
    """With the same values, and what is pasted into a shell to the character."""
    values = re.compile(r"\{\w+(?:!r)?\}")
    pasted = re.compile(r"→ ((?:pip|rm|export|--)[^:，（]*)$")

    assert list(CHINESE) == list(MESSAGES)
    for name, english in MESSAGES.items():
        assert sorted(values.findall(CHINESE[name])) == sorted(values.findall(english)), name
        if found := pasted.search(english):
            assert found[1].split(" or ")[0].split(",")[0] in CHINESE[name], name


def test_it_speaks_the_readers_language() -> None:
    """On a terminal; programs get English."""
    _, out, _ = called("doctor", "--port", "0", environ={"LANG": "zh_CN.UTF-8"})
    _, told, _ = called("doctor", "--port", "0", "--json", environ={"LANG": "zh_CN.UTF-8"})

    assert "--port 0 会取一个空闲端口" in out
    assert "--port 0 takes a free port" in told
