"""The verdict on clients: real ones, careless ones, and calls that only look alike."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from openai import APIConnectionError, APIStatusError

from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.server.attempts import ATTEMPT_HEADER
from mockserver.server.clock import Wheel
from mockserver.server.verdict import judge
from tests.session_helpers import asked, asked_without_reading, client, control

if TYPE_CHECKING:
    from collections.abc import Callable

    from mockserver.testing.session import Session

MESSAGES: Any = [{"role": "user", "content": "hi"}]
HALF = b'data: {"choices": [{"delta": {"content": "half"}}]}\n\n'
WAIT = ((b"retry-after", b"2"),)


def one(
    number: int, at_ms: float, status: int = 200, ending: Ending = Ending.COMPLETE, body: bytes = b"{}", **more: Any
) -> Exchange:
    """An exchange that took 10 ms."""
    headers = {ATTEMPT_HEADER: more.pop("attempt")} if "attempt" in more else {}
    plan = Plan(status, more.pop("headers", ()), (HALF,), ending=ending)
    more = {"duration_ms": 10.0, "frames_sent": 1, **more}
    return Exchange(Request("POST", "/", headers, body), plan, ending=ending, number=number, at_ms=at_ms, **more)


CUT, HANG = Ending.CUT, Ending.HANG
AGAIN = b'{"messages": [{"role": "assistant", "content": "half"}]}'
STREAMED = b'{"n": 1, "stream": true, "stream_options": {"include_usage": true}}'
WHOLE = b'{"n": 1}'
SCENES: dict[str, tuple[list[Exchange], list[str]]] = {
    "nothing": ([], []),
    "all-is-well": ([one(1, 0), one(2, 100)], []),
    "waits-as-told": (
        [one(1, 0, 429, headers=WAIT), one(2, 2_010)],
        ["good retry-after: waited 2000 ms of 2000 ms asked", "good recovered: a good answer at attempt 2"],
    ),
    "comes-too-early-the-second-time": (
        [one(1, 0, 429, headers=WAIT), one(2, 2_010, 429, headers=WAIT), one(3, 2_030)],
        [
            "bad retry-after: asked to wait 2000 ms, came back after 10 ms",
            "good recovered: a good answer at attempt 3",
        ],
    ),
    "backs-off": (
        [one(1, 0, 503), one(2, 110, 503), one(3, 320)],
        ["good backoff: pauses grow: 100, 200 ms", "good recovered: a good answer at attempt 3"],
    ),
    "does-not-back-off": (
        [one(1, 0, 503), one(2, 11, 503), one(3, 24)],
        ["bad backoff: pauses do not grow: 1, 3 ms", "good recovered: a good answer at attempt 3"],
    ),
    "draws-its-pauses": (
        [one(1, 0, 503), one(2, 910, 503), one(3, 1220)],
        [
            "note backoff: pauses vary and do not clearly grow: 900, 300 ms",
            "good recovered: a good answer at attempt 3",
        ],
    ),
    "doubles-with-much-jitter": (
        [one(1, 0, 503), one(2, 1910, 503), one(3, 3960)],
        [
            "note backoff: pauses vary and do not clearly grow: 1900, 2040 ms",
            "good recovered: a good answer at attempt 3",
        ],
    ),
    "comes-again-in-a-steady-beat": (
        [one(1, 0, 503), one(2, 1010, 503), one(3, 2030)],
        ["bad backoff: pauses do not grow: 1000, 1010 ms", "good recovered: a good answer at attempt 3"],
    ),
    "comes-again-and-again": (
        [one(number, 11.0 * number, 503) for number in range(12)],
        [
            "bad backoff: pauses do not grow: 1, 1, 1, 1, 1, 1, 1, 1, … ms",
            "bad storm: 10 attempts within 99 ms",
            "note gave-up: ended with 503 after 12 attempts",
        ],
    ),
    "comes-again-in-the-same-moment": (  # the sum of its times is more in the last digits
        [one(1, 4120.1 + 1e-12, 503, duration_ms=2.0000000000001), one(2, 4122.1)],
        ["good recovered: a good answer at attempt 2"],
    ),
    "gives-up-at-once": ([one(1, 0, 500)], ["bad gave-up: ended with 500 after 1 attempt"]),
    "a-new-call-is-no-retry": (
        [one(1, 0, 503, attempt=b"0"), one(2, 20, 503, attempt=b"0"), one(3, 510, attempt=b"1")],
        ["good recovered: a good answer at attempt 2", "bad gave-up: ended with 503 after 1 attempt"],
    ),
    "retries-around-a-client-that-makes-none": (
        [one(number, 300.0 * number * number, 503, attempt=b"0") for number in range(3)] + [one(3, 9000, attempt=b"0")],
        ["good backoff: pauses grow: 290, 890, 7790 ms", "good recovered: a good answer at attempt 4"],
    ),
    "asks-again-for-a-cut-stream": (
        [one(1, 0, ending=CUT, attempt=b"0"), one(2, 20, attempt=b"0")], ["good recovered: a good answer at attempt 2"],
    ),
    "parallel-calls-are-no-retries": (
        [one(number, 0.5 * number, 503) for number in range(12)],
        ["bad gave-up: ended with 503 after 1 attempt"] * 12,
    ),
    "each-of-two-calls-alike-is-retried": (
        [one(1, 0, 429, headers=WAIT), one(2, 5, 429, headers=WAIT), one(3, 2_010), one(4, 2_015)],
        ["good retry-after: waited 2000 ms of 2000 ms asked", "good recovered: a good answer at attempt 2"] * 2,
    ),
    "a-wrong-request-is-not-tried-again": ([one(number, 20.0 * number, 400) for number in range(12)], []),
    "a-broken-answer": (
        [one(1, 0, ending=CUT)], ["note truncated: the last answer broke off (cut) and was not asked for again"],
    ),
    "a-broken-answer-asked-for-again": (
        [one(1, 0, ending=CUT), one(2, 20)], ["good recovered: a good answer at attempt 2"],
    ),
    "half-an-answer-taken-for-whole": (
        [one(1, 0, ending=CUT), one(2, 20, body=AGAIN)],
        ["bad truncated: half an answer (cut) was taken for whole: a later request goes on with it"],
    ),
    "half-an-answer-that-ended-politely": (
        [one(1, 0, faults=("cut",)), one(2, 20, body=AGAIN)],
        ["bad truncated: half an answer (no finish_reason) was taken for whole: a later request goes on with it"],
    ),
    "falls-back-from-a-broken-stream": ([one(1, 0, ending=CUT, body=STREAMED), one(2, 20, body=WHOLE)], []),
    "falls-back-from-a-refused-stream": ([one(1, 0, 503, body=STREAMED), one(2, 20, body=WHOLE)], []),
    "falls-back-in-vain": (
        [one(1, 0, 503, body=STREAMED), one(2, 20, 503, body=WHOLE)], ["bad gave-up: ended with 503 after 1 attempt"],
    ),
    "asked-in-the-other-form-before": (
        [one(1, 0, body=WHOLE), one(2, 20, 503, body=STREAMED)], ["bad gave-up: ended with 503 after 1 attempt"],
    ),
    "asks-something-else-in-the-other-form": (
        [one(1, 0, ending=CUT, body=STREAMED), one(2, 20, body=b'{"stream": false, "seed": 1}')],
        ["note truncated: the last answer broke off (cut) and was not asked for again"],
    ),
    "who-leaves-early-is-not-judged": ([one(1, 0, ending=CUT, client_left=True)], []),
    "waits-for-now": (
        [one(1, 0, 0, HANG, in_flight=True)], ["note timeout: waits for 50000 ms so far on a hanging answer"],
    ),
    "never-times-out": (
        [one(1, -20_000, 0, HANG, in_flight=True)],
        ["bad timeout: still waits after 70000 ms for an answer that never comes"],
    ),
    "times-out": (
        [one(1, 0, 0, HANG, client_left=True, duration_ms=1_000.0), one(2, 1_500)],
        ["good recovered: a good answer at attempt 2", "good timeout: left a hanging answer after 1000 ms"],
    ),
    "times-out-late": (
        [one(1, -90_000, 0, HANG, client_left=True, duration_ms=70_000.0)],
        ["note timeout: left a hanging answer after 70000 ms"],
    ),
    "an-attempt-that-left-is-kept-after-its-retry": (
        [one(2, 1_500), one(1, 0, 0, HANG, client_left=True, duration_ms=1_000.0)],
        ["good recovered: a good answer at attempt 2", "good timeout: left a hanging answer after 1000 ms"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENES)
def test_what_is_said(name: str) -> None:
    """Each scene is judged as an onlooker would: no more is said than what can be seen."""
    exchanges, expected = SCENES[name]

    findings = judge(exchanges, 50_000, 60_000)
    assert [f"{found.mark} {found.rule}: {found.says}" for found in findings] == expected
    assert all(found.advice for found in findings if found.mark == "bad")


def found(session: Session, **query: Any) -> dict[str, str]:
    """The marks of all findings by rule."""
    words = "&".join(f"{name}={value}" for name, value in query.items())
    findings = control(session, "GET", f"/verdict?{words}").json()["findings"]
    return {one["rule"]: one["mark"] for one in findings}


def ask_sdk(session: Session, retries: int, **more: Any) -> None:
    """A call of the official SDK that may fail."""
    with contextlib.suppress(APIStatusError, APIConnectionError):
        made = client(session, retries).chat.completions.create(model="any", messages=MESSAGES, **more)
        if more.get("stream"):
            list(made)


def ask_impatient(session: Session, timeout_s: float) -> None:
    """A client that waits so long and does not try again."""
    with contextlib.suppress(httpx.ReadTimeout):
        asked(session, "hi", stream=True, timeout_s=timeout_s)


def ask_careless(session: Session) -> None:
    """A client that tries again at once, for ever."""
    with httpx.Client(trust_env=False) as asking:
        url, headers = f"{session.base_url}/chat/completions", {"authorization": f"Bearer {session.api_key}"}
        for _ in range(12):
            asking.post(url, json={"messages": MESSAGES}, headers=headers)


class Waits:
    """The mock's time while clients wait: it moves on by what they sleep, and stands still else.

    Args:
        together: So many sleep at the same time, and wait for each other.
    """

    def __init__(self, together: int = 1) -> None:
        self.now = 1_000.0
        self._asked: list[float] = []
        self._all = threading.Barrier(together, self._pass, timeout=60)

    def _pass(self) -> None:
        self.now += max(self._asked)
        self._asked.clear()

    def sleep(self, seconds: float) -> None:
        """As `time.sleep`."""
        self._asked.append(seconds)
        self._all.wait()

    def put_into(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the mock, the SDK and urllib3 live in this time."""
        keep = lambda wheel, own: wheel.__dict__.update(now=own)  # noqa: E731 - what each wheel has afterwards
        clock = property(lambda _: lambda: self.now, keep)
        monkeypatch.setattr(Wheel, "now", clock, raising=False)
        for module in ("openai._base_client", "urllib3.util.retry"):
            if module in sys.modules:
                stands_in = SimpleNamespace(**{**vars(time), "sleep": self.sleep})
                monkeypatch.setattr(sys.modules[module], "time", stands_in)


