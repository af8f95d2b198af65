"""The server over real sockets: HTTP's rules, limits, slow and leaving clients."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mockserver import __version__
from mockserver.core.exchange import Answer, Ending, Usage
from mockserver.pipeline.pace import PaceSettings
from mockserver.profile.edition import ERROR_KINDS
from mockserver.server.protocol import MockProtocol
from tests.by_hand import ByHand, pass_time, send
from tests.conftest import EDITIONS, Live, compose, load, serve
from tests.doors import AsgiDoor, DirectDoor
from tests.raw_http import answer, body, head, read_all, responses, say, whole
from tests.recording_helpers import dechunked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.core.exchange import ChatRequest
    from mockserver.pipeline.respond import Service
    from mockserver.server.direct_chats import DirectChats

BODY_LIMIT = 4000
PIECES = 1200


class Quick(ByHand):
    """Waits for a request for a moment only."""

    head_seconds = 0.2
    body_seconds = 0.2


def big_answer(_request: ChatRequest) -> Answer:
    """About 12 MB, far more than all the buffers on the way to a client that does not read."""
    return Answer(("x" * 10_000,) * PIECES, Usage(1, PIECES + 1))


def big_service() -> Service:
    """A small body limit, big answers on nvidia, and slow streams on chip1."""
    edition = load("2024-tutorial")
    rules = replace(edition.file.request, body_limit_bytes=BODY_LIMIT)
    edition = replace(edition, file=replace(edition.file, request=rules))
    paces = {"chip1": PaceSettings(0, 40), "chip2": PaceSettings(30_000, 1)}
    return compose(edition, answer=big_answer, paces=paces)


DOORS = {"asgi": AsgiDoor, "direct": DirectDoor}
door = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)


@pytest.fixture(scope="module", params=zip(EDITIONS, DOORS, strict=True), ids=" ".join)
def live(request: pytest.FixtureRequest) -> Iterator[Live]:
    """Each edition, each by one of the doors."""
    edition, door = request.param
    with serve(compose(load(edition)), door=DOORS[door]) as running:
        yield running


@pytest.fixture(scope="module", params=DOORS)
def quick(request: pytest.FixtureRequest) -> Iterator[Live]:
    """That service with short deadlines, by each door."""
    with serve(big_service(), Quick, door=DOORS[request.param]) as running:
        yield running


@pytest.fixture(scope="module", params=DOORS)
def patient(request: pytest.FixtureRequest) -> Iterator[Live]:
    """That service with the usual deadlines, so that a busy machine loses no request, by each door."""
    with serve(big_service(), door=DOORS[request.param]) as running:
        yield running


# --- routes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/maas/{model}/nvidia/chat/completions", None),
        ("/maas/{model}/nvidia/chat/completions/", None),
        ("/maas/{percent}/%6evidia/chat/completions?x=1", None),
        ("http://elsewhere/maas/{model}/nvidia/chat/completions", None),
        ("/", 40400),
        ("/maas/{model}/chat/completions", 40400),
        ("/maas/v1/v1/chat/completions/x", 40400),
        ("//maas/{model}/nvidia/chat/completions", 40400),
        ("/maas//nvidia/chat/completions", 40400),
        ("/maas/%2e%2e%2fetc/nvidia/chat/completions", 40400),
        ("/maas/{upper}/nvidia/chat/completions", 40401),
        ("/maas/%ff%00/nvidia/chat/completions", 40401),
        ("/maas/{model}/NVIDIA/chat/completions", 40402),
        ("/maas/{model}/chip6/chat/completions", 40402),
    ],
    ids=[
        "endpoint",
        "trailing-slash",
        "percent-encoded",
        "absolute-form",
        "root",
        "chip-dropped",
        "doubled",
        "double-slash",
        "no-model",
        "slash-in-model",
        "model-case",
        "model-bytes",
        "chip-case",
        "chip",
    ],
)
def test_paths(live: Live, path: str, code: int | None) -> None:
    """What is served, and a JSON 404 for all else; SDKs that drop the chip from the base URL get one too."""
    filled = path.format(model=live.model, upper=live.model.upper(), percent=live.model.replace("-", "%2D"))

    status, headers, document = answer(say(live, whole(live, path=filled)))

    assert headers["content-type"].startswith("application/json")
    assert status == (404 if code else 200)
    if code:
        assert document["code"] == code
        assert set(document) == {"code", "msg"}


def test_connect_is_a_wrong_method(live: Live) -> None:
    """CONNECT is refused like any other method, and the server goes on."""
    status, headers, _ = answer(say(live, whole(live, method="CONNECT", data=b"")))

    assert (status, headers["allow"]) == (405, "POST")
    assert answer(say(live, whole(live)))[0] == 200


def test_an_unknown_path_is_told_what_is_served(live: Live) -> None:
    """The message names the paths."""
    document = answer(say(live, whole(live, path="/v1/chat/completions")))[2]

    assert (
        document["msg"]
        == "'/v1/chat/completions' is not served; served: POST /maas/{model}/{chiptype}/chat/completions, "
        "POST /maas/v1/chat/completions, POST /maas/deployment/{mif-…}/chat/completions, GET /maas/v1/models"
    )


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT", "DELETE", "PATCH"])
def test_other_methods_get_405(live: Live, method: str) -> None:
    """With `Allow`, in the service's shape."""
    status, headers, document = answer(say(live, head(live, method=method)))

    assert (status, headers["allow"]) == (405, "POST")
    assert document == {"code": 40500, "msg": f"{method} is not allowed on {live.path()}; allowed: POST"}


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_no_web_page_is_let_in(live: Live, method: str) -> None:
    """A preflight and an answer carry no CORS headers: of another site no page asks with a key, or reads."""
    headers = ("origin: https://app.example", "access-control-request-method: POST")
    status, found, _ = answer(say(live, whole(live, *headers, method=method)))

    assert status == {"OPTIONS": 405, "POST": 200}[method]
    assert not [name for name in found if name.startswith("access-control")]


