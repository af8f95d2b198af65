"""What is let in, and what is refused with which words."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockserver.core.errors import Refusal
from mockserver.core.exchange import ChatRequest, Request
from mockserver.pipeline.admit import AdmitSettings, admit_body, enter
from mockserver.pipeline.incoming import IncomingRequest
from mockserver.pipeline.refuse import header_text
from mockserver.pipeline.request.fields import check_field, usual_values
from mockserver.pipeline.request.messages import _check_message, check_messages
from tests.conftest import EDITIONS, KEY, TUTORIAL_MULTI_TURN, compose, load, nasty_texts

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = {"2024-tutorial": "mt-infini-3b", "2025-reference": "kimi-k2-instruct"}
GOOD = {b"authorization": b"Bearer " + KEY.encode()}
HI = [{"role": "user", "content": "hi"}]


def admitted(path: tuple[str, str], headers: dict[bytes, bytes], body: bytes, settings: AdmitSettings) -> ChatRequest:
    """What both halves of the stage make of a request."""
    return admit_body(enter(*path, headers, settings), headers, body, settings)


def knock(
    edition: str, body: bytes, headers: dict[bytes, bytes] | None = None, path: tuple[str, str] | None = None
) -> ChatRequest:
    """Knock at an edition's gate."""
    shipped = load(edition)
    settings = AdmitSettings(shipped.file.request, shipped.catalogue)
    return admitted(path or (MODEL[edition], "nvidia"), GOOD if headers is None else headers, body, settings)


def refusal(
    edition: str, body: bytes, headers: dict[bytes, bytes] | None = None, path: tuple[str, str] | None = None
) -> tuple[str, str, str | None]:
    """What the gate says to a request that it refuses: kind, detail, parameter."""
    with pytest.raises(Refusal) as caught:
        knock(edition, body, headers, path)
    return caught.value.kind, caught.value.detail, caught.value.param


def body_with(**fields: Any) -> bytes:
    """A good body with further or other fields."""
    return json.dumps({"model": None, "messages": HI, **fields}).encode()


# --- let in -------------------------------------------------------------------------------------------------------

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SDK_TURN = {"refusal": None, "annotations": None, "audio": None, "function_call": None, "tool_calls": None}
ACCEPTED: dict[str, dict[str, Any]] = {
    "minimal": {},
    "every-optional-field-null": dict.fromkeys(
        [
            "stream",
            "temperature",
            "top_p",
            "top_k",
            "n",
            "max_tokens",
            "stop",
            "presence_penalty",
            "frequency_penalty",
            "tools",
            "enable_thinking",
            "tool_choice",
            "response_format",
            "stream_options",
            "parallel_tool_calls",
            "seed",
            "user",
            "max_completion_tokens",
            "logit_bias",
            "reasoning_effort",
        ]
    ),
    "documented-bounds": {
        "temperature": 2,
        "top_p": 0,
        "top_k": -1,
        "n": 1,
        "max_tokens": 1,
        "presence_penalty": -2,
        "frequency_penalty": 2.0,
        "stop": ["a"],
        "enable_thinking": True,
        "tools": [],
    },
    "what-langchain-sends": {
        "max_completion_tokens": 5,
        "stream_options": {"include_usage": True},
        "response_format": {},
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "seed": 7,
        "user": "u",
    },
    "a-very-large-seed": {"seed": 10**400},
    "role-absent": {"messages": [{"content": "hi"}]},
    "content-parts": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                ],
            }
        ]
    },
    "no-parts": {"messages": [{"role": "user", "content": []}]},
    "assistant-without-content": {"messages": [*HI, {"role": "assistant", "tool_calls": [CALL]}]},
    "assistant-with-null": {"messages": [*HI, {"role": "assistant", "content": None, "tool_calls": [CALL]}]},
    "assistant-with-parts": {"messages": [*HI, {"role": "assistant", "content": [{"type": "text", "text": "x"}]}]},
    "assistant-dumped-by-an-sdk": {"messages": [*HI, {"role": "assistant", "content": "x", **SDK_TURN}]},
    "tool-answer": {"messages": [*HI, {"role": "tool", "tool_call_id": "call_1", "content": "22"}]},
    "named": {"messages": [{"role": "user", "name": "n", "content": "hi"}]},
    "only-a-system-message": {"messages": [{"role": "system", "content": "be kind"}]},
    "empty-text": {"messages": [{"role": "user", "content": ""}]},
}


