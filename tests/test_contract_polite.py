"""Who is asked politely is left alone when the key goes bad, by whatever command, call or test it was asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.cli import contract as contract_command
from mockserver.cli import drift as drift_command
from mockserver.cli import learn as learn_command
from mockserver.contract import in_process, library, politeness
from mockserver.contract.cases import Phase
from mockserver.contract.result import Budget, Clock
from mockserver.contract.runner import Runner
from mockserver.core.exchange import Exchange, Plan, Request
from tests.contract_live import serving
from tests.lean_pytest import LEAN
from tests.learning import MODEL, TUTORIAL, run
from tests.mutants import Mutant, Response
from tests.mutating_proxy import between

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHIP = TUTORIAL.chips["nvidia"]
GOOD = 5
"""So many requests are answered before the key goes bad."""
BAD_KEYS: dict[str, tuple[int, dict[str, Any]]] = {
    "401": (401, {"detail": "Unauthorized"}),
    "503 with the code of a bad key": (503, {"code": 10009, "msg": "no"}),
    "403 with the code of a bad key": (403, {"code": 60000, "msg": "no"}),
    "the code below error": (403, {"error": {"code": 10009, "message": "no"}}),
}
OTHERS: dict[str, tuple[int, dict[str, Any]]] = {
    "a review's 403": (403, {"error": {"code": "content_policy", "message": "no"}}),
    "a busy 503": (503, {"code": 50300, "msg": "busy"}),
}
bad_keys = pytest.mark.parametrize(("status", "body"), BAD_KEYS.values(), ids=BAD_KEYS)


class Revoking:
    """A mock in this process whose answers are replaced after some requests; of a rule that is broken only if so said.

    Attributes:
        asked: How often it was asked.
    """

    def __init__(self, status: int, body: dict[str, Any], good: int = GOOD) -> None:
        self.asked = 0
        self._good = good
        self._plan = Plan(status, ((b"content-type", b"application/json"),), (json.dumps(body).encode(),))
        self._send = in_process.transport(in_process.service(TUTORIAL), TUTORIAL.file.defaults.created * 1000)

    def __call__(self, request: Request) -> Exchange:
        """Answer."""
        self.asked += 1
        return Exchange(request, self._plan, 1) if self.asked > self._good else self._send(request)


def runner_of(send: Any) -> Runner:
    """A runner with a clock that stands still."""
    clock = Clock(lambda: 0.0, lambda _s: None)
    return Runner(send, TUTORIAL, CHIP, MODEL, clock=clock, budget=Budget(200, 100_000))


@bad_keys
def test_a_key_that_goes_bad_ends_the_run(status: int, body: dict[str, Any]) -> None:
    """Whatever says so: nothing more is asked, one line says from which request on, and nothing blames the target."""
    target = Revoking(status, body)
    result = runner_of(target).run()

    assert target.asked == GOOD + 1
    assert len(result.exchanges) == GOOD
    assert result.stopped.startswith(f"from request {GOOD + 1} on the target refuses the API key (status {status}: ")
    assert result.stopped.endswith("; --api-key-env VAR names the variable that holds a good one")
    assert result.findings == []


@bad_keys
def test_it_ends_where_another_refusal_is_due_too(status: int, body: dict[str, Any]) -> None:
    """In the middle of the broken rules: one good question more shows that it is the key."""
    whole = runner_of(Revoking(status, body, 10_000)).run([Phase.EXAMPLES])
    good = len(whole.exchanges) + 4
    target = Revoking(status, body, good)
    result = runner_of(target).run([Phase.EXAMPLES, Phase.BROKEN])

    assert target.asked == good + 2
    assert result.stopped.startswith(f"from request {good + 2} on the target refuses the API key")
    assert result.findings == []


@pytest.mark.parametrize(("status", "body"), OTHERS.values(), ids=OTHERS)
def test_another_refusal_is_a_finding(status: int, body: dict[str, Any]) -> None:
    """A 403 or a 503 that does not speak of the key is judged, and the run goes on."""
    target = Revoking(status, body)
    result = runner_of(target).run([Phase.EXAMPLES])

    assert result.stopped == ""
    assert target.asked > GOOD + 5
    assert "status" in {one.clause.id for one in result.broken}


def test_a_wrong_word_for_a_broken_rule_is_a_finding() -> None:
    """A target that answers 401 to an unknown model alone has a good key: it is asked to the end."""
    send = in_process.transport(in_process.service(TUTORIAL), TUTORIAL.file.defaults.created * 1000)

    def wrong_word(request: Request) -> Exchange:
        came = send(request)
        assert came.plan is not None
        return replace(came, plan=replace(came.plan, status=401)) if came.plan.status == 404 else came

    result = runner_of(wrong_word).run([Phase.EXAMPLES, Phase.BROKEN])

    assert result.stopped == ""
    assert "status" in {one.clause.id for one in result.findings}


def test_who_stopped_asks_no_more() -> None:
    """A caller that goes on asking is told so again, and nothing is sent."""
    target = Revoking(401, {})
    runner = runner_of(target)
    first = runner.run([Phase.EXAMPLES])
    again = runner.run([Phase.BROKEN])

    assert (target.asked, again.stopped) == (GOOD + 1, first.stopped)


@contextmanager
def revoking() -> Iterator[tuple[str, list[int]]]:
    """A mock on a socket whose key goes bad; yields its base URL and the statuses that were sent."""
    statuses: list[int] = []

    def change(response: Response) -> Response:
        bad = len(statuses) >= GOOD
        statuses.append(401 if bad else response.status)
        return replace(response, status=401, headers=(), body=b'{"code":10009,"msg":"no"}') if bad else response

    with (
        serving(TUTORIAL) as mock,
        between(mock, Mutant("a key that goes bad", "", counts=False, change=change)) as url,
    ):
        yield url, statuses


COMMANDS = {"contract": contract_command, "learn": learn_command, "drift": drift_command}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stops(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """contract, learn and drift ask once more than was answered, and the line says from which request on."""
    monkeypatch.chdir(tmp_path)
    with revoking() as (url, statuses):
        code, out, err = run(COMMANDS[name], "--base-url", url, "--model", MODEL, "--chip", "nvidia")

    assert statuses.count(401) == 1
    assert f"from request {GOOD + 1} on the target refuses the API key (status 401: " in out + err
    assert (code == 3) is (name != "learn"), "learn keeps what it has, and is taken up again"


def test_the_tests_of_the_contract_stop() -> None:
    """`pytest --pyargs mockserver.contract` too: one test of it fails with the line."""
    with revoking() as (url, statuses):
        words = ["--base-url", url, "--model", MODEL, "--chip", "nvidia", "--edition", TUTORIAL.name]
        command = [sys.executable, "-m", "pytest", "-q", "--pyargs", "mockserver.contract", *words]
        environ = {**os.environ, **LEAN}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=120)

    assert statuses.count(401) == 1
    assert f"from request {GOOD + 1} on the target refuses the API key" in done.stdout
    assert " 1 failed" in f" {done.stdout.splitlines()[-1]}"


def test_a_call_keeps_the_usual_budget_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` asks at most 60 times, and elsewhere than on this machine once in five seconds."""
    now, statuses = [0.0], []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def count(response: Response) -> Response:
        statuses.append(response.status)
        return response

    monkeypatch.setattr(politeness, "is_here", lambda _url: False)
    with serving(TUTORIAL) as mock, between(mock, Mutant("counted", "", counts=False, change=count)) as url:
        target = library.Target(url, MODEL, "nvidia", TUTORIAL)
        result = library.check(target, clock=Clock(lambda: now[0], sleep))

    assert 40 < len(statuses) <= Budget().requests
    assert now[0] == pytest.approx(5.0 * (len(statuses) - 1))
    assert any("the budget does not reach" in note for note in result.notes)