def test_head_gets_405_without_a_body(live: Live) -> None:
    """RFC 9110, 9.3.2: an answer to HEAD has no content."""
    top, _, content = say(live, head(live, method="HEAD")).partition(b"\r\n\r\n")

    assert top.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nallow: POST\r\n" in top
    assert content == b""


def test_health(live: Live) -> None:
    """For a container's health check; other methods get a JSON 405."""
    edition = load(live.edition)
    assert answer(say(live, head(live, method="GET", path="/_mock/health")))[::2] == (
        200,
        {
            "status": "ok",
            "version": __version__,
            "edition": live.edition,
            "chips": list(edition.chips),
            "distinct_chips": edition.distinct_chips,
            "models": list(edition.models),
        },
    )
    status, headers, document = answer(say(live, whole(live, path="/_mock/health")))
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert document == {"error": "POST is not allowed here; allowed: GET, HEAD"}


# --- framing of requests ------------------------------------------------------------------------------------------


def chunked(data: bytes, size: int = 7) -> bytes:
    """Bytes in the chunked coding."""
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_a_chunked_request_body_is_read(live: Live) -> None:
    """Node's fetch with a stream body and httpx with a generator send one."""
    assert answer(say(live, head(live, "transfer-encoding: chunked") + chunked(body())))[0] == 200


@pytest.mark.parametrize("size", [1, 50])
def test_a_request_may_come_in_small_pieces(live: Live, size: int) -> None:
    """The bytes of a request are the same however they are cut on the way."""
    data = whole(live)
    with live.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), size):
            sock.sendall(data[at : at + size])
        assert answer(read_all(sock))[0] == 200


@pytest.mark.parametrize(
    ("host", "msg"),
    [
        ("", "no Host header; HTTP/1.1 wants one"),
        ("host: a\r\nhost: a", "2 Host headers were sent; send one"),
        ("host: a, b", "Host: 'a, b' is no host and port"),
        ("host: me@a", "Host: 'me@a' is no host and port"),
        ("host: a/b", "Host: 'a/b' is no host and port"),
        ("host: a:b", "Host: 'a:b' is no host and port"),
        ("host: [::1", "Host: '[::1' is no host and port"),
        ("host: \u00e9", "Host: '\u00c3\u00a9' is no host and port"),
    ],
    ids=["none", "two", "list", "user", "path", "no port", "bracket", "no ASCII"],
)
def test_a_request_has_one_host(live: Live, host: str, msg: str) -> None:
    """RFC 9112, 3.2: none, two, or what is none is a 400, and the connection closes."""
    status, headers, document = answer(say(live, whole(live, "connection: keep-alive", host=host)))

    assert (status, document) == (400, {"code": 40001, "msg": msg})
    assert headers["connection"] == "close"


