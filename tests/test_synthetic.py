"""The synthetic source: readable, reproducible answers in the form that the request asks for."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import unicodedata
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mockserver.core.errors import OperatorError, Refusal
from mockserver.core.exchange import ChatRequest, Request
from mockserver.pipeline.incoming import IncomingRequest
from mockserver.pipeline.limit import bounds, limit
from mockserver.pipeline.request.head import asked_style
from mockserver.pipeline.respond import Service
from mockserver.sources import tokens
from mockserver.sources.phrases import CHINESE, ENGLISH, language_of, quotation
from mockserver.sources.prose import LONGEST, SHORTEST
from mockserver.sources.synthetic import MOST_TOKENS, Synthetic, _written, size_of
from tests.conftest import load

if TYPE_CHECKING:
    from mockserver.core.exchange import Answer

PLAIN, ALWAYS, ON, OFF = "qwen2.5-7b-instruct", "deepseek-r1", "glm-4.5", "qwen3-8b"
ASKED = {"chinese": "无问芯穹是做什么的？", "english": "How do I sort a list in Python?"}
Message = dict[str, Any]


@lru_cache
def source(style: str = "faker", seed: int = 0) -> Synthetic:
    """A synthetic source of the reference's edition."""
    return Synthetic(load("2025-reference"), seed, style)


def user(text: str) -> Message:
    """A message of the user."""
    return {"role": "user", "content": text}


def ask(*messages: str | Message, model: str = PLAIN, **body: Any) -> ChatRequest:
    """A request with these messages and further fields; a string is the user's."""
    dialogue = [user(one) if isinstance(one, str) else one for one in messages]
    return ChatRequest(model, "nvidia", dialogue, body=body)


def texts() -> st.SearchStrategy[str]:
    """Any text that UTF-8 can hold, with difficult ones often."""
    nasty = st.sampled_from(
        [
            "",
            "中文",
            "😀👨‍👩‍👧",
            "a\u2028b",
            "\u0085",
            "\x00\x1f",
            "data: [DONE]",
            "\r\n",
            '"\\',
            "“引用”",
            "{quote}",
            "\u202e",
        ]
    )
    return st.one_of(nasty, st.text(st.characters(exclude_categories=["Cs"]), max_size=80))


# Text


@pytest.mark.parametrize("style", ["faker", "template", "echo"])
@pytest.mark.parametrize("more", [{}, {"response_format": {"type": "json_object"}}], ids=["text", "object"])
def test_a_dialogue_of_nothing_is_answered(style: str, more: dict[str, Any]) -> None:
    """An edition may let one in; that nothing was asked is no reason to fail."""
    made = source(style).answer(ask(**more))

    assert made.usage.prompt_tokens
    assert made.finish_reason == "stop"


@pytest.mark.parametrize("style", ["faker", "template"])
@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_the_answer_is_in_the_language_of_the_question(asked: str, style: str) -> None:
    """Chinese has its own punctuation and no spaces between sentences, English none of the Chinese."""
    for seed in range(40):
        text = source(style).answer(ask(asked, seed=seed)).text
        body = text.replace(asked, "")
        if language_of(asked) is CHINESE:
            assert not re.search(r"[。，？！] |[,?!;]|[。，？！]{2}", body)
            assert text[-1] in "。？！"
        else:
            assert not re.search("[\u3000-\u9fff\uff00-\uffef]", body)
            assert not re.search(r" {2}|[.?!][A-Z]", body)
            assert text[-1] in ".?!"


@pytest.mark.parametrize("style", ["faker", "template"])
@pytest.mark.parametrize(
    ("asked", "honest"), [(ASKED["chinese"], "合成"), (ASKED["english"], "synthetic|mock service")], ids=ASKED
)
def test_the_answer_quotes_the_question_and_says_what_it_is(asked: str, honest: str, style: str) -> None:
    """Each answer refers to the question and calls itself synthetic; no placeholder is left."""
    for seed in range(40):
        text = source(style).answer(ask(asked, seed=seed)).text
        assert f"“{asked}”" in text
        assert re.search(honest, text)
        assert not re.search("[{}]", text)


