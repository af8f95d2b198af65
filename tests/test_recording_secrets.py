"""No secret is written: not by name, not by value, not by shape, whatever its spelling and its chunks."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mockserver.core.exchange import Exchange, Plan, Request
from mockserver.files.key_shapes import findings
from mockserver.files.pattern import compile_mask
from mockserver.files.secrets import (
    Redactor,
    Scrubbing,
    SpelledSecretError,
    query_secrets,
    secret_values,
)

if TYPE_CHECKING:
    from mockserver.core.exchange import Headers

KEY = b"sk-KNOWN/key+1234567890"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([(b"authorization", b"Bearer abcdef")], {b"abcdef", b"Bearer abcdef"}, id="bearer"),
        pytest.param([(b"authorization", b"Basic " + base64.b64encode(b"me:secret1"))], {b"secret1"}, id="basic"),
        pytest.param([(b"cookie", b'sid=abcdefgh; theme=x; t="quoted99"')], {b"abcdefgh", b"quoted99"}, id="cookies"),
        pytest.param([(b"set-cookie", b"sid=abcdefgh; Path=/")], {b"abcdefgh"}, id="set-cookie"),
        pytest.param([(b"OpenAI-Organization", b"org-123456")], {b"org-123456"}, id="organisation"),
        pytest.param([(b"x-api-key", b"k-123456")], {b"k-123456"}, id="api-key"),
        pytest.param([(b"user-agent", b"python-requests")], set(), id="harmless"),
        pytest.param([(b"x-api-key", b"abc")], set(), id="too-short-to-mask"),
    ],
)
def test_which_headers_are_secret(headers: list[tuple[bytes, bytes]], expected: set[bytes]) -> None:
    """Keys with and without their scheme, each cookie's value, organisations."""
    assert expected <= secret_values(headers)
    assert bool(expected) == bool(secret_values(headers))


def test_a_key_in_the_query() -> None:
    """A query is never kept, and its key is masked where it is echoed."""
    assert query_secrets(b"api_key=abcdefgh&limit=1234567") == {b"abcdefgh"}


SPELLINGS = {
    "as it is": KEY,
    "json": json.dumps(KEY.decode()).encode(),
    "escaped slash": KEY.replace(b"/", b"\\/"),
    "url": quote(KEY.decode(), safe="").encode(),
    "base64": base64.b64encode(KEY),
    "base64 of more": base64.b64encode(b"u:" + KEY + b"!"),
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_a_value_is_found_in_its_spellings(spelled: bytes) -> None:
    """A key that is echoed as it is, in JSON, in a URL or in base64 is masked, byte for byte."""
    masked = Redactor([KEY]).masked(b"<" + spelled + b">")

    assert len(masked) == len(spelled) + 2
    assert masked.count(b"*") >= len(KEY) - 4
    assert not Redactor([KEY]).holds_secret(masked)


@settings(max_examples=80)
@given(st.lists(st.binary(max_size=12), max_size=4), st.lists(st.integers(0, 80)), st.binary(max_size=12))
@example([b"\xe6"], [3, 5, 9, 12], b"")
def test_a_mask_changes_no_boundary(before: list[bytes], cuts: list[int], after: bytes) -> None:
    """However a body is cut, the key is gone from it and every chunk keeps its length."""
    body = b"".join(before) + KEY + after
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    frames = [body[start:end] for start, end in pairwise(edges)]

    made = Redactor([KEY]).frames(frames)

    assert [len(frame) for frame in made] == [len(frame) for frame in frames]
    assert KEY not in b"".join(made)


def test_the_beginning_of_a_key_at_a_cut() -> None:
    """Where the stream was cut inside the key, its beginning is masked too."""
    assert Redactor([KEY]).frames([b"wrong key ", KEY[:10]]) == (b"wrong key ", b"*" * 10)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("an API key (sk-…)", b'"sk-abcdefghijklmnop1234"'),
        ("a bearer token", b"Authorization: Bearer abcdefghijklmnop1234"),
        ("a JSON web token", b"eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4"),
        ("a cloud access key", b"AKIAABCDEFGHIJKLMNOP"),
        ("an access token of a code host", b"ghp_abcdefghijklmnopqrstuvwxyz"),
        ("an access token of a code host", b"github_pat_11ABCDEFG0abcdefghijkl_mnopqrs"),
        ("an access token of a code host", b"npm_" + b"aB3" * 12),
        ("an API key of another service", b"xai-abcdefghijklmnop1234"),
        ("an API key of another service", b"sk_live_abcdefghijklmnop1234"),
        ("an API key of another service", b"0123456789abcdef0123456789abcdef.AbCdEfGhIjKlMnOp"),
        ("a key by its name", b'{"api_key": "0123456789abcdef0123"}'),
        ("a key by its name", b'{"content": "{\\"API-Key\\": \\"0123456789abcdef0123\\"}"}'),
        ("a key by its name", b"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"),
        ("a password", b"postgres://me:hunter22@db.example/x"),
        ("a password", b"Authorization: Basic bWU6aHVudGVyMjI="),
        ("a private key", b"-----BEGIN RSA PRIVATE KEY-----"),
    ],
)
def test_the_shapes_of_keys(kind: str, text: bytes) -> None:
    """What looks like a key is named by its kind, and masked without knowing it."""
    assert kind in set(findings(text))
    assert not list(findings(Redactor().masked(text)))


