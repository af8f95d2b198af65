"""What can be wrong with a state, at the start and while it is used, tried with a real server."""

from __future__ import annotations

import re
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
import trustme

from mockserver.server.guard import PREFIX
from mockserver.server.state import scripts
from mockserver.server.state.check import served_by
from mockserver.settings.assemble import edition_of
from mockserver.settings.config import Config
from mockserver.testing.mock_server import MockServer
from tests.command import ROOT, called
from tests.redis_server import StateServer, state_server
from tests.state_helpers import STATUS_503, call, chat, send, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mockserver.settings.keywords import Keywords

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="neither Redis nor Valkey is made for it")

Commands = list[tuple[Any, ...]]
USER: Final = ("ACL", "SETUSER", "u", "reset", "on", ">p", "+@all")
KEYS, CHANNELS = "~genstudio-mock:*", "&genstudio-mock:*"
SCRIPTED: Final = {"answer": {"text": "wartet"}}


@pytest.fixture
def server() -> Iterator[StateServer]:
    """A Redis of the test's own."""
    with state_server("redis") as made:
        yield made


def free_ports() -> tuple[int, int]:
    """Two that nobody listens on."""
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def refused(url: str, *flags: str) -> str:
    """The one line with which a mock ends that cannot have a state."""
    code, out, err = called("serve", "--port", "0", "--state", url, *flags)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert "secret" not in err
    return err.removesuffix("\n")


RIGHTS: Final = "~genstudio-mock:* &genstudio-mock:* +@all -@admin -@dangerous"
ALLOW: Final = re.escape(f"its user needs {RIGHTS}")
NAME: Final = "name a Redis or Valkey server that answers"
LOGIN: Final = "give redis://USER:PASSWORD@HOST, or :PASSWORD@ for the default user"
AT_START: Final[dict[str, tuple[Commands, str, str]]] = {
    "a password is missing": ([("CONFIG", "SET", "requirepass", "secret")], "{}", rf".+; {LOGIN}"),
    "a wrong password": ([("CONFIG", "SET", "requirepass", "secret")], "{}?password=secreter", rf".+; {LOGIN}"),
    "a database that is not there": ([], "{}?db=99", f"DB index is out of range; {NAME}"),
    "an option that is none": ([], "{}?foo=1", rf".+ unexpected keyword argument 'foo'; {NAME}"),
    "a command is not allowed": ([(*USER, KEYS, CHANNELS, "-lpop")], "U", rf".+ \(LPOP\); {ALLOW}"),
    "channels are not allowed": ([(*USER, KEYS)], "U", rf".+ \(PUBLISH\); {ALLOW}"),
    "other keys alone are allowed": ([(*USER, "~other:*", CHANNELS)], "U", rf".+ \(HSET\); {ALLOW}"),
    "scripts are not allowed": ([(*USER, KEYS, CHANNELS, "-evalsha")], "U", rf".+ 'evalsha' command; {ALLOW}"),
    "listening is not allowed": ([(*USER, KEYS, CHANNELS, "-subscribe")], "U", rf".+ 'subscribe' command; {ALLOW}"),
    "a copy of another server": (
        [("REPLICAOF", "127.0.0.1", "1")], "{}", r"You can't .+ read only replica \(HSET\); name the server .+"
    ),
    "it is full": ([("CONFIG", "SET", "maxmemory", "1")], "{}", "command not .+; it is full; 512 MiB are enough .+"),
    "another program's key": ([("RPUSH", scripts.SERVED, "x")], "{}", f"WRONGTYPE Operation against a key .+; {NAME}"),
}  # fmt: skip


@pytest.mark.parametrize("name", AT_START)
def test_at_the_start(server: StateServer, name: str) -> None:
    """One line that says what to do, exit code 2."""
    commands, url, line = AT_START[name]
    for one in commands:
        server.ask(*one)
    url = url.format(server.url) if url != "U" else server.url.replace("unix://", "unix://u:p@")

    said = refused(url)
    assert re.fullmatch(rf"--state {re.escape(server.url)}: {line}", said), said
    assert refused(url, "--workers", "2") == said


def test_a_cluster_is_refused() -> None:
    """Its keys lie on several servers."""
    port, other = free_ports()
    flags = ("--bind", "127.0.0.1", "--port", str(port), "--cluster-port", str(other))
    with state_server("redis", *flags, "--cluster-enabled", "yes") as server:
        assert refused(server.url).endswith("; a cluster cannot hold a state; name a server by itself")