@given(asked=texts(), style=st.sampled_from(["faker", "template"]))
@settings(max_examples=80, deadline=None, database=None)
def test_any_question_is_answered(asked: str, style: str) -> None:
    """Whatever is asked, there is an answer of bounded length whose usage adds up, without control characters."""
    answer = source(style).answer(ask(asked))

    assert SHORTEST <= tokens.ESTIMATOR.count(answer.text) <= LONGEST + 60
    assert answer.usage.completion_tokens == len(answer.pieces) + 1
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e]", answer.text)


def test_lengths_are_spread() -> None:
    """Answers are from about 20 to about 200 tokens long."""
    counts = [len(source().answer(ask(asked, seed=seed)).pieces) for asked in ASKED.values() for seed in range(150)]

    assert SHORTEST <= min(counts) < 45
    assert 140 < max(counts) <= LONGEST + 30
    assert len(set(counts)) > 40


def test_a_dialogue_is_referred_to() -> None:
    """With several turns, the answer counts them and quotes the first question."""
    before = [user("你叫什么？"), {"role": "assistant", "content": "天权。"}]
    text = source().answer(ask(*before, user("你几岁？"))).text

    assert "第2轮" in text
    assert "“你叫什么？”" in text
    assert "“你几岁？”" in text


def test_images_are_mentioned() -> None:
    """The answer says that nobody looked at the pictures."""
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    text = source().answer(ask({"role": "user", "content": [{"type": "text", "text": "这是什么？"}, part]})).text

    assert "不会识别" in text


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("你好", CHINESE),
        ("hello", ENGLISH),
        ("用 Python 写个 quick sort", CHINESE),
        ("Translate 你好 into English", ENGLISH),
        ("1 + 1 = ?", ENGLISH),
        ("", ENGLISH),
    ],
)
def test_the_language_of_a_text(text: str, language: object) -> None:
    """Chinese where there are at least as many Chinese characters as Latin words."""
    assert language_of(text) is language


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("你是谁？", "你是谁？"),
        ("  a\n\tb\u2028c  ", "a b c"),
        ("他说“好”", "他说‘好’"),
        ("首先需要分析，然后整理资料并且得出结论", "首先需要分析…"),
        ("👨‍👩‍👧" * 20, "👨‍👩‍👧…"),
    ],
    ids=["short", "white-space", "quotation-marks", "long", "emoji"],
)
def test_a_quotation_is_short_and_on_one_line(text: str, quoted: str) -> None:
    """A quotation is cut between words, never inside a character, and loses its own quotation marks."""
    assert quotation(text, 8) == quoted


# The same again


@given(asked=texts(), seed=st.integers(-5, 5), model=st.sampled_from([PLAIN, ALWAYS]))
@settings(max_examples=50, deadline=None, database=None)
def test_the_same_request_gets_the_same_answer(asked: str, seed: int, model: str) -> None:
    """The same history gives the same answer: from another instance, on another chip, streamed or not."""
    request = ask(asked, model=model, seed=seed)
    other = replace(request, chip="chip3", stream=True, body={**request.body, "stream": True, "temperature": 1.3})

    assert Synthetic(load("2025-reference"), 0).answer(other) == source().answer(request)


def test_what_makes_an_answer_another() -> None:
    """The request's seed, the server's, the model, the edition and the history each make another answer."""
    asked = ask("你好")
    other_edition = Synthetic(load("2024-tutorial"), 0)
    made = [
        source().answer(asked),
        source().answer(ask("你好", seed=1)),
        source().answer(ask("你好", seed=2)),
        source(seed=1).answer(asked),
        source().answer(ask("你好", model="qwen2.5-14b-instruct")),
        other_edition.answer(asked),
        source().answer(ask({"role": "system", "content": "简短"}, user("你好"))),
    ]

    assert len({answer.text for answer in made}) == len(made)


