"""The fuzzer finds planted bugs, shrinks them to small streams, and lets a right client pass."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from mockserver.contract import fuzz, fuzz_files, fuzz_server, shrink, strategies, streams
from mockserver.contract.forms import FORMS
from mockserver.contract.fuzz import FuzzOptions, difference, find_bug, find_bugs
from mockserver.contract.harmless import HARMLESS, KNOWN, LEFT_OUT, WITHOUT_EFFECT, harmless
from mockserver.core.errors import OperatorError
from mockserver.core.exchange import Answer, ToolCall, Usage
from mockserver.files.exchange_file import read
from mockserver.pipeline.read import objects_of
from mockserver.profile import quirks
from mockserver.recording.show import time_line
from mockserver.sources.recordings import load as load_recordings
from tests import buggy_sse
from tests.buggy_clients import BUGS, KNOWN_BUGS, decodes_each_read, reads, uses_splitlines, wants_a_space
from tests.buggy_readers import BUGS as KINDS
from tests.buggy_readers import COUNTED_BY_NAME, OTHERS
from tests.right_clients import NVIDIA, reads_rightly, wire_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mockserver.contract.fuzz import Said
    from mockserver.pipeline.wire_settings import WireSettings


SILENT = "silent: the client read nothing and raised nothing; the stream says '0'"
CHIP3 = wire_of("2024-tutorial", "chip3")
pytestmark = pytest.mark.usefixtures("no_wait_behind_cuts")


@cache
def sweep_of(wire: WireSettings, further: tuple[str, ...], **how: Any) -> tuple[streams.Stream, ...]:
    """The streams that no chance should miss."""
    return tuple(streams.sweep(wire, further, **how))


@pytest.fixture(autouse=True)
def the_same_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the same for every client of a chip, and made once: to make them takes as long as to read them."""
    monkeypatch.setattr(fuzz, "sweep", lambda wire, further, **how: sweep_of(wire, tuple(further), **how))


@pytest.mark.parametrize("client", BUGS, ids=lambda one: one.__name__)
def test_a_planted_bug_is_found_and_shrunk(client: Callable[[str], str]) -> None:
    """Each bug is found within the default number of streams, and shown with as few frames as it needs."""
    chip, most_frames = BUGS[client]
    wire = wire_of("2024-tutorial", chip)

    failure = find_bug(client, wire)

    assert failure is not None
    assert len(failure.stream.frames) <= most_frames
    assert all(fuzz_again(client, one) == "" for one in shrink.smaller(wire, failure.stream)), "it could be smaller"