@pytest.mark.parametrize("case", ACCEPTED)
@pytest.mark.parametrize("edition", EDITIONS)
def test_what_real_clients_send_is_let_in(edition: str, case: str) -> None:
    """A null counts as absent, unknown fields are ignored, and turns come back as the SDKs dump them."""
    request = knock(edition, body_with(**ACCEPTED[case]))

    assert request.model == MODEL[edition]
    assert not request.stream
    known = {*load(edition).file.request.fields, "model", "messages"}
    assert set(request.ignored) == set(ACCEPTED[case]) - known


def test_ignored_fields_are_named() -> None:
    """The journal can say which fields the service does not know."""
    request = knock("2024-tutorial", body_with(temperture=1, logit_bias={}, stream=True))

    assert request.ignored == ("temperture", "logit_bias")
    assert request.stream


@pytest.mark.parametrize("edition", EDITIONS)
def test_an_integer_may_be_written_with_a_point(edition: str) -> None:
    """5.0 is an integer, as JSON Schema says, and counts as one from there on."""
    request = knock(edition, b'{"model": null, "messages": [{"content": "x"}], "max_tokens": 5.0, "n": 1.0}')

    assert type(request.body["max_tokens"]) is int
    assert (request.body["max_tokens"], request.body["n"]) == (5, 1)


@pytest.mark.parametrize(
    ("edition", "body", "expected"),
    [
        ("2024-tutorial", {}, "mt-infini-3b"),
        ("2024-tutorial", {"model": None}, "mt-infini-3b"),
        ("2024-tutorial", {"model": "gpt-3.5-turbo"}, "mt-infini-3b"),
        ("2025-reference", {"model": None}, "kimi-k2-instruct"),
        ("2025-reference", {"model": "deepseek-v3.1"}, "deepseek-v3.1"),
    ],
)
def test_which_model_answers(edition: str, body: dict[str, Any], expected: str) -> None:
    """2024: the path, whatever the body says. 2025: a string in the body overrides, null is the path's."""
    assert knock(edition, json.dumps({"messages": HI, **body}).encode()).model == expected


def test_of_equal_keys_the_last_counts() -> None:
    """JSON leaves the meaning of equal keys open; as in most parsers, the last one wins."""
    assert knock(
        "2024-tutorial", b'{"messages": 1, "stream": false, "messages": [{"content": "x"}], "stream": true}'
    ).stream


