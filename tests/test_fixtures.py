"""The shipped fixtures say what the tutorial prints, on every chip."""

from __future__ import annotations

import json
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.core.data import shipped
from mockserver.core.exchange import Request
from mockserver.pipeline.frame import DONE, WIRE_FORMATS
from mockserver.pipeline.incoming import IncomingRequest
from mockserver.pipeline.respond import Service
from mockserver.sources.condition import Same
from mockserver.sources.fixture_answer import answer_of
from mockserver.sources.fixture_file import parse
from mockserver.sources.fixtures import Fixtures
from mockserver.sources.prompt_tokens import prompt_tokens
from tests.conftest import load

if TYPE_CHECKING:
    from mockserver.core.exchange import Answer, ChatRequest, Plan

EDITION = load("2024-tutorial")
FILES = sorted(shipped("fixtures").rglob("*.json"))
MT, QWEN = "mt-infini-3b", "qwen1.5-72b-chat"
WHO = {"role": "user", "content": "你是谁?"}
JOKE = [
    {
        "role": "system",
        "content": "You are a pedantic anticient Chinese scholar, who always answers in Simplified Chinese.",
    },
    {"role": "user", "content": "Tell me a joke."},
]
MEANING = (
    "孔子认为,人生的意义在于实现“仁”,即以仁爱之心对待他人,追求道德完善,以及实现社会和谐。"
    "他强调“修身、齐家、治国、平天下”,认为一个人应该首先修养自身,然后才能管理好家庭,进一步治理好国家,最终达到天下和平。"
    "此外,孔子也重视学习和知识,他认为“学而时习之,不亦说乎?”通过不断学习和实践,可以提升自我,接近人生的意义。"
)
PROMPTS: dict[str, tuple[str, list[dict[str, str]], str, str]] = {
    "single turn": (
        MT,
        [WHO],
        "我是来自无问芯穹的大规模语言模型,我叫无问天权。",
        "我是来自无问芯穹的超大规模语言模型,我叫无问天权。",
    ),
    "with a system message": (
        MT,
        [{"role": "system", "content": "请以嘲讽语气回答"}, WHO],
        "哟,连我都不认识?我可是无问天权,麻烦记住了。",
        "哟,连我都不认识?我可是无问天权,麻烦记住了。",
    ),
    "several turns": (
        MT,
        [WHO, {"role": "assistant", "content": "我是大模型回答助手"}, {"role": "user", "content": "你能做什么?"}],
        "我可以回答问题、撰写文章、翻译文字,也可以陪您聊天。",
        "我可以回答问题、撰写文章、翻译文字,也可以陪您聊天。",
    ),
    "OpenAI SDK, streamed": (
        QWEN,
        [{"role": "user", "content": "根据中国古代圣人孔子的思想,人生的意义是什么?"}],
        MEANING,
        MEANING,
    ),
    "OpenAI SDK": (QWEN, [{"role": "user", "content": "say '谁是卧底。'"}], "谁是卧底?", "谁是卧底?"),
    "LangChain": (
        QWEN,
        JOKE,
        "有一只深海鱼,每天都自由地游来游去,但它却一点也不开心。因为它压力很大。",
        "有一只深海鱼,每天都自由地游来游去,但它却一点也不开心。因为它压力很大。",
    ),
}
"""Every prompt of the tutorial: the model, the dialogue, the text of the body and the text of the stream."""


def service() -> Service:
    """A service that says the shipped fixtures and nothing else, as with --strict."""
    fixtures = Fixtures([shipped("fixtures")])
    assert fixtures.refresh(0) == []

    def answer(request: ChatRequest) -> Answer:
        found = fixtures.find(request, "")
        if found is None:
            raise fixtures.no_match(request)
        return answer_of(found.said, found.fixture.name, lambda: prompt_tokens(request, EDITION))

    return Service(
        EDITION.rules,
        answer,
        lambda request: [str(message["content"]) for message in request.messages],
        EDITION.file.moderation.rules("edition"),
    )


SERVICE = service()


def ask(model: str, chip: str, messages: list[dict[str, str]], *, stream: bool, **more: Any) -> Plan:
    """The plan for a dialogue; `more` are further fields of the request."""
    body = json.dumps({"model": model, "messages": messages, "stream": stream, **more}).encode()
    request = Request("POST", "", {b"authorization": b"Bearer sk-any"}, body)
    return SERVICE.respond(IncomingRequest(model, chip, request, 0)).plan


def objects(plan: Plan, chip: str) -> list[Any]:
    """What a stream holds, without its done marker."""
    reader = WIRE_FORMATS[EDITION.chips[chip].wire.frame.framing].reader()
    read = reader.feed(b"".join(plan.frames)) + reader.close()
    return [one for one in read if one is not DONE]


@pytest.mark.parametrize("chip", EDITION.chips)
@pytest.mark.parametrize(("model", "messages", "body", "_stream"), PROMPTS.values(), ids=PROMPTS)
def test_a_prompt_of_the_tutorial_gets_its_text_on_every_chip(
    model: str, messages: list[dict[str, str]], body: str, _stream: str, chip: str
) -> None:
    """The text in the tutorial does not depend on the chip."""
    plan = ask(model, chip, messages, stream=False)

    assert json.loads(b"".join(plan.frames))["choices"][0]["message"]["content"] == body


