"""Hypothesis strategies: requests of an edition, streams of a wire dialect, and their cuts into network writes.

Everything is built with the pipeline's own stages, so what these strategies call valid is what the mock would send.
Texts hold Chinese, emoji, U+2028, U+0085 and control characters.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from mockserver.contract import cases
from mockserver.contract.cases import Case
from mockserver.contract.harmless import harmless
from mockserver.contract.streams import CUTS, Cuts, Stream, composed
from mockserver.core.exchange import Answer, ToolCall, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockserver.pipeline.frame import Json
    from mockserver.pipeline.request.rules import FieldRule
    from mockserver.pipeline.wire_settings import WireSettings
    from mockserver.profile.edition import Edition

_TELLING_CHARACTERS: Final = '你好 aZ0"\\/{}[]:,\n\r\t\x00\x1f\u0085\u2028\u2029é🤖👩\u200d💻\ufeffdata:'
_TELLING_PIECES: Final = (
    "[DONE]", "data: [DONE]", "\n\n", "\r\n\r\n", "\n\ndata: {}\n\n", ": keep-alive", '"}', "}{", "\\u4f60", "\\",
    "null", " ", "你" * 400,
)  # fmt: skip
"""What a reader takes for framing that looks for it in the wrong place."""


def texts(*, min_size: int = 0, max_size: int = 12) -> st.SearchStrategy[str]:
    """Texts as people and models write them, and as break line readers; never half a surrogate pair."""
    characters = st.sampled_from(_TELLING_CHARACTERS) | st.characters(exclude_categories=["Cs"])
    return st.text(characters, min_size=min_size, max_size=max_size)


# --- requests -----------------------------------------------------------------------------------------------------


def messages(edition: Edition) -> st.SearchStrategy[list[Json]]:
    """Dialogues that an edition allows: a system message or none, turns in order, a user's message last."""
    content = texts(min_size=1) | st.lists(
        st.builds(lambda text: {"type": "text", "text": text}, texts(min_size=1)), min_size=1, max_size=2
    )
    users = st.builds(lambda text: {"role": "user", "content": text}, content)
    turns = st.lists(
        st.tuples(users, st.builds(lambda text: {"role": "assistant", "content": text}, texts())), max_size=2
    )
    systems = st.lists(st.builds(lambda text: {"role": "system", "content": text}, texts()), max_size=1)
    if "system" not in edition.file.request.roles:
        systems = st.just([])
    return st.builds(
        lambda system, before, last: [*system, *(one for turn in before for one in turn), last], systems, turns, users
    )


def values(rule: FieldRule) -> st.SearchStrategy[Any]:
    """Values that a field's rule allows, null among them where it does."""
    low, high = rule.minimum, rule.maximum
    by_type: dict[str, st.SearchStrategy[Any]] = {
        "number": st.floats(low if low is not None else -1e6, high if high is not None else 1e6, width=32)
        | st.integers(int(low if low is not None else -10), int(high if high is not None else 10)),
        "integer": st.integers(int(low if low is not None else 0), int(high if high is not None else 1000)),
        "boolean": st.booleans(),
        "string": texts(),
        "strings": st.lists(texts(min_size=1, max_size=3), max_size=3),
        "string-or-strings": texts(min_size=1, max_size=3) | st.lists(texts(min_size=1, max_size=3), max_size=3),
        "array": st.just([]),
        "object": st.just({}),
        "any": st.none(),
    }
    return by_type[rule.type] | st.none() if rule.nullable else by_type[rule.type]


_OBJECTS: Final[dict[str, tuple[Json | None, ...]]] = {  # whose rule says no more than that they are objects
    "response_format": (None, {"type": "text"}),
    "stream_options": (None, {"include_usage": True}, {"include_usage": False}),
}


def requests(edition: Edition, model: str, max_tokens: int = cases.DEFAULT_MAX_TOKENS) -> st.SearchStrategy[Json]:
    """Valid request bodies of an edition, each with a limit of tokens, so that a run stays cheap."""
    optional = {
        name: st.sampled_from(_OBJECTS[name]) if name in _OBJECTS else values(rule)
        for name, rule in edition.file.request.fields.items()
        if name not in {"max_tokens", "tools"}
    }
    if "max_completion_tokens" in optional:  # the one that many servers go by where both are given
        optional["max_completion_tokens"] = st.none() | st.integers(1, max_tokens)
    required = {
        "model": st.just(model),
        "messages": messages(edition),
        "max_tokens": st.integers(1, max_tokens),
    }
    return st.fixed_dictionaries(required, optional=optional)


def valid_cases(edition: Edition, model: str, max_tokens: int = cases.DEFAULT_MAX_TOKENS) -> st.SearchStrategy[Case]:
    """Valid requests as the runner takes them."""
    return st.builds(lambda body: Case("valid", cases.Phase.GENERATED, body), requests(edition, model, max_tokens))