@pytest.mark.parametrize("text", [b'{"api_key": "0123456789abcdef0123"}', b'"https://me:hunter22@db.example"'])
def test_what_names_a_key_is_left(text: bytes) -> None:
    """JSON around a key that is known by its name stays JSON."""
    masked = Redactor().masked(text)

    json.loads(masked)
    assert masked.count(b"*") in {8, 20}


@pytest.mark.parametrize(
    "text",
    [
        b"chatcmpl-3HjYf888MzQ6XAHADiPanf",
        b"task-abcdefghijklmnopqrst",
        "我是".encode(),
        b'api_key="your-api-key-goes-here"',
        b'api_key=os.environ["OPENAI_API_KEY"]',
        b"Basic authorization takes a basic variable= of http://localhost:8777/maas",
        b"at 12:30 mail me@example.com, see https://example.com/a:b@c",
        b"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
    ],
)
def test_what_is_no_key(text: bytes) -> None:
    """Ids and words are left alone."""
    assert Redactor().masked(text) == text


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param('{"user": "张三", "n": 1}', '{"user": "******", "n": 1}', id="string"),
        pytest.param(r'{"user":"a\"b"}', '{"user":"****"}', id="escapes"),
        pytest.param('{"user": {"name": "ab", "n": [7, "c"]}}', '{"user": {"****": "**", "*": [0, "*"]}}', id="nested"),
        pytest.param('{"user": -12.5e3, "n": 12}', '{"user": 0      , "n": 12}', id="number"),
        pytest.param('{"user":true,"a":{"user":false}}', '{"user":null,"a":{"user":null }}', id="truth"),
        pytest.param('{"user": null}', '{"user": null}', id="null"),
        pytest.param('{"user": {"user": "ab"}}', '{"user": {"****": "**"}}', id="in-itself"),
        pytest.param('{"user": "abc', '{"user": "***', id="cut-in-a-string"),
        pytest.param('{"user": {"a": "bc', '{"user": {"*": "**', id="cut-in-an-object"),
        pytest.param('{"username": "ab"}', '{"username": "ab"}', id="other-names-stay"),
    ],
)
def test_fields_are_scrubbed(body: str, expected: str) -> None:
    """`--scrub-field user` covers whatever that field holds, leaves JSON behind and changes no length."""
    masked = Redactor(scrubbing=Scrubbing(("user",))).masked(body.encode())

    assert masked.decode() == expected
    assert len(masked) == len(body.encode())


def test_patterns_are_scrubbed() -> None:
    """`--scrub-pattern` covers what matches, also beside bytes that are no text."""
    patterns = tuple(compile_mask(text, "--scrub-pattern") for text in ("1[0-9]{10}", "张.*?三"))
    redactor = Redactor(scrubbing=Scrubbing(patterns=patterns))

    assert redactor.masked(b"\xff13800138000,") == b"\xff***********,"
    assert redactor.masked("<张小三>".encode()) == b"<*********>"


