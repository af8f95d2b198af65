"""What the mock says in its own sentences is Chinese where the inspector is."""

from __future__ import annotations

import ast
import inspect
import re
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.core.data import shipped
from mockserver.pipeline.faults.table import FAULTS
from mockserver.profile import quirks
from mockserver.profile.edition import editions, load_edition
from mockserver.server import verdict
from mockserver.server.inspector import UI
from mockserver.testing.mock_server import MockServer
from mockserver.testing.survival import MEANINGS
from tests.browser import Tab, launched
from tests.fault_docs import says
from tests.session_helpers import asked, close_clients

if TYPE_CHECKING:
    from collections.abc import Iterator

SAY = """async sentences => {
  const words = await import('./words.js');
  words.setLanguage('zh');
  return sentences.map(words.sentence);
}"""


def of_verdict() -> list[str]:
    """What each rule says of a client; a 7 stands for each value."""
    made = []
    for call in ast.walk(ast.parse(inspect.getsource(verdict))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "ClientFinding":
            saw = call.args[2]
            parts = saw.values if isinstance(saw, ast.JoinedStr) else [saw]
            made.append("".join(str(one.value) if isinstance(one, ast.Constant) else "7" for one in parts))
    return made


def of_profiles() -> list[str]:
    """What is said of each shipped chip, and of its quirks."""
    root = shipped("profiles")
    chips = [chip for name in editions([root]) for chip in load_edition(name, [root]).chips.values()]
    return [said for chip in chips for said in (chip.summary, *(quirks.find(one.name)[1].says for one in chip.claims))]


SENTENCES = {
    "findings": of_verdict(),
    "faults": [says(kind) for kind in FAULTS.values()],
    "quirks": [quirks.find(name)[1].says for name in (*quirks.QUIRKS, *quirks.EXAMPLES)],
    "profiles": of_profiles(),
    "fates": list(MEANINGS.values()),
}


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    """A mock whose page is looked at."""
    with MockServer() as made:
        yield made
    close_clients()


@pytest.fixture(scope="module")
def page(mock: MockServer) -> Iterator[Any]:
    """The page in a Chinese browser."""
    with launched() as browser, Tab(browser, locale="zh-CN") as tab:
        tab.page.goto(f"{mock.url}{UI}")
        tab.page.locator("nav a").first.wait_for()
        yield tab.page
        assert tab.errors == []


@pytest.mark.parametrize("kind", SENTENCES)
def test_every_sentence_has_its_chinese(page: Any, kind: str) -> None:
    """Of none the English is shown, and no place for a value is left open."""
    told = dict(zip(SENTENCES[kind], page.evaluate(SAY, SENTENCES[kind]), strict=True))

    assert told
    assert [english for english, chinese in told.items() if not re.search(r"[\u4e00-\u9fff]", chinese)] == []
    assert [chinese for english, chinese in told.items() if chinese.count("{") != english.count("{")] == []


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        pytest.param("ended with 503 after 1 attempt", "尝试 1 次，以 503 告终", id="a-phrase-in-a-phrase"),
        pytest.param("pauses grow: 1, 2, … ms", "间隔逐次变长：1, 2, … 毫秒", id="a-list"),
        pytest.param(
            "half an answer (no finish_reason) was taken for whole: a later request goes on with it",
            "半个回答（没有 finish_reason）被当作完整的：后面的请求接着它往下说",
            id="how-it-broke-off",
        ),
        pytest.param("Chunks that would lack a carry a: null.", "数据块本来没有 a 时带 a: null。", id="a-further-key"),
        pytest.param("a sentence that nobody wrote", "a sentence that nobody wrote", id="unknown"),
    ],
)
def test_values_stand_in_their_places(page: Any, english: str, chinese: str) -> None:
    """Numbers and names are kept; a sentence of a user's own profile stays as it was written."""
    assert page.evaluate(SAY, [english]) == [chinese]


def test_the_verdict_is_read_in_chinese(page: Any, mock: MockServer) -> None:
    """What was seen and what to do about it, where they are shown."""
    from mockserver.testing.session import Session

    asked(Session(mock, "unclaimed-key"), "你好", headers={"X-Mock-Fault": "status;status=503"})
    page.goto(f"{mock.url}{UI}#/verdict")
    finding = page.locator(".findings li")
    finding.wait_for()

    assert [line for line in finding.inner_text().splitlines() if line] == [
        "✕", "gave-up 尝试 1 次，以 503 告终", "放弃之前，请对 429 和 5xx 重试几次", "#1",
    ]  # fmt: skip