def broken_requests(
    edition: Edition, model: str, max_tokens: int = cases.DEFAULT_MAX_TOKENS
) -> st.SearchStrategy[Case]:
    """Valid requests with one rule broken, each with the refusal that it must get."""
    single = [
        one
        for one in cases.breaks(edition, model, max_tokens)
        if isinstance(one.body, dict) and not (one.headers or one.model or one.chip)
    ]
    good = cases.question("你好", model, max_tokens)

    def break_one(body: Json, case: Case) -> Case:
        assert isinstance(case.body, dict)  # noqa: S101 - filtered above, for the type checker
        broken = {**body, **{key: value for key, value in case.body.items() if good.get(key, ...) != value}}
        for key in good.keys() - case.body.keys():
            del broken[key]
        return replace(case, name=f"generated, {case.name}", phase=cases.Phase.GENERATED, body=broken)

    return st.builds(break_one, requests(edition, model, max_tokens), st.sampled_from(single))


def dialogues() -> st.SearchStrategy[list[str]]:
    """What a user says, turn by turn; the target's own answers go between."""
    return st.lists(texts(min_size=1), min_size=2, max_size=3)


def samples(edition: Edition, model: str, max_tokens: int, count: int, number: int = 0) -> list[Case]:
    """So many generated cases, two of three valid; the same number gives the same cases."""
    drawn: list[Case] = []
    strategy = valid_cases(edition, model, max_tokens)
    either = st.one_of(strategy, strategy, broken_requests(edition, model, max_tokens))

    @seed(number)
    @settings(
        max_examples=max(count, 1),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(either)
    def draw(case: Case) -> None:
        drawn.append(case)

    if count > 0:
        draw()
    return [replace(one, name=f"{one.name} {place}") for place, one in enumerate(drawn[:count], 1)]


# --- streams ------------------------------------------------------------------------------------------------------


def answers(
    *, max_pieces: int = 6, tools: bool = False, finishes: Sequence[str] = ("stop", "length")
) -> st.SearchStrategy[Answer]:
    """Answers with content alone, or now and then with one or two tool calls; usage counts the pieces and the end."""

    def build(pieces: list[str], finish: str, arguments: list[str]) -> Answer:
        usage = Usage(5, len(pieces) + 1)
        if not arguments:
            return Answer(tuple(pieces), usage, finish)
        calls = tuple(
            ToolCall(f"call_{number}", name, (text[: len(text) // 2], text[len(text) // 2 :]))
            for number, (name, text) in enumerate(zip(("look", "see"), arguments, strict=False), 1)
        )
        return Answer(tuple(pieces), usage, "tool_calls", tool_calls=calls)

    arguments = st.builds(lambda text: json.dumps({"q": text}, ensure_ascii=False), texts())
    pieces = texts(min_size=1, max_size=4) | st.sampled_from(_TELLING_PIECES)
    return st.builds(
        build,
        st.lists(pieces, min_size=1, max_size=max_pieces),
        st.sampled_from(tuple(finishes)),
        st.lists(arguments, max_size=2) if tools else st.just([]),
    )


def cuttings(most_pause_ms: int = 0) -> st.SearchStrategy[Cuts]:
    """Ways to cut, drawn apart from what is cut; the pauses are short, so that many streams are tried."""
    inside = st.lists(st.tuples(st.sampled_from(CUTS), st.integers(0, 40)), max_size=4, unique=True)
    joined = st.lists(st.integers(0, 8), max_size=3, unique=True)
    pause = st.tuples(st.integers(0, 12), st.integers(1, max(min(most_pause_ms, LONGEST_DRAWN_MS), 1)))
    pauses = st.lists(pause, max_size=1) if most_pause_ms else st.just([])
    return st.builds(lambda *drawn: Cuts(*map(tuple, drawn)), inside, joined, pauses)


LONGEST_DRAWN_MS: Final = 40
"""Of a pause that is drawn; the longest that is allowed comes in a stream of its own."""


@st.composite
def streams(
    draw: st.DrawFn,
    base: WireSettings,
    further: Sequence[str] | None = None,
    *,
    max_pieces: int = 6,
    tools: bool = False,
    finishes: Sequence[str] = ("stop", "length"),
    most_pause_ms: int = 0,
) -> Stream:
    """Valid streams of a dialect, cut into network writes.

    Args:
        draw: Hypothesis's.
        base: The dialect.
        further: Quirks and forms of which up to three are added; None for all harmless ones.
        max_pieces: Of an answer's text.
        tools: Whether some answers call a function.
        finishes: Finish reasons of those that do not.
        most_pause_ms: The longest pause between two writes; 0 for none.
    """
    further = harmless(base) if further is None else further
    names = draw(st.lists(st.sampled_from(tuple(further)), max_size=3, unique=True)) if further else []
    answer = draw(answers(max_pieces=max_pieces, tools=tools, finishes=finishes))
    return composed(base, names, answer, draw(cuttings(most_pause_ms)))