@pytest.mark.parametrize("chip", EDITION.chips)
@pytest.mark.parametrize(("model", "messages", "_body", "stream"), PROMPTS.values(), ids=PROMPTS)
def test_a_prompt_of_the_tutorial_gets_its_text_streamed_on_every_chip(
    model: str, messages: list[dict[str, str]], _body: str, stream: str, chip: str
) -> None:
    """The text in the tutorial does not depend on the chip; its streamed sample has one word more (超)."""
    plan = ask(model, chip, messages, stream=True)

    deltas = [one["choices"][0]["delta"] for one in objects(plan, chip)]
    assert "".join(delta.get("content", "") for delta in deltas) == stream


def test_the_body_sample_has_the_tutorials_figures() -> None:
    """Tutorial, single turn: id, created, model, finish_reason and 22 + 17 = 39 tokens."""
    made = json.loads(ask(MT, "nvidia", [WHO], stream=False).frames[0])

    assert (made["id"], made["created"], made["model"]) == ("chatcmpl-n5McEDBxBdxNDbx2CA8Rz8", 1708497105, MT)
    assert made["choices"][0]["finish_reason"] == "stop"
    assert made["usage"] == {"prompt_tokens": 22, "total_tokens": 39, "completion_tokens": 17}


def test_the_stream_sample_has_the_tutorials_figures() -> None:
    """Tutorial, streamed single turn on chip3 to chip5: 19 lines, 17 of them with content, 22 + 18 = 40 tokens."""
    lines = objects(ask(MT, "chip3", [WHO], stream=True), "chip3")

    assert len(lines) == 19
    assert [line["choices"][0]["delta"].get("content") for line in lines[:4]] == [None, "我是", "来自", "无问"]
    assert {line["id"] for line in lines} == {"chatcmpl-3HjYf888MzQ6XAHADiPanf"}
    assert lines[-1]["created"] == 1708486029
    assert lines[-1]["usage"] == {"prompt_tokens": 22, "total_tokens": 40, "completion_tokens": 18}


def test_the_joke_has_the_tutorials_figures() -> None:
    """Tutorial, LangChain, second check: 36 + 24 = 60 tokens, finish_reason stop."""
    made = json.loads(ask(QWEN, "nvidia", JOKE, stream=False).frames[0])

    assert made["usage"] == {"prompt_tokens": 36, "total_tokens": 60, "completion_tokens": 24}
    assert made["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [False, True], ids=["body", "stream"])
def test_the_fixture_for_the_output_review_is_stopped_by_it(stream: bool) -> None:
    """One shipped answer holds a word of the edition's review, and says what comes before it."""
    plan = ask(MT, "nvidia", [{"role": "user", "content": "演示输出审核"}], stream=stream)

    sent = b"".join(plan.frames).decode()
    assert '"blocked": true' in sent
    assert "审核" not in sent


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_shipped_fixture_counts_its_pieces_and_the_end_token(path: Any) -> None:
    """completion_tokens is the number of pieces and one for the end, in both samples of the tutorial."""
    file = parse(path.read_bytes(), path)

    assert file is not None
    assert file.answer is not None
    usage = file.answer.usage
    assert usage is None or usage.completion_tokens == len(file.answer.content) + 1


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_shipped_fixture_names_its_source_and_one_text(path: Any) -> None:
    """Each shipped file says where its answer is from, and answers one exact user message."""
    file = parse(path.read_bytes(), path)

    assert file is not None
    assert file.source
    assert isinstance(file.match.asks().said, Same)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("model", "dialogue"), [(one[0], one[1]) for one in PROMPTS.values()], ids=list(PROMPTS))
def test_a_request_for_json_gets_no_shipped_prose(model: str, dialogue: list[dict[str, str]], stream: bool) -> None:
    """It is left to what is synthesised; a null is no `response_format`."""
    asked = {"type": "json_object"}

    assert ask(model, "nvidia", dialogue, stream=stream, response_format=asked).status == 404
    assert ask(model, "nvidia", dialogue, stream=stream, response_format=None).status == 200


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("model", "dialogue"), [(one[0], one[1]) for one in PROMPTS.values()], ids=list(PROMPTS))
def test_a_request_with_tools_gets_no_shipped_prose(model: str, dialogue: list[dict[str, str]], stream: bool) -> None:
    """A call that `tool_choice` demands comes; null, and no tool in the list, are no tools."""
    tools = [{"type": "function", "function": {"name": "look_up"}}]

    assert ask(model, "nvidia", dialogue, stream=stream, tools=tools, tool_choice="required").status == 404
    assert ask(model, "nvidia", dialogue, stream=stream, tools=None, tool_choice=None).status == 200
    assert ask(model, "nvidia", dialogue, stream=stream, tools=[]).status == 200


def test_the_tutorials_question_costs_more_in_a_longer_dialogue() -> None:
    """The 22 prompt tokens that the tutorial prints are those of its one message; what stands before it counts too."""
    question = {"role": "user", "content": "你是谁?"}
    before = [{"role": "user", "content": "早上好"}, {"role": "assistant", "content": "早上好!"}]
    alone, later = (
        json.loads(b"".join(ask("mt-infini-3b", "nvidia", said, stream=False).frames))["usage"]["prompt_tokens"]
        for said in ([question], [*before, question])
    )

    assert alone == 22
    assert later > 22


def test_no_shipped_fixture_wins_by_its_path_alone() -> None:
    """Where two shipped fixtures could fit one request, priority or conditions decide, not the file's name."""
    fixtures = Fixtures([shipped("fixtures")])
    fixtures.refresh(0)

    for one, other in combinations(fixtures, 2):
        alike = one.rank[:-1] == other.rank[:-1] and one.asks.said == other.asks.said
        streams = {one.asks.stream, other.asks.stream}
        assert not alike or streams == {True, False}, (one.name, other.name)