@pytest.mark.parametrize(
    "host", ["a:80", "a:", "", "[::1]:80", "[fe80::1%25eth0]", "a_b.c-d", "%2Ftmp%2Fx.sock", "127.0.0.1"]
)
def test_what_a_host_may_be(live: Live, host: str) -> None:
    """Whatever a URL may name, RFC 3986, 3.2.2; clients of Unix sockets write their path."""
    assert answer(say(live, whole(live, host=f"host: {host}")))[0] == 200


@pytest.mark.parametrize("version", ["0.9", "2.0"])
def test_another_version_is_refused(live: Live, version: str) -> None:
    """The parser reads them like HTTP/1.1, and they are not."""
    status, headers, document = answer(
        say(live, whole(live, "connection: keep-alive").replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1))
    )
    told = f"the request line says HTTP/{version}; HTTP/1.1 is served here"
    assert (status, document, headers["connection"]) == (400, {"code": 40001, "msg": told}, "close")


CODINGS = {
    "gzip, chunked": "Transfer-Encoding: 'gzip, chunked' is not read here; allowed: chunked",
    "gzip\r\ntransfer-encoding: chunked": "Transfer-Encoding: 'gzip,chunked' is not read here; allowed: chunked",
    "identity, chunked": "Transfer-Encoding: 'identity, chunked' is not read here; allowed: chunked",
}


@pytest.mark.parametrize(("coding", "msg"), CODINGS.items(), ids=[one.replace("\r\n", "; ") for one in CODINGS])
def test_a_coding_that_is_not_read_is_refused(live: Live, coding: str, msg: str) -> None:
    """RFC 9112, 6.1: its body would be taken for what is packed in it; nothing behind it is served."""
    sent = head(live, f"transfer-encoding: {coding}", "connection: keep-alive") + chunked(body()) + whole(live)
    status, headers, document = answer(say(live, sent))
    assert (status, document, headers["connection"]) == (400, {"code": 40001, "msg": msg}, "close")


@pytest.mark.parametrize("coding", ["chunked", "CHUNKED", ", chunked"])
def test_chunks_however_they_are_written(live: Live, coding: str) -> None:
    """Names of codings have no case, and lists may have empty places (RFC 9110, 5.6.1)."""
    assert answer(say(live, head(live, f"transfer-encoding: {coding}") + chunked(body())))[0] == 200


@pytest.mark.parametrize("waiting", [1, 3])
def test_who_leaves_is_told_to_all_that_was_asked(live: Live, waiting: int) -> None:
    """Of several requests on one connection the first is answered, the others wait: a reset ends them all."""
    before = len(live.exchanges)
    first = whole(live, "connection: keep-alive", "x-mock-fault: timeout")
    with live.connect() as sock:
        sock.sendall(first + whole(live, "connection: keep-alive") * waiting)
        assert answer(say(live, whole(live)))[0] == 200  # the server has read what came before
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    live.wait_for(before + 2)

    assert [one.client_left for one in live.exchanges[before:]] == [False, True]


def test_http_1_0_knows_no_chunks(live: Live) -> None:
    """RFC 9112, 6.1: with them its framing is faulty."""
    sent = head(live, "transfer-encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0", 1) + chunked(body())
    told = "Transfer-Encoding came with HTTP/1.0, which knows none; send Content-Length"
    assert answer(say(live, sent))[::2] == (400, {"code": 40001, "msg": told})


def test_http_1_0_needs_no_host(live: Live) -> None:
    """The Host header came with HTTP/1.1."""
    assert answer(say(live, whole(live, host="").replace(b"HTTP/1.1", b"HTTP/1.0", 1)))[0] == 200


