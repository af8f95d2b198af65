"""What real clients get: the official SDK, LangChain, curl and a reader of lines, on every chip of each edition."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import EDITIONS, KEY, TUTORIAL_MULTI_TURN, Live, load
from tests.contract_live import serving
from tests.third_party import library

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

PROMPT = "say '谁是卧底。'"
SAID = "谁是卧底?"
MESSAGES = [{"role": "user", "content": PROMPT}]
NOTHING = ""


@pytest.fixture(scope="session")
def openai() -> ModuleType:
    """The official SDK; its import takes a while."""
    import openai

    return openai


@pytest.fixture(scope="session")
def langchain() -> ModuleType:
    """LangChain's plugin for it."""
    return library("langchain_openai")


def curl(url: str, data: str, *options: str) -> str:
    """What curl prints, with the tutorial's headers."""
    headers = ["-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {KEY}"]
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", *options, url, *headers, "-d", data],
        capture_output=True,
        check=True,
        timeout=30,
    )
    return done.stdout.decode()


class Clients:
    """One method for each client: base URL, model, streamed or not → the text it gives to its user."""

    def __init__(self, openai: ModuleType) -> None:
        self._openai = openai

    def sdk(self, base: str, model: str, *, stream: bool) -> str:
        """The official SDK with the base URL as given."""
        with self._openai.OpenAI(api_key=KEY, base_url=base, max_retries=0) as client:
            made = client.chat.completions.create(model=model, messages=MESSAGES, stream=stream)
            if stream:
                return "".join(choice.delta.content or "" for chunk in made for choice in chunk.choices)
            return str(made.choices[0].message.content)

    def sdk_with_slash(self, base: str, model: str, *, stream: bool) -> str:
        """The same with a slash at its end."""
        return self.sdk(base + "/", model, stream=stream)

    def sdk_raw(self, base: str, model: str, *, stream: bool) -> str:
        """The same by way of the raw response."""
        with self._openai.OpenAI(api_key=KEY, base_url=base, max_retries=0) as client:
            raw = client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES, stream=stream)
            assert raw.headers["x-maas-request-id"]
            made = raw.parse()
            if stream:
                return "".join(choice.delta.content or "" for chunk in made for choice in chunk.choices)
            return str(made.choices[0].message.content)

    def sdk_async(self, base: str, model: str, *, stream: bool) -> str:
        """The asynchronous client."""

        async def call() -> str:
            async with self._openai.AsyncOpenAI(api_key=KEY, base_url=base, max_retries=0) as client:
                made = await client.chat.completions.create(model=model, messages=MESSAGES, stream=stream)
                if stream:
                    return "".join([choice.delta.content or "" async for chunk in made for choice in chunk.choices])
                return str(made.choices[0].message.content)

        return asyncio.run(call())

    def langchain(self, base: str, model: str, *, stream: bool) -> str:
        """LangChain on top of the SDK."""
        made = library("langchain_openai").ChatOpenAI
        chat = made(api_key=KEY, base_url=base, model=model, streaming=stream, max_retries=0)
        return str(chat.invoke(MESSAGES).content)

    def curl(self, base: str, model: str, *, stream: bool) -> str:
        """What curl prints, read by a person."""
        return text_of(
            curl(base + "/chat/completions", json.dumps({"model": model, "messages": MESSAGES, "stream": stream}))
        )

    def line_reader(self, base: str, model: str, *, stream: bool) -> str:
        """A plain HTTP client that reads lines."""
        data = json.dumps({"model": model, "messages": MESSAGES, "stream": stream}).encode()
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(base + "/chat/completions", data, headers)) as answer:
            return text_of(answer.read().decode())


def text_of(printed: str) -> str:
    """The content in what a client printed: one body, or lines with or without `data:`."""
    if '"message"' in printed:
        return str(json.loads(printed)["choices"][0]["message"]["content"])
    lines = [line.removeprefix("data: ") for line in printed.split("\n") if line.strip()]
    chunks = [json.loads(line) for line in lines if line != "[DONE]"]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


@pytest.fixture(scope="session")
def clients(openai: ModuleType) -> Clients:
    """All clients."""
    return Clients(openai)


