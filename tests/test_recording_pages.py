"""A browser's page cannot use the recorder and the operator's key: shown in Chromium, which resolves names as told."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tests.recording_helpers import RawUpstream, recording_of

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECRET = b"models-of-the-operator"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(SECRET), SECRET)
PATH = "/maas/v1/models"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")


def shown(url: str, profile: Path) -> str:
    """The page as Chromium has it in the end; `evil.example` is this machine, as after DNS rebinding."""
    assert CHROMIUM is not None
    words = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", f"--user-data-dir={profile}", "--virtual-time-budget=3000",
        "--host-resolver-rules=MAP evil.example 127.0.0.1", "--dump-dom", url,
    ]  # fmt: skip
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout


@pytest.mark.parametrize(
    ("host", "asked"),
    [pytest.param("evil.example", False, id="rebound"), pytest.param("localhost", True, id="own-address")],
)
def test_a_rebound_page_reads_nothing(host: str, asked: bool, tmp_path: Path) -> None:
    """A page whose name leads to the recorder gets a 403; a person who opens the recorder's own address is answered."""
    with RawUpstream([ANSWER]) as upstream, recording_of(upstream.url, tmp_path / "kept", key=b"operator-key") as proxy:
        page = shown(f"http://{host}:{proxy.port}{PATH}", tmp_path / "profile")

    heard = [one for one in upstream.heard if PATH.encode() in one]
    assert (SECRET.decode() in page, bool(heard)) == (asked, asked)


def test_a_page_of_another_site_asks_nobody(tmp_path: Path) -> None:
    """A request with a good Host that a foreign page sends does not reach the upstream."""
    with RawUpstream([ANSWER]) as upstream, recording_of(upstream.url, tmp_path / "kept", key=b"operator-key") as proxy:
        page = (
            f"<p id=p>before</p><script>fetch('http://127.0.0.1:{proxy.port}{PATH}', {{mode: 'no-cors'}})"
            ".then(r => p.textContent = 'sent ' + r.type, e => p.textContent = 'blocked')</script>"
        )

        class Site(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        try:
            seen = shown(f"http://evil.example:{site.server_port}/", tmp_path / "profile")
        finally:
            site.shutdown()
            site.server_close()
            thread.join()

    assert "before" not in seen
    assert ">sent" in seen or ">blocked" in seen
    assert upstream.heard == []
