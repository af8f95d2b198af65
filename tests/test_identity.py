"""The ids of a fixture's answer: its own at first, new ones in later turns, never with the real clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import pytest

from mockserver.core.exchange import Answer, ChatRequest
from mockserver.settings.assemble import sources
from mockserver.settings.config import Config
from tests.conftest import ask, compose, load

if TYPE_CHECKING:
    from pathlib import Path

TUTORIAL = ("chatcmpl-3HjYf888MzQ6XAHADiPanf", 1708486029)
QUESTION = {"role": "user", "content": "你是谁?"}
LATER = [QUESTION, {"role": "assistant", "content": "我是无问天权。"}, QUESTION]


def said(messages: list[dict[str, Any]], clock: Literal["fixed", "real"] = "fixed", *folders: Path) -> Answer:
    """What the sources say to a dialogue."""
    config = Config(edition="2024-tutorial", clock=clock, fixtures=folders)
    made = sources(config, load("2024-tutorial")).answer(
        ChatRequest("mt-infini-3b", "nvidia", messages, stream=True, body={"messages": messages, "stream": True})
    )
    assert isinstance(made, Answer)
    return made


@pytest.mark.parametrize(
    ("messages", "clock", "identity"),
    [
        ([QUESTION], "fixed", TUTORIAL),
        (LATER, "fixed", (None, None)),
        ([QUESTION], "real", (None, None)),
        (LATER, "real", (None, None)),
    ],
    ids=["first", "later", "first-real", "later-real"],
)
def test_whose_id_stands(
    messages: list[dict[str, Any]], clock: Literal["fixed", "real"], identity: tuple[str | None, int | None]
) -> None:
    """A fixture's own id and time stand in the first answer under the fixed clock; else they are made as for all."""
    answer = said(messages, clock)

    assert answer.text.startswith("我是来自无问芯穹")
    assert (answer.id, answer.created) == identity


def test_an_id_is_not_given_twice_in_a_dialogue() -> None:
    """The same question asked thrice: three ids, and the same request gives the same bytes again."""
    service = compose(load("2024-tutorial"))
    dialogues = [[QUESTION], LATER, [*LATER, *LATER]]
    plans = [ask(service, "mt-infini-3b/chip3", stream=True, messages=one) for one in dialogues]
    again = ask(compose(load("2024-tutorial")), "mt-infini-3b/chip3", stream=True, messages=LATER)

    assert len({json.loads(plan.frames[0])["id"] for plan in plans}) == 3
    assert list(plans[1].frames) == list(again.frames)


@pytest.mark.parametrize("own", ["call_mine", None], ids=["stated", "derived"])
def test_a_call_has_its_own_id_in_each_turn(tmp_path: Path, own: str | None) -> None:
    """Results are told apart by the ids of their calls, so an id that the dialogue holds is replaced."""
    call = {"name": "f", "arguments": {"city": "巴黎"}, **({"id": own} if own else {})}
    (tmp_path / "a.json").write_text(json.dumps({"match": {"user": "weather"}, "answer": {"tool_calls": [call]}}))
    dialogue: list[dict[str, Any]] = []
    ids = []
    for _ in range(3):
        dialogue.append({"role": "user", "content": "weather"})
        (made,) = said(dialogue, "fixed", tmp_path).tool_calls
        ids.append(made.id)
        assert made.arguments == '{"city": "巴黎"}'
        entry = {"id": made.id, "type": "function", "function": {"name": "f", "arguments": made.arguments}}
        dialogue += [
            {"role": "assistant", "tool_calls": [entry]},
            {"role": "tool", "tool_call_id": made.id, "content": "1"},
        ]

    assert len(set(ids)) == 3
    assert own is None or ids[0] == own


@pytest.mark.parametrize("calls", [1, "a", [1], [{"id": ["a"]}], {"id": 1}], ids=repr)
def test_calls_of_any_form_are_borne(tmp_path: Path, calls: Any) -> None:
    """What a dialogue holds is not checked in every corner; the answer comes all the same."""
    (tmp_path / "a.json").write_text(
        json.dumps({"match": {"user": "weather"}, "answer": {"tool_calls": [{"name": "f"}]}})
    )
    dialogue = [{"role": "assistant", "content": "", "tool_calls": calls}, {"role": "user", "content": "weather"}]

    assert said(dialogue, "fixed", tmp_path).tool_calls[0].name == "f"