GETS: dict[str, dict[str, str]] = {
    #                  a body           events            bare JSON lines
    "sdk":            {"body": SAID, "sse": SAID, "json-lines": NOTHING},
    "sdk_with_slash": {"body": SAID, "sse": SAID, "json-lines": NOTHING},
    "sdk_raw":        {"body": SAID, "sse": SAID, "json-lines": NOTHING},
    "sdk_async":      {"body": SAID, "sse": SAID, "json-lines": NOTHING},
    "langchain":      {"body": SAID, "sse": SAID, "json-lines": "ValueError: No generations found in stream."},
    "curl":           {"body": SAID, "sse": SAID, "json-lines": SAID},
    "line_reader":    {"body": SAID, "sse": SAID, "json-lines": SAID},
}  # fmt: skip
"""What each client gives its user. The SDK reads nothing from bare JSON lines, and raises nothing."""

FRAMING = {
    "2024-tutorial": dict.fromkeys(["nvidia", "amd", "chip1", "chip2"], "sse")
    | dict.fromkeys(["chip3", "chip4", "chip5"], "json-lines"),
    "2025-reference": dict.fromkeys(["nvidia", "amd", "chip1", "chip2", "chip3", "chip4", "chip5"], "sse"),
}
CASES = [
    (edition, chip, kind)
    for edition, chips in FRAMING.items()
    for chip, framing in chips.items()
    for kind in ("body", framing)
]


def test_every_chip_is_in_the_table() -> None:
    """A chip that no client was tried on is not tested."""
    assert {edition: set(chips) for edition, chips in FRAMING.items()} == {e: set(load(e).chips) for e in EDITIONS}


@pytest.mark.parametrize(("edition", "chip", "kind"), CASES, ids=str)
@pytest.mark.parametrize("client", GETS)
def test_what_a_client_gets(
    clients: Clients, servers: dict[str, Live], client: str, edition: str, chip: str, kind: str
) -> None:
    """The text, nothing, or an exception: by client and by how the chip answers."""
    live = servers[edition]
    call: Callable[..., str] = getattr(clients, client)
    try:
        got = call(live.base_url(chip), live.model, stream=kind != "body")
    except ValueError as error:
        got = f"{type(error).__name__}: {error}"

    assert got == GETS[client][kind]


# --- the tutorial's examples, only host and key changed -----------------------------------------------------------

WHO = "我是来自无问芯穹的大规模语言模型,我叫无问天权。"
JOKE = "有一只深海鱼,每天都自由地游来游去,但它却一点也不开心。因为它压力很大。"
JOKE_MESSAGES = [
    {
        "role": "system",
        "content": "You are a pedantic anticient Chinese scholar, who always answers in Simplified Chinese.",
    },
    {"role": "user", "content": "Tell me a joke."},
]


@pytest.fixture(scope="session")
def tutorial(servers: dict[str, Live]) -> Live:
    """The server of the tutorial's edition."""
    return servers["2024-tutorial"]


def test_curl_single_turn(tutorial: Live) -> None:
    """The first command of the tutorial prints the body that the tutorial prints."""
    printed = curl(
        tutorial.base_url("nvidia", "mt-infini-3b") + "/chat/completions",
        """{
"model": "mt-infini-3b",
"messages": [
{ "role": "user", "content": "你是谁?" }
]
}""",
    )

    assert json.loads(printed)["choices"][0]["message"]["content"] == WHO
    assert printed.startswith('{\n"id": "chatcmpl-n5McEDBxBdxNDbx2CA8Rz8",\n"object": "chat.completion",\n')


def test_curl_system_message(tutorial: Live) -> None:
    """A single turn may carry a system message."""
    printed = curl(
        tutorial.base_url("nvidia", "mt-infini-3b") + "/chat/completions",
        """{
"model": "mt-infini-3b",
"messages": [
{ "role": "system", "content": "请以嘲讽语气回答" },
{ "role": "user", "content": "你是谁?" }
]
}""",
    )

    assert text_of(printed).startswith("哟")


@pytest.mark.parametrize("chip", ["nvidia", "chip3"])
def test_curl_streamed(tutorial: Live, chip: str) -> None:
    """`"stream": true`: 19 chunks, as events or as bare lines."""
    printed = curl(
        tutorial.base_url(chip, "mt-infini-3b") + "/chat/completions",
        """{
"model": "mt-infini-3b",
"stream": true,
"messages": [
{ "role": "user", "content": "你是谁?" }
]
}""",
        "-N",
    )

    lines = [line for line in printed.split("\n") if line]
    assert len(lines) == (20 if chip == "nvidia" else 19)
    assert (lines[-1] == "data: [DONE]") == (chip == "nvidia")
    assert text_of(printed) == WHO.replace("大规模", "超大规模")