@pytest.mark.parametrize(
    ("client", "most_frames", "says"),
    [
        pytest.param(client, *row, id=f"{kind}: {client.__name__}")
        for kind, bugs in {**KINDS, "others": OTHERS, "libraries": buggy_sse.BUGS}.items()
        for client, row in bugs.items()
    ],
)
def test_a_bug_of_each_kind_is_found_by_its_cause(
    client: Callable[[str], Said], most_frames: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is found within the default number of streams, shrunk, and what is said of it names what it is about."""
    monkeypatch.setattr(fuzz_server, "HELD_OPEN_S", 0.5)
    further: tuple[str, ...] | None = None
    if client in KINDS["pauses"]:
        further = ()  # what they are impatient with is tried at once
    elif client in (by_name := COUNTED_BY_NAME | buggy_sse.COUNTED_BY_NAME):
        further = (*harmless(NVIDIA), *by_name[client])

    failure = find_bug(client, NVIDIA, further=further, most_pause_ms=1000 if client in KINDS["pauses"] else 1)

    assert failure is not None
    assert says in "; ".join([*failure.stream.quirks, *failure.words, failure.problem])
    assert len(failure.stream.frames) <= most_frames


def test_what_many_lose_counts_only_by_name() -> None:
    """A byte order mark is no bug of a client that loses it, unless that is asked for; the report tells it as known."""
    (client, names), *_ = KNOWN_BUGS.items()

    found = find_bugs(client, NVIDIA, FuzzOptions(most_pause_ms=0))
    failure = find_bug(client, NVIDIA, further=("role-merged", "bom"))

    assert (found.failures, [one.stream.quirks for one in found.known]) == ((), [names])
    assert str(found.known[0]).splitlines()[1].startswith("known, the standard allows it: an event stream may begin ")
    assert failure is not None
    assert set(failure.stream.quirks) == set(names)


def fuzz_again(client: Callable[[str], str], stream: streams.Stream) -> str:
    """The problem that a client has with a stream."""
    with fuzz.serving(fuzz.exchange_of(stream)) as url:
        return fuzz.judge(client, url, fuzz.truth_of(stream))


@pytest.mark.parametrize(
    ("client", "problem", "names", "text"),
    [
        (wants_a_space, SILENT, ("data-nospace",), "0"),
        (decodes_each_read, "the client read '\ufffd\ufffd'; the stream says 'é'", (), "é"),
        (uses_splitlines, "the client raised JSONDecodeError: Unterminated string starting at", (), "\u2028"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)  # fmt: skip
def test_the_bug_is_shown_by_the_smallest_cause(
    client: Callable[[str], str], problem: str, names: tuple[str, ...], text: str
) -> None:
    """What is left of a stream is what the bug needs: one quirk, one character, or one cut inside one."""
    failure = find_bug(client, NVIDIA)

    assert failure is not None
    assert failure.problem.startswith(problem)
    assert failure.stream.quirks == names
    assert failure.stream.answer.text == text


@pytest.mark.parametrize(("framing", "wire"), [("sse", NVIDIA), ("json-lines", CHIP3)])
def test_a_right_client_passes(framing: str, wire: WireSettings) -> None:
    """A reader that follows the standards reads every stream rightly, to the last key: what is generated is valid."""
    assert find_bug(reads_rightly(framing), wire, examples=150, full=True) is None


def test_all_that_a_client_tells_is_compared() -> None:
    """A client that loses the usage chunk is right about the text and wrong about the usage."""

    def loses_usage(base_url: str) -> dict[str, Any]:
        said = dict(reads_rightly("sse")(base_url))  # type: ignore[arg-type]
        return {**said, "usage": None}

    failure = find_bug(loses_usage, NVIDIA, full=True)

    assert failure is not None
    assert failure.problem == (
        "the client read usage None; the stream says {'prompt_tokens': 5, 'completion_tokens': 2, 'total_tokens': 7}"
    )


LONGER = (
    "the client read 'hixxxxxxxxxxxxxxxxxx'… (402 characters); the stream says 'hi'; from character 3 on they differ: "
    "read 'hixxxxxxxxxxxxxxxxxxxx', due 'hi'"
)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("hi", ""),
        ("hi\n", ""),
        ("hi\r\n", ""),
        ("hi\n\n", "the client read 'hi\\n\\n'; the stream says 'hi'"),
        ("", "silent: the client read nothing and raised nothing; the stream says 'hi'"),
        ({"text": "hi", "finish_reason": "length"}, "the client read finish_reason 'length'; the stream says 'stop'"),
        ({"text": None}, "silent: the client read nothing and raised nothing; the stream says 'hi'"),
        ({"text": "hi" + "x" * 400}, LONGER),
    ],
)
def test_how_a_reading_is_compared(said: Said, found: str) -> None:
    """One line end after the text does not count; everything else does."""
    assert difference(said, {"text": "hi", "finish_reason": "stop"}) == found


def test_a_key_that_is_not_compared_is_the_operators_mistake() -> None:
    """It is told with the near names, and is no bug of the client's."""
    with pytest.raises(OperatorError, match="fuzz: the client tells 'texts', which is not compared; did you mean text"):
        find_bug(lambda _url: {"texts": ""}, NVIDIA)


def openai_client(base_url: str) -> str:
    """The official SDK, as its documents show it."""
    import openai

    with openai.OpenAI(api_key="sk-test", base_url=base_url, max_retries=0) as client:
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def openai_helper(base_url: str) -> str:
    """The official SDK's helper that puts a stream together."""
    import openai

    with (
        openai.OpenAI(api_key="sk-test", base_url=base_url, max_retries=0) as client,
        client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "hi"}]) as stream,
    ):
        stream.until_done()
        return stream.get_final_completion().choices[0].message.content or ""


@pytest.mark.parametrize(
    ("client", "chip", "further", "names"),
    [
        (openai_client, "chip3", (), ()),
        (openai_client, "nvidia", ("bom", "role-merged"), ("bom", "role-merged")),
        (openai_helper, "nvidia", ("object-last",), ("object-last",)),
    ],
    ids=["bare lines", "a byte order mark", "chunks without object"],
)
def test_where_the_official_sdk_is_silently_empty(
    client: Callable[[str], str], chip: str, further: tuple[str, ...] | None, names: tuple[str, ...]
) -> None:
    """The SDK reads nothing and raises nothing: from bare lines, from the first event after a byte order mark, and
    its helper from chunks that do not say that they are chunks.
    """  # noqa: D205 - one sentence
    failure = find_bug(client, wire_of("2024-tutorial", chip), further=further)

    assert failure is not None
    assert failure.problem == SILENT
    assert failure.stream.quirks == names
    assert len(failure.stream.frames) <= 4


