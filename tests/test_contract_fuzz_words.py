"""The fuzzer's forms say the same, and its failures are told in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mockserver.contract import fuzz_files, fuzz_server, streams
from mockserver.contract.cut_words import kind_and_words
from mockserver.contract.failure import Failure, exchange_of, truth_of
from mockserver.contract.forms import FORMS, HALVES, NEVER_ENDS
from mockserver.contract.fuzz import FuzzOptions, find_bugs
from mockserver.contract.judge import difference, judge
from mockserver.contract.streams import CALLS, RICH, Cuts, composed
from mockserver.core.exchange import Ending
from mockserver.files.exchange_file import exchange_of as of_file
from mockserver.files.exchange_file import read
from mockserver.pipeline.frame import DONE, WIRE_FORMATS
from mockserver.profile import quirks
from tests.buggy_clients import (
    body_of,
    decodes_each_read,
    parses_each_read,
    reads,
    text_of,
    uses_splitlines,
    wants_a_space,
)
from tests.buggy_readers import keeps_one_call, told, waits_for_the_end_of_the_body
from tests.right_clients import NVIDIA, reads_rightly

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.contract.fuzz import Said, Trial

pytestmark = pytest.mark.usefixtures("no_wait_behind_cuts")
FORMS_ON = [
    pytest.param(base, name, id=f"{name} on {base}")
    for base in ("sse", "cr", "bom", "data-nospace,crlf,json-compact", "json-lines", "role-merged,finish-merged")
    for name, form in FORMS.items()
    if base != "json-lines" or not form.events
]


@pytest.mark.parametrize(("base", "name"), FORMS_ON)
@pytest.mark.parametrize("answer", [RICH, CALLS], ids=["text", "calls"])
def test_a_form_says_the_same(base: str, name: str, answer: Any) -> None:
    """Our own reader, which follows the standards, reads the same answer, whatever the form; a byte is different."""
    wire = quirks.changed(quirks.STANDARD, base)
    stream = composed(wire, (name,), answer, Cuts())
    reader = WIRE_FORMATS[wire.frame.framing].reader()

    objects = [*reader.feed(b"".join(stream.frames)), *reader.close()]
    chunks = [one for one in objects if isinstance(one, dict)]
    text = "".join(choice["delta"].get("content") or "" for one in chunks for choice in one["choices"])

    assert difference(text, {"text": truth_of(stream)["text"]}) == ""
    assert (objects[-1] is DONE) == (wire.frame.framing == "sse")
    assert (stream.frames == composed(wire, (), answer, Cuts()).frames) == (name == NEVER_ENDS)


@pytest.mark.parametrize(
    ("body", "at", "kind", "words"),
    [
        ("data: é\n\n", 7, "inside a character", "inside é (c3 | a9)"),
        ("data: 🤖\n\n", 8, "inside a character", "inside 🤖 (f0 9f | a4 96)"),
        ("data: \u2028\n\n", 7, "inside a character", "inside '\\u2028' (e2 | 80 a8)"),
        ("\ufeffdata: a\n\n", 1, "inside a character", "inside the byte order mark"),
        ("data: a\r\n\r\n", 8, "inside CRLF", "between CR and LF"),
        ("data: a\n\nb", 8, "between newlines", "between two line ends"),
        ("data: a\r\rb", 8, "between newlines", "between two line ends"),
        ("data: a\n\ndata: b\n\n", 9, "", ""),
        ("data: a\n\ndata: b\n\n", 12, "inside data:", "inside data: (behind dat)"),
        (r'data: "\u4f60"', 9, "inside an escape", r"inside the escape \u4f60"),
        (r'data: "\ud83e\udd16"', 13, "inside an escaped pair", r"inside the escaped '🤖' (\ud83e\udd16)"),
        ('data: {"id": 1}\n\n', 8, "inside a line", "inside a line, before 'id\": 1}'"),
        ("data: a", 0, "", ""),
    ],
)
def test_where_a_write_ends_in_words(body: str, at: int, kind: str, words: str) -> None:
    """What a cut falls into is named, with the bytes on both sides of a character."""
    found = kind_and_words(body.encode(), at)

    assert found[0] == kind
    assert found[1].startswith(words)


def failure_of(*names: str, answer: Any = RICH, cuts: Cuts = Cuts()) -> Failure:  # noqa: B008 - frozen
    """A failure with a stream of the standard dialect."""
    stream = composed(quirks.STANDARD, names, answer, cuts)
    return Failure(stream, exchange_of(stream), "the client read nothing")


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (failure_of("crlf"), "Lines end with CR LF"),
        (failure_of("id-field"), "Each event has an id: field before its data"),
        (failure_of(cuts=Cuts(pauses=((1, 700),))), "700 ms pass before write 2"),
        (failure_of(cuts=Cuts(joined=(0,))), "write 1 holds the ends of 2 frames"),
        (failure_of(answer=CALLS), "the answer calls 2 functions"),
        (failure_of(), "the text has U+2028, U+0085, which ends no line of a stream"),
        (failure_of(answer=next(streams.long_answers())), "a line is 1,220 bytes long"),
    ],
    ids=["quirk", "form", "pause", "joined", "calls", "line ends", "long"],
)
def test_a_failure_is_told_in_words(failure: Failure, words: str) -> None:
    """Each thing that is odd about a stream is one sentence, and the failure's text is the report."""
    assert words in failure.words
    assert str(failure).startswith(f"the client read nothing\n{failure.words[0]}\n")
    assert f"\n{words}\n" in str(failure)


