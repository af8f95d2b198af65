"""What a user of the package writes, with every public name: checked by mypy and never run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, assert_type

import httpx

import mockserver
from mockserver import (
    BadChunkedFraming,
    Bandwidth,
    BlockedAt,
    Budget,
    Carried,
    ClientFinding,
    ClientSawError,
    ClientVerdict,
    Config,
    Cut,
    DropDone,
    DropField,
    DuplicateFrame,
    Edition,
    EmptyBody,
    ErrorFrame,
    Failure,
    Fault,
    FirstTokenDelay,
    Fuzzed,
    FuzzOptions,
    Heartbeat,
    Latency,
    LimitData,
    MalformedFrame,
    MockError,
    MockServer,
    NothingAskedError,
    OperatorError,
    Pace,
    PaceSettings,
    Phase,
    RateLimit,
    Reorder,
    ResetPeer,
    Result,
    RunningMock,
    SeenExchange,
    ServedEdition,
    Session,
    SessionClock,
    SetHeader,
    SilentEmptyError,
    Slicer,
    SlowClose,
    Stall,
    Status,
    Target,
    Timeout,
    TruncatedJson,
    UnreachableError,
    WrongContentType,
    WrongTextError,
    asgi_app,
    assert_clause,
    check,
    edition_of,
    find_bug,
    find_bugs,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


def with_fixtures(
    genstudio_mock: Session, genstudio_mock_server: RunningMock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The fixtures, as a test annotates them."""
    assert_type(genstudio_mock.chip("chip3").model("a-model").base_url, str)
    assert_type(genstudio_mock.env(), dict[str, str])
    genstudio_mock.set_env(monkeypatch)
    genstudio_mock.arm("cut;after_frames=3", times=1, every=2, probability=0.5, chip="chip3", stream=True)
    genstudio_mock.arm({"type": "timeout"})
    genstudio_mock.arm("timeout", colour="red")  # type: ignore[call-arg]
    genstudio_mock.disarm()
    genstudio_mock.answer("text", times=None, chip="chip3", contains="hi")
    genstudio_mock.answer(pieces=["a", "b"], usage={"prompt_tokens": 1, "completion_tokens": 3}, delay_ms=5)
    genstudio_mock.answer(tool_calls=[{"name": "weather", "arguments": {}}], finish_reason="tool_calls")
    genstudio_mock.answer(txt="text")  # type: ignore[call-arg]
    genstudio_mock.answer_from(tmp_path, "answers")
    assert_type(genstudio_mock.exchanges(chip="chip3", status=200, after=1), list[SeenExchange])
    assert_type(genstudio_mock.wait_for(2, timeout_s=1.0, stream=True), list[SeenExchange])
    assert_type(genstudio_mock.last.status, int | None)
    assert_type(genstudio_mock.last.carried, Carried)
    assert_type(genstudio_mock.last.carried.text, str)
    genstudio_mock.save(tmp_path / "a.json", number=1)
    assert_type(genstudio_mock.verdict(), ClientVerdict)
    assert_type([one.advice for one in genstudio_mock.verdict().findings], list[str])
    assert_type(genstudio_mock.clock, SessionClock)
    assert_type(genstudio_mock.clock.elapsed_ms, float)
    assert_type(genstudio_mock.verdict().findings, tuple[ClientFinding, ...])
    assert_type(genstudio_mock_server.edition, ServedEdition)
    assert_type(genstudio_mock_server.edition.chips, tuple[str, ...])
    assert_type(genstudio_mock_server.session(), Session)


