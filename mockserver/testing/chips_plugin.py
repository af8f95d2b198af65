"""`pytest --chips`: what became of each test on each chip, and the bound on a test that hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from mockserver.core.errors import OperatorError, suggestion
from mockserver.testing.client_saw import SilentEmptyError
from mockserver.testing.control_client import MockError
from mockserver.testing.mock_of_run import mock_of_run
from mockserver.testing.survival import FORMS, ChipOutcome, Matrix, as_markdown, as_text, write

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from mockserver.testing.control_client import ServedEdition
    from mockserver.testing.survival import Fate

ALL: Final = "all"
DISTINCT: Final = "distinct"
ATTRIBUTE: Final = "genstudio_mock_outcome"
SUMMARY_VARIABLE: Final = "GITHUB_STEP_SUMMARY"
DEFAULT_SECONDS: Final = 30.0
SOON_S: Final = 0.001


class HangError(BaseException):
    """The test did not end in time. Not an `Exception`, since clients catch those and try again."""


def chips_asked(asked: str, edition: ServedEdition) -> tuple[str, ...]:
    """The chips that `--chips` names; raises OperatorError for one that the edition does not have."""
    if asked == ALL:
        return edition.chips
    if asked == DISTINCT:
        if not edition.distinct_chips:
            raise OperatorError("--chips distinct: the mock is of a version that does not tell; allowed: all, NAME,...")
        return edition.distinct_chips
    chips = tuple(dict.fromkeys(part.strip() for part in asked.split(",") if part.strip()))
    for chip in chips:
        if chip not in edition.chips:
            near = suggestion(chip, edition.chips)
            raise OperatorError(f"--chips: {chip!r} is not in edition {edition.name}; {near}")
    if not chips:
        raise OperatorError(f"--chips: {asked!r} names no chip; allowed: all, distinct, {', '.join(edition.chips)}")
    return chips


class Survival:
    """Collects outcomes and writes the matrix.

    A worker attaches the outcome to its report, from which the process that the user started takes it.

    Args:
        config: Its options are those of `--chips`.
        fixture: The fixture by which a test uses the mock.
        chip_fixture: The fixture whose parameter is the test's chip.

    Attributes:
        chips: The chips that were asked for, known once the session has started.

    Raises:
        UsageError: an option is wrong.
    """

    def __init__(self, config: pytest.Config, fixture: str, chip_fixture: str) -> None:
        self.chips: tuple[str, ...] = ()
        self._config = config
        self._fixture = fixture
        self._chip_fixture = chip_fixture
        asked: float | None = config.getoption("chips_timeout")
        self._seconds = DEFAULT_SECONDS if asked is None else asked
        self._paths = [Path(path) for path in config.getoption("chips_report")]
        self._outcomes: list[ChipOutcome] = []
        if self._seconds <= 0:
            raise pytest.UsageError(f"--chips-timeout: {self._seconds:g} is not allowed; allowed: more than 0 seconds")
        if asked is not None and not can_bound():
            raise pytest.UsageError(
                "--chips-timeout: this system has no interval timers, so nothing ends a test that hangs; "
                "leave it out and give the client a timeout"
            )
        for path in self._paths:
            if path.suffix not in FORMS:
                raise pytest.UsageError(f"--chips-report: {str(path)!r} is not allowed; allowed: *.md, *.json, *.html")

    def pytest_sessionstart(self) -> None:
        """Start the mock of this run and ask it which chips there are; raises UsageError where that fails."""
        try:
            self.chips = chips_asked(self._config.getoption("chips"), mock_of_run(self._config).edition)
        except (MockError, OperatorError) as error:
            raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Bound the fixtures of a test that uses the mock."""
        with bounded(self._seconds if self._uses_mock(item) else None):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Bound a test that uses the mock."""
        with bounded(self._seconds if self._uses_mock(item) else None):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the outcome."""
        report = yield
        chip = self._chip(item)
        if chip is not None and (report.when == "call" or not report.passed):
            fate, detail, says = judge(report, call.excinfo.value if call.excinfo else None)
            outcome = {"test": _row(item, chip), "chip": chip, "fate": fate, "detail": detail, "says": says}
            setattr(report, ATTRIBUTE, outcome)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect."""
        outcome = getattr(report, ATTRIBUTE, None)
        if outcome is not None and str(report.outcome) != "rerun":  # another try follows, and that one counts
            self._outcomes.append(ChipOutcome(**outcome))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the matrix and write the reports."""
        if hasattr(self._config, "workerinput") or self._config.option.collectonly:
            return
        matrix = Matrix(self.chips, self._outcomes)
        terminalreporter.section("genstudio-mock: which test survives which chip")
        writer = self._config.get_terminal_writer()
        terminalreporter.write(as_text(matrix, lambda text, how: writer.markup(text, **{how: True})))
        for path in self._paths:
            try:
                write(matrix, path)
            except OperatorError as error:
                terminalreporter.write_line(str(error), red=True)
        summary = os.environ.get(SUMMARY_VARIABLE)
        if summary:
            try:
                with Path(summary).open("a", encoding="utf-8") as file:
                    file.write(as_markdown(matrix))
            except OSError as error:
                reason = error.strerror or error
                terminalreporter.write_line(f"${SUMMARY_VARIABLE}: {summary}: cannot be written: {reason}", red=True)

    def _uses_mock(self, item: pytest.Item) -> bool:
        return self._fixture in getattr(item, "fixturenames", ())

    def _chip(self, item: pytest.Item) -> str | None:
        """The chip that a test was run for; None where it was run for none."""
        chip: str | None = getattr(item, "callspec", None) and item.callspec.params.get(self._chip_fixture)  # type: ignore[attr-defined]
        return chip