# --- refused: fields ----------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "messages": ({"messages": None}, "null is not allowed; allowed: a non-empty array of messages"),
    "messages ": ({"messages": []}, "the array is empty; allowed: at least one message"),
    "messages  ": (
        {"messages": {"role": "user"}},
        '{"role": "user"} (an object) is not allowed; allowed: a non-empty array of messages',
    ),
    "messages[1]": ({"messages": [*HI, 1]}, "1 (an integer) is not allowed; allowed: an object with role and content"),
    "messages[0].content": ({"messages": [{"role": "user"}]}, "missing; allowed: a string or an array of parts"),
    "messages[0].content ": (
        {"messages": [{"content": None}]},
        "null is not allowed; allowed: a string or an array of parts",
    ),
    "messages[0].content  ": (
        {"messages": [{"content": 1.5}]},
        "1.5 (a number) is not allowed; allowed: a string or an array of parts",
    ),
    "messages[0].role": (
        {"messages": [{"role": "developer", "content": "x"}]},
        "'developer' (a string) is not allowed; allowed: system, user, assistant, tool",
    ),
    "messages[0].role ": (
        {"messages": [{"role": ["user"], "content": "x"}]},
        '["user"] (an array) is not allowed; allowed: system, user, assistant, tool',
    ),
    "messages[0].content[0]": (
        {"messages": [{"content": ["x"]}]},
        "'x' (a string) is not allowed; allowed: an object with type",
    ),
    "messages[0].content[0].type": (
        {"messages": [{"content": [{"type": "audio"}]}]},
        "'audio' (a string) is not allowed; allowed: text, image_url, video_url",
    ),
    "messages[0].content[0].text": (
        {"messages": [{"content": [{"type": "text"}]}]},
        "null is not allowed; allowed: a string",
    ),
    "messages[0].content[0].image_url": (
        {"messages": [{"content": [{"type": "image_url", "image_url": "u"}]}]},
        "'u' (a string) is not allowed; allowed: an object with a string \"url\"",
    ),
    "model": ({"model": 5}, "5 is an integer; allowed: a string or null"),
    "stream": ({"stream": "true"}, "'true' (a string) is not allowed; allowed: true or false (or null)"),
    "stream ": ({"stream": 1}, "1 (an integer) is not allowed; allowed: true or false (or null)"),
    "temperature": ({"temperature": 2.1}, "2.1 is out of range; allowed: a number from 0 to 2 (or null)"),
    "temperature ": (
        {"temperature": "0.7"},
        "'0.7' (a string) is not allowed; allowed: a number from 0 to 2 (or null)",
    ),
    "temperature  ": (
        {"temperature": True},
        "true (a boolean) is not allowed; allowed: a number from 0 to 2 (or null)",
    ),
    "temperature   ": (
        {"temperature": 10**400},
        "1" + "0" * 56 + "... is out of range; allowed: a number from 0 to 2 (or null)",
    ),
    "top_p": ({"top_p": -0.1}, "-0.1 is out of range; allowed: a number from 0 to 1 (or null)"),
    "top_k": ({"top_k": -2}, "-2 is out of range; allowed: an integer, at least -1 (or null)"),
    "n": ({"n": 2}, "2 is out of range; allowed: an integer, only 1 (or null)"),
    "n ": ({"n": 1.5}, "1.5 (a number) is not allowed; allowed: an integer, only 1 (or null)"),
    "max_tokens": ({"max_tokens": 0}, "0 is out of range; allowed: an integer, at least 1 (or null)"),
    "presence_penalty": ({"presence_penalty": 3}, "3 is out of range; allowed: a number from -2 to 2 (or null)"),
    "tools": ({"tools": {}}, "{} (an object) is not allowed; allowed: an array (or null)"),
    "response_format": ({"response_format": "json"}, "'json' (a string) is not allowed; allowed: an object (or null)"),
    "user  ": (
        {"user": [True, None, "it's", {"a": 1.0}]},
        '[true, null, "it\'s", {"a": 1.0}] (an array) is not allowed; allowed: a string (or null)',
    ),
    "user": ({"user": 1}, "1 (an integer) is not allowed; allowed: a string (or null)"),
    "user ": (
        {"user": ["\u2028\n" * 99]},
        '["' + "\\u2028\\n" * 6 + "\\u2028\\... (an array) is not allowed; allowed: a string (or null)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("edition", EDITIONS)
def test_a_wrong_field_is_named(edition: str, case: str) -> None:
    """Status 400: the field, what was seen, what is allowed."""
    fields, text = REFUSED[case]
    field = case.strip()

    assert refusal(edition, body_with(**fields)) == ("invalid-field", f"{field}: {text}", field)


@pytest.mark.parametrize(
    ("edition", "stop", "text"),
    [
        (
            "2024-tutorial",
            [1],
            "stop: [1] (an array) is not allowed; allowed: a string or an array of strings (or null)",
        ),
        ("2025-reference", [1], "stop: [1] (an array) is not allowed; allowed: an array of strings (or null)"),
        ("2025-reference", "x", "stop: 'x' (a string) is not allowed; allowed: an array of strings (or null)"),
    ],
)
def test_the_editions_differ_in_stop(edition: str, stop: object, text: str) -> None:
    """The reference of late 2025 takes an array only; 2024 took a string too."""
    assert refusal(edition, body_with(stop=stop)) == ("invalid-field", text, "stop")


def test_a_string_is_a_stop_in_2024() -> None:
    """The back ends of 2024 took both forms."""
    assert knock("2024-tutorial", body_with(stop="x")).body["stop"] == "x"


def test_model_is_required_by_the_reference_only() -> None:
    """2025: the key must be there, and name a model that is served."""
    without = json.dumps({"messages": HI}).encode()

    assert knock("2024-tutorial", without).model == "mt-infini-3b"
    assert refusal("2025-reference", without) == (
        "invalid-field",
        "model: missing; allowed: a string, or null for the path's model",
        "model",
    )
    assert refusal("2025-reference", body_with(model="gpt-3.5-turbo")) == (
        "unknown-model",
        (
            "model: 'gpt-3.5-turbo' is not served here, and it overrides the path's; null or 'kimi-k2-instruct' takes "
            "that one; 44 models are; genstudio-mock profiles --models lists them, --model NAME adds one"
        ),
        "model",
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            ("MT-INFINI-3B", "nvidia"),
            (
                "unknown-model",
                "model 'MT-INFINI-3B' is not served here; did you mean mt-infini-3b?",
            ),
        ),
        (
            ("zzz", "nvidia"),
            (
                "unknown-model",
                (
                    "model 'zzz' is not served here; 37 models are; genstudio-mock profiles --models lists them, "
                    "--model NAME adds one"
                ),
            ),
        ),
        (
            ("mt-infini-3b", "chip6"),
            ("unknown-chip", "chip 'chip6' is not served here; did you mean chip5, chip4, chip3?"),
        ),
        (("mt-infini-3b", "NVIDIA"), ("unknown-chip", "chip 'NVIDIA' is not served here; did you mean nvidia?")),
        (
            ("mt-infini-3b", "\x1b[2J"),
            (
                "unknown-chip",
                "chip '\\x1b[2J' is not served here; known: amd, chip1, chip2, chip3, chip4, chip5, nvidia",
            ),
        ),
    ],
    ids=["model-case", "model", "chip", "chip-case", "terminal-escape"],
)
def test_an_unknown_path_is_told_the_near_names(path: tuple[str, str], expected: tuple[str, str]) -> None:
    """404 for models and chips that the edition does not have; names are lower case only."""
    assert refusal("2024-tutorial", body_with(), path=path) == (*expected, None)


