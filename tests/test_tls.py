"""TLS as clients meet it: curl, the OpenAI SDK, Node; and what is said of settings that cannot be."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import openai
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from mockserver.core.errors import OperatorError
from mockserver.testing.mock_server import MockServer
from tests.command import called
from tests.in_thread import WAIT_SECONDS
from tests.served import started

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.settings.keywords import Keywords

ASKS = """
import openai
client = openai.OpenAI()
answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
print(len(list(answer)) > 1)
"""
FETCHES = """
const answer = await fetch(process.env.OPENAI_BASE_URL + "/chat/completions", {
  method: "POST",
  headers: {"content-type": "application/json", authorization: "Bearer k"},
  body: JSON.stringify({messages: [{role: "user", content: "hi"}]}),
});
console.log(answer.status === 200 && (await answer.json()).choices.length === 1 ? "True" : "False");
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operator's certificate and key, another key, an encrypted one, and their authority."""
    folder = tmp_path_factory.mktemp("own")
    authority = trustme.CA()
    cert, other = (authority.issue_cert("localhost", "127.0.0.1") for _ in range(2))
    authority.cert_pem.write_to_path(folder / "ca.pem")
    cert.private_key_pem.write_to_path(folder / "key.pem")
    other.private_key_pem.write_to_path(folder / "other.pem")
    cert.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
    for blob in cert.cert_chain_pems:
        blob.write_to_path(folder / "cert.pem", append=True)
    key = serialization.load_pem_private_key(cert.private_key_pem.bytes(), None)
    (folder / "secret.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"x"),
        )
    )
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process at once there")
@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_request_to_paste_works(tmp_path: Path) -> None:
    """The ready line names the authority, its curl trusts it, and the file is gone at the end."""
    ca = tmp_path / "ca.pem"
    flags = ("--port", "0", "--tls", "self-signed", "--tls-ca", str(ca), "--log-format", "json")
    with started(*flags) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        done = subprocess.run([*ready["curl"].split(" ", 1)[:1], "-s", "--noproxy", "*", "--cacert", ready["ca"],
            f"{ready['url']}/_mock/health"], capture_output=True, text=True, check=False)  # fmt: skip
        pasted = subprocess.run(["sh", "-c", ready["curl"]], capture_output=True, text=True, check=False)
        untrusted = subprocess.run(["curl", "-s", "--noproxy", "*", ready["url"]], capture_output=True, check=False)
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)

    assert ready["url"].startswith("https://127.0.0.1:")
    assert (ready["ca"], process.returncode) == (str(ca), 0)
    assert json.loads(done.stdout)["status"] == "ok"
    assert (pasted.returncode, "data" in pasted.stdout) == (0, True)
    assert untrusted.returncode == 60  # CURLE_PEER_FAILED_VERIFICATION
    assert not ca.exists()


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([sys.executable, "-c", ASKS], id="openai"),
        pytest.param(
            ["node", "--input-type=module", "-e", FETCHES], id="node",
            marks=pytest.mark.skipif(not shutil.which("node"), reason="needs node"),
        ),
    ],
)  # fmt: skip
def test_the_command_of_run_trusts_the_mock(command: list[str]) -> None:
    """Without a word of its own: the variables that its language reads name the authority."""
    words = [sys.executable, "-m", "mockserver", "run", "--tls", "self-signed", "--", *command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


@pytest.mark.parametrize("fault", ["reset_peer;after_frames=1", "cut;after_frames=1"])
def test_a_connection_fault_is_heard_through_tls(fault: str) -> None:
    """The stream breaks off; no reader takes it for whole."""
    with MockServer(tls="self-signed") as mock, mock.session() as session:
        session.arm(fault)
        assert mock.ca is not None
        with openai.DefaultHttpxClient(verify=ssl.create_default_context(cafile=str(mock.ca))) as http:
            client = openai.OpenAI(base_url=session.base_url, api_key=session.api_key, http_client=http, max_retries=0)
            with pytest.raises(
                Exception, match=r"(?i)connection|disconnected|peer closed|incomplete|eof|read|protocol"
            ):
                list(client.chat.completions.create(
                    model="m", messages=[{"role": "user", "content": "你是谁?"}], stream=True,
                ))  # fmt: skip


@pytest.mark.parametrize("files", [("cert.pem", "key.pem"), ("both.pem", None)], ids=["two files", "one file"])
def test_the_operators_certificate(own: Path, files: tuple[str, str | None]) -> None:
    """The key stands in a file of its own or beside the certificate."""
    settings: Keywords = {"tls_cert": own / files[0]}
    if files[1] is not None:
        settings["tls_key"] = own / files[1]
    with MockServer(**settings) as mock:
        context = ssl.create_default_context(cafile=str(own / "ca.pem"))
        import http.client

        connection = http.client.HTTPSConnection(mock.url.partition("://")[2], context=context, timeout=WAIT_SECONDS)
        connection.request("GET", "/_mock/health")
        assert connection.getresponse().status == 200
        connection.close()
        assert mock.ca is None


WRONG = {
    "key alone": ("--tls-key k", "--tls-key k: the certificate is missing; name it with --tls-cert"),
    "both": ("--tls self-signed --tls-cert c", "--tls-cert: --tls self-signed makes its own; drop one of them"),
    "not there": ("--tls-cert none", "--tls-cert none: cannot be read: No such file or directory"),
    "another key": (
        "--tls-cert cert.pem --tls-key other.pem",
        "--tls-key other.pem: is not the key of --tls-cert cert.pem",
    ),
    "no key": (
        "--tls-cert cert.pem",
        "--tls-cert cert.pem: no certificate (PEM) with its key; give both, the certificate with those between it",
    ),
    "unix": ("--tls self-signed --uds s", "--uds s: TLS needs --host and --port; drop --uds, or the flags of TLS"),
    "kind": ("--tls on", "--tls: 'on' is not allowed; allowed: off, self-signed"),
    "name": ("--tls self-signed --tls-name a..b", "--tls-name a..b: no certificate can have it: Empty Label"),
}  # fmt: skip


@pytest.mark.parametrize(("flags", "says"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_one_line(own: Path, monkeypatch: pytest.MonkeyPatch, flags: str, says: str) -> None:
    """With exit code 2, and nothing is opened."""
    monkeypatch.chdir(own)
    code, out, err = called("serve", "--port", "0", *flags.split())
    assert (code, out) == (2, "")
    assert err.startswith(says)
    assert err.count("\n") == 1


def test_no_passphrase_is_asked_for(own: Path) -> None:
    """A server that waits for a terminal would never be ready."""
    with pytest.raises(OperatorError) as told:
        MockServer(tls_cert=own / "cert.pem", tls_key=own / "secret.pem").start()
    assert str(told.value) == f"--tls-key {own / 'secret.pem'}: is encrypted; give a key without a passphrase"


def test_without_trustme(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says how to get it."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    code, _, err = called("serve", "--port", "0", "--tls", "self-signed")
    assert (code, err) == (2, "--tls self-signed: trustme is not installed; pip install 'trustme>=1.1'\n")