CLIENTS: dict[str, tuple[str, dict[str, Any], Callable[[Session], None], dict[str, str]]] = {
    "sdk-waits-as-told": (
        "status;status=429;retry_after_s=0.2", {"times": 1}, lambda session: ask_sdk(session, 2),
        {"retry-after": "good", "recovered": "good"},
    ),
    "sdk-backs-off": (
        "status;status=503", {"times": 2}, lambda session: ask_sdk(session, 2),
        {"backoff": "good", "recovered": "good"},
    ),
    "sdk-without-retries": ("status;status=503", {}, lambda session: ask_sdk(session, 0), {"gave-up": "bad"}),
    "sdk-after-a-reset": ("reset_peer", {"times": 1}, lambda session: ask_sdk(session, 2), {"recovered": "good"}),
    "sdk-reads-a-cut-stream": (
        "cut;after_frames=3", {}, lambda session: ask_sdk(session, 2, stream=True), {"truncated": "note"},
    ),
    "sdk-asked-what-is-wrong": (
        "latency;ms=0", {}, lambda session: ask_sdk(session, 2, temperature=99), {},
    ),
    "httpx-without-retries": (
        "status;status=503", {}, lambda session: ask_impatient(session, 5), {"gave-up": "bad"},
    ),
    "storm": (
        "status;status=503", {}, ask_careless, {"backoff": "bad", "storm": "bad", "gave-up": "note"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CLIENTS)
def test_real_clients(session: Session, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What real clients do is seen and named."""
    fault, how, ask, expected = CLIENTS[name]
    Waits().put_into(monkeypatch)
    session.arm(fault, **how)
    ask(session)

    assert found(session) == expected


def test_urllib3(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its retries honour Retry-After; without a backoff factor they come at once."""
    urllib3 = pytest.importorskip("urllib3")
    Waits().put_into(monkeypatch)
    url, headers = f"{session.base_url}/chat/completions", {"authorization": f"Bearer {session.api_key}"}

    def ask(**how: Any) -> None:
        retry = urllib3.Retry(status_forcelist=[429, 503], allowed_methods=None, raise_on_status=False, **how)
        with urllib3.PoolManager() as pool:
            pool.request("POST", url, json={"messages": MESSAGES}, headers=headers, retries=retry)

    session.arm("status;status=429;retry_after_s=1", times=1)
    ask(total=2)
    assert found(session) == {"retry-after": "good", "recovered": "good"}
    session.reset()
    session.arm("status;status=503", times=3)
    ask(total=3)
    assert found(session) == {"backoff": "bad", "recovered": "good"}


def go_on(session: Session, said: str) -> None:
    """The next request of a dialogue in which the assistant has said something."""
    asked(session, messages=[*MESSAGES, {"role": "assistant", "content": said}, {"role": "user", "content": "more"}])


def test_a_client_that_goes_on_with_half_an_answer(session: Session) -> None:
    """An application that puts what came into the dialogue is told of, also where the stream ended politely."""
    for fault in ("cut;after_frames=4", "cut;after_frames=4;clean=true"):
        session.reset()
        session.answer("one two three four")
        session.arm(fault, times=1)
        with contextlib.suppress(httpx.RemoteProtocolError):
            asked(session, "hi", stream=True)
        half = session.last.carried.text
        asked(
            session, messages=[*MESSAGES, {"role": "assistant", "content": half}, {"role": "user", "content": "more"}]
        )

        assert half
        assert found(session) == {"truncated": "bad"}


def test_a_client_that_goes_on_after_blocked(session: Session) -> None:
    """What the review had blocked stands in the next dialogue; asking the same again is only worth a note."""
    session.answer("so far", blocked=True)
    asked(session, "hi", stream=True)
    asked(session, "hi", stream=True)
    assert found(session) == {"blocked": "note"}

    asked(
        session, messages=[*MESSAGES, {"role": "assistant", "content": "so far"}, {"role": "user", "content": "more"}]
    )
    assert found(session) == {"blocked": "bad"}


@pytest.mark.parametrize("fault", ["timeout", "stall;after_frames=2"])
def test_a_client_that_never_times_out(session: Session, fault: str) -> None:
    """It is in flight while it waits; the longer it waits the worse; when it leaves, that is noticed at once."""
    session.arm(fault)
    with asked_without_reading(session, stream=True):
        waiting = session.wait_for(1, in_flight=True)[0]

        assert (waiting.ending, waiting.in_flight, waiting.faults) == (None, True, (fault.split(";", maxsplit=1)[0],))
        assert session.exchanges(in_flight=False) == []
        assert found(session) == {"timeout": "note"}
        assert found(session, patience_ms=0) == {"timeout": "bad"}
        session.clock.advance(70_000)
        assert found(session) == {"timeout": "bad"}
    ended = session.wait_for(1)[0]
    assert (ended.ending, ended.client_left, ended.frames_sent) == ("hang", True, 0 if fault == "timeout" else 2)


def test_parallel_calls_alike(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty clients that ask the same at once, and all come back as told, are no storm."""
    Waits(together=20).put_into(monkeypatch)
    session.arm("status;status=429;retry_after_s=0.3", times=20)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: ask_sdk(session, 2), range(20)))

    findings = control(session, "GET", "/verdict").json()["findings"]
    assert {(one["rule"], one["mark"]) for one in findings} == {("retry-after", "good"), ("recovered", "good")}
