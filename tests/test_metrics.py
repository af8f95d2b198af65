"""`/_mock/metrics`: what Prometheus reads, and that no client can make it grow."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mockserver.testing.mock_server import MockServer
from tests.command import ROOT, called
from tests.in_thread import WAIT_SECONDS
from tests.served import ready_url, started
from tests.session_helpers import asked_without_reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mockserver.testing.session import Session

SAID: Any = [{"role": "user", "content": "你是谁?"}]
BODY = json.dumps({"messages": SAID, "stream": True})


@pytest.fixture(scope="module")
def measured() -> Iterator[MockServer]:
    """A mock that measures itself."""
    with MockServer(metrics=True) as mock:
        yield mock


def figures_at(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Each figure by its name and labels, read by Prometheus' own reader."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(asked(url)[2])
        for sample in family.samples
    }


def asked(url: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, `Allow` and text that a scraper gets, which knows no token."""
    with contextlib.closing(http.client.HTTPConnection(url.partition("://")[2], timeout=WAIT_SECONDS)) as connection:
        connection.request(method, "/_mock/metrics")
        answer = connection.getresponse()
        return answer.status, answer.headers.get("allow", ""), answer.read().decode()


def figure(mock: MockServer, name: str, **labels: str) -> float:
    """One figure; 0 where it is not there yet."""
    return figures_at(mock.url).get((f"genstudio_mock_{name}", frozenset(labels.items())), 0.0)


def ask(session: Session, *, stream: bool = True, model: str = "m") -> None:
    """Ask, and wait until the exchange is kept, which is when it is counted."""
    before = len(session.exchanges())
    client = openai.OpenAI(base_url=session.base_url, api_key=session.api_key, max_retries=0)
    with client, contextlib.suppress(openai.APIError):
        answer = client.chat.completions.create(model=model, messages=SAID, stream=stream)
        if stream:
            list(answer)
    session.wait_for(before + 1)


def test_a_stream_is_counted_by_what_came_of_it(measured: MockServer) -> None:
    """Chip, status and ending of the exchange; its first write and the gaps between the others."""
    of_all = {"chip": "nvidia", "status": "200", "ending": "complete", "fault": "none"}
    with measured.session() as session:
        ask(session.chip("nvidia"))

    assert figure(measured, "exchanges_total", **of_all) == 1
    assert figure(measured, "time_to_first_token_seconds_count", chip="nvidia") == 1
    assert figure(measured, "gap_seconds_count", chip="nvidia") >= 1
    assert figure(measured, "open_streams") == 0


@pytest.mark.parametrize(
    ("faults", "status", "label"),
    [
        (["status;status=503"], "503", "status"),
        (["latency;ms=1", "first_token_delay;ms=1"], "200", "several"),
    ],
)
def test_faults_are_counted(measured: MockServer, faults: list[str], status: str, label: str) -> None:
    """By name where one acted, as several where more did; each by itself in a figure of its own."""
    with measured.session() as session:
        for fault in faults:
            session.arm(fault)
        ask(session.chip("chip4"))
        names = session.last.faults

    assert len(names) == len(faults)
    assert figure(measured, "exchanges_total", chip="chip4", status=status, ending="complete", fault=label) == 1
    for name in names:
        assert figure(measured, "faults_total", chip="chip4", fault=name) >= 1


def test_no_client_makes_labels(measured: MockServer) -> None:
    """A hundred chips, models, paths and keys that nobody has are one row of figures each, or none."""

    def rows() -> int:
        return len([1 for name, _ in figures_at(measured.url) if name == "genstudio_mock_exchanges_total"])

    def say(number: int) -> None:
        connection = http.client.HTTPConnection(measured.url.partition("://")[2], timeout=WAIT_SECONDS)
        path = f"/maas/m{number}/c{number}/chat/completions"
        connection.request("POST", path, b"{}", {"Authorization": f"Bearer k{number}"})
        connection.getresponse().read()
        connection.close()

    say(0)
    before = rows()
    for number in range(1, 100):
        say(number)

    assert rows() == before


