"""The command `fixtures`, as a user types it."""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import io
import json
from typing import TYPE_CHECKING

import pytest

from mockserver.cli.fixtures import add_arguments, main
from mockserver.core.errors import OperatorError
from mockserver.core.exchange import Ending, Exchange, Plan, Request
from mockserver.files.exchange_file import ExchangeFile, Provenance, file_of, written
from mockserver.recording.store import Store
from tests.recording_helpers import CHAT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LINE = b'{"choices": [{"index": 0, "delta": {"content": "%b"}}]}\n'


def fixtures(*words: str) -> tuple[int, str]:
    """Run `genstudio-mock fixtures`: its exit code and what it printed."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    out = io.StringIO()
    return main(parser.parse_args(words), {}, out, io.StringIO()), out.getvalue()


def exchange_file(
    frames: Sequence[bytes],
    gap_ms: float = 10.0,
    ending: Ending = Ending.COMPLETE,
    recorded_at: str = "2026-11-22T00:00:00Z",
    prompt: str = "你是谁?",
) -> ExchangeFile:
    """A recording."""
    times = tuple(gap_ms * (number + 1) for number in range(len(frames)))
    plan = Plan(200, ((b"Content-Type", b"application/json"),), tuple(frames), times or None, ending)
    body = json.dumps({"messages": [{"role": "user", "content": prompt}], "stream": True}).encode()
    exchange = Exchange(Request("POST", CHAT, {}, body), plan, len(frames), 0, ending)
    return file_of(exchange, Provenance(recorded_at=recorded_at, tool="", body_sha256=""))


def put(path: Path, file: ExchangeFile) -> str:
    """Write a file and return its name."""
    path.write_text(written(file))
    return str(path)


def test_show_draws_a_time_line(tmp_path: Path) -> None:
    """A row for each send: when, how long after the one before, how many bytes, where in the whole, and its text."""
    name = put(tmp_path / "a.json", exchange_file([b"abc", "我\x1b[31m".encode()], 10.0, Ending.CUT))

    code, text = fixtures("show", name)

    assert code == 0
    assert text.splitlines() == [
        f"POST {CHAT}  你是谁?",
        "200, 2 chunks, 11 bytes, cut",
        "  Content-Type: application/json",
        "     at ms       gap   bytes",
        "      10.0     +10.0       3 |···········█            | abc",
        "      20.0     +10.0       8 |·······················█| 我\\x1b[31m",
        "           cut: the body did not end",
    ]


def tailed(head_at_ms: float, checksum: bytes) -> ExchangeFile:
    """A recording that knows when its head came, with a trailer."""
    trailers = ((b"X-Checksum", checksum),)
    plan = Plan(200, (), (b"abc",), (10.0,), head_at_ms=head_at_ms, trailers=trailers)
    body = b'{"messages": [{"role": "user", "content": "hi"}]}'
    return file_of(
        Exchange(Request("POST", CHAT, {}, body), plan, 1), Provenance(recorded_at="", tool="", body_sha256="")
    )


def test_head_and_trailers_are_shown_and_compared(tmp_path: Path) -> None:
    """The time line begins with the head's time and ends with the trailers; both are compared."""
    one, other = put(tmp_path / "a.json", tailed(4.0, b"1")), put(tmp_path / "b.json", tailed(9.0, b"2"))

    lines = fixtures("show", one)[1].splitlines()

    assert lines[1] == "200, 1 chunk, 3 bytes, complete, head at 4.0 ms"
    assert lines[-1] == "           trailer X-Checksum: 1"
    assert fixtures("diff", one, other)[1].splitlines() == [
        "trailer X-Checksum: 1 / 2",
        "timing: head 4.0 ms / 9.0 ms",
    ]


def test_list_names_what_is_recorded(tmp_path: Path) -> None:
    """Status, ending, chunks, bytes, times, age, prompt and file; answer files are left out."""
    name = put(tmp_path / "a.json", exchange_file([b"abc", b"d"]))
    (tmp_path / "answer.json").write_text('{"match": {}, "answer": {"text": "a"}}')

    code, text = fixtures("list", str(tmp_path))

    assert code == 0
    [_, row] = text.splitlines()
    assert row.startswith("200    complete      2        4      10.0      20.0 ")
    assert row.endswith(f"你是谁? · {name}")


def test_list_for_programs(tmp_path: Path) -> None:
    """The same as JSON, an object a recording; an empty list where there is none."""
    name = put(tmp_path / "a.json", exchange_file([b"abc", b"d"]))

    [row] = json.loads(fixtures("list", "--json", str(tmp_path))[1])
    assert (row["file"], row["prompt"], row["status"], row["ending"]) == (str(name), "你是谁?", 200, "complete")
    assert (row["chunks"], row["bytes"], row["first_ms"], row["last_ms"]) == (2, 4, 10.0, 20.0)
    (tmp_path / "none").mkdir()
    assert fixtures("list", "--json", str(tmp_path / "none")) == (0, "[]\n")