@pytest.mark.parametrize("headers", [(), ("connection: keep-alive",)], ids=["closing", "keep-alive"])
@pytest.mark.parametrize("chip", ["nvidia", "chip3"])
def test_http_1_0_gets_a_stream_without_transfer_chunks(live: Live, chip: str, headers: tuple[str, ...]) -> None:
    """RFC 9112, 6.1: an older client is sent no transfer coding; it reads the body as it is, until the server closes.

    ApacheBench asks like that, and so does nginx before a server where nobody told it otherwise.
    """
    sent = body(stream=True, max_tokens=3)
    new = say(live, whole(live, data=sent, path=live.path(chip)))
    old = say(live, whole(live, *headers, data=sent, path=live.path(chip)).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    (new_head, _, new_body), (old_head, _, old_body) = (raw.partition(b"\r\n\r\n") for raw in (new, old))
    assert b"transfer-encoding: chunked" in new_head
    assert b"transfer-encoding" not in old_head
    assert b"connection: close" in old_head
    chunks, trailers = dechunked(new_body)
    assert trailers == []
    assert said(old_body) == said(b"".join(chunks))


def said(stream: bytes) -> list[bytes]:
    """The lines of a stream from their choices on; before them stand the id and the time."""
    return [line.partition(b'"choices"')[2] for line in stream.splitlines()]


@pytest.mark.parametrize(
    "headers",
    [
        ("content-length: 5", "transfer-encoding: chunked"),
        ("transfer-encoding: chunked", "content-length: 5"),
        ("content-length: 5", "content-length: 6"),
        ("content-length: -1",),
        ("content-length: " + "9" * 5000,),
        ("transfer-encoding: gzip",),
        ("no colon",),
        ("a b: c",),
    ],
    ids=[
        "length-and-chunked",
        "chunked-and-length",
        "two-lengths",
        "negative",
        "huge",
        "gzip",
        "no-colon",
        "space-in-name",
    ],
)
def test_ambiguous_framing_is_refused(live: Live, headers: tuple[str, ...]) -> None:
    """RFC 9112, 6: nothing that two parsers could read in two ways is served, and the connection closes."""
    raw = say(live, head(live, *headers, "connection: keep-alive") + b"0\r\n\r\nPOST /smuggled HTTP/1.1\r\n\r\n")

    status, found, document = answer(raw)
    assert (status, document["code"], found["connection"]) == (400, 40001, "close")


NO_HTTP = {
    "method": (b"BREW /pot HTTP/1.1\r\n\r\n", "what came is no HTTP/1.1 request: Invalid method encountered"),
    "connect": (
        b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
        "what came is no HTTP/1.1 request: the target is no path and no URL, or has a #",
    ),
    "fragment": (
        b"GET /a#b HTTP/1.1\r\nhost: a\r\n\r\n",
        "what came is no HTTP/1.1 request: the target is no path and no URL, or has a #",
    ),
    "tls": (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "TLS came to a port that serves plain HTTP; ask http:// and not https://",
    ),
    "http2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2 came without being asked for; HTTP/1.1 is served here"),
    "byte-order-mark": (
        b"\xef\xbb\xbfPOST / HTTP/1.1\r\n\r\n",
        "a byte order mark came before the request line; send none",
    ),
    "two-framings": (
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "what came is no HTTP/1.1 request: Transfer-Encoding can't be present with Content-Length",
    ),
    "raw-bytes-in-path": (
        b"POST /\xff HTTP/1.1\r\nhost: a\r\n\r\n",
        "what came is no HTTP/1.1 request: Invalid char in url path",
    ),
}