def test_the_words_do_not_depend_on_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra `tokens` the text is the same, only cut otherwise."""
    with_extra = Synthetic(load("2025-reference"), 0).answer(ask("你好", model=ALWAYS))
    monkeypatch.setattr(tokens, "tokenizer", lambda _name: tokens.ESTIMATOR)
    without = Synthetic(load("2025-reference"), 0).answer(ask("你好", model=ALWAYS))

    assert without.text == with_extra.text
    assert "".join(without.reasoning) == "".join(with_extra.reasoning)


def test_an_answer_is_made_anew() -> None:
    """The source keeps no answer: what is asked again is remembered where the whole request is known."""
    made = Synthetic(load("2025-reference"), 0, "template")

    assert made.answer(ask("0")) == made.answer(ask("0"))
    assert made.answer(ask("0")) is not made.answer(ask("0"))


# Sizes that somebody chose


@pytest.mark.parametrize("model", [PLAIN, ALWAYS], ids=["plain", "reasoning"])
@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("style", ["faker", "template"])
@pytest.mark.parametrize("most", [1, 2, 16, 150, 5000])
def test_ignore_eos_runs_to_the_bound(most: int, style: str, asked: str, model: str) -> None:
    """With `ignore_eos` an answer has exactly `max_tokens` tokens and ends at the bound, as load generators want it."""
    request = ask(asked, model=model, ignore_eos=True, max_tokens=most)
    answer = limit(source(style).answer(request), *bounds(request.body))

    assert (answer.usage.completion_tokens, answer.finish_reason) == (most, "length")
    assert len(answer.reasoning) + len(answer.pieces) == most


@pytest.mark.parametrize("model", [PLAIN, ALWAYS], ids=["plain", "reasoning"])
@pytest.mark.parametrize("size", [1, 2, 16, 150, 5000])
def test_min_tokens_are_met_exactly(size: int, model: str) -> None:
    """An answer has exactly as many tokens as `min_tokens` says, its end among them."""
    answer = source().answer(ask("你好", model=model, min_tokens=size))

    assert (answer.usage.completion_tokens, answer.finish_reason) == (size, "stop")
    assert len(answer.reasoning) + len(answer.pieces) + 1 == size


def test_a_server_may_choose_the_sizes() -> None:
    """`--answer-tokens` gives every number from its first to its last, and a request's own wish counts more."""
    made = Synthetic(load("2025-reference"), 0, size=(30, 33))
    sizes = {made.answer(ask("你好", seed=seed)).usage.completion_tokens for seed in range(60)}

    assert sizes == {30, 31, 32, 33}
    assert made.answer(ask("你好", min_tokens=7)).usage.completion_tokens == 7


def test_a_wish_for_size_is_bounded() -> None:
    """No request makes the mock write without end; where it has a form to meet, it has the form's size."""
    huge = source().answer(ask("你好", ignore_eos=True, max_tokens=10**9))
    document = source().answer(ask("你好", min_tokens=500, response_format={"type": "json_object"}))

    assert huge.usage.completion_tokens == MOST_TOKENS
    assert json.loads(document.text)["question"] == "你好"


@given(asked=texts(), seed=st.integers(0, 3), size=st.sampled_from([None, 90]))
@settings(max_examples=60, deadline=None, database=None)
def test_sentences_cut_once_are_what_the_whole_text_is_cut_into(asked: str, seed: int, size: int | None) -> None:
    """For the estimator, pieces of sentences put together are the pieces of the text, unless a mark joins two."""
    assume(not any(unicodedata.category(end) in {"Mn", "Mc", "Me", "Cf"} for end in asked[:1] + asked[-1:]))
    answer = source().answer(ask(asked, model="llama-3.3-70b-instruct", seed=seed, min_tokens=size))

    if size is None:
        assert answer.pieces == tokens.ESTIMATOR.pieces(answer.text)


