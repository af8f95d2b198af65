"""What an error row's own body repeats of the request that it refuses."""

from __future__ import annotations

import json

import pytest

from mockserver.core.errors import Refusal
from mockserver.pipeline.refuse import ErrorShape, refuse

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