@pytest.mark.parametrize(("data", "told"), NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_not_http_1_gets_a_json_400(live: Live, data: bytes, told: str) -> None:
    """It says what came; also to a client that speaks TLS or HTTP/2 to this port, for whom it stands in the log."""
    assert answer(say(live, data))[::2] == (400, {"code": 40001, "msg": told})


@pytest.mark.parametrize("asked", [1, 3])
@pytest.mark.parametrize("stream", [False, True])
def test_what_stands_behind_a_request_takes_no_answer_away(
    live: Live, asked: int, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A length counted in characters leaves the end of a Chinese body behind: the whole requests are answered first."""
    said = say(live, whole(live, "connection: keep-alive", data=body(stream=stream)) * asked + '你"}]}'.encode())
    heads = said.count(b"HTTP/1.1 ")

    assert (heads, said.count(b"HTTP/1.1 200 OK")) == (asked, asked)
    assert said.count(b"connection: close") <= 1  # the connection ends; the lowest uvicorn ends it without a word
    assert said.endswith(b"0\r\n\r\n" if stream else b"}")
    told = [record.getMessage() for record in caplog.records if record.name == "uvicorn.error"]
    assert len(told) == 1
    assert told[0].startswith("behind a request's body, what came is no HTTP/1.1 request: Invalid method")
    assert told[0].endswith("; Content-Length counts bytes, not characters")


def test_a_client_that_closes_its_side_behind_it_is_answered(live: Live) -> None:
    """As `printf … | nc -N` does."""
    with live.connect() as sock:
        sock.sendall(whole(live, "connection: keep-alive") + b"!")
        sock.shutdown(socket.SHUT_WR)
        assert answer(read_all(sock))[0] == 200


def test_requests_on_one_connection(live: Live) -> None:
    """Keep-alive: one after the other, also with an empty line between them, which RFC 9112, 2.2 lets pass."""
    with live.connect() as sock:
        for between in (b"", b"\r\n"):
            sock.sendall(between + whole(live, "connection: keep-alive"))
            assert [status for status, _ in responses(sock, 1)] == [200]


def test_pipelined_requests_are_answered_in_order(live: Live) -> None:
    """Three requests in one packet: three answers, in their order, also where the second is refused."""
    keep = "connection: keep-alive"
    wanted = [
        whole(live, keep),
        whole(live, keep, data=b"{"),
        whole(live, keep, path="/nothing"),
        whole(live, data=body(n=1)),
    ]
    with live.connect() as sock:
        sock.sendall(b"".join(wanted))
        assert [status for status, _ in responses(sock, 4)] == [200, 400, 404, 200]


@pytest.mark.parametrize("times", [1, 3])
def test_an_offer_of_http_2_is_passed_over(live: Live, times: int) -> None:
    """Java's HttpClient offers h2c with each request; the server stays with HTTP/1.1 (RFC 9110, 7.8)."""
    offer = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__")
    with live.connect() as sock:
        sock.sendall(whole(live, *offer) * times)
        assert [status for status, _ in responses(sock, times)] == [200] * times
        sock.sendall(whole(live, *offer)[:-3])
        sock.sendall(whole(live, *offer)[-3:])
        assert [status for status, _ in responses(sock, 1)] == [200]


def test_many_offers_at_once_are_passed_over(live: Live) -> None:
    """As many as fit into one read: each is answered, none exhausts a stack."""
    offer = whole(live, "connection: Upgrade", "upgrade: x", method="GET", path="/", data=b"")
    with live.connect() as sock:
        sock.sendall(offer * 600)
        assert {status for status, _ in responses(sock, 600)} == {404}


def test_expect_100_continue(live: Live) -> None:
    """Clients such as curl ask before bodies over 1 MB: they are told to go on, then answered."""
    data = body()
    with live.connect() as sock:
        sock.sendall(head(live, f"content-length: {len(data)}", "expect: 100-continue"))
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(data)
        assert answer(read_all(sock))[0] == 200


def test_expect_of_http_1_0_is_passed_over(live: Live) -> None:
    """RFC 9110, 10.1.1: its client may know no answer before the answer."""
    sent = whole(live, "expect: 100-continue").replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
    assert say(live, sent).startswith(b"HTTP/1.1 200 OK\r\n")


# --- limits -------------------------------------------------------------------------------------------------------


def test_too_large_a_body_is_refused_by_its_length_alone(patient: Live) -> None:
    """With `Expect` the client is told 413 before it sends a byte of the body."""
    with patient.connect() as sock:
        sock.sendall(head(patient, f"content-length: {BODY_LIMIT + 1}", "expect: 100-continue"))
        status, headers, document = answer(read_all(sock))

    assert (status, headers["connection"]) == (413, "close")
    assert document == {"code": 41300, "msg": "the body has 4001 bytes; allowed: at most 4000"}


@pytest.mark.parametrize("size", [BODY_LIMIT + 1, 2 * BODY_LIMIT - 10, 2 * BODY_LIMIT, 100 * BODY_LIMIT])
def test_a_client_that_writes_on_can_read_the_413(patient: Live, size: int) -> None:
    """The rest of the body is read away for a while: closing with unread bytes would reset the answer away."""
    status, _, document = answer(say(patient, whole(patient, data=b"x" * size)))

    assert (status, document["msg"]) == (413, f"the body has {size} bytes; allowed: at most 4000")


@pytest.mark.parametrize("size", [BODY_LIMIT + 1, 2 * BODY_LIMIT, 100 * BODY_LIMIT])
def test_a_chunked_body_is_refused_once_it_passes_the_limit(patient: Live, size: int) -> None:
    """Nothing announces its length, so it is counted."""
    raw = say(patient, head(patient, "transfer-encoding: chunked") + chunked(b"x" * size, 1000))

    assert answer(raw)[::2] == (413, {"code": 41300, "msg": "the body has more than 4000 bytes; allowed: at most 4000"})


def test_a_body_of_just_the_limit_is_read(patient: Live) -> None:
    """At the limit is allowed."""
    data = body(user="")
    data = body(user="x" * (BODY_LIMIT - len(data)))

    assert len(data) == BODY_LIMIT
    assert b"HTTP/1.1 200 OK\r\n" in say(patient, whole(patient, data=data))


@pytest.mark.parametrize(
    "data",
    [
        b"POST /" + b"a" * 100 * 1024,
        b"POST / HTTP/1.1\r\nx: " + b"a" * 100 * 1024,
        b"POST / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000,
    ],
    ids=["request-line", "one-header", "many-headers"],
)
def test_a_large_head_gets_a_431_that_can_be_read(live: Live, data: bytes) -> None:
    """64 KiB for the request line and the headers together."""
    assert answer(say(live, data))[::2] == (
        431,
        {"code": 43100, "msg": "the request line and headers are over 65536 bytes"},
    )


def test_many_small_requests_in_one_packet_are_not_one_large_head(live: Live) -> None:
    """The limit is that of one head."""
    one = whole(live, "connection: keep-alive", path="/nothing")
    count = 100 * 1024 // len(one)
    with live.connect() as sock:
        sock.sendall(one * count)
        assert {status for status, _ in responses(sock, count)} == {404}


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (lambda _live: b"POST / HT", b"headers"),
        (lambda live: head(live)[:-2], b"headers"),
        (lambda live: head(live, "content-length: 5") + b"abc", b"body"),
        (lambda live: head(live, "transfer-encoding: chunked") + b"5\r\nabc", b"body"),
    ],
    ids=["request-line", "headers", "body", "chunked-body"],
)
def test_a_slow_request_gets_a_408(quick: Live, sent: Any, what: bytes) -> None:
    """A client that stops in the middle of a request is told so and let go."""
    with quick.connect() as sock:
        send(sock, sent(quick))
        pass_time(quick, 0.2)
        raw = read_all(sock)

    assert raw.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert raw.endswith(b'{"code":40800,"msg":"the request\'s %b did not arrive within 0.2 s"}' % what)


