"""The contract against servers of other makers: it ends within its budget and tells what is really wrong with each.

Each clause was checked by hand with curl; the pattern beside it is what the raw answer shows, so that an accusation
without a ground in the bytes fails.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mockserver.contract import library
from mockserver.contract.cases import Phase
from mockserver.contract.clauses.clause import Severity
from mockserver.contract.library import Target
from mockserver.contract.result import Budget
from tests.stand_ins import PATH, standing_in

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.core.exchange import Exchange

NO_TRACE = {  # what GenStudio's answers carry and nobody else's
    "head-trace-header": r"(?s)^(?!.*traceresponse)",
    "head-request-id-header": r"(?s)^(?!.*request-id)",
}
NO_DETAILS = {"chunk-usage-details": r'(?s)"usage":(?!.*prompt_tokens_details)'}
NO_USAGE_IN_STREAMS = {
    "usage-asked": r'(?s)text/event-stream(?!.*"usage")',
    "shape-usage-when": r'(?s)text/event-stream(?!.*"usage")',
}
FOUND: dict[str, dict[str, str]] = {
    "fakellm": {
        **NO_TRACE,
        **NO_DETAILS,
        **NO_USAGE_IN_STREAMS,
        "shape-usage": r'(?s)text/event-stream(?!.*"usage")',
        "frame-json": r'data: \{"id": "',  # spaces, though the profile's JSON is compact
        "status": r"^200",  # without a key
        "error-type": r"(?s)^500.*Internal Server Error$",  # for JSON with a trailing comma
        "error-shape": r'\{"detail":"Method Not Allowed"\}$',
        "limit-kept": r'"completion_tokens":1[0-9]\b',  # max_tokens is 1
        "length-where-cut": r'"finish_reason":"stop"',
    },
    "llmock": {
        **NO_TRACE,
        **NO_DETAILS,
        "shape-usage-when": NO_USAGE_IN_STREAMS["shape-usage-when"],  # it comes where it was asked for
        "chunk-role-chunk": r'"delta":\{"role":"assistant","content":""\}',
        "chunk-logprobs": r'"logprobs":null',
        "shape-usage-elsewhere": r'"usage":null',
        "chunk-usage-chunk": r'"choices":\[\],"usage":\{',
        "frame-escapes": r"data: .*\\u548c",  # 和, echoed
        "status": r"^200",
        "error-shape": r'^405(?s:.*)"error":\{',
        "limit-kept": r'"completion_tokens":1[0-9]\b',
        "length-where-cut": r'"finish_reason":"stop"',
    },
    "mock-llm": {
        **NO_TRACE,
        **NO_USAGE_IN_STREAMS,
        "completion-shape": r'(?s)"object":"chat.completion"(?!.*"created")',
        "shape-created": r'(?s)text/event-stream(?!.*"created")',
        "shape-usage": NO_USAGE_IN_STREAMS["usage-asked"],
        "one-choice": r'"choices":\[\{"message"',  # no index
        "frame-content-type": r"(?im)^content-type: text/event-stream$",
        "chunk-role-chunk": r'"delta":\{"content":"[^"]+","role":"assistant"\}',
        "chunk-finish-chunk": r'"delta":\{"content":"[^"]+","role":"assistant"\},"finish_reason":"stop"',
        "chunk-one-chunk": r'"delta":\{"content":"[^"]{12,}","role":"assistant"\},"finish_reason":"stop"',
        "key-order-printed": r'"delta":\{"content":"[^"]+","role":',
        "stop-kept": r'"content":"[^"]*。',
        "status": r"^200",
        "error-shape": r'\{"error":"[^{]',
    },
}


def raw(exchange: Exchange) -> str:
    """Status, headers and body as they came."""
    assert exchange.plan is not None
    head = "".join(f"{name.decode()}: {value.decode()}\n" for name, value in exchange.plan.headers)
    return f"{exchange.plan.status}\n{head}\n" + b"".join(exchange.plan.frames).decode()


COUNTED = {
    "fakellm": {"limit-kept", "length-where-cut", "status", "usage-asked", "error-type"},
    "llmock": {"limit-kept", "length-where-cut", "status"},
    "mock-llm": {
        "completion-shape", "one-choice", "shape-created", "stop-kept", "status", "usage-asked", "error-shape"
    },
}  # fmt: skip
"""What counts against each where it is held to the public reference of OpenAI's alone."""


@pytest.mark.parametrize("name", FOUND)
def test_the_neutral_edition(name: str, tmp_path: Path) -> None:
    """A server of others is not told that it lacks what one service has: its headers, ids, review, order of keys."""
    with standing_in(name, tmp_path) as url:
        target = Target(url, "gpt-4o", "openai", "openai", path_template=PATH)
        result = library.check(target, phases=[phase for phase in Phase if phase is not Phase.GENERATED])

    assert {one.clause.id for one in result.broken} == COUNTED[name]
    seen = " ".join(one.evidence for one in result.findings)
    assert not re.search(r"traceresponse|maas|blocked", seen), seen


@pytest.mark.parametrize("name", FOUND)
def test_the_contract_finds_what_is_wrong_with_a_stand_in(name: str, tmp_path: Path) -> None:
    """These clauses are broken and no others, each for what is there; the run has all phases and keeps its budget."""
    told: list[Phase] = []
    with standing_in(name, tmp_path) as url:
        target = Target(url, "gpt-4o", "nvidia", "2025-reference", path_template=PATH)
        known = [phase for phase in Phase if phase is not Phase.GENERATED]  # what is drawn differs between versions
        result = library.check(target, phases=known)
        library.check(target, progress=lambda case, _broken: told.append(case.phase))

    found = [one for one in result.findings if one.clause.severity is not Severity.OBSERVED]
    assert {one.clause.id for one in found} == FOUND[name].keys()
    assert {one.clause.id for one in result.broken} < FOUND[name].keys(), "what is only assumed does not count"
    assert [
        (one.clause.id, one.evidence, raw(one.exchange))
        for one in found
        if not re.search(FOUND[name][one.clause.id], raw(one.exchange))
    ] == []
    assert set(told) == set(Phase)
    assert len(told) <= Budget().requests