@given(
    asked=texts(),
    most=st.integers(1, 230),
    model=st.sampled_from([PLAIN, ALWAYS]),
    style=st.sampled_from(["faker", "template", "echo"]),
    body=st.sampled_from(
        [{}, {"min_tokens": 40}, {"ignore_eos": True}, {"stop": "。"}, {"n": 1, "enable_thinking": True}]
    ),
)
@settings(max_examples=150, deadline=None, database=None)
def test_a_text_that_ends_at_its_bound_is_the_whole_text_cut_there(
    asked: str, most: int, model: str, style: str, body: Message
) -> None:
    """What `max_tokens` lets through is the same, whether the rest was made or not."""
    made = source(style)
    bounded = ask(asked, model=model, max_tokens=most, **body)
    size = size_of(bounded.body)
    whole = made._make(bounded, style, seed_of(bounded), size, None)

    assert limit(made.answer(bounded), *bounds(bounded.body)) == limit(whole, *bounds(bounded.body))


def seed_of(request: ChatRequest) -> str:
    """The seed of an answer's words, written with an encoder alone."""
    decides = ["2025-reference", 0, request.body.get("seed"), request.model, request.messages]
    return hashlib.blake2b(json.dumps(decides, sort_keys=True).encode(), digest_size=16).hexdigest()


@given(
    messages=st.lists(
        st.one_of(
            st.fixed_dictionaries({"role": texts(), "content": texts()}),
            st.fixed_dictionaries({"content": st.none(), "role": texts()}),
            st.fixed_dictionaries({"content": texts(), "name": texts()}),
            st.fixed_dictionaries({"role": texts(), "content": st.lists(texts())}),
            st.dictionaries(texts(), texts(), max_size=3),
        ),
        max_size=4,
    ),
    wish=st.sampled_from([None, 7, -1]),
)
@settings(max_examples=100, deadline=None, database=None)
def test_what_decides_is_written_as_an_encoder_writes_it(messages: list[Message], wish: int | None) -> None:
    """For any dialogue the short way and the JSON encoder write the same text."""
    decides = ["an edition", 3, wish, "a “model”", messages]

    assert _written("an edition", 3, wish, "a “model”", messages) == json.dumps(decides, sort_keys=True)
    plain = [one for one in messages if list(one) == ["role", "content"] and isinstance(one["content"], str)]
    decides[-1], said = plain, [one["content"] for one in plain]
    assert not plain or _written("an edition", 3, wish, "a “model”", plain, said) == json.dumps(decides, sort_keys=True)


def test_a_long_text_decides_to_its_last_character() -> None:
    """Of a long prompt a digest decides: another end makes other words, and another prompt's digest is no text's."""
    made = Synthetic(load("2025-reference"), 0)
    long = "word " * 2000
    same, other = made.answer(ask(long + "a")), made.answer(ask(long + "b"))

    assert made.answer(ask(long + "a")) == same
    assert other.text != same.text
    assert _written("e", 0, None, "m", [user(long)]) != _written("e", 0, None, "m", [user("#")])


def test_the_order_of_requests_changes_nothing() -> None:
    """What was asked before leaves no trace in an answer."""
    asked = [ask(text, seed=seed, model=model) for text in ASKED.values() for seed in range(5) for model in (PLAIN, ON)]
    one, other = Synthetic(load("2025-reference"), 3), Synthetic(load("2025-reference"), 3)

    assert [one.answer(request) for request in asked] == [other.answer(request) for request in asked[::-1]][::-1]


# Styles


@given(asked=texts())
@settings(max_examples=60, deadline=None, database=None)
def test_echo_answers_the_last_user_message(asked: str) -> None:
    """The style `echo` says exactly what was asked, whatever came before."""
    assert source("echo").answer(ask("before", {"role": "assistant", "content": None}, asked)).text == asked