def test_a_slow_second_request_gets_a_408(quick: Live) -> None:
    """The deadline holds behind an answer too."""
    with quick.connect() as sock:
        send(sock, whole(quick, "connection: keep-alive", path="/nothing") + b"POST")
        assert responses(sock, 1)[0][0] == 404
        pass_time(quick, 0.2)
        assert read_all(sock).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_every_byte_does_not_buy_more_time(quick: Live) -> None:
    """The deadline is that of the whole head, so dripping bytes does not keep a connection."""
    with quick.connect() as sock:
        send(sock, b"POST / HTTP/1.1\r\n")
        for _ in range(2):
            pass_time(quick, 0.09)
            send(sock, b"x")
        pass_time(quick, 0.02)
        assert read_all(sock).startswith(b"HTTP/1.1 408 ")


def test_a_connection_that_asks_nothing_is_closed() -> None:
    """Without a word, since nothing was asked; by the real clock."""

    class Impatient(MockProtocol):
        head_seconds = 0.2

    with serve(compose(load("2024-tutorial")), Impatient) as live:
        assert say(live, b"") == b""


def test_empty_lines_ask_nothing(quick: Live) -> None:
    """A connection on which nothing else came is closed without a word too."""
    with quick.connect() as sock:
        send(sock, b"\r\n\r\n")
        pass_time(quick, 0.2)
        assert read_all(sock) == b""


def test_empty_lines_do_not_keep_a_used_connection(quick: Live) -> None:
    """An empty line after an answer is not a request: it does not stop the clock."""
    with quick.connect() as sock:
        send(sock, whole(quick, "connection: keep-alive", path="/nothing"))
        assert responses(sock, 1)[0][0] == 404
        send(sock, b"\r\n")
        pass_time(quick, 0.3)
        assert sock.recv(100) == b""