def test_a_long_stream_is_shown_by_its_ends() -> None:
    """The report leaves out the middle; the file beside it has every byte."""
    *_, longest = [one for one in streams.long_answers() if len(one.pieces) == 1]
    failure = failure_of(answer=longest)

    assert len(str(failure).splitlines()) < 60
    assert "more rows …" in str(failure)
    assert len(failure.explain(whole=True).splitlines()) > 4000


# --- several bugs -------------------------------------------------------------------------------------------------


def has_many_bugs(base_url: str) -> Said:
    """Wants a space, decodes each read, and splits lines as Python does."""
    wants_a_space(base_url)
    body = b"".join(reads(base_url))
    if b"\ndata:{" in body:
        return ""
    if any(data.decode("utf-8", "ignore").encode() != data for data in reads(base_url)):
        return decodes_each_read(base_url)
    return uses_splitlines(base_url)


@pytest.mark.parametrize(
    ("client", "causes"),
    [
        (wants_a_space, ["data: is not followed by a space", "several data: lines"]),
        (decodes_each_read, ["ends inside é"]),
        (parses_each_read, ["ends inside a line", "ends between CR and LF"]),
        (keeps_one_call, ["the answer calls 2 functions"]),
    ],
    ids=["quirks", "a character", "a line", "calls"],
)
def test_a_bug_is_told_once(client: Any, causes: list[str]) -> None:
    """However many streams show it: what breaks the client is left out of those that follow."""
    found = find_bugs(client, NVIDIA, FuzzOptions(most_pause_ms=0, known=(), examples=90))

    told_of = ["; ".join(one.words) for one in found.failures]
    assert len(told_of) == len(causes)
    assert all(cause in one for one, cause in zip(told_of, causes, strict=True))


def test_several_bugs_are_told_apart() -> None:
    """Each with a stream of its own."""
    found = find_bugs(has_many_bugs, NVIDIA, FuzzOptions(("data-nospace", "crlf"), (), examples=40, most_pause_ms=0))

    told_of = ["; ".join(one.words) for one in found.failures]
    assert any("not followed by a space" in one for one in told_of)
    assert any("ends inside é" in one for one in told_of)
    assert any("U+2028" in one for one in told_of)
    assert len({(one.stream.quirks, one.stream.cuts, one.stream.answer) for one in found.failures}) == len(told_of)


def test_a_client_that_reads_nothing_is_told_once() -> None:
    """There is nothing that could be left out: one failure, and no further streams."""
    found = find_bugs(lambda _url: "", NVIDIA, FuzzOptions(further=(), most_pause_ms=0))

    assert len(found.failures) == 1
    assert found.tried == 1