def test_a_request_may_choose_its_style() -> None:
    """`X-Mock-Answer` overrides the server's style for one request."""
    assert source("faker").answer(replace(ask("你好"), answer_style="echo")).text == "你好"
    assert source("echo").answer(replace(ask("你好"), answer_style="template")).text != "你好"


def test_an_unknown_style_of_a_request_is_refused() -> None:
    """The refusal lists the styles; without the header there is none."""
    assert asked_style({}) is None
    assert asked_style({b"x-mock-answer": b" echo "}) == "echo"
    with pytest.raises(Refusal, match=r"^X-Mock-Answer: 'loud' is not a style; allowed: faker, template, echo$"):
        asked_style({b"x-mock-answer": b"loud"})


def test_an_unknown_style_of_the_operator_is_an_error() -> None:
    """The server's style is one of the three."""
    with pytest.raises(OperatorError, match=r"^answer style: 'loud' is not allowed; allowed: faker, template, echo$"):
        Synthetic(load("2025-reference"), 0, "loud")


def test_no_answer_needs_faker() -> None:
    """What faker invented lies in files: no style loads it, `faker` neither."""
    program = """if True:
        import sys
        from mockserver.core.data import shipped
        from mockserver.core.exchange import ChatRequest
        from mockserver.profile.edition import load_edition
        from mockserver.sources.synthetic import Synthetic
        edition = load_edition("2024-tutorial", [shipped("profiles")])
        request = ChatRequest("mt-infini-3b", "chip3", [{"role": "user", "content": "hi"}])
        for style in ("template", "echo", "faker"):
            Synthetic(edition, 0, style).answer(request)
            print(style, "faker" in sys.modules)
    """
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert told.stdout.split("\n")[:3] == ["template False", "echo False", "faker False"]


# Reasoning


@pytest.mark.parametrize(
    ("model", "switch", "thinks"),
    [
        (PLAIN, None, False),
        (PLAIN, True, False),
        (OFF, None, False),
        (OFF, True, True),
        (ON, None, True),
        (ON, False, False),
        (ALWAYS, None, True),
        (ALWAYS, False, True),
    ],
    ids=["never", "never-asked", "off", "off-switched-on", "on", "on-switched-off", "always", "always-switched-off"],
)
def test_who_reasons(model: str, switch: bool | None, thinks: bool) -> None:
    """`enable_thinking` switches the models that can be switched (reasoning tutorial of late 2025), no others."""
    answer = source().answer(ask("你好", model=model, enable_thinking=switch))

    assert bool(answer.reasoning) is thinks
    assert answer.usage.reasoning_tokens == len(answer.reasoning)
    assert answer.usage.completion_tokens == len(answer.reasoning) + len(answer.pieces) + 1


@pytest.mark.parametrize(
    ("asked", "start"), [(ASKED["chinese"], "用户问的是"), (ASKED["english"], "The user asks")], ids=ASKED
)
def test_reasoning_is_in_the_language_of_the_question(asked: str, start: str) -> None:
    """The line of thought begins with the question, and is shorter or longer than the answer."""
    made = [source().answer(ask(asked, model=ALWAYS, seed=seed)) for seed in range(20)]

    assert all("".join(one.reasoning).startswith(start) for one in made)
    assert {len(one.reasoning) > len(one.pieces) for one in made} == {True, False}


def test_thinking_does_not_change_the_answer() -> None:
    """The words of the answer are the same with and without reasoning."""
    on, off = (source().answer(ask("你好", model=OFF, enable_thinking=switch)) for switch in (True, False))

    assert on.text == off.text


# Functions