# --- leaving clients ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("abrupt", [False, True], ids=["closed", "reset"])
def test_a_client_that_leaves_mid_stream_ends_the_work(patient: Live, abrupt: bool) -> None:
    """The stream stops, the exchange says `cut`, and no task or connection is left."""
    before = len(patient.exchanges)
    path = patient.path("chip1")
    sock = patient.connect()
    sock.sendall(whole(patient, path=path, data=body(stream=True)))
    assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
    if abrupt:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()

    exchange = patient.wait_for(before + 1)

    assert exchange.ending is Ending.CUT
    assert exchange.frames_sent < PIECES
    assert say(patient, whole(patient, path="/nothing")).startswith(b"HTTP/1.1 404 ")
    assert len(patient.server.server_state.tasks) <= 1  # that of the answer just read may still be ending


@door
def test_a_half_closed_client_does_not_wait_for_ever(door: type[DirectChats]) -> None:
    """It may have left altogether: where nothing is written for a while, the connection ends."""

    class Impatient(MockProtocol):
        half_closed_seconds = 0.1

    service = compose(load("2024-tutorial"), paces={"nvidia": PaceSettings(30_000, 1)})
    with serve(service, Impatient, grace_seconds=0, door=door) as live, live.connect() as sock:
        sock.sendall(whole(live))
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""


@pytest.mark.parametrize("chip", ["chip1", "chip2"], ids=["mid-stream", "before-the-first-token"])
@door
def test_a_stopping_server_cuts_streams_visibly(
    caplog: pytest.LogCaptureFixture, chip: str, door: type[DirectChats]
) -> None:
    """When the grace time is over the body lacks its end, the exchange says `cut`, and nothing looks like a fault."""
    paces = {"chip1": PaceSettings(0, 40), "chip2": PaceSettings(30_000, 1)}
    with serve(compose(load("2024-tutorial"), answer=big_answer, paces=paces), grace_seconds=0, door=door) as stopping:
        sock = stopping.connect()
        sock.sendall(whole(stopping, path=stopping.path(chip), data=body(stream=True)))
        if chip == "chip1":
            assert sock.recv(1) == b"H"
        assert say(stopping, whole(stopping, path="/nothing")).startswith(b"HTTP/1.1 404 ")
    with sock:
        assert not read_all(sock).endswith(b"0\r\n\r\n")

    assert stopping.exchanges[-1].ending is Ending.CUT
    assert not [record for record in caplog.records if record.exc_info]


def test_a_client_that_leaves_within_its_body(patient: Live) -> None:
    """Such an exchange has no plan."""
    before = len(patient.exchanges)
    with patient.connect() as sock:
        sock.sendall(head(patient, "content-length: 100") + b"{")

    exchange = patient.wait_for(before + 1)
    assert (exchange.plan, exchange.ending) == (None, Ending.CUT)