@pytest.mark.parametrize("url", ["redis://me:secret@h/staging", "redis://me:secret@h/1/2", "http://me:secret@h"])
def test_what_is_no_address_of_a_state(url: str) -> None:
    """No other database is taken in its place, and no password is shown."""
    allowed = "redis://HOST:PORT/NUMBER, with rediss: over TLS, or unix://PATH"
    assert refused(url) == f"--state: {url.replace('me:secret@', '')!r} is not allowed; allowed: {allowed}"


def test_every_command_is_tried() -> None:
    """What the scripts, the line and the namespaces ask for is what the check tries."""
    folder = ROOT / "mockserver" / "server" / "state"
    used = set(re.findall(r"call\('([A-Z]+)'", (folder / "scripts.py").read_text("utf-8")))
    for name in ("link.py", "shared.py", "carrier.py"):
        used |= set(re.findall(r'command\("([A-Z]+)"', (folder / name).read_text("utf-8")))

    assert used - {"DEL"} == {line.split()[0] for line in scripts.PROBED}


def test_the_rights_that_the_message_names_are_enough(server: StateServer) -> None:
    """A user with them and no other can be given to the mock."""
    server.ask("ACL", "SETUSER", "u", "reset", "on", ">p", *RIGHTS.split())
    with MockServer(state=server.url.replace("unix://", "unix://u:p@")) as mock:
        call(mock, "POST", "/answers", "own", SCRIPTED)
        call(mock, "POST", "/faults", "own", {**STATUS_503, "times": 1})
        assert [chat(mock, "own")[0] for _ in range(2)] == [503, 200]
        assert [one["status"] for one in call(mock, "GET", "/exchanges?count=2", "own")] == [503, 200]
        call(mock, "DELETE", "/namespace", "own")


