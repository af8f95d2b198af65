"""The views as files without a server: each kind is written by its command and opened in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mockserver.testing.mock_server import MockServer
from mockserver.testing.survival import ChipOutcome, Matrix, write
from tests.browser import Tab, launched
from tests.command import called
from tests.inner_pytest import ASK, outcomes, runner
from tests.session_helpers import asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.inner_pytest import Run

pytest_plugins = "pytester"
PAGE = ("--report", "html", "--output")
MARKUP = "<img src=x onerror='window.hit=1'></script><script>window.hit=1</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all."""
    with launched() as made:
        yield made


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in a process of its own."""
    return runner(pytester, monkeypatch)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one question's answers on two chips, one of whose answers holds markup."""
    folder = tmp_path_factory.mktemp("recordings")
    with MockServer(pace="first_token_ms=20,inter_token_ms=2") as mock:
        for chip in ("nvidia", "chip3"):
            with mock.session() as session:
                asked(session.chip(chip), stream=True, model=None)
                session.save(folder / f"{chip}.json")
        with mock.session() as session:
            session.answer(MARKUP)
            asked(session, MARKUP, stream=True)
            session.save(folder / "markup.json")
    return folder


def shown(browser: Any, page: Path) -> tuple[str, Any]:
    """The text of a page from a file, and what it came to: it asks for nothing, and no script of it fails."""
    with Tab(browser) as tab:
        tab.page.goto(page.as_uri())
        tab.page.locator("#main > .page").wait_for()
        text, hit = tab.page.locator("body").inner_text(), tab.page.evaluate("window.hit")
        assert tab.errors == []
        assert tab.requests == [page.as_uri()]
    return text, hit


def test_a_recording_is_drawn(browser: Any, recordings: Path, tmp_path: Path) -> None:
    """Its time line, its frames, what an SSE client hears of it, and the claims of its chip."""
    page = tmp_path / "page.html"
    code, out, err = called("fixtures", "show", str(recordings / "chip3.json"), *PAGE, str(page))

    assert (code, out, err) == (0, f"{page}\n", "")
    text, _ = shown(browser, page)
    assert "A reader of server-sent events hears nothing of this answer." in text
    assert "What differs from the standard on chip3" in text
    assert "我是来自无问芯穹" in text


def test_two_recordings_are_drawn_side_by_side(browser: Any, recordings: Path, tmp_path: Path) -> None:
    """The exit code is that of `diff`; what differs is on the page."""
    page, files = tmp_path / "page.html", [str(recordings / f"{chip}.json") for chip in ("nvidia", "chip3")]
    code, _, _ = called("fixtures", "diff", *files, *PAGE, str(page))
    same, _, _ = called("fixtures", "diff", files[0], files[0], *PAGE, str(tmp_path / "same.html"))

    assert (code, same) == (1, 0)
    assert "heard by an SSE client\t19\t0" in shown(browser, page)[0]
    assert "Nothing: head, bytes and chunks are the same." in shown(browser, tmp_path / "same.html")[0]


def test_markup_in_a_recording_is_text(browser: Any, recordings: Path, tmp_path: Path) -> None:
    """It neither ends the place of the data nor becomes an element."""
    page = tmp_path / "page.html"
    called("fixtures", "show", str(recordings / "markup.json"), *PAGE, str(page))

    text, hit = shown(browser, page)
    assert MARKUP in text
    assert hit is None


def test_a_page_that_cannot_be_written_is_one_line(recordings: Path, tmp_path: Path) -> None:
    """The line names the option."""
    code, out, err = called("fixtures", "show", str(recordings / "chip3.json"), *PAGE, str(tmp_path / "no" / "x"))

    assert (code, out) == (2, "")
    assert f"--output {tmp_path / 'no' / 'x'}: " in err
    assert len(err.splitlines()) == 1


def test_the_reports_of_contract_and_drift_are_drawn(browser: Any, recordings: Path, tmp_path: Path) -> None:
    """What was found, the patch, and what went over the wire; a service of one edition is asked as another."""
    pages = [tmp_path / "contract.html", tmp_path / "drift.html"]
    model, few = ["--model", "mt-infini-3b", "--chip", "chip3"], ["--quiet", "--requests", "4"]
    with MockServer(edition="2025-reference", model=["mt-infini-3b"]) as mock:
        words = ["--base-url", mock.url, *model, "--edition", "2024-tutorial"]
        code, _, _ = called("contract", *words, *few, *PAGE, str(pages[0]))
        drifted, out, _ = called("drift", *words, "--report", "html", "--fixtures", str(recordings))
    pages[1].write_text(out, "utf-8")

    assert (code, drifted) == (1, 1)
    text, _ = shown(browser, pages[0])
    assert "The contract is broken" in text
    assert "chip3: frame-framing" in text
    assert "On the wire" in text
    text, _ = shown(browser, pages[1])
    assert "frame-framing\tjson-lines\tsse\tmust" in text
    assert "the patch to the profile" in text


def test_the_survival_matrix_is_drawn(browser: Any, tmp_path: Path) -> None:
    """Tests, chips, fates, and what was said."""
    page = tmp_path / "chips.html"
    kept = ChipOutcome("test_a", "nvidia", "passed")
    lost = ChipOutcome("test_a", "chip3", "silent empty", "", f"the client saw nothing {MARKUP}")
    write(Matrix(("nvidia", "chip3"), [kept, lost]), page)

    text, hit = shown(browser, page)
    assert "1 passed, 1 silent empty" in text
    assert f"the client saw nothing {MARKUP}" in text
    assert hit is None


def test_the_stream_that_fuzz_found_is_drawn(browser: Any, tmp_path: Path) -> None:
    """The page lies beside the stream's other files."""
    from mockserver.contract.fuzz import find_bug
    from mockserver.contract.fuzz_files import save
    from tests.conftest import load

    failure = find_bug(lambda _url: "", load("2024-tutorial").chips["nvidia"].wire, further=(), examples=5)
    assert failure is not None
    paths = save(failure, tmp_path, "def read(base_url):\n    return ''\n")
    page = next(path for path in paths if path.suffix == ".html")

    text, _ = shown(browser, page)
    assert "the client read nothing" in text


def test_a_test_that_failed_has_a_page(browser: Any, run: Run, pytester: pytest.Pytester) -> None:
    """Its report names the file; a test that passed, or asked nothing, has none."""
    pytester.makepyfile(
        test_it=ASK
        + """
def test_bad(genstudio_mock):
    assert ask(genstudio_mock.chip("chip3")) == "x"

def test_good(genstudio_mock):
    assert ask(genstudio_mock)

def test_silent(genstudio_mock):
    assert not genstudio_mock.url
"""
    )
    result = run("--genstudio-html", "pages")

    assert outcomes(result) == {"failed": 2, "passed": 1}
    pages = list((pytester.path / "pages").iterdir())
    assert [page.name.rpartition("-")[0] for page in pages] == ["test_it.py_test_bad"]
    result.stdout.fnmatch_lines([f"drawn: pages*{pages[0].name}"])
    text, _ = shown(browser, pages[0])
    assert "我是" in text
    assert "What differs from the standard on chip3" in text