# --- refused: keys, types, JSON -----------------------------------------------------------------------------------

MISSING = ("missing-key", 'no Authorization header; send "Authorization: Bearer <key>"', None)
MALFORMED = ("malformed-key", 'Authorization is not of the form "Bearer <key>"', None)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (None, MISSING),
        (b"", MISSING),
        (b"Bearer", MALFORMED),
        (b"Bearer ", MALFORMED),
        (b"sk-123", MALFORMED),
        (b"Basic c2s6", MALFORMED),
        (b"Bearer a b", MALFORMED),
    ],
)
def test_a_request_without_a_good_key_is_refused_first(sent: bytes | None, expected: tuple[str, str, None]) -> None:
    """The key is looked at before anything else: here the body is broken too."""
    headers = {} if sent is None else {b"authorization": sent}

    assert refusal("2024-tutorial", b"{", headers) == expected


@pytest.mark.parametrize("sent", [b"Bearer k", b"bearer k", b"BEARER k", b"Bearer  k", b"Bearer k ", b"Bearer \xff"])
def test_any_key_is_good_unless_keys_are_given(sent: bytes) -> None:
    """Schemes are case-insensitive (RFC 9110, 11.1)."""
    assert knock("2024-tutorial", body_with(), {b"authorization": sent})


@pytest.mark.parametrize(("key", "good"), [("one", True), ("two", True), ("three", False), ("", False)])
def test_given_keys_are_the_only_good_ones(key: str, good: bool) -> None:
    """With --api-key, another key is a 401 of its own kind."""
    shipped = load("2024-tutorial")
    gate = AdmitSettings(shipped.file.request, shipped.catalogue, frozenset({"one", "two"}))
    headers = {b"authorization": f"Bearer {key}".encode()}
    if good:
        assert admitted(("mt-infini-3b", "chip3"), headers, body_with(), gate)
        return
    with pytest.raises(Refusal) as caught:
        admitted(("mt-infini-3b", "chip3"), headers, body_with(), gate)

    assert caught.value.kind == ("wrong-key" if key else "malformed-key")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"text/plain", "'text/plain'"),
        (b"application/x-www-form-urlencoded", "'application/x-www-form-urlencoded'"),
        (b"", "''"),
        (b"multipart/form-data; boundary=x", "'multipart/form-data'"),
        (b"\xff\x00", "'ÿ\\x00'"),
    ],
)
def test_other_content_types_are_refused(sent: bytes, shown: str) -> None:
    """A web form cannot post here."""
    headers = {**GOOD, b"content-type": sent}

    assert refusal("2024-tutorial", body_with(), headers) == (
        "wrong-content-type",
        f"Content-Type: {shown} is not read here; allowed: application/json",
        "Content-Type",
    )