def test_list_says_that_nothing_is_recorded(tmp_path: Path) -> None:
    """A folder without recordings gets a sentence in place of a bare heading."""
    assert fixtures("list", str(tmp_path)) == (0, f"no recordings in {tmp_path}; genstudio-mock record makes them\n")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(exchange_file([LINE % b"a", LINE % b"b"]), [], id="same"),
        pytest.param(
            exchange_file([LINE % b"a", LINE % b"c"]),
            ['bytes: 110 / 110; first difference at byte 103: ‹tent": "b"}}]}\\n› / ‹tent": "c"}}]}\\n›'],
            id="bytes",
        ),
        pytest.param(
            exchange_file([(LINE % b"a")[:5], (LINE % b"a")[5:] + LINE % b"b"]),
            ["chunks: 2 / 2; first difference at chunk 0: 55 bytes / 5 bytes"],
            id="chunks",
        ),
        pytest.param(
            exchange_file([LINE % b"a", LINE % b"b"], 40.0),
            [
                "timing: first send 10.0 ms / 40.0 ms",
                "timing: last send 20.0 ms / 80.0 ms",
                "timing: median gap 10.0 ms / 40.0 ms",
            ],
            id="timing",
        ),
        pytest.param(
            exchange_file([LINE % b"a", LINE % b"b"], ending=Ending.CUT), ["ending: complete / cut"], id="ending"
        ),
    ],
)
def test_diff_says_what_differs(other: ExchangeFile, expected: list[str], tmp_path: Path) -> None:
    """Bytes, chunks, shape and timing apart; the exit code is 1 where anything differs."""
    one = put(tmp_path / "a.json", exchange_file([LINE % b"a", LINE % b"b"]))

    code, text = fixtures("diff", one, put(tmp_path / "b.json", other))

    assert text.splitlines() == (expected or ["no difference in head, bytes, chunks, shape and timing"])
    assert code == bool(expected)


def test_diff_compares_shapes(tmp_path: Path) -> None:
    """A key that one chunk has more is named with its place."""
    one = put(tmp_path / "a.json", exchange_file([LINE % b"a"]))
    other = put(tmp_path / "b.json", exchange_file([b'{"id": 1, "choices": []}\n']))

    _, text = fixtures("diff", one, other)

    shape = "shape: 1 / 1 objects; first difference at object 0: {choices[{index, delta{content}}]} / {id, choices[]}"
    assert shape in text.splitlines()


@pytest.mark.parametrize(("most", "code"), [("30d", 1), ("90000w", 0)])
def test_age(most: str, code: int, tmp_path: Path) -> None:
    """Recordings older than the span are named; without a date a recording counts as too old."""
    old = put(tmp_path / "old.json", exchange_file([b"a"], recorded_at="2020-01-01T00:00:00Z"))
    put(tmp_path / "new.json", exchange_file([b"a"], recorded_at=dt.datetime.now(dt.UTC).isoformat()))

    found, text = fixtures("age", "--max", most, str(tmp_path))

    assert found == code
    assert text.splitlines()[-1] == (f"1 older than {most}" if code else f"none is older than {most}")
    assert text.startswith(f"{old}: ") == bool(code)


PACKED = Plan(200, ((b"Content-Encoding", b"gzip"),), (gzip.compress(b'{"a": "sk-abcdefghijklmnop1234"}'),), (1.0,))
VERIFIED = {
    "key-in-a-prompt": (exchange_file([b"a"], prompt="sk-abcdefghijklmnop1234"), "holds an API key (sk-…)"),
    "key-in-a-body": (exchange_file([b'{"a": "sk-abcdefghij', b'klmnop1234"}']), "holds an API key (sk-…)"),
    "key-in-pieces": (
        exchange_file([LINE % b"sk-abcdefghij", LINE % b"klmnop1234"]),
        "holds a key that the answer spells across its chunks",
    ),
    "key-in-a-packed-body": (
        file_of(Exchange(Request("POST", CHAT), PACKED, 1), Provenance(recorded_at="", tool="", body_sha256="")),
        "holds an API key (sk-…)",
    ),
    "clean": (exchange_file([LINE % b"a"]), ""),
}


@pytest.mark.parametrize(("file", "message"), VERIFIED.values(), ids=VERIFIED)
def test_verify_finds_keys(file: ExchangeFile, message: str, tmp_path: Path) -> None:
    """What looks like a key is found wherever it hides, is not shown again, and makes the exit code 1."""
    name = put(tmp_path / "a.json", file)

    code, text = fixtures("verify", str(tmp_path))

    assert code == bool(message)
    assert (f"{name}: {message}" in text) == bool(message)
    assert "abcdefgh" not in text
    assert text.splitlines()[-1] == f"1 file, {int(bool(message))} wrong"


def test_verify_reads_answer_files_and_notes_edits(tmp_path: Path) -> None:
    """Keys in answer files are found too; an edit is a note, a broken file a problem."""
    (tmp_path / "answer.json").write_text('{"match": {}, "answer": {"text": "Bearer abcdefghijklmnop"}}')
    put(tmp_path / "edited.json", exchange_file([b"abc"]))
    (tmp_path / "edited.json").write_text((tmp_path / "edited.json").read_text().replace("abc", "abd"))
    (tmp_path / "broken.json").write_text("{")

    code, text = fixtures("verify", str(tmp_path))

    assert code == 1
    assert f"{tmp_path / 'answer.json'}: holds a bearer token; record again, or remove it" in text
    assert f"{tmp_path / 'edited.json'}: note: its body was edited after it was recorded" in text
    assert f"{tmp_path / 'broken.json'}: not a JSON file" in text
    assert text.endswith("3 files, 2 wrong\n")


def test_the_shipped_fixtures_hold_no_key() -> None:
    """What is published with the package was looked through."""
    code, text = fixtures("verify")

    assert code == 0, text


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    """The folder is named in the error, and no half file is left."""
    (tmp_path / "mt-infini-3b").write_text("in the way")

    with pytest.raises(OperatorError, match="chip3: cannot be written"):
        Store(tmp_path).save(exchange_file([b"a"]))

    assert [path.name for path in tmp_path.iterdir()] == ["mt-infini-3b"]