def test_curl_multi_turn_as_printed(tutorial: Live) -> None:
    """The tutorial's multi-turn sample has a trailing comma, which the mock says; without it there is an answer."""
    url = tutorial.base_url("nvidia", "mt-infini-3b") + "/chat/completions"

    error = json.loads(curl(url, TUTORIAL_MULTI_TURN))["error"]
    assert error["message"] == (
        "the body is not valid JSON: trailing comma at line 6, column 40: JSON allows no comma before the "
        "closing ']'; remove it"
    )
    assert text_of(curl(url, TUTORIAL_MULTI_TURN.replace(" },\n]", " }\n]"))).startswith("我可以回答问题")


def test_curl_http2_upgrade(tutorial: Live) -> None:
    """`curl --http2` offers h2c on a clear connection, as Java's HttpClient does: the answer comes in HTTP/1.1."""
    url = tutorial.base_url("nvidia", "mt-infini-3b") + "/chat/completions"

    assert text_of(curl(url, json.dumps({"messages": MESSAGES}), "--http2")) == SAID


def test_curl_large_body(tutorial: Live) -> None:
    """Above 1 MB curl sends `Expect: 100-continue`; above the limit it prints the 413."""
    url = tutorial.base_url("nvidia", "mt-infini-3b") + "/chat/completions"
    fits, too_large = (json.dumps({"messages": MESSAGES, "user": "x" * size}) for size in (2 * 10**6, 11 * 10**6))
    headers = ["-H", f"Authorization: Bearer {KEY}", "-H", "Content-Type: application/json", "--noproxy", "*"]
    answers = []
    for data in (fits, too_large):
        done = subprocess.run(
            ["curl", "-sS", url, *headers, "-d", "@-"], input=data.encode(), capture_output=True, check=True, timeout=30
        )
        answers.append(done.stdout.decode())

    assert text_of(answers[0]) == SAID
    assert re.fullmatch(r'\{"code":41300,"msg":"the body has \d+ bytes; allowed: at most 10485760"\}', answers[1])


def test_sdk_examples(tutorial: Live, openai: ModuleType) -> None:
    """Both checks of the SDK section, and the base URL as the tutorial prints it: with a slash at its end."""
    with openai.OpenAI(api_key=KEY, base_url=tutorial.base_url("nvidia", "qwen1.5-72b-chat")) as client:
        assert str(client.base_url).endswith("/maas/qwen1.5-72b-chat/nvidia/")
        stream = client.chat.completions.create(
            model="qwen1.5-72b-chat",
            messages=[{"role": "user", "content": "根据中国古代圣人孔子的思想,人生的意义是什么?"}],
            stream=True,
        )
        streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        whole = client.chat.completions.create(messages=MESSAGES, model="qwen1.5-72b-chat")

    assert streamed.startswith("孔子认为,人生的意义在于实现“仁”,")
    assert streamed.endswith("接近人生的意义。")
    assert whole.choices[0].message.content == SAID


@pytest.mark.parametrize("chip", ["nvidia", "chip3"])
def test_the_sdks_stream_helper_loses_chunks_without_an_object(openai: ModuleType, chip: str) -> None:
    """What `create(stream=True)` reads on the chip3 of 2025, `stream()` loses without an error."""
    edition = load("2025-reference")
    model = next(iter(edition.models))
    with serving(edition) as url, openai.OpenAI(api_key=KEY, base_url=f"{url}/maas/{model}/{chip}") as client:
        asked = {"model": model, "messages": MESSAGES}
        chunks = [*client.chat.completions.create(**asked, stream=True)]
        with client.chat.completions.stream(**asked) as events:
            told = "".join(event.delta for event in events if event.type == "content.delta")
            [choice] = events.get_final_completion().choices
    read = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    assert read
    due = read if chip == "nvidia" else NOTHING
    assert (told, choice.message.content or NOTHING, choice.finish_reason) == (due, due, "stop")