def test_what_was_covered_is_counted() -> None:
    """Forms, where writes end, and the largest of each size; the progress says what each stream is tried with."""
    trials: list[Trial] = []
    options = FuzzOptions(further=("crlf", "id-field"), known=("bom",), examples=40, most_pause_ms=20)

    found = find_bugs(reads_rightly("sse"), NVIDIA, options, trials.append)

    covered = found.covered
    assert set(covered.forms) == {"as the chip sends it", "crlf", "id-field", "bom"}
    assert {"inside a character", "inside data:", "between events", "inside a line"} <= set(covered.cuts)
    assert covered.longest_line > 65_536
    assert covered.longest_pause_ms == 20
    assert covered.calls > 0
    assert found.tried == len(trials)
    assert trials[1].tried.startswith("crlf, cut inside a character")
    assert any("pauses of 20 ms" in one.tried for one in trials)


def test_parallel_calls_are_tried_where_the_client_tells_of_calls() -> None:
    """Whether it does is seen by its first answer."""
    options = FuzzOptions(("data-nospace",), (), examples=20, most_pause_ms=0)
    text = find_bugs(lambda url: text_of(body_of(url)), NVIDIA, options)
    calls = find_bugs(told, NVIDIA, options)

    assert (text.covered.calls, text.failures) == (0, ())
    assert calls.covered.calls > 0


# --- pauses and ends ----------------------------------------------------------------------------------------------


def test_pauses_are_kept_in_the_file(tmp_path: Path) -> None:
    """A saved stream is served with its pauses; a recording of something else without."""
    failure = failure_of(cuts=Cuts(pauses=((0, 7), (2, 8))))

    path = fuzz_files.save(failure, tmp_path, "def read(base_url): ...")[0]
    plan = fuzz_server.load(path).plan
    path.write_text(path.read_text().replace('"origin": "fuzz"', '"origin": "proxy"'))

    assert plan is not None
    assert list(plan.at_ms or ())[:4] == [7, 7, 15, 15]
    assert (of_file(read(path)).plan or plan).at_ms == plan.at_ms
    other = fuzz_server.load(path).plan
    assert other is not None
    assert other.at_ms is None


def test_who_waits_for_a_body_that_does_not_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is reset after a while, so that nobody hangs, and the saved test fails of it."""
    monkeypatch.setattr(fuzz_server, "HELD_OPEN_S", 0.2)
    exchange = exchange_of(composed(NVIDIA, (NEVER_ENDS,), RICH, Cuts()))

    assert exchange.ending is Ending.HANG
    with fuzz_server.serving(exchange) as url:
        assert text_of(b"".join(reads(url)).decode()) == RICH.text
    with pytest.raises(AssertionError, match="the client waited"), fuzz_server.serving(exchange) as url:
        judge(waits_for_the_end_of_the_body, url, {})


@pytest.mark.parametrize("name", ["no-done", "buffered", "json-lines"])
def test_a_body_ends_where_nothing_else_says_that_it_is_over(name: str) -> None:
    """Without a done marker, or with a length, the end of the body is all that there is."""
    stream = composed(quirks.changed(quirks.STANDARD, name), (NEVER_ENDS,), RICH, Cuts())

    assert exchange_of(stream).ending is Ending.COMPLETE


def test_halves_of_characters_need_not_be_joined() -> None:
    """Where a stream cuts a character in two, a client whose strings can hold halves is right, joined or not."""
    stream = composed(NVIDIA, (HALVES,), RICH, Cuts())
    truth = truth_of(stream)

    assert difference(RICH.text, truth) == ""
    assert difference(truth["text"], truth) == ""
    assert difference(RICH.text.replace("🤖", "\ufffd\ufffd"), truth) != ""
    assert difference(truth["text"], {"text": RICH.text}) != "", "a character that came whole is to be whole"
    assert json.loads(json.dumps(truth)) == {**truth, "text": RICH.text}
