"""What an error row's own body repeats of the request that it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mockserver.core.errors import Refusal
from mockserver.pipeline.refuse import ErrorShape, refuse
from mockserver.server.asgi_request import refused_without_key
from tests.conftest import ask, compose, load

BODY = '{"said":"{message}","input":{value},"words":"no {text}"}'
REPEATED: dict[str, tuple[str, bytes, str]] = {
    "a text": ("it", b'{"model": "m\xc3\xa9"}', '{"said":"it","input":"mé","words":"no mé"}'),
    "a number": ("it", b'{"model": 1}', '{"said":"it","input":1,"words":"no 1"}'),
    "an object": (
        "it", b'{"model": {"a": "\\""}}', r'{"said":"it","input":{"a":"\""},"words":"no {\"a\":\"\\\"\"}"}',
    ),
    "what is written like a name": (
        "not {value}", b'{"model": "{value}{text}{message}"}',
        '{"said":"not {value}","input":"{value}{text}{message}","words":"no {value}{text}{message}"}',
    ),
    "half a character": ("it", rb'{"model": "\ud800"}', r'{"said":"it","input":"\ud800","words":"no \ud800"}'),
    "the object that lacks it": ("it", b'{"a": 1}', r'{"said":"it","input":{"a":1},"words":"no {\"a\":1}"}'),
    "no JSON": ("it", b'a"', r'{"said":"it","input":"a\"","words":"no a\""}'),
}  # fmt: skip


@pytest.mark.parametrize(("message", "asked", "made"), REPEATED.values(), ids=REPEATED)
def test_a_body_repeats_what_was_asked(message: str, asked: bytes, made: str) -> None:
    """As JSON and as a part of a text; names that the request itself holds stay as they are, so that it stays JSON."""
    row = ErrorShape(status=400, family="own", code=400, body=BODY, claim="observed", source="a test")
    data = refuse(Refusal("invalid-field", message, param="model"), row, asked=asked).frames[0]

    assert data.decode() == made
    assert json.loads(data)


@pytest.mark.parametrize(
    ("key", "made"),
    [
        ("sk-1234567890", '{"said":"it","input":"*************","words":"no *************"}'),
        ("sk-12345678", '{"said":"it","input":"***********90","words":"no ***********90"}'),
        ("sk-123456-other", '{"said":"it","input":"sk-1234567890","words":"no sk-1234567890"}'),
        ("sk-1234", '{"said":"it","input":"sk-1234567890","words":"no sk-1234567890"}'),
    ],
    ids=["the key", "a part of it", "another key", "a short key, which may be any word"],
)
def test_no_refusal_repeats_the_api_key(key: str, made: str) -> None:
    """A client that sends its key in the body too must not find it in the journal, however the error row repeats it."""
    row = ErrorShape(status=400, family="own", code=400, body=BODY, claim="observed", source="a test")
    plan = refuse(Refusal("invalid-field", "it", param="model"), row, asked=b'{"model": "sk-1234567890"}')

    assert refused_without_key(plan, key).frames == (made.encode(),)


def test_an_error_that_a_fault_says_repeats_the_request_too() -> None:
    """A client that reads what was wrong from the error finds it there, whoever asked for the error."""
    edition = load("2024-tutorial")
    body = '{"input":{value}}'
    row = ErrorShape(status=418, family="own", code=418, body=body, claim="observed", source="a test")
    errors = {**edition.file.errors, "overloaded": row}
    service = compose(replace(edition, file=replace(edition.file, errors=errors)))
    plan = ask(service, headers={b"x-mock-fault": b"status;status=418"}, seed=7)

    assert plan.status == 418
    assert json.loads(plan.frames[0])["input"]["seed"] == 7
