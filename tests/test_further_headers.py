"""Further headers of an edition: where they stand, what is drawn anew, and the form that values have in common."""

from __future__ import annotations

import pytest

from mockserver.core.drawn import drawn, fits, form_of
from mockserver.pipeline.further_headers import FurtherHeaders

ENTROPY = b"0" * 32


def names(further: FurtherHeaders, place: str) -> dict[str, str]:
    """What a response of one sort carries, which had a cache-control of its own."""
    made = further.put(((b"cache-control", b"no-cache"),), place, ENTROPY)  # type: ignore[arg-type]
    return {name.decode(): value.decode() for name, value in made}


def test_a_header_stands_where_it_says() -> None:
    """A text holds for every response; a table says where; False takes away what stood there; a text may be empty."""
    further = FurtherHeaders(
        {"x-by": "Other", "x-buffer": {"stream": "no"}, "cache-control": {"stream": False}, "x-no": {"body": ""}}
    )

    assert names(further, "stream") == {"x-by": "Other", "x-buffer": "no"}
    assert names(further, "body") == {"cache-control": "no-cache", "x-by": "Other", "x-no": ""}
    assert names(further, "error") == {"cache-control": "no-cache", "x-by": "Other"}


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (["no", "no"], "no"),
        (["conv-0a1b2c3d4e5f", "conv-ffb2c3d4e5f0"], "conv-{hex:12}"),
        (['W/"b4-a+b/cdEFG"', 'W/"1f-AbCdefg1+"'], 'W/"{hex:2}-{base64:9}"'),
        (["12.5", "7.25"], "{digits:1-2}.{digits:1-2}"),
        (
            ["req_0a1b2c3d-0a1b-4a1b-8a1b-0a1b2c3d4e5f", "req_1a1b2c3d-0a1b-4a1b-8a1b-0a1b2c3d4e5f"],
            "req_{uuid}",
        ),
        (["req-G0BD-NREf", "req--_2FqcKz9"], "req-{base64url:9}"),
        (['W/"a-b_"', 'W/"-Db-c"'], 'W/"{base64url:4-5}"'),
        (["one two", "one"], None),
    ],
    ids=["constant", "hex", "etag", "lengths that vary", "uuid", "dashes", "dashes in quotes", "nothing in common"],
)
def test_values_have_a_form_in_common(values: list[str], form: str | None) -> None:
    """What is drawn of a form fits it, and so does each value that it was made of."""
    assert form_of(values) == form
    if form is not None:
        assert all(fits(form, value) for value in values)
        made = drawn(form, ENTROPY, "x-any")
        assert fits(form, made)
        assert made == drawn(form, ENTROPY, "x-any")
        assert not fits(form, values[0] + "!")


def test_a_form_that_hides_keeps_no_long_word() -> None:
    """Of what may be somebody's secret no word of more than three characters stays."""
    assert form_of(["org-acme42", "org-acme42"], hidden=True) == "org-{lower:6}"
    assert form_of(["acme-a_b", "acme--cd"], hidden=True) is None
