"""What to do about a finding is said in Chinese where the reader's locale is Chinese."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import pytest

from mockserver.server import verdict
from mockserver.server.verdict import ClientFinding
from mockserver.testing.client_saw import ADVICE, NO_REQUEST, SilentEmptyError
from mockserver.testing.client_verdict import told
from mockserver.testing.language import ADVICE_TABLE, advised, chinese, language
from mockserver.testing.passed_over import SILENT
from tests.command import called
from tests.session_helpers import streamed

if TYPE_CHECKING:
    from mockserver.testing.session import Session

LOCALES = {
    "nothing-set": ({}, "en"),
    "china": ({"LANG": "zh_CN.UTF-8"}, "zh"),
    "taiwan": ({"LANG": "zh_TW"}, "zh"),
    "c": ({"LANG": "C.UTF-8"}, "en"),
    "all-before-lang": ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
    "messages-before-lang": ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
    "an-empty-one-is-not-set": ({"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, "zh"),
    "ours-before-all": ({"GENSTUDIO_MOCK_LANG": "en", "LC_ALL": "zh_CN.UTF-8"}, "en"),
    "asked-for": ({"GENSTUDIO_MOCK_LANG": "zh", "LC_ALL": "C"}, "zh"),
}


@pytest.mark.parametrize(("environ", "expected"), LOCALES.values(), ids=LOCALES)
def test_the_language_is_that_of_the_locale(environ: dict[str, str], expected: str) -> None:
    """Our variable first, then those of the locale of messages in POSIX's order."""
    assert language(environ) == expected


def test_every_advice_has_its_chinese_and_no_row_is_left_over() -> None:
    """The sentences of the plugin, of `run` and of the verdict are the table's rows."""
    literal = re.compile(r'(?:"bad"|"note"|"good")[^\n]*\n\s+(?:"" if patient else )?"([^"]+)", ')
    of_verdict = set(literal.findall(inspect.getsource(verdict)))
    of_verdict |= {"retry 429 and 5xx a few times before giving up", "double the pause each time, with jitter"}

    assert of_verdict | set(ADVICE.values()) | {text for _, text in SILENT} | {NO_REQUEST} == set(chinese(ADVICE_TABLE))
    assert [text for text in chinese(ADVICE_TABLE).values() if not re.search(r"[\u4e00-\u9fff]", text)] == []


def test_a_silent_empty_answer_is_explained_in_chinese(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen stays as logs have it; what to do is Chinese."""
    monkeypatch.setenv("GENSTUDIO_MOCK_LANG", "zh")
    session = session.chip("chip3")
    shown = streamed(session)

    with pytest.raises(SilentEmptyError) as caught:
        session.assert_client_saw(shown)

    assert str(caught.value).startswith("the client saw nothing, but chip3 sent 17 content chunks as json-lines; ")
    assert "请逐行读取响应体" in str(caught.value)


def test_a_finding_is_told_in_the_readers_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control API's JSON is English for programs; the line for people is not."""
    finding = ClientFinding(
        "storm", "bad", "10 attempts within 5 ms", "bound the attempts and pause between them", (1,)
    )
    monkeypatch.setenv("GENSTUDIO_MOCK_LANG", "zh")

    assert told(finding) == "bad: storm: 10 attempts within 5 ms (#1); 请限制重试次数，并在两次之间停顿"
    assert advised("a sentence that nobody wrote") == "a sentence that nobody wrote"


def test_another_language_is_refused_in_one_line() -> None:
    """A typing error is not taken for English."""
    line = "GENSTUDIO_MOCK_LANG: 'cn' is not allowed; allowed: en, zh\n"

    assert called("serve", "--print-config", environ={"GENSTUDIO_MOCK_LANG": "cn"}) == (2, "", line)