def test_a_key_that_is_spelled_chunk_by_chunk_is_not_kept() -> None:
    """A model that repeats the key token by token gives nothing to mask, so the exchange is refused."""
    chunk = b'{"choices": [{"index": 0, "delta": {"content": "%b"}}]}\n'
    frames = tuple(chunk % part for part in (b"your key: sk-KN", b"OWN/key+123", b"4567890"))
    exchange = Exchange(Request("POST", "/"), Plan(200, (), frames), 3)

    with pytest.raises(SpelledSecretError, match="spells a secret across its chunks"):
        Redactor([KEY]).exchange(exchange)


def piece(text: bytes, choice: int = 0) -> bytes:
    """A chunk that says this."""
    return b'{"choices": [{"index": %d, "delta": {"content": "%b"}}]}\n' % (choice, text)


LETTERS = [bytes([one]) for one in KEY]
GZIP = ((b"Content-Encoding", b"gzip"),)
DEFLATE = ((b"Content-Encoding", b"deflate"),)
LEFT = "a secret is left in the file after masking"
SPELLED = "the answer spells a secret across its chunks, where it cannot be masked"
PACKED = "the packed body holds a secret, where it cannot be masked"
HIDDEN: dict[str, tuple[Headers, list[bytes], str]] = {
    "percent signs for every letter": ((), [b"".join(b"%%%02x" % one for one in KEY)], LEFT),
    "escapes for every letter": ((), [b'{"a": "%b"}' % b"".join(b"\\u%04x" % one for one in KEY)], LEFT),
    "escapes in JSON in JSON": ((), [b'{"a": "%b"}' % b"".join(b"\\\\u%04x" % one for one in KEY)], LEFT),
    "letter by letter": ((), [piece(one) for one in LETTERS], SPELLED),
    "letter by letter, escaped": ((), [piece(b"\\u%04x" % one) for one in KEY], SPELLED),
    "in reasoning": ((), [piece(one).replace(b"content", b"reasoning_content") for one in LETTERS], SPELLED),
    "in the second choice": ((), [piece(b"z" * (n == 0) or one, n) for one in LETTERS for n in (0, 1)], SPELLED),
    "in a body that nobody can read": ((), [*(piece(one) for one in LETTERS), b"{"], SPELLED),
    "gzip": (GZIP, [gzip.compress(KEY)], PACKED),
    "gzip, second member": (GZIP, [gzip.compress(b"a") + gzip.compress(KEY)], PACKED),
    "gzip, cut": (GZIP, [gzip.compress(KEY)[:-6]], PACKED),
    "deflate": (DEFLATE, [zlib.compress(KEY)], PACKED),
    "deflate without its header": (DEFLATE, [zlib.compress(KEY)[2:-4]], PACKED),
    "gzip that is none": (
        GZIP,
        [b"plain"],
        (
            "the body cannot be looked through for secrets: content-encoding gzip: "
            "Error -3 while decompressing data: incorrect header check"
        ),
    ),
    "packed twice": (
        ((b"Content-Encoding", b"gzip, gzip"),),
        [b""],
        (
            "the body cannot be looked through for secrets: content-encoding 'gzip, gzip' is not read; "
            "known: gzip, deflate, identity"
        ),
    ),
}


@pytest.mark.parametrize(("headers", "frames", "message"), HIDDEN.values(), ids=HIDDEN)
def test_where_no_mask_reaches_nothing_is_kept(headers: Headers, frames: list[bytes], message: str) -> None:
    """A key behind a coding that a mask of its own length cannot cover keeps the whole exchange out of the files."""
    exchange = Exchange(Request("POST", "/"), Plan(200, headers, tuple(frames)), len(frames))

    with pytest.raises(SpelledSecretError) as caught:
        Redactor([KEY]).exchange(exchange)

    assert str(caught.value) == message


def test_a_packed_body_without_a_secret_is_kept() -> None:
    """What can be looked through and holds nothing is left as it came."""
    frames = (gzip.compress(piece(b"a"))[:20], gzip.compress(piece(b"a"))[20:])
    exchange = Exchange(Request("POST", "/"), Plan(200, GZIP, frames), 2)

    assert Redactor([KEY]).exchange(exchange).plan == exchange.plan
