"""The mock of a pytest run: found, configured, shared by all workers, ended."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mockserver.core.data import shipped
from mockserver.testing.mock_lease import MockLease, _lease, _read_where
from mockserver.testing.mock_server import MockServer
from mockserver.testing.running_mock import RunningMock
from tests.in_thread import WAIT_SECONDS
from tests.inner_pytest import ASK, PLUGINS, outcomes, runner
from tests.snippets import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.inner_pytest import Run

pytest_plugins = "pytester"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in a process of its own."""
    return runner(pytester, monkeypatch)


@pytest.fixture(scope="module", autouse=True)
def _imported(mock: MockServer) -> None:
    """What a mock imports late is imported before pytester notes what there is: after a test it forgets the rest."""
    with mock.session() as session:
        session.exchanges()


class TestServer:
    """The mock of a run: found, configured, ended."""

    def test_an_external_one(self, pytester: pytest.Pytester, run: Run) -> None:
        """With --genstudio-mock-url, or the setting, a running mock is used, and its namespaces are tidied."""
        pytester.makepyfile(ASK + "def test_it(genstudio_mock):\n    assert ask(genstudio_mock)\n")
        with MockServer() as mock:
            assert outcomes(run("--genstudio-mock-url", mock.url)) == {"passed": 1}
            pytester.makeini(f"[pytest]\ngenstudio_mock_url = {mock.url}")
            assert outcomes(run()) == {"passed": 1}
            assert [one["name"] for one in mock.call("GET", "/namespaces")] == ["default"]
            url = mock.url

        result = run()
        assert outcomes(result) == {"errors": 1}
        result.stdout.fnmatch_lines([f"{url}: no mock answers there: *"])

    def test_a_guarded_one(self, pytester: pytest.Pytester, run: Run) -> None:
        """A mock that asks for its token, as one in a container does: with --genstudio-mock-token it lets a run in."""
        pytester.makepyfile(ASK + "def test_it(genstudio_mock):\n    assert ask(genstudio_mock)\n")
        with MockServer(control_token="a-token") as mock:  # noqa: S106 - of a mock that lives as long as this test
            url = ("--genstudio-mock-url", mock.url)
            assert outcomes(run(*url, "--genstudio-mock-token", "a-token")) == {"passed": 1}
            assert outcomes(run(*url, "--genstudio-mock-token", "a-token", "--chips", "chip3", "-n", "2")) == {
                "passed": 1
            }
            result = run(*url)

        assert outcomes(result) == {"errors": 1}
        text = "POST /_mock/reset: 401: X-Mock-Token: missing or wrong; the server printed it when it started"
        assert text in result.outlines

    def test_its_settings(self, pytester: pytest.Pytester, run: Run) -> None:
        """The flags of serve, and the configuration file beside pytest's."""
        pytester.makepyfile(
            "def test_it(genstudio_mock):\n    assert genstudio_mock.mock.edition.name == '2025-reference'"
        )
        assert outcomes(run("--genstudio-mock-args", "--edition 2025-reference")) == {"passed": 1}
        pytester.makeini("[pytest]\ngenstudio_mock_args = --edition 2025-reference")
        assert outcomes(run()) == {"passed": 1}
        pytester.makeini("[pytest]")
        (pytester.path / "genstudio-mock.toml").write_text('edition = "2025-reference"\nport = 1\napi_key = ["x"]\n')
        assert outcomes(run()) == {"passed": 1}

    def test_wrong_settings(self, pytester: pytest.Pytester, run: Run) -> None:
        """The error of the test is the operator's one line."""
        pytester.makepyfile("def test_it(genstudio_mock):\n    pass")
        result = run("--genstudio-mock-args", "--edition 2025")

        assert outcomes(result) == {"errors": 1}
        assert (
            f"edition: '2025' is not in {shipped('profiles')}; known: 2024-tutorial, 2025-reference, field, openai"
            in result.outlines
        )

    def test_no_mock_without_need(self, pytester: pytest.Pytester, run: Run) -> None:
        """A suite that does not use the mock starts none and imports nothing of it."""
        pytester.makepyfile("""
            import sys

            def test_it():
                names = {"mockserver.testing.session", "mockserver.testing.mock_server", "pydantic", "uvicorn"}
                assert not names & set(sys.modules)
        """)
        assert outcomes(run()) == {"passed": 1}
        assert not list((pytester.path / "base").glob("genstudio-mock*"))

    @pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
    def test_a_killed_run_leaves_no_mock(self, pytester: pytest.Pytester) -> None:
        """The kernel closes the leases of processes that were killed, so the mock ends."""
        base = pytester.path / "base"
        pytester.makepyfile(
            "import sys\n\ndef test_it(genstudio_mock):\n    print('here', flush=True)\n    sys.stdin.read()"
        )
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-m", "pytest", *PLUGINS, "-s", "-p", "no:cacheprovider", f"--basetemp={base}"]
        with subprocess.Popen(
            command, cwd=pytester.path, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert any(b"here" in line for line in process.stdout)
            where = _read_where(base / "genstudio-mock.json")
            watching = _lease(where)
            assert watching is not None
            process.kill()
            process.wait(WAIT_SECONDS)

        with watching:  # ours is the last lease now, and its end is that of the mock's process
            watching.settimeout(WAIT_SECONDS)
            watching.shutdown(1)
            assert watching.recv(1) == b""
        assert _lease(where) is None

    def test_who_comes_later(self, tmp_path: Path) -> None:
        """Two processes hold one mock; it ends with the second, and who comes then starts a new one."""
        one = MockLease(tmp_path, (), tmp_path)
        other = MockLease(tmp_path, (), tmp_path)
        assert one.url == other.url
        one.leave()
        assert RunningMock(other.url).edition.name == "2024-tutorial"
        other.leave()
        third = MockLease(tmp_path, (), tmp_path)
        assert third.url != one.url
        third.leave()
        assert _lease(_read_where(tmp_path / "genstudio-mock.json")) is None


@pytest.mark.parametrize("stopped_by", [KeyboardInterrupt, RuntimeError])
def test_a_mock_whose_lease_cannot_be_taken_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_by: type[BaseException]
) -> None:
    """Ctrl-C, or a plugin that forbids connections, strikes between start and lease: no process stays behind."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*_: object) -> tuple[subprocess.Popen[bytes], dict[str, object]]:
        started.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        return started[0], {"url": "http://127.0.0.1:1", "lease_port": 1}

    def lease(where: dict[str, object]) -> None:
        if where:
            raise stopped_by

    monkeypatch.setattr("mockserver.testing.mock_lease._start", start)
    monkeypatch.setattr("mockserver.testing.mock_lease._lease", lease)

    with pytest.raises(stopped_by):
        MockLease(tmp_path, (), tmp_path)

    ended = started[0].returncode  # without asking: it was waited for
    started[0].communicate()
    assert ended not in (None, 0)