def test_a_failure_is_saved_as_a_recording(tmp_path: Path) -> None:
    """The file is one exchange as the recorder writes them: it is served, drawn and matched like any other."""
    failure = find_bug(wants_a_space, NVIDIA, path="/maas/m/nvidia/chat/completions")
    assert failure is not None

    paths = fuzz_files.save(failure, tmp_path, "from tests.buggy_clients import wants_a_space as read", "2024-tutorial")

    file = read(paths[0])
    assert not file.edited
    assert file.bodies_match
    assert (file.provenance.origin, file.provenance.edition) == ("fuzz", "2024-tutorial")
    with fuzz.serving(fuzz.load(paths[0])) as url:
        assert url.endswith("/maas/m/nvidia")
        assert b"".join(reads(url)) == b"".join(failure.stream.frames)
    assert len([line for line in time_line(file) if "data:{" in line]) == 3
    assert [(one.request.chip, list(one.plan.frames)) for one in load_recordings(tmp_path)] == [
        ("nvidia", list(failure.writes))
    ]
    assert "64 61 74 61 3a 7b" in paths[1].read_text()
    assert fuzz_files.save(failure, tmp_path, "def read(): ...", "2024-tutorial") == paths


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    """Loading names the file and what is wrong with it."""
    path = tmp_path / "x.json"
    path.write_text("{}")

    with pytest.raises(OperatorError, match="no exchange file: it has no key 'response'"):
        fuzz.load(path)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.streams(quirks.STANDARD))
def test_what_is_sent_is_what_was_generated(stream: streams.Stream) -> None:
    """A served stream has the bytes of its frames, and its truth is the answer's text."""
    plan = fuzz.exchange_of(stream).plan

    assert plan is not None
    assert b"".join(plan.frames) == b"".join(stream.frames)
    assert fuzz.truth_of(stream)["text"] == stream.answer.text


@pytest.mark.parametrize("wire", [NVIDIA, CHIP3], ids=["sse", "json-lines"])
def test_every_harmless_quirk_is_tried_alone(wire: WireSettings) -> None:
    """No chance decides whether a quirk is met: the first streams have each that changes something, and once."""
    names = harmless(wire)
    swept = streams.sweep(wire, names, tools=True)
    tried = {one.quirks for one in swept}
    plain = {one.writes for one in swept if not one.quirks}
    silent = [name for name in names if (name,) not in tried]

    assert all(streams.composed(wire, (name,), streams.RICH, streams.SPREAD).writes in plain for name in silent)
    assert len({(one.writes, one.wire.frame, one.never_ends) for one in swept}) == len(swept)
    assert ("no-last-newline" in names) == (wire is CHIP3)
    assert ("comments" in names) == ("data-lines" in names) == (wire is NVIDIA)


def test_each_quirk_is_harmless_known_or_left_out() -> None:
    """The fuzzer does not guess: of each quirk that is not its axis's standard one table says what to do."""
    listed = [*HARMLESS, *KNOWN, *(name for names in LEFT_OUT.values() for name in names)]
    deviations = [quirk.name for axis in quirks.AXES for quirk in axis.quirks[1:]] + list(quirks.EXAMPLES)
    deviations += FORMS

    unlisted = [name for name in deviations if name not in listed]
    assert not unlisted, (
        f"{unlisted}: say in mockserver/contract/harmless.py whether a client that follows the standards reads the "
        "same answer with it (HARMLESS), whether many clients are known to lose it (KNOWN), or why the fuzzer leaves "
        "it out (LEFT_OUT)"
    )
    assert sorted(listed) == sorted(deviations), "harmless.py lists a quirk twice, or one that the table does not have"


CALLS = Answer(
    (),
    Usage(5, 3),
    "tool_calls",
    tool_calls=(ToolCall("c", "look", ('{"q": ', "1}")), ToolCall("d", "see", ('{"a"', ":", "2}"))),
)
ANSWERS = (streams.RICH, CALLS, replace(streams.RICH, finish_reason="length"))
BASES = {name: quirks.changed(quirks.STANDARD, name) for name in ("sse", "json-lines", "usage-chunk", "role-merged")}


def told(wire: WireSettings, answer: Answer) -> tuple[object, ...]:
    """All that a client can tell of a generated stream: headers, objects, how many bytes; the order of keys is none."""
    plan = fuzz.exchange_of(streams.composed(wire, (), answer, streams.Cuts())).plan
    assert plan is not None
    body = b"".join(plan.frames)
    return plan.headers, objects_of(body), len(body)


@pytest.mark.parametrize(
    ("name", "why"), [pytest.param(name, why, id=name) for why, names in LEFT_OUT.items() for name in names]
)
def test_what_is_left_out_is_left_out_for_its_reason(name: str, why: str) -> None:
    """A quirk that is said to be without effect has none on any base, and the others have one."""
    pairs = [(wire, quirks.changed(wire, name), answer) for wire in BASES.values() for answer in ANSWERS]

    alike = [told(wire, answer) == told(with_it, answer) for wire, with_it, answer in pairs]

    assert all(alike) == (why == WITHOUT_EFFECT)


def test_json_of_a_truth_can_be_printed() -> None:
    """Every key of a truth is JSON, so that programs in any language can print it."""
    truth = fuzz.truth_of(streams.sweep(NVIDIA, ())[0])

    assert json.loads(json.dumps(truth)) == truth
