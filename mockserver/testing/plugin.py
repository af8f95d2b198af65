"""The pytest plugin: a namespace for each test, one mock for the run, and the wire log of what failed.

Nothing of the mock is imported before a test uses it, so that a suite that does not use it pays nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from mockserver.testing.mock_of_run import leave, mock_of_run

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from mockserver.testing.chips_plugin import Survival
    from mockserver.testing.running_mock import RunningMock
    from mockserver.testing.session import Session

FIXTURE: Final = "genstudio_mock"
CHIP_FIXTURE: Final = "_genstudio_chip"
MARKERS: Final = (
    "chip(name, ...): ask this chip; with several the test runs once for each",
    "fault(text, **options): arm a fault, as Session.arm does: fault('cut;after_frames=3', times=1)",
    "fixture_set(path, ...): answer from these fixture files or folders; relative to the test's file",
    "genstudio_env: set OPENAI_BASE_URL, OPENAI_API_BASE and OPENAI_API_KEY for the test",
)
SURVIVAL: Final = "genstudio_mock_survival"
STALE: Final = "genstudio_mock_stale"
"""A property of a test in which an answer was recorded or written for another request."""
SESSION_KEY: Final = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and settings, each told of in `pytest --help`."""
    group = parser.getgroup("genstudio-mock")
    group.addoption(
        "--genstudio-mock-url", metavar="URL", help="use a mock that runs already, say http://127.0.0.1:8777"
    )
    group.addoption("--genstudio-mock-token", metavar="TOKEN", help="what its control API asks for off loopback")
    group.addoption(
        "--genstudio-mock-args", metavar="FLAGS", help="flags of `genstudio-mock serve` for the mock of this run"
    )
    group.addoption(
        "--edition", metavar="NAME", help="edition of the mock of this run, say field; as --genstudio-mock-args has it",
    )  # fmt: skip
    group.addoption(
        "--chips",
        metavar="all|distinct|NAME,...",
        help="run each test that uses the mock once for each chip, or for one chip of each distinct wire form; tells "
        "who survives (default: once, on the chip of its marker or the edition's first)",
    )
    group.addoption(
        "--chips-timeout", metavar="SECONDS", type=float,
        help="with --chips, how long a test may take before it counts as hanging (default 30; not on Windows)",
    )  # fmt: skip
    group.addoption(
        "--chips-report", metavar="PATH", action="append", default=[],
        help="write the survival matrix as Markdown (.md), JSON (.json) or a page (.html); may be repeated",
    )  # fmt: skip
    group.addoption(
        "--genstudio-html", metavar="DIR", help="draw what went over the wire in each test that failed, a page a test"
    )
    parser.addini("genstudio_mock_url", "as --genstudio-mock-url", default="")
    parser.addini("genstudio_mock_args", "as --genstudio-mock-args", default="")
    parser.addini(
        "genstudio_mock_command", default="",
        help="starts the mock of this run from another environment, say `uvx --from PATH genstudio-mock` or "
        "`/path/bin/python -m mockserver` (default: this one's)",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Tell of the markers, and with `--chips` of the survival matrix."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    if config.getoption("chips"):
        from mockserver.testing.chips_plugin import Survival

        config.pluginmanager.register(Survival(config, FIXTURE, CHIP_FIXTURE), SURVIVAL)
    elif config.getoption("chips_report"):
        raise pytest.UsageError("--chips-report: there is no matrix without --chips; add --chips all")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the mock of this run back."""
    leave(config)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that uses the mock runs once for each chip of its marker, else of `--chips`."""
    if CHIP_FIXTURE not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("chip")
    if marker and not (marker.args and all(isinstance(name, str) for name in marker.args)):
        pytest.fail("@pytest.mark.chip: it takes one or several names of chips, each a text", pytrace=False)
    survival: Survival | None = metafunc.config.pluginmanager.get_plugin(SURVIVAL)
    chips = marker.args if marker else survival.chips if survival else ()
    if chips:
        metafunc.parametrize(CHIP_FIXTURE, chips, indirect=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the wire log to the report of a test that failed, itself or in a fixture that uses the mock."""
    report = yield
    session = item.stash.get(SESSION_KEY, None)
    if session is not None and report.failed:
        lines = [*_wire_log(session), *_drawn(session, item)]
        report.sections.append(("genstudio-mock: what went over the wire", "\n".join(lines)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests in which an answer was recorded or written for another request: they may prove nothing."""
    reports = [
        one for kind in terminalreporter.stats.values() for one in kind if getattr(one, "when", "") == "teardown"
    ]
    lines = [
        f"{one.nodeid}: {says}"
        for one in reports
        for name, says in getattr(one, "user_properties", ())
        if name == STALE
    ]
    if lines:
        terminalreporter.section("genstudio-mock: answers for other requests than those that came", sep="-")
        for line in dict.fromkeys(lines):
            terminalreporter.write_line(line)
        terminalreporter.write_line("record or write them anew; --strict-requests refuses such requests")


def _wire_log(session: Session) -> list[str]:
    from mockserver.testing.control_client import MockError
    from mockserver.testing.seen_exchange import wire_log

    try:
        return wire_log(session.exchanges()) or [f"no request came to this test's namespace{_proxied(session)}"]
    except MockError as error:
        return [str(error)]


def _drawn(session: Session, item: pytest.Item) -> list[str]:
    """Where it is drawn, with `--genstudio-html`."""
    folder = item.config.getoption("genstudio_html")
    if not folder:
        return []
    from mockserver.core.errors import OperatorError
    from mockserver.testing.control_client import MockError
    from mockserver.testing.wire_page import write_page

    try:
        path = write_page(session, folder, item.nodeid)
    except (MockError, OperatorError) as error:
        return [str(error)]
    return [f"drawn: {path}"] if path else []


def _proxied(session: Session) -> str:
    """Why none may have come: a proxy that clients ask instead."""
    from mockserver.core.web_address import past_proxy

    names = past_proxy(os.environ, session.url)
    return f"; a proxy is set: NO_PROXY={names['NO_PROXY']} or the marker genstudio_env leads past it" if names else ""


@pytest.fixture(scope="session")
def genstudio_mock_server(pytestconfig: pytest.Config) -> RunningMock:
    """The mock of this run: one for all workers, or the one that `--genstudio-mock-url` names."""
    from mockserver.core.errors import OperatorError
    from mockserver.testing.control_client import MockError

    try:
        return mock_of_run(pytestconfig)
    except (MockError, OperatorError) as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.fixture
def _genstudio_chip(request: pytest.FixtureRequest) -> str | None:
    """The chip that a test asks; None for the edition's first one."""
    marker = request.node.get_closest_marker("chip")  # where tests have no parameters: those of unittest
    chip: str | None = getattr(request, "param", marker.args[0] if marker and marker.args else None)
    return chip


@pytest.fixture
def genstudio_mock(
    request: pytest.FixtureRequest, genstudio_mock_server: RunningMock, _genstudio_chip: str | None
) -> Iterator[Session]:
    """A namespace of the mock for this test alone, empty at first and given up at the end.

    The markers `chip`, `fault`, `fixture_set` and `genstudio_env` set it up.
    """
    with _namespace(genstudio_mock_server) as namespace:
        session = _set_up(namespace, request, _genstudio_chip)
        request.node.stash[SESSION_KEY] = session
        yield session
        del request.node.stash[SESSION_KEY]
    request.node.user_properties += [(STALE, line) for line in namespace.stale]


def _namespace(mock: RunningMock) -> Session:
    """A new namespace; a mock that refuses it, for want of its token say, fails the test in one line."""
    from mockserver.testing.control_client import MockError

    try:
        return mock.session()
    except MockError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _set_up(namespace: Session, request: pytest.FixtureRequest, chip: str | None) -> Session:
    """What the markers ask for; a marker that asks for what is not there fails the test in one line."""
    from mockserver.core.errors import OperatorError
    from mockserver.testing.control_client import MockError

    name = "chip"
    try:
        session = namespace.chip(chip) if chip else namespace
        name = "fixture_set"
        for marker in request.node.iter_markers(name):
            session.answer_from(*(request.path.parent / str(path) for path in marker.args))
        name = "fault"
        for marker in reversed(list(request.node.iter_markers(name))):
            for text in marker.args:
                session.arm(text, **marker.kwargs)
    except (MockError, OperatorError) as error:
        raise pytest.fail.Exception(f"@pytest.mark.{name}: {error}", pytrace=False) from None
    if request.node.get_closest_marker("genstudio_env"):
        session.set_env(request.getfixturevalue("monkeypatch"))
    return session