def test_a_coded_body_is_told_by_its_coding() -> None:
    """Not as bytes that are no UTF-8, which leads nowhere; a body that is plain all the same is read."""
    headers = {**GOOD, b"content-encoding": b"gzip"}
    told = "Content-Encoding: 'gzip' is not read here; send the body as it is"

    assert refusal("2024-tutorial", gzip.compress(body_with()), headers) == ("invalid-json", told, "Content-Encoding")
    assert knock("2024-tutorial", body_with(), headers)


@pytest.mark.parametrize("sent", [b"application/json", b"application/json; charset=utf-8", b"Application/JSON ;x"])
def test_json_is_let_in_whatever_its_parameters(sent: bytes) -> None:
    """The type is compared without case and parameters; none at all is JSON."""
    assert knock("2024-tutorial", body_with(), {**GOOD, b"content-type": sent})


NOT_JSON = "the body is not valid JSON: "
HALF = (
    "the body holds half of a character: %s at line 1, column %d is one of two surrogates, and UTF-8 has no place for "
    "one alone; send both, or the character itself"
)
COMMA = NOT_JSON + "trailing comma at line {}, column {}: JSON allows no comma before the closing '{}'; remove it"
BROKEN: dict[str, tuple[bytes, str]] = {
    "the-tutorials-own-sample": (TUTORIAL_MULTI_TURN.encode(), COMMA.format(6, 40, "]")),
    "comma-in-object": (b'{"a": 1 , \r\n \t}', COMMA.format(1, 9, "}")),
    "comma-after-chinese": ('\n{"中文": ["😀",]}'.encode(), COMMA.format(2, 12, "]")),
    "empty": (b"", "the body is empty; send a JSON object with messages"),
    "white-space": (b" \n ", NOT_JSON + "EOF while parsing a value at line 2, column 1"),
    "cut": (b'{"messages": [', NOT_JSON + "EOF while parsing a list at line 1, column 14"),
    "bom": (
        b"\xef\xbb\xbf{}",
        "the body begins with a byte order mark, which JSON does not allow; send UTF-8 without it",
    ),
    "utf-16": ("{}".encode("utf-16"), "the body is not UTF-8: byte 0xff at offset 0; send JSON in UTF-8"),
    "utf-16-without-bom": ("{}".encode("utf-16-le"), NOT_JSON + "key must be a string at line 1, column 2"),
    "gbk": ('{"a": "中"}'.encode("gbk"), "the body is not UTF-8: byte 0xd6 at offset 7; send JSON in UTF-8"),
    "nan": (b'{"temperature": NaN}', NOT_JSON + "expected value at line 1, column 17"),
    "infinity": (b'{"temperature": -Infinity}', NOT_JSON + "invalid number at line 1, column 18"),
    "lone-surrogate": (b'{"a": "\\ud800"}', HALF % ("\\ud800", 8)),
    "lone-surrogate-before-text": (b'{"a": "\\uD83Dx"}', HALF % ("\\uD83D", 8)),
    "lone-second-surrogate": (b'{"a": "\\udc00"}', HALF % ("\\udc00", 8)),
    "half-an-escape": (b'{"a": "\\ud8"}', NOT_JSON + "invalid escape at line 1, column 12"),
    "5000-digits": (b'{"seed": ' + b"9" * 5000 + b"}", NOT_JSON + "number out of range at line 1, column 4311"),
    "depth-1000": (b"[" * 1000 + b"]" * 1000, NOT_JSON + "recursion limit exceeded at line 1, column 202"),
    "single-quotes": (b"{'a': 1}", NOT_JSON + "key must be a string at line 1, column 2"),
    "raw-newline-in-text": (
        '{"中": "文\n"}'.encode(),
        NOT_JSON + "control character (\\u0000-\\u001F) found while parsing a string at line 1, column 9",
    ),
    "two-documents": (b"{} {}", NOT_JSON + "trailing characters at line 1, column 4"),
    "form": (b"model=x&messages=y", NOT_JSON + "expected value at line 1, column 1"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("edition", EDITIONS)
def test_broken_json_is_told_where_it_breaks(edition: str, case: str) -> None:
    """400 with line and column, both from 1, the column in characters; the trailing comma is named as what it is."""
    body, detail = BROKEN[case]

    assert refusal(edition, body) == ("invalid-json", detail, "body")


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"1", "an integer"),
        (b"null", "null"),
        (b'"x"', "a string"),
        (b"[{}]", "an array"),
        (b"true", "a boolean"),
        (b"1e999", "a number"),
    ],
)
def test_the_body_is_an_object(body: bytes, seen: str) -> None:
    """A body that is JSON and no object is refused, and what it is is said."""
    assert refusal("2024-tutorial", body) == ("invalid-field", f"body: {seen} was sent; allowed: an object", "body")


