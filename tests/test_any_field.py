"""Where an edition lets a field be anything, what it cannot mean has no effect: every value is answered or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.core.exchange import Request
from mockserver.pipeline.incoming import IncomingRequest
from tests.conftest import compose, load

if TYPE_CHECKING:
    from mockserver.profile.edition import Edition

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
"""Any JSON value, small."""


def open_edition() -> Edition:
    """The tutorial's edition, in which each field may be anything."""
    edition = load("2024-tutorial")
    anything: dict[str, Any] = {"type": "any", "minimum": None, "maximum": None}
    fields = {name: replace(rule, **anything) for name, rule in edition.file.request.fields.items()}
    request = replace(edition.file.request, fields=fields)
    return replace(edition, file=replace(edition.file, request=request))


EDITION = open_edition()
SERVICE = compose(EDITION)
FIELDS = sorted(EDITION.file.request.fields)


@settings(max_examples=300)
@given(given_fields=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3))
def test_any_value_of_a_field_that_may_be_anything_is_answered_or_refused(given_fields: dict[str, Any]) -> None:
    """Nothing raises, whatever a field holds that the edition does not bound."""
    body = {"messages": [{"role": "user", "content": "a"}], **given_fields}
    asked = Request("POST", "/", {b"authorization": b"Bearer k"}, json.dumps(body).encode())

    assert SERVICE.respond(IncomingRequest("mt-infini-3b", "nvidia", asked, 0)).plan.status in {200, 400, 422}