@pytest.mark.parametrize("chip", ["nvidia", "chip3"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_half_closed_client_gets_its_answer(patient: Live, live: Live, chip: str, stream: bool) -> None:
    """`printf … | nc -N` closes its side behind the request and reads on; also an answer larger than all buffers."""
    for server in (patient, live):
        with server.connect() as sock:
            sock.sendall(whole(server, "connection: keep-alive", path=server.path(chip), data=body(stream=stream)))
            sock.shutdown(socket.SHUT_WR)
            raw = read_all(sock)

        assert raw.startswith(b"HTTP/1.1 200 OK\r\n")
        if stream:
            assert raw.endswith(b"0\r\n\r\n")
        else:
            assert json.loads(raw.partition(b"\r\n\r\n")[2])["choices"]


@door
def test_a_half_closed_client_gets_a_stream_that_lasts(door: type[DirectChats]) -> None:
    """What is written for it counts as life: a stream may take longer than the wait for a client that may have left.

    The frames are due more often than the wait ends, on the same loop's clock, however busy the machine is.
    """

    class Impatient(MockProtocol):
        half_closed_seconds = 0.05

    pieces = Answer(("x",) * 40, Usage(1, 41))
    service = compose(load("2024-tutorial"), answer=lambda _request: pieces, paces={"nvidia": PaceSettings(0, 10)})
    with serve(service, Impatient, door=door) as live, live.connect() as sock:
        sock.sendall(whole(live, data=body(stream=True)))
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_a_half_request_before_a_half_close_is_dropped(live: Live) -> None:
    """Nobody can be answered who did not ask."""
    with live.connect() as sock:
        sock.sendall(head(live, "content-length: 100") + b"{")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""


def test_unread_streams_wait_in_the_client_not_in_the_server(patient: Live) -> None:
    """Five clients that ask for 12 MB each and do not read: the server holds no more than its write buffers."""
    socks = [patient.connect() for _ in range(5)]
    try:
        for sock in socks:
            sock.sendall(whole(patient, data=body(stream=True)))
            assert sock.recv(1).startswith(b"H")
        assert say(patient, whole(patient, path="/nothing")).startswith(b"HTTP/1.1 404 ")

        held = [one.transport.get_write_buffer_size() for one in list(patient.server.server_state.connections)]
        assert max(held) < 512 * 1024
        assert read_all(socks[0]).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    finally:
        for sock in socks:
            sock.close()


# --- headers of the mock ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "first"),
    [
        ("json-lines", b'{"id"'),
        ("+json-lines", b'{"id"'),
        ("-sse", b'{"id"'),
        (" +bom , data-nospace,", b"\xef\xbb\xbfdata:{"),
        ("", b"data: {"),
    ],
)
def test_quirks_on_request(live: Live, sent: str, first: bytes) -> None:
    """`X-Mock-Quirks` changes one answer: `+` or nothing sets a quirk, `-` takes it away."""
    raw = say(live, whole(live, f"x-mock-quirks: {sent}", data=body(stream=True)))

    chunk = raw.partition(b"\r\n\r\n")[2].partition(b"\r\n")[2]
    assert chunk.startswith(first)


@pytest.mark.parametrize(
    ("sent", "msg"),
    [
        ("no-dome", "X-Mock-Quirks: unknown quirk 'no-dome'; did you mean no-done, no-bom, no-comments?"),
        ("bom,,-x\u00ff", "X-Mock-Quirks: unknown quirk 'xÃ¿'; genstudio-mock profiles --quirks lists them"),
    ],
)
def test_an_unknown_quirk_is_refused(live: Live, sent: str, msg: str) -> None:
    """A test that asks for a quirk that is not there must not pass."""
    request = whole(live, "x-mock-quirks: QUIRKS").replace(b"QUIRKS", sent.encode())

    status, _, document = answer(say(live, request))

    assert (status, document) == (400, {"code": 40010, "msg": msg})


@pytest.mark.parametrize("kind", ERROR_KINDS)
def test_every_error_can_be_asked_for(live: Live, kind: str) -> None:
    """`X-Mock-Error` gives the status and the shape of the edition's row, whatever the request."""
    row = live.mock.edition.file.errors[kind]
    asked = f"asked for by X-Mock-Error: {kind}"

    status, headers, document = answer(say(live, whole(live, f"x-mock-error: {kind}", data=b"")))

    assert status == row.status
    if row.family == "gateway":
        assert document == {"code": row.code, "msg": row.message or asked}
    else:
        types = {400: "invalid_request_error"}
        assert document == {
            "error": {"code": str(row.code), "message": asked, "param": None, "type": types[row.status]}
        }
    assert headers.get("x-mock-detail") == (asked if row.message else None)
    assert headers.get("retry-after") == (None if row.retry_after_s is None else str(row.retry_after_s))


def test_an_unknown_error_is_refused(live: Live) -> None:
    """The message lists the kinds."""
    status, _, document = answer(say(live, whole(live, "x-mock-error: teapot")))

    assert status == 400
    assert document["msg"].startswith(
        "X-Mock-Error: 'teapot' is not a kind of error; known: invalid-http, missing-key, "
    )


@pytest.mark.parametrize("seed", ["x", "-1", "1.5", "9" * 21])
def test_a_seed_that_is_no_seed_is_refused(live: Live, seed: str) -> None:
    """A seed that was copied wrongly would repeat nothing, so nothing is answered with it."""
    status, _, document = answer(say(live, whole(live, f"x-mock-seed: {seed}")))

    assert (status, document["msg"]) == (
        400,
        f"X-Mock-Seed: '{seed}' is not allowed; allowed: a number of at most 20 digits, as x-mock-seed gives it",
    )


def test_every_answer_has_trace_and_request_id(live: Live) -> None:
    """Seen on every answer of the live service, success or failure."""
    for request in (whole(live), whole(live, path="/nothing"), head(live, method="GET"), whole(live, data=b"{")):
        headers = answer(say(live, request))[1]
        assert headers["traceresponse"].startswith("00-")
        assert headers["x-maas-request-id"][:-3].isdigit()