def judge(report: pytest.TestReport, raised: BaseException | None) -> tuple[Fate, str, str]:
    """What became of a test: its fate, the exception's name, and the first line of what was said."""
    if report.passed:
        return "passed", "", ""
    if report.skipped:
        return "skipped", "", ""
    while isinstance(raised, BaseExceptionGroup) and len(raised.exceptions) == 1:  # of a task group
        raised = raised.exceptions[0]
    says = next(iter(str(raised or report.longrepr).splitlines()), "").strip()
    if raised is None:
        return "failed", "", says
    if isinstance(raised, HangError):
        return "hang", "", says
    if isinstance(raised, SilentEmptyError):
        return "silent empty", "", says
    if isinstance(raised, AssertionError):
        return "wrong text", "", says
    return "exception", type(raised).__name__, says


def _row(item: pytest.Item, chip: str) -> str:
    """The name of a test without its chip, which stands before its other parameters."""
    mark: str = item.callspec.id  # type: ignore[attr-defined]  # there, since the chip is a parameter
    others = mark.removeprefix(chip).removeprefix("-")
    return item.nodeid.removesuffix(f"[{mark}]") + (f"[{others}]" if others else "")


def can_bound() -> bool:
    """Whether this system has interval timers (Unix), without which nothing ends a test that hangs."""
    return hasattr(signal, "setitimer")


@contextlib.contextmanager
def bounded(seconds: float | None) -> Iterator[None]:
    """Raise HangError in the block after so many seconds, and again as often, should a client have swallowed it.

    Only in the main thread and only where the system has interval timers; elsewhere nothing bounds the block. A timer
    that somebody else has set, to bound the whole test say, goes on after the block; one that rings sooner is enough.
    """
    if seconds is None or not can_bound() or threading.current_thread() is not threading.main_thread():
        yield
        return
    if 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= seconds:
        yield
        return

    def ring(*_: object) -> None:
        raise HangError(f"still running after {seconds:g} s (--chips-timeout)")

    before = signal.signal(signal.SIGALRM, ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    started = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - started), SOON_S), interval)
