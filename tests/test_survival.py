"""The survival matrix as text, Markdown and JSON, and the bound on a test that hangs."""

from __future__ import annotations

import json
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from mockserver.testing.chips_plugin import HangError, bounded, can_bound
from mockserver.testing.survival import COLOURS, MEANINGS, ChipOutcome, Matrix, as_html, as_json, as_markdown, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

MATRIX = Matrix(
    ("nvidia", "chip3"),
    (
        ChipOutcome("测试.py::test_b[x|y]", "chip3", "exception", "KeyError", "'choices'"),
        ChipOutcome("测试.py::test_b[x|y]", "nvidia", "passed"),
        ChipOutcome("t.py::test_a", "chip3", "silent empty", says="the client saw nothing"),
        ChipOutcome("t.py::test_a", "chip3", "passed"),  # the whole test, after a subtest that failed
        ChipOutcome("t.py::test_a", "chip9", "skipped"),
        ChipOutcome("t.py::test_a", "nvidia", "passed"),
        ChipOutcome("t.py::test_a", "nvidia", "failed"),  # its teardown
    ),
)


def test_text() -> None:
    """Columns are aligned, characters of double width too; colours take no place; the summary counts each cell once."""
    assert as_text(MATRIX) == (
        "test                  nvidia  chip3         chip9\n"
        "t.py::test_a          failed  silent empty  skipped\n"
        "测试.py::test_b[x|y]  passed  KeyError      -\n"
        "\n"
        "1 passed, 1 silent empty, 1 exception, 1 failed, 1 skipped\n"
    )
    painted = as_text(MATRIX, lambda text, how: f"<{how}>{text}</>").splitlines()[1]
    assert painted == "t.py::test_a          <red>failed</>  <red>silent empty</>  <yellow>skipped</>"


def test_markdown() -> None:
    """The matrix, and a line for each that did not survive; a bar in a name does not end its cell."""
    assert as_markdown(MATRIX) == (
        "## Which test survives which chip\n\n"
        "| test | nvidia | chip3 | chip9 |\n"
        "| --- | --- | --- | --- |\n"
        "| `t.py::test_a` | failed | silent empty | skipped |\n"
        "| `测试.py::test_b[x\\|y]` | passed | KeyError | - |\n\n"
        "1 passed, 1 silent empty, 1 exception, 1 failed, 1 skipped\n\n"
        "- `t.py::test_a` on nvidia: failed\n"
        "- `t.py::test_a` on chip3: silent empty: the client saw nothing\n"
        "- `测试.py::test_b[x|y]` on chip3: KeyError: 'choices'\n"
    )


def test_json() -> None:
    """Each cell with fate, detail and what was said."""
    data = json.loads(as_json(MATRIX))

    assert data["chips"] == ["nvidia", "chip3", "chip9"]
    assert [row["test"] for row in data["tests"]] == ["t.py::test_a", "测试.py::test_b[x|y]"]
    assert data["tests"][1]["chips"] == {
        "nvidia": {"fate": "passed", "detail": "", "says": ""},
        "chip3": {"fate": "exception", "detail": "KeyError", "says": "'choices'"},
    }


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        pytest.param(r"t.py::test_a[\u4f60\u597d-\U0001f600-\xe9]", "t.py::test_a[你好-😀-é]", id="beyond-ascii"),
        pytest.param(r"t.py::test_a[\x1b[31m]", r"t.py::test_a[\x1b[31m]", id="what-steers-a-terminal"),
        pytest.param(
            r"t.py::test_a[\ud83d-\uzzzz-\U99999999]", r"t.py::test_a[\ud83d-\uzzzz-\U99999999]", id="no-letter"
        ),
        pytest.param(r"t.py::test_a[\\u4f60-\\\u4f60]", r"t.py::test_a[\\u4f60-\\你]", id="a-backslash"),
    ],
)
def test_a_name_that_pytest_escaped_is_read(written: str, shown: str) -> None:
    """By people, in text, Markdown and the page; a program gets the name that pytest knows."""
    matrix = Matrix(["nvidia"], [ChipOutcome(written, "nvidia", "failed", says="no")])

    assert as_text(matrix).splitlines()[1].startswith(f"{shown}  failed")
    assert as_markdown(matrix).count(f"`{shown}`") == 2
    assert json.loads(as_json(matrix))["tests"][0]["test"] == written
    assert json.dumps(shown, ensure_ascii=False) in as_html(matrix)


def test_nothing_ran() -> None:
    """Without outcomes there are heads and a sentence."""
    assert as_text(Matrix(("nvidia",), ())) == "test  nvidia\n\nno test uses the mock\n"


def test_every_fate_has_a_colour() -> None:
    """Each fate has a meaning and a colour."""
    assert set(COLOURS) == set(MEANINGS)


@pytest.fixture
def _no_timer() -> Iterator[None]:
    """Whatever a test does to the timer is undone."""
    if not can_bound():
        pytest.skip("this system has no interval timers")
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("_no_timer")
def test_a_hang_is_ended_though_it_is_swallowed() -> None:
    """The bell rings again as often as needed."""

    def careless() -> None:
        with bounded(0.01):
            try:
                threading.Event().wait(20)
            except BaseException:  # noqa: BLE001 - what a careless client does
                threading.Event().wait(20)

    with pytest.raises(HangError) as caught:
        careless()

    assert str(caught.value) == "still running after 0.01 s (--chips-timeout)"


@pytest.mark.usefixtures("_no_timer")
def test_the_timer_of_somebody_else_goes_on() -> None:
    """A bound on the whole test is put back with what is left of it, and its handler too."""

    def theirs(*_: object) -> None:
        """Nothing comes of it here."""

    signal.signal(signal.SIGALRM, theirs)
    signal.setitimer(signal.ITIMER_REAL, 600, 7)
    with bounded(30):
        assert signal.getitimer(signal.ITIMER_REAL)[0] <= 30

    left, interval = signal.getitimer(signal.ITIMER_REAL)
    assert 30 < left <= 600
    assert interval == 7
    assert signal.getsignal(signal.SIGALRM) is theirs
    for seconds in (None, 10_000):
        with bounded(seconds):
            assert signal.getsignal(signal.SIGALRM) is theirs