def test_over_tls(tmp_path: Path) -> None:
    """`rediss://`, with the authority that is to be trusted in `ssl_ca_certs`; without it one line."""
    authority = trustme.CA()
    cert = authority.issue_cert("localhost")
    files = {name: str(tmp_path / f"{name}.pem") for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(files["ca"])
    cert.private_key_pem.write_to_path(files["key"])
    cert.cert_chain_pems[0].write_to_path(files["cert"])
    port, _ = free_ports()
    flags = (
        "--bind", "127.0.0.1", "--tls-port", str(port), "--tls-auth-clients", "no",
        "--tls-cert-file", files["cert"], "--tls-key-file", files["key"], "--tls-ca-cert-file", files["ca"],
    )  # fmt: skip
    with state_server("redis", *flags):
        url = f"rediss://localhost:{port}"
        with MockServer(state=f"{url}?ssl_ca_certs={files['ca']}") as mock:
            call(mock, "POST", "/answers", "own", SCRIPTED)
            assert chat(mock, "own") == (200, "wartet")
        assert "certificate verify failed" in refused(url).lower()


WHILE_IT_RUNS: Final[dict[str, tuple[Commands, Commands]]] = {
    "it is full": ([("CONFIG", "SET", "maxmemory", "1")], [("CONFIG", "SET", "maxmemory", "0")]),
    "it became a copy": ([("REPLICAOF", "127.0.0.1", "1")], [("REPLICAOF", "NO", "ONE")]),
    "a right was taken": ([("ACL", "SETUSER", "default", "-@write")], [("ACL", "SETUSER", "default", "+@all")]),
    "mocks that serve otherwise": (
        [("SET", scripts.SERVED, '{"layout":1,"edition":"other"}', "PX", "600000")], [("DEL", scripts.SERVED)]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WHILE_IT_RUNS)
def test_while_it_runs(server: StateServer, name: str) -> None:
    """503 for what needs the state, chats go on, and all is there when it is over."""
    begins, ends = WHILE_IT_RUNS[name]
    with MockServer(state=server.url) as mock:
        call(mock, "POST", "/answers", "own", SCRIPTED)
        with told("is lost") as lost:
            for one in begins:
                server.ask(*one)
            lost.wait()
        answers = [
            chat(mock, "own"),
            send(mock.url, "POST", f"{PREFIX}/faults", "", STATUS_503),
            send(mock.url, "GET", f"{PREFIX}/exchanges", "own"),
        ]
        assert [status for status, _ in answers] == [503] * 3
        for _, body in answers:
            assert re.fullmatch(
                rf"the state at {server.url} is lost: .+; try again, it comes back by itself", body["error"]
            )
        assert [chat(mock, "any")[0] for _ in range(3)] == [200] * 3
        assert send(mock.url, "GET", f"{PREFIX}/health", "")[0] == 200
        with told("is back") as back:
            for one in ends:
                server.ask(*one)
            back.wait()
        assert chat(mock, "own") == (200, "wartet")
        assert call(mock, "GET", "/faults", "") == []


def test_a_server_that_comes_back_empty(server: StateServer) -> None:
    """It was killed, and kept nothing: the mock goes on with nothing set up, and all can be set up again."""
    with MockServer(state=server.url) as mock:
        call(mock, "POST", "/answers", "own", SCRIPTED)
        with told("is lost") as lost:
            server.kill()
            lost.wait()
        with told("is back") as back:
            server.start()
            back.wait()
        status, text = chat(mock, "own")
        assert (status, text != "wartet") == (200, True)
        call(mock, "POST", "/answers", "own", SCRIPTED)
        assert chat(mock, "own") == (200, "wartet")


SERVED_OTHERWISE: Final[dict[str, tuple[Keywords, str]]] = {
    "edition": ({"edition": "2024-tutorial"}, "edition: there 2024-tutorial, here 2025-reference"),
    "seed": ({"seed": 7}, "seed: there 7, here 0"),
    "models": ({"model": ["b", "a"]}, "models: there alone a, b, here alone none"),
}


@pytest.mark.parametrize("name", SERVED_OTHERWISE)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_mocks_that_serve_otherwise_share_no_state(server: StateServer, name: str, workers: str) -> None:
    """Both values are in the line; when the other one has ended the state can be had at once."""
    other, line = SERVED_OTHERWISE[name]
    flags = ("--edition", "2025-reference", "--workers", workers)
    given: Keywords = {"edition": "2025-reference", **other, "state": server.url}
    with MockServer(**given):
        assert refused(server.url, *flags) == (
            f"--state {server.url}: mocks that use it serve otherwise: {line}; start them alike, or name another "
            "number at the URL's end (a mock that was killed counts for 2 seconds)"
        )
        with MockServer(**given):
            pass
        assert refused(server.url, *flags)  # one of the two is still there
    with MockServer(edition="2025-reference", state=server.url):
        pass


def test_another_layout_is_refused(server: StateServer) -> None:
    """A version that keeps something else in its keys says so, whatever its keys are called."""
    there = served_by(edition_of(Config()), 0).replace(b'"layout":1', b'"layout":2')
    server.ask("SET", scripts.SERVED, there)

    assert "mocks that use it serve otherwise: layout of its keys: there 2, here 1; " in refused(server.url)


def test_what_is_set_up_lives_as_long_as_it_is_used(server: StateServer) -> None:
    """The bodies of faults are kept as long as what names them, which an exchange of anybody keeps alive."""
    with MockServer(state=server.url, state_ttl=600) as mock:
        call(mock, "POST", "/faults", "", {**STATUS_503, "times": 1})
        for key in ("ns:default", "rows:default"):
            server.ask("PEXPIRE", f"genstudio-mock:1:{key}", 300_000)
        chat(mock, "any")
        assert len(call(mock, "GET", "/exchanges", "")) == 1

    assert min(server.ask("PTTL", f"genstudio-mock:1:{key}") for key in ("ns:default", "rows:default")) > 500_000


def test_what_a_full_server_dropped_is_no_endless_loop(server: StateServer) -> None:
    """A document that names what is not there: one line at the start of another mock."""
    with MockServer(state=server.url) as mock:
        call(mock, "POST", "/faults", "", STATUS_503)
        server.ask("DEL", "genstudio-mock:1:rows:default")

        assert " holds what is not readable here (LookupError); " in refused(server.url)


def test_a_server_that_drops_keys_is_told_of(server: StateServer) -> None:
    """It is taken all the same: a managed one may allow nothing else."""
    server.ask("CONFIG", "SET", "maxmemory", "1gb")
    server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with told("its maxmemory-policy allkeys-lru drops keys where memory is short") as dropping:
        with MockServer(state=server.url) as mock:
            assert chat(mock, "any")[0] == 200
        dropping.wait()
