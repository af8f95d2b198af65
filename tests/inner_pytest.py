"""pytest run inside pytest, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mockserver.testing.mock_lease import _lease, _read_where
from tests.snippets import ROOT

if TYPE_CHECKING:
    import pytest

PLUGINS = ("-p", "mockserver.testing.plugin", "-p", "xdist")
"""Named, with all others left out: it is faster, and the same whether the package is installed or not."""

SIX_LINES = """\
from openai import OpenAI


def test_my_app_on_chip3(genstudio_mock):
    client = OpenAI(base_url=genstudio_mock.chip("chip3").base_url, api_key=genstudio_mock.api_key)
    stream = client.chat.completions.create(model="", messages=[{"role": "user", "content": "你是谁?"}], stream=True)
    genstudio_mock.assert_client_saw("".join(chunk.choices[0].delta.content or "" for chunk in stream))
"""
"""README's first screen: a test that catches a client's bug on one chip."""

ASK = """\
import json, urllib.request, pytest

def ask(session, text="你是谁?", **more):
    body = json.dumps({"messages": [{"role": "user", "content": text}], **more}).encode()
    headers = {"Authorization": "Bearer " + session.api_key, "Content-Type": "application/json"}
    request = urllib.request.Request(session.base_url + "/chat/completions", body, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return json.loads(answer.read())["choices"][0]["message"]["content"]
"""
"""What most inner tests begin with."""


class Run(Protocol):
    """Runs pytest with these arguments."""

    def __call__(self, *arguments: str) -> pytest.RunResult:
        """What came of it."""


def runner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in a process of its own; every warning is an error there, and no mock is left behind."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONUTF8", "1")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    base = pytester.path / "base"

    def run(*arguments: str) -> pytest.RunResult:
        result = pytester.runpytest_subprocess(
            *PLUGINS, "-W", "error", "--strict-markers", f"--basetemp={base}", *arguments, timeout=100
        )
        for where in base.glob("genstudio-mock.json"):
            assert _lease(_read_where(where)) is None, "the mock of the run is still there"
        return result

    return run


def outcomes(result: pytest.RunResult) -> dict[str, int]:
    """How many passed, failed and so on."""
    return {name: count for name, count in result.parseoutcomes().items() if name != "warnings"}
