"""Which requests a fixture fits, and what is said where none fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.sources.fixtures import Fixtures
from tests.fixture_helpers import HISTORY, NEW_YEAR_S, assistant, found, loaded, request, system, user, write

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.core.exchange import ChatRequest

MATCHES: dict[str, tuple[dict[str, Any], ChatRequest, bool]] = {
    "nothing asked": ({}, request(user("a")), True),
    "last user message": ({"user": "你能做什么？"}, request(*HISTORY), True),
    "earlier user message": ({"user": "你是谁?"}, request(*HISTORY), False),
    "user before a tool": ({"user": "a"}, request(user("a"), {"role": "tool", "content": "b"}), True),
    "message without role": ({"user": "a"}, request({"content": "a"}), True),
    "content in parts": (
        {"user": "ab"},
        request({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
        True,
    ),
    "no user message": ({"user": "a"}, request(system("a")), False),
    "contains": ({"user": {"contains": "什么"}}, request(*HISTORY), True),
    "regex": ({"user": {"regex": "^你.+什么[?？]$"}}, request(*HISTORY), True),
    "system": ({"system": "s"}, request(system("s"), user("a")), True),
    "another system": ({"system": "s"}, request(system("t"), user("a")), False),
    "no system": ({"system": "s"}, request(user("a")), False),
    "first system": ({"system": "s"}, request(system("s"), system("t"), user("a")), True),
    "system regex": ({"system": {"regex": "(?i)S"}}, request(system("s"), user("a")), True),
    "history": ({"messages": HISTORY}, request(*HISTORY), True),
    "history, another answer": ({"messages": HISTORY}, request(user("你是谁?"), assistant("x"), HISTORY[2]), False),
    "history, one more": ({"messages": HISTORY}, request(system("s"), *HISTORY), False),
    "history, other role": ({"messages": [user("a")]}, request(system("a")), False),
    "history with any content": (
        {"messages": [HISTORY[0], {"role": "assistant"}, HISTORY[2]]},
        request(HISTORY[0], {"role": "assistant", "content": None}, HISTORY[2]),
        True,
    ),
    "history with a pattern": (
        {"messages": [{"role": "user", "content": {"contains": "谁"}}, {"role": "assistant"}, {"role": "user"}]},
        request(*HISTORY),
        True,
    ),
    "body": ({"body": {"$.temperature": 0.5, "$.seed": {"exists": False}}}, request(user("a"), temperature=0.5), True),
    "body, another value": ({"body": {"$.temperature": 0.5}}, request(user("a"), temperature=1), False),
    "body, message": ({"body": {"$.messages[-1].content": {"regex": "a"}}}, request(user("a")), True),
    "stream": ({"stream": True}, request(user("a"), stream=True), True),
    "no stream": ({"stream": True}, request(user("a")), False),
    "model": ({"model": "mt"}, request(user("a")), True),
    "another model": ({"model": "qwen"}, request(user("a")), False),
    "chip": ({"chip": "chip3"}, request(user("a")), True),
    "another chip": ({"chip": "chip4"}, request(user("a")), False),
    "one thing wrong of many": ({"user": "a", "stream": False, "system": "s"}, request(user("a")), False),
}


@pytest.mark.parametrize(("match", "asked", "fits"), MATCHES.values(), ids=MATCHES)
def test_a_fixture_fits(match: dict[str, Any], asked: ChatRequest, fits: bool, tmp_path: Path) -> None:
    """Every key that is given must fit; a fixture that fits has no differences, one that does not has some."""
    write(tmp_path, "a.json", match)
    fixtures = loaded(tmp_path)

    assert (found(fixtures, asked) is not None) is fits
    assert (fixtures.near_misses(asked)[0].differences == ()) is fits


texts = st.text(
    st.sampled_from("你谁？?e\u0301é🙂\u2028\u0085\x00 \nab") | st.characters(exclude_categories=["Cs"]), max_size=20
)
turns = st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": texts})
fields = st.dictionaries(
    st.sampled_from(["temperature", "seed", "user", "stop"]),
    st.none() | st.booleans() | st.integers(0, 5) | texts | st.lists(texts, max_size=2),
)
requests = st.builds(
    lambda messages, stream, body: request(*messages, stream=stream, **body),
    st.lists(turns, min_size=1, max_size=5),
    st.booleans(),
    fields,
)


def match_of(asked: ChatRequest) -> dict[str, Any]:
    """All that a fixture can say of a request."""
    said = {role: [one["content"] for one in asked.messages if one["role"] == role] for role in ("user", "system")}
    match: dict[str, Any] = {"messages": list(asked.messages), "stream": asked.stream, "model": "mt", "chip": "chip3"}
    if said["user"]:
        match["user"] = said["user"][-1]
    if said["system"]:
        match["system"] = said["system"][0]
    match["body"] = {f"$.{key}": value for key, value in asked.body.items() if key != "messages"}
    return match


@settings(max_examples=60)
@given(asked=requests, keys=st.sets(st.sampled_from(["messages", "stream", "model", "chip", "user", "system", "body"])))
def test_a_fixture_written_from_a_request_matches_that_request(
    asked: ChatRequest, keys: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A fixture written from a request, with any of the keys, matches that request."""
    root = tmp_path_factory.mktemp("fixtures")
    write(root, "a.json", {key: value for key, value in match_of(asked).items() if key in keys})

    assert found(loaded(root), asked) == "a.json"