def test_infinity_by_exponent_is_out_of_range() -> None:
    """1e999 is valid JSON and reads as infinity: no rule allows it."""
    body = b'{"messages": [{"content": "x"}], "temperature": 1e999}'

    assert (
        refusal("2024-tutorial", body)[1] == "temperature: inf is out of range; allowed: a number from 0 to 2 (or null)"
    )


# --- any input ----------------------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | nasty_texts() | st.just(10**400)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(nasty_texts(), inner, max_size=3), max_leaves=8
)
messages = st.lists(
    st.fixed_dictionaries(
        {}, optional={"role": st.sampled_from(["user", "assistant", "tool"]) | values, "content": values}
    ),
    max_size=3,
)
documents = st.one_of(
    values,
    st.fixed_dictionaries(
        {"model": st.none() | values, "messages": messages | st.just(HI)},
        optional=dict.fromkeys(load(EDITIONS[0]).file.request.fields, values),
    ),
)
SERVICES = {edition: compose(load(edition)) for edition in EDITIONS}


def respond(edition: str, body: bytes, headers: dict[bytes, bytes], path: tuple[str, str] | None = None) -> None:
    """Answer a request, and check that the answer is well-formed and no fault of the mock."""
    model, chip = path or (MODEL[edition], "nvidia")
    incoming = IncomingRequest(model, chip, Request("POST", "/", headers, body), 1_700_000_000_000)

    plan = SERVICES[edition].respond(incoming).plan

    assert plan.status in {200, 400, 401, 404, 402, 405, 413, 429, 500, 503}
    assert plan.status != 500 or b"x-mock-error" in headers
    assert all(31 < byte < 127 for _, value in plan.headers for byte in value)
    if plan.status >= 400:
        json.loads(plan.frames[0])