def test_streams_are_open_while_they_go_on() -> None:
    """Counted when somebody asks."""
    with MockServer(metrics=True, pace="first_token_ms=600000") as mock, mock.session() as session:
        with asked_without_reading(session, stream=True):
            session.wait_for(1, in_flight=True)
            assert figure(mock, "open_streams") == 1
        session.wait_for(1)
        assert figure(mock, "open_streams") == 0


def test_other_methods_are_refused(measured: MockServer) -> None:
    """405 with what is allowed, as on every path of the control API."""
    assert asked(measured.url, "POST")[:2] == (405, "GET, HEAD")


def test_without_the_flag_there_is_nothing() -> None:
    """No path, and nothing that counts."""
    with MockServer() as mock:
        assert asked(mock.url)[0] == 404


def test_what_cannot_be_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the control API there is no place for it; without prometheus-client no form."""
    code, _, err = called("serve", "--port", "0", "--metrics", "--no-control")
    assert (code, err) == (2, "--metrics: lies below /_mock/, which --no-control leaves out; drop one of them\n")

    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    code, _, err = called("serve", "--port", "0", "--metrics")
    assert (code, err) == (2, "--metrics: prometheus-client is not installed; pip install 'prometheus-client>=0.20'\n")


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the processes in /proc")
def test_whichever_worker_is_asked_tells_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts are those of all and outlive a process that is killed, its open stream does not; no file is left."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    chats = ("genstudio_mock_exchanges_total", frozenset({"chip": "nvidia", "status": "200", "ending": "complete",
                                                         "fault": "none"}.items()))  # fmt: skip
    streams = ("genstudio_mock_open_streams", frozenset[tuple[str, str]]())

    def say(connection: http.client.HTTPConnection, **headers: str) -> None:
        own = {"Authorization": "Bearer k", "Content-Type": "application/json", **headers}
        connection.request("POST", "/maas/mt-infini-3b/nvidia/chat/completions", BODY, own)

    def seen(url: str, name: Any, value: float) -> None:
        """Whichever is asked says so, as soon as it is so."""
        until, agreeing = time.monotonic() + WAIT_SECONDS, 0
        while agreeing < 10 and time.monotonic() < until:
            agreeing = agreeing + 1 if figures_at(url).get(name) == value else 0
        assert agreeing == 10, figures_at(url).get(name)

    with started("--workers", "2", "--port", "0", "--metrics") as process:
        url = ready_url(process)
        for _ in range(20):
            with contextlib.closing(
                http.client.HTTPConnection(url.partition("://")[2], timeout=WAIT_SECONDS)
            ) as connection:
                say(connection)
                assert connection.getresponse().read().endswith(b"data: [DONE]\n\n")
        seen(url, chats, 20)
        with contextlib.closing(
            http.client.HTTPConnection(url.partition("://")[2], timeout=WAIT_SECONDS)
        ) as connection:
            say(connection, **{"X-Mock-Fault": "first_token_delay;ms=600000"})
            seen(url, streams, 1)
            for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split():
                os.kill(int(child), signal.SIGKILL)
            assert process.stderr is not None
            for _ in range(2):
                next(line for line in process.stderr if "ended by SIGKILL" in line)
        seen(url, streams, 0)
        seen(url, chats, 20)
        assert len(list(tmp_path.iterdir())) == 1
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, list(tmp_path.iterdir())) == (0, [])


def test_the_dashboard_asks_for_figures_that_are_there(measured: MockServer) -> None:
    """Each figure that a panel names is one that Prometheus reads here."""
    text = asked(measured.url)[2]
    known = {family.name for family in text_string_to_metric_families(text) if not family.name.endswith("_created")}
    board = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text("utf-8"))
    asks = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    named = set(re.findall(r"genstudio_mock_\w+", " ".join(asks)))

    assert asks
    assert {re.sub("_(total|bucket|count|sum)$", "", name) for name in named} == known