def test_langchain_examples(tutorial: Live, langchain: ModuleType) -> None:
    """No model is given, so `gpt-3.5-turbo` is sent; the path decides. Text and figures are those that are printed."""
    from langchain_core.callbacks import BaseCallbackHandler

    class StreamHandler(BaseCallbackHandler):
        """Collects the tokens as they come."""

        def __init__(self) -> None:
            self.tokens: list[str] = []

        def on_llm_new_token(self, token: str | list[str | dict[str, Any]], **_more: Any) -> None:
            """Keep one."""
            self.tokens.append(str(token))

    handler = StreamHandler()
    base = tutorial.base_url("nvidia", "qwen1.5-72b-chat") + "/"
    before = len(tutorial.exchanges)
    streaming = langchain.ChatOpenAI(openai_api_key=KEY, openai_api_base=base, streaming=True, callbacks=[handler])
    streamed = streaming.invoke(input=JOKE_MESSAGES)
    whole = langchain.ChatOpenAI(openai_api_key=KEY, openai_api_base=base, streaming=False).invoke(input=JOKE_MESSAGES)

    assert json.loads(tutorial.wait_for(before + 2).request.body)["model"] == "gpt-3.5-turbo"
    assert "".join(handler.tokens) == streamed.content == whole.content == JOKE
    assert streamed.response_metadata["finish_reason"] == "stop"
    figures = whole.response_metadata["token_usage"]
    assert (figures["prompt_tokens"], figures["completion_tokens"], figures["total_tokens"]) == (36, 24, 60)


# --- errors through the SDK ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("missing-key", "AuthenticationError"),
        ("wrong-key", "AuthenticationError"),
        ("unknown-model", "NotFoundError"),
        ("invalid-field", "BadRequestError"),
        ("rate-limited", "RateLimitError"),
        ("overloaded", "InternalServerError"),
        ("internal", "InternalServerError"),
        ("payment-required", "APIStatusError"),
        ("body-too-large", "APIStatusError"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_the_sdks_own(live: Live, openai: ModuleType, kind: str, name: str, stream: bool) -> None:
    """Each error becomes the SDK's class for its status, whose body is the service's."""
    asked = {"X-Mock-Error": kind}
    sdk = openai.OpenAI(api_key=KEY, base_url=live.base_url("chip3"), max_retries=0)
    with sdk as client, pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=live.model, messages=MESSAGES, stream=stream, extra_headers=asked)

    row = live.mock.edition.file.errors[kind]
    assert type(caught.value).__name__ == name
    assert caught.value.status_code == row.status
    sent = json.loads(caught.value.response.content)
    assert ("error" in sent) == (row.family == "upstream")


def test_a_foreign_model_is_refused_by_the_reference(
    servers: dict[str, Live], langchain: ModuleType, openai: ModuleType
) -> None:
    """2025: the body's model overrides, so LangChain without a model asks for `gpt-3.5-turbo` and is refused."""
    chat = langchain.ChatOpenAI(api_key=KEY, base_url=servers["2025-reference"].base_url("nvidia"), max_retries=0)

    with pytest.raises(openai.NotFoundError) as caught:
        chat.invoke(MESSAGES)

    sent = caught.value.response.json()
    assert sent["msg"].startswith(
        "model: 'gpt-3.5-turbo' is not served here, and it overrides the path's; null or 'deepseek-r1-"
    )


def test_blocked_reaches_the_sdk(live: Live, openai: ModuleType) -> None:
    """`blocked` is not among the SDK's fields, but it is there."""
    said = [{"role": "user", "content": "trigger-input-review"}]
    with openai.OpenAI(api_key=KEY, base_url=live.base_url("nvidia")) as client:
        whole = client.chat.completions.create(model=live.model, messages=said)
        chunks = list(client.chat.completions.create(model=live.model, messages=said, stream=True))

    assert whole.model_extra == {"blocked": True}
    assert [chunk.model_extra for chunk in chunks[-1:]] == [{"blocked": True}]
    assert not any(chunk.model_extra for chunk in chunks[:-1])


def test_an_assistant_turn_comes_back_as_the_sdk_dumps_it(live: Live, openai: ModuleType) -> None:
    """The usual way to go on a dialogue: the answer's message, dumped, nulls and all."""
    with openai.OpenAI(api_key=KEY, base_url=live.base_url("nvidia")) as client:
        first = client.chat.completions.create(model=live.model, messages=MESSAGES).choices[0].message
        for turn in (first, first.model_dump(), first.model_dump(exclude_unset=True)):
            again = client.chat.completions.create(model=live.model, messages=[*MESSAGES, turn, *MESSAGES])
            assert again.choices[0].message.content == SAID