def tool(name: str, description: str = "", parameters: Any = None) -> dict[str, Any]:
    """A member of `tools`."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}} if parameters is None else parameters
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


WEATHER = tool("get_current_weather", "查询一个城市的天气")
MAIL = tool("sendMail", "Send a letter to a colleague")
TOOLS = [MAIL, WEATHER]
NAMED_WEATHER = {"type": "function", "function": {"name": "get_current_weather"}}
AFTER_CALL: tuple[Message, ...] = (
    user("北京的天气怎么样？"),
    {
        "role": "assistant",
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": '{"temperature": 21}'},
)


def names(answer: Answer) -> list[str]:
    """The names of the called functions."""
    return [call.name for call in answer.tool_calls]


@pytest.mark.parametrize(
    ("messages", "body", "called"),
    [
        (("北京的天气怎么样？",), {}, ["get_current_weather"]),
        (("What is the weather like?",), {"tool_choice": "auto"}, ["get_current_weather"]),
        (("Please mail my colleague",), {}, ["sendMail"]),
        (("你好",), {}, ["sendMail"]),
        (("北京的天气怎么样？",), {"tool_choice": "none"}, []),
        (("你好",), {"tool_choice": "required"}, ["sendMail"]),
        (("你好",), {"tool_choice": NAMED_WEATHER}, ["get_current_weather"]),
        (("Send mail about get_current_weather",), {}, ["sendMail"]),
        (("Send mail about get_current_weather",), {"parallel_tool_calls": True}, ["sendMail", "get_current_weather"]),
        (("你好",), {"parallel_tool_calls": True}, ["sendMail"]),
        (AFTER_CALL, {}, []),
        (AFTER_CALL, {"tool_choice": "required"}, ["get_current_weather"]),
        (({"role": "system", "content": "天气"},), {}, []),
    ],
    ids=[
        "auto-chinese", "auto-english", "camel-case", "nothing-shared", "none", "required", "named", "one-by-default",
        "parallel", "parallel-none-named", "after-a-result", "after-a-result-required", "nobody-asked",
    ],
)  # fmt: skip
def test_which_functions_are_called(
    messages: tuple[str | Message, ...], body: dict[str, Any], called: list[str]
) -> None:
    """One call of the nearest function after a user's message; the choice and a parallel wish are followed."""
    answer = source().answer(ask(*messages, tools=TOOLS, **body))

    assert names(answer) == called
    assert answer.finish_reason == ("tool_calls" if called else "stop")
    assert bool(answer.pieces) is not bool(called)


def test_a_call_has_an_id_and_json_arguments_in_pieces() -> None:
    """The id is `call_` and 24 characters, the arguments are compact JSON, and usage counts their pieces."""
    answer = source().answer(ask("天气", tools=TOOLS, model=ALWAYS))
    call = answer.tool_calls[0]

    assert re.fullmatch("call_[A-Za-z0-9]{24}", call.id)
    assert list(json.loads(call.arguments)) == ["city"]
    assert '": ' not in call.arguments
    assert len(call.pieces) > 1
    assert answer.usage.completion_tokens == len(answer.reasoning) + len(call.pieces) + 1
    assert source().answer(ask("天气", tools=TOOLS, model=ALWAYS, seed=1)).tool_calls[0].id != call.id


def test_after_a_tool_the_result_is_quoted() -> None:
    """The loop of an agent ends with a text that quotes what the tool returned."""
    text = source().answer(ask(*AFTER_CALL, tools=TOOLS)).text

    assert '“{"temperature": 21}”' in text
    assert "合成" in text


def test_echo_calls_a_function_only_when_it_must() -> None:
    """Under `auto` an echo is a text."""
    assert source("echo").answer(ask("天气", tools=TOOLS)).text == "天气"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (
            {"tools": [tool("f", parameters={"type": "object", "properties": {"a": False}, "required": ["a"]})]},
            "tools[0].function.parameters.properties.a",
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "n",
                        "schema": {"type": "object", "properties": {"b": False}, "required": ["b"]},
                    },
                }
            },
            "response_format.json_schema.schema.properties.b",
        ),
    ],
    ids=["function", "document"],
)
def test_a_schema_that_allows_nothing_is_refused(body: dict[str, Any], param: str) -> None:
    """The refusal says where in the schema, and why."""
    with pytest.raises(Refusal) as refused:
        source().answer(ask("你好", **body))

    assert (refused.value.kind, refused.value.param) == ("invalid-field", param)
    assert refused.value.detail.startswith(f"{param}: ")


