"""A proxy on a real socket that changes the bytes between a mock and its client: one mutant each."""

from __future__ import annotations

import http.client
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mockserver.core.exchange import Request
from tests.contract_live import Quiet, serving_with
from tests.mutants import Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.mutants import Mutant

OF_ONE_CONNECTION: Final = frozenset({"connection", "transfer-encoding", "keep-alive"})
WAIT_SECONDS: Final = 30


@contextmanager
def between(upstream: str, mutant: Mutant) -> Iterator[str]:
    """A proxy in front of a server; yields its base URL."""
    behind = urlsplit(upstream).netloc

    class Proxy(Quiet):
        def handle_request(self) -> None:
            """Ask upstream with the request that the mutant makes, and answer with the response that it makes."""
            headers = {n.lower().encode(): v.encode("latin-1") for n, v in self.headers.items()}
            asked = Request(self.command, self.path, headers, self.request_body())
            sent = mutant.ask(asked)
            connection = http.client.HTTPConnection(behind, timeout=WAIT_SECONDS)
            try:
                connection.putrequest(sent.method, sent.path, skip_host=True, skip_accept_encoding=True)
                for name, value in sent.headers.items():
                    if name != b"content-length":
                        connection.putheader(name, value)
                connection.putheader("content-length", str(len(sent.body)))
                connection.endheaders(sent.body)
                came = connection.getresponse()
                kept = tuple(
                    (n.lower().encode("latin-1"), v.encode("latin-1"))
                    for n, v in came.getheaders()
                    if n.lower() not in OF_ONE_CONNECTION
                )
                self.tell(mutant.change(Response(asked, came.status, kept, came.read())))
            finally:
                connection.close()

        do_POST = do_GET = handle_request  # noqa: N815 - the base class calls them

        def tell(self, response: Response) -> None:
            """Write a response: to its announced length, or in one chunk."""
            self.close_connection = True
            self.send_response_only(response.status)
            for name, value in response.headers:
                self.send_header(name.decode("latin-1"), value.decode("latin-1"))
            self.send_header("connection", "close")
            if any(name == b"content-length" for name, _ in response.headers):
                self.end_headers()
                self.wfile.write(response.body)
                return
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            if response.body:
                self.send_chunk(response.body)
            self.send_chunk(b"")

    with serving_with(Proxy) as url:
        yield url