MISSES: dict[str, tuple[dict[str, Any], ChatRequest, str]] = {
    "user and stream": (
        {"user": "你是谁?", "stream": True},
        request(user("你是谁啊?")),
        "user: expected '你是谁?', got '你是谁啊?'; stream: expected true, got false",
    ),
    "no user": ({"user": "a"}, request(system("b")), "user: expected 'a', got nothing"),
    "contains": ({"user": {"contains": "x"}}, request(user("a")), "user: expected a text that contains 'x', got 'a'"),
    "regex": ({"system": {"regex": "^x"}}, request(system("a")), "system: expected a match of '^x', got 'a'"),
    "length": ({"messages": HISTORY}, request(user("a")), "messages: expected 3 messages, got 1 message"),
    "turns": (
        {"messages": [system("s"), user("a")]},
        request(user("s"), user("b")),
        "messages[0].role: expected 'system', got 'user'; messages[1].content: expected 'a', got 'b'",
    ),
    "body": (
        {"body": {"$.n": 1, "$.seed": {"exists": True}, "$.stop": {"exists": False}}},
        request(user("a"), n=[1, "二"], stop=None),
        '$.n: expected 1, got [1, "二"]; $.seed: expected any value, got nothing; $.stop: expected nothing, got null',
    ),
    "model and chip": (
        {"model": "qwen", "chip": "chip4"},
        request(user("a")),
        "model: expected 'qwen', got 'mt'; chip: expected 'chip4', got 'chip3'",
    ),
    "long and unprintable": (
        {"user": "a"},
        request(user("\u2028\x1b" + "很长" * 50)),
        "user: expected 'a', got '\\u2028\\x1b" + "很长" * 23 + "...",
    ),
    "many": (
        {"body": {f"$.a{number}": 1 for number in range(7)}},
        request(user("a")),
        "; ".join(f"$.a{number}: expected 1, got nothing" for number in range(5)) + "; and 2 more",
    ),
}


@pytest.mark.parametrize(("match", "asked", "text"), MISSES.values(), ids=MISSES)
def test_a_near_miss_tells_the_differences(
    match: dict[str, Any], asked: ChatRequest, text: str, tmp_path: Path
) -> None:
    """Field, what the fixture asks for, what the request holds."""
    write(tmp_path, "who-are-you.json", match)

    refusal = loaded(tmp_path).no_match(asked)

    assert refusal.kind == "no-match"
    assert refusal.detail == f"no fixture fits; nearest: (1) who-are-you.json: {text}"


def test_an_expired_fixture_is_a_near_miss(tmp_path: Path) -> None:
    """Who wonders why a fixture stopped to answer is told."""
    write(tmp_path, "a.json", {}, expires="2025-12-30")
    fixtures = Fixtures([tmp_path])
    fixtures.refresh(NEW_YEAR_S)

    assert fixtures.no_match(request(user("a"))).detail == (
        "no fixture fits; nearest: (1) a.json: expires: expected a day up to 2025-12-30, got 2026-01-01"
    )


def test_the_nearest_come_first(tmp_path: Path) -> None:
    """Of four, three are told: those with the fewest differences, of them first the one whose text is most alike."""
    matches: dict[str, dict[str, Any]] = {
        "two.json": {"user": "今天天气怎么样?", "stream": True},
        "far.json": {"user": "讲个笑话"},
        "near.json": {"user": "今天天气如何?"},
        "nearer.json": {"user": {"contains": "今天天气怎样"}},
    }
    for name, match in matches.items():
        write(tmp_path, name, match)

    near = loaded(tmp_path).near_misses(request(user("今天天气怎么样")))

    assert [miss.fixture.name for miss in near] == ["nearer.json", "near.json", "far.json"]


def test_without_fixtures_there_is_something_to_do(tmp_path: Path) -> None:
    """Nothing is near where nothing is; the message says the next step."""
    detail = loaded(tmp_path).no_match(request(user("a"))).detail

    assert detail == "no fixture fits: none is loaded; write one, or serve without --strict"
