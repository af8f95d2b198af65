"""The benchmarks judge and print their figures as they say; what they measure is not tested here."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from bench import documents
from bench.client import Stream, dechunked, post
from bench.report import Figure, Goal, as_json, chart, measured, table
from tests.snippets import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("figure", "reached"),
    [
        pytest.param(Figure("f", 3.0, 1.0, Goal(3)), True, id="a ratio at its limit"),
        pytest.param(Figure("f", 3.1, 1.0, Goal(3)), False, id="a ratio over its limit"),
        pytest.param(Figure("f", 4.9, 9.0, Goal(5, "mock")), True, id="the mock's own figure below its limit"),
        pytest.param(Figure("f", 5.1, 9.0, Goal(5, "mock")), False, id="a good ratio does not excuse it"),
        pytest.param(Figure("f", 1.0, None, Goal(3)), False, id="a ratio to nothing is not reached"),
        pytest.param(Figure("f", 99.0, 1.0), None, id="no goal"),
    ],
)  # fmt: skip
def test_goals_are_judged(figure: Figure, reached: bool | None) -> None:
    """A goal is reached when the judged figure is not above its limit."""
    assert figure.reached is reached


def test_the_table_is_aligned_and_marks_what_is_over() -> None:
    """Names stand to the left, numbers to the right, and each goal has its mark."""
    figures = [
        measured("short (ms)", [1.5, 1.234, 1.0], [0.5, 0.5, 0.4], Goal(3)),
        Figure("a longer name (MB)", 1234.5, goal=Goal(70, "mock")),
        Figure("counted", 0),
    ]

    assert table(figures).splitlines() == [
        "                    mock  bare  ratio  least-most   goal",
        "short (ms)          1.23  0.50  2.47x   2.47-3.00  <= 3x    ok",
        "a longer name (MB)  1234                           <= 70  OVER",
        "counted                0",
    ]


def test_the_json_holds_what_the_table_shows() -> None:
    """Programs get ratio and judgement too."""
    made = as_json([Figure("small", 6.0, 2.0, Goal(3))], {"python": "any"})

    assert made["machine"] == {"python": "any"}
    assert (made["figures"][0]["ratio"], made["figures"][0]["reached"]) == (3.0, True)


def test_marks_are_timed_by_the_read_that_completes_them() -> None:
    """A chunk has arrived with the last byte of its mark, also where the mark is cut in two."""
    stream = Stream(10.0, [(10.5, b"..<>..<"), (11.0, b">...."), (12.0, b"<><>")])

    assert list(stream.arrivals(b"<>")) == [0.5, 1.0, 2.0, 2.0]


def test_the_chunked_coding_is_taken_off() -> None:
    """Sizes are hexadecimal and the last chunk has none."""
    assert dechunked(b"3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n") == b"abc0123456789"


def test_a_request_announces_its_length_in_bytes() -> None:
    """Chinese text is counted in bytes of UTF-8."""
    head, _, body = post("/maas/m/c/chat/completions", "你好").partition(b"\r\n\r\n")

    assert f"content-length: {len(body)}".encode() in head
    assert "你好".encode() in body


def test_the_chart_has_a_bar_for_each_ratio_and_a_line_for_each_goal() -> None:
    """It is XML, and a row without a ratio is left out."""
    figures = [Figure("a < b", 6.0, 2.0, Goal(3), (2.5, 3.5)), Figure("informs", 1.0, 2.0), Figure("counted", 0)]
    drawn = ET.fromstring(chart(figures))  # noqa: S314 - our own
    rows = [tag for row in drawn if row.tag.endswith("}g") for tag in row]

    assert [tag.get("class") for tag in rows if tag.tag.endswith("rect")] == ["met", "free"]
    assert [tag.get("class") for tag in rows if tag.tag.endswith("path")] == ["line", "goal"]
    assert [tag.text for tag in rows if tag.tag.endswith("text")] == ["a < b", "3.00x", "informs", "0.50x"]


def test_no_bar_and_no_line_of_the_chart_reaches_a_number() -> None:
    """What is drawn on the scale begins behind the names and the ratios, also where it is off the scale."""
    figures = [Figure("tiny", 0.001, 1.0, Goal(0.01), (0.0001, 0.01)), Figure("huge", 9e5, 1.0)]
    drawn = ET.fromstring(chart(figures))  # noqa: S314 - our own
    rows = [tag for row in drawn if row.tag.endswith("}g") for tag in row]
    bars = [tag for tag in rows if tag.tag.endswith("rect")]
    numbers = [int(tag.get("x", "0")) for tag in rows if tag.get("class") == "n"]

    assert len(bars) == len(numbers) == 2
    assert all(int(bar.get("x", "0")) > max(numbers) for bar in bars)
    assert all(int(bar.get("x", "0")) + int(bar.get("width", "0")) <= 900 for bar in bars)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the documents lie that a run is written into."""
    pictures = tmp_path / "docs" / "pictures"
    pictures.mkdir(parents=True)
    for name in ("docs/speed.md", "README.md", "README.zh-CN.md"):
        (tmp_path / name).write_text("before\n<!-- bench -->\nold\n<!-- end of bench -->\nafter\n", "utf-8")
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    monkeypatch.setattr(documents, "CHART", pictures / "speed.svg")
    monkeypatch.setattr(documents, "DATA", pictures / "speed.json")
    return tmp_path


def test_a_run_is_written_between_the_marks(folder: Path) -> None:
    """All rows stand in docs/speed.md, six in both READMEs, in the words of each; what was there before is gone."""
    rows = [Figure(name, 6.0, 2.0, Goal(3)) for name in documents.SIX]
    for _ in range(2):
        documents.write_documents([*rows, Figure("another", 1.0)], {"python": "any"})
    written = [(folder / name).read_text("utf-8") for name in ("docs/speed.md", "README.md", "README.zh-CN.md")]

    assert all(text.startswith("before\n") and text.endswith("after\n") and "old" not in text for text in written)
    assert "| another | 1.00 | - | - | - | - | - |" in written[0]
    assert [text.count("| 3.0 | 3 |") for text in written] == [0, 6, 6]
    assert "定速流" in written[2]


def test_a_run_of_some_parts_leaves_the_others(folder: Path) -> None:
    """Their rows stay as they were, what was measured anew stands once, behind them, and the table says so."""
    stays = Figure("stays", 6.0, 2.0, Goal(3, "mock"), (2.5, 3.5))

    documents.write_documents([Figure("again", 1.0), stays], {})
    documents.write_documents([Figure("again", 2.0), Figure("new", 3.0)], {}, whole=False)
    text = (folder / "docs" / "speed.md").read_text("utf-8")

    assert documents.written() == [stays, Figure("again", 2.0), Figure("new", 3.0)]
    assert "- measured in a run of their own: the 2 rows at the end\n" in text
    assert "| again | 1.00 |" not in text

    documents.write_documents([stays, Figure("again", 2.0), Figure("new", 3.0)], {}, whole=False)
    assert "in a run of their own" not in (folder / "docs" / "speed.md").read_text("utf-8")


def test_a_table_without_its_place_is_told() -> None:
    """The READMEs of this checkout have the marks, and so has docs/speed.md."""
    for name in ("docs/speed.md", "README.md", "README.zh-CN.md"):
        text = (ROOT / name).read_text("utf-8")
        assert text.count("<!-- bench -->") == text.count("<!-- end of bench -->") == 1