def faults(session: Session) -> None:
    """Every fault as a value, with its settings."""
    every: Sequence[Fault] = [
        Status(status=503, message="busy", retry_after_s=1), RateLimit(rpm=None, tpm=100, retry_after=True),
        Latency(ms=5, jitter_ms=1), FirstTokenDelay(ms=5), Stall(after_frames=1, ms=None), Cut(after_frames=3),
        Cut(after_bytes=10, clean=True), ResetPeer(after_frames=1), LimitData(bytes=9), Timeout(),
        Slicer(average_bytes=3, delay_ms=0), Bandwidth(bytes_per_s=1000), MalformedFrame(at_frame=1),
        TruncatedJson(at_frame=1), DropDone(), DuplicateFrame(at_frame=1), Reorder(at_frame=1),
        ErrorFrame(after_frames=1, code=500, message="late"), WrongContentType(content_type="text/html"),
        BadChunkedFraming(at_frame=1), SlowClose(ms=5), EmptyBody(), DropField(field="choices", at_frame=None),
        BlockedAt(after_pieces=1), SetHeader(name="x-should-retry", value="false"), Heartbeat(every_ms=700, data=None),
        Pace(first_token_ms=5, inter_token_ms=1, jitter=0),
    ]  # fmt: skip
    for fault in every:
        session.arm(fault, times=1, contains="hi")
    Cut(after_frame=3)  # type: ignore[call-arg]
    Status()  # type: ignore[call-arg]
    Latency(ms="soon")  # type: ignore[arg-type]


def errors(session: Session) -> str:
    """What is raised, and of which kind it is."""
    try:
        session.assert_client_saw("text", exchanges=2)
    except (SilentEmptyError, WrongTextError, NothingAskedError) as error:
        saw: ClientSawError = error
        failed: AssertionError = saw
        assert_type(saw.exchanges, tuple[SeenExchange, ...])
        return str(failed)
    except (MockError, OperatorError, UnreachableError) as error:
        return str(error)
    return ""


def with_a_server() -> None:
    """In a thread, and without a socket."""
    with MockServer(edition="2025-reference", model=["own"], seed=1) as mock, mock.session() as session:
        assert_type(mock, MockServer)
        assert_type(session, Session)
    running: RunningMock = MockServer(Config(port=0))
    assert_type(running.url, str)
    httpx.ASGITransport(asgi_app(strict=True))
    MockServer(editon="2025-reference")  # type: ignore[call-arg]
    MockServer(replay="regenerate", speed=10, pace="recorded", clock="real", fixtures=[Path("answers"), "more"])
    MockServer(pace=PaceSettings(first_token_ms=300), moderation={"input_words": ["x"]})
    MockServer(Config(seed=1), host="::1", port=8777, grace_seconds=1, strict=True, control=False)
    MockServer(replay="anew")  # type: ignore[arg-type]
    MockServer(uds="socket")  # type: ignore[call-arg]
    asgi_app(port=8777)  # type: ignore[call-arg]


async def asynchronously() -> None:
    """In async code."""
    async with MockServer() as mock:
        assert_type(mock.base_url(chip="chip3"), str)


def the_contract() -> None:
    """The contract as calls, and the search for a client's bug."""
    edition = edition_of("2024-tutorial")
    assert_type(edition, Edition)
    target = Target("http://127.0.0.1:8777", "a-model", "chip3", edition=edition, key="sk-x", timeout_s=5)
    result = check(target, budget=Budget(requests=20), phases=[Phase.EXAMPLES])
    assert_type(result, Result)
    assert_type([one.evidence for one in result.broken], list[str])
    assert_clause("status", target, body=b"{}", refusal="invalid-field")
    failure = find_bug(lambda base_url: base_url, edition.chips["chip3"].wire, examples=10)
    assert_type(failure, Failure | None)
    assert_type(failure.problem if failure else "", str)
    several = find_bugs(lambda base_url: base_url, edition.chips["chip3"].wire, FuzzOptions(examples=10))
    assert_type(several, Fuzzed)
    assert_type([one.problem for one in several.failures], list[str])


def what_is_not_there() -> None:
    """The package has the names that it lists and no others."""
    assert_type(mockserver.__version__, str)
    print(mockserver.MockServr)  # type: ignore[attr-defined]