def test_arguments_are_valid_against_the_schema() -> None:
    """The package's own generator: JSON that the function's schema allows."""
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 2},
            "days": {"type": "integer", "minimum": 1, "maximum": 7},
        },
        "required": ["city", "days"],
        "additionalProperties": False,
    }
    for seed in range(20):
        call = (
            Synthetic(load("2025-reference"), seed)
            .answer(ask("天气", tools=[tool("f", parameters=schema)]))
            .tool_calls[0]
        )
        jsonschema_rs.validate(schema, json.loads(call.arguments))


# Documents


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_json_mode_writes_an_object_about_the_question(asked: str) -> None:
    """`json_object` gives a valid JSON object that quotes the question."""
    answer = source().answer(ask(asked, response_format={"type": "json_object"}))
    document = json.loads(answer.text)

    assert document["question"] == asked
    assert document["synthetic"] is True
    assert answer.usage.completion_tokens == len(answer.pieces) + 1


def test_a_schema_makes_the_document() -> None:
    """`json_schema` gives a document of that schema; `text` is the same as nothing."""
    schema = {"type": "object", "properties": {"unit": {"enum": ["摄氏度"]}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}

    assert json.loads(source().answer(ask("你好", response_format=wanted)).text) == {"unit": "摄氏度"}
    assert source().answer(ask("你好", response_format={"type": "text"})).text == source().answer(ask("你好")).text


# The whole way


def served(**body: Any) -> tuple[list[dict[str, Any]], int]:
    """The objects that a service sends for a body, and the status."""
    service = Service(load("2025-reference").rules, source("template").answer, lambda _request: ())
    sent = {"model": ALWAYS, "messages": [user("你好，请介绍一下自己。")], **body}
    headers = {b"authorization": b"Bearer sk-any", b"content-type": b"application/json"}
    request = Request("POST", "/", headers, json.dumps(sent).encode())
    plan = service.respond(IncomingRequest(ALWAYS, "nvidia", request, 0)).plan
    lines = b"".join(plan.frames).removesuffix(b"data: [DONE]\n\n").split(b"\n\n")
    return [json.loads(line.removeprefix(b"data: ")) for line in lines if line.strip()], plan.status


@pytest.mark.parametrize("most", [None, 1, 7, 60])
def test_a_stream_and_a_body_say_the_same(most: int | None) -> None:
    """Text, reasoning, usage and finish are the same streamed or not, with and without `max_tokens`."""
    (whole,), _ = served(max_tokens=most)
    chunks, _ = served(max_tokens=most, stream=True, stream_options={"include_usage": True})
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    message = whole["choices"][0]["message"]

    assert "".join(delta.get("content") or "" for delta in deltas) == message["content"]
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == message["reasoning_content"]
    assert chunks[-1]["usage"] == whole["usage"]
    assert whole["choices"][0]["finish_reason"] == ("stop" if most is None else "length")
    assert most is None or whole["usage"]["completion_tokens"] == most


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        (
            {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "x"}}]}]},
            "messages[0].content[0]",
        ),
        ({"stop": ["x"] * 65}, "stop"),
    ],
    ids=["tools", "media", "stop"],
)
def test_bad_wishes_are_refused_whichever_source_answers(body: dict[str, Any], words: str) -> None:
    """Form, media and bounds are checked before and after the sources, and name the field."""
    (told,), status = served(**body)

    assert status == 400
    assert words in json.dumps(told)