@pytest.mark.parametrize("edition", EDITIONS)
@given(document=documents)
@example(document={"messages": HI, "model": None, "seed": 10**400, "top_k": 10**400})
def test_any_json_gets_an_answer(edition: str, document: object) -> None:
    """Whatever JSON is sent, the answer is well-formed: 200 or a 4xx."""
    respond(edition, json.dumps(document).encode(), GOOD)


@pytest.mark.parametrize("edition", EDITIONS)
@given(body=st.binary() | st.text('[]{}",:0 \\u中\n').map(str.encode))
@example(body=b'{"a":[1,],}')
@example(body=b'{"a":"\n')
def test_any_bytes_get_an_answer(edition: str, body: bytes) -> None:
    """Whatever bytes are sent as a body, the answer is well-formed."""
    respond(edition, body, GOOD)


@pytest.mark.parametrize("edition", EDITIONS)
@given(
    headers=st.dictionaries(
        st.sampled_from([b"authorization", b"content-type", b"x-mock-quirks", b"x-mock-error", b"expect", b"accept"]),
        st.binary(max_size=30) | st.sampled_from([b"bom,-sse", b"rate-limited", b"+", b"-", b",", b"application/json"]),
    )
)
def test_any_headers_get_an_answer(edition: str, headers: dict[bytes, bytes]) -> None:
    """Whatever bytes the headers hold, the answer is well-formed; so it is with a good key beside them."""
    respond(edition, body_with(), headers)
    respond(edition, body_with(), {**headers, **GOOD})


@given(nasty_texts(), nasty_texts())
def test_any_path_gets_an_answer(model: str, chip: str) -> None:
    """Whatever the path's two names are, the answer is well-formed."""
    respond("2024-tutorial", body_with(), GOOD, (model, chip))


@given(st.text())
def test_header_text_is_printable_ascii(text: str) -> None:
    """What goes into a header cannot end it, nor hold anything that a log would act on."""
    assert all(31 < byte < 127 for byte in header_text(text))


# --- the short ways -----------------------------------------------------------------------------------------------

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**307, 10**310),
    st.floats(),
    nasty_texts(),
    st.lists(st.none()),
)
MESSAGES = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "system", "assistant"]), "content": nasty_texts()},
            optional={"name": nasty_texts(), "tool_calls": st.just([])},
        ),
        st.dictionaries(st.sampled_from(["role", "content", "tool_calls"]), VALUES),
        VALUES,
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("edition", EDITIONS)
@given(value=VALUES)
@example(value=10**400)
@example(value=float("nan"))
@example(value=float("inf"))
def test_what_is_usual_in_a_field_is_allowed(edition: str, value: Any) -> None:
    """A value that passes without a second look would pass the second look too."""
    for name, rule in load(edition).file.request.fields.items():
        ends = usual_values(rule).get(type(value))
        if ends is not None and ends[0] <= value <= ends[1]:
            check_field(name, value, rule)


@given(messages=MESSAGES)
def test_a_dialogue_that_is_seen_at_once_passes_message_by_message(messages: list[Any]) -> None:
    """The short way lets in and refuses what the check of each message does, and lists what plain messages say."""
    rules = load("2024-tutorial").file.request

    def outcome(check: Callable[[], Any]) -> Any:
        try:
            return check()
        except Refusal as refusal:
            return refusal.detail, refusal.param

    def one_by_one() -> None:
        for number, message in enumerate(messages):
            _check_message(f"messages[{number}]", message, rules)

    slowly = outcome(one_by_one)
    found = outcome(lambda: check_messages({"messages": messages}, rules))
    if slowly is not None:
        assert found == slowly
        return
    plain = all({"role", "content"} <= {*one} and isinstance(one["content"], str) for one in messages)
    calls = any("tool_calls" in one for one in messages)
    assert found == (messages, [one["content"] for one in messages] if plain and not calls else None)
