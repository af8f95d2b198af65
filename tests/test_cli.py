"""The command line: help, complaints, what `serve` prints, and what a command loads."""

from __future__ import annotations

import errno
import io
import os
import re
import shlex
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from mockserver import __version__
from mockserver.cli import COMMANDS, main
from mockserver.cli.ready import curl, grouped, ready_block
from mockserver.cli.terminal import WIDTH, Console, width
from mockserver.core.exchange import Request
from mockserver.pipeline.incoming import IncomingRequest
from mockserver.server.guard import Guard
from mockserver.settings.assemble import build, edition_of
from mockserver.settings.config import SETTINGS, Config
from tests.command import EDITIONS, ROOT, called

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty directory, so that no configuration of this checkout is read."""
    monkeypatch.chdir(tmp_path)


class TestUse:
    """Help, version and complaints."""

    def test_version(self) -> None:
        """`--version` is one line."""
        assert called("--version") == (0, f"genstudio-mock {__version__}\n", "")

    @pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
    @pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
    @pytest.mark.parametrize(("words", "code"), [("--version", 0), ("nosuch", 2), ("run -- sh -c 'exit 7'", 7)])
    def test_closed_streams(self, words: str, code: int, closed: str) -> None:
        """What cannot be said is not said; the exit code is the same, and nobody reads a traceback."""
        line = f"{shlex.quote(sys.executable)} -m mockserver {words} {closed}"
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)

        assert (done.returncode, "Traceback" in done.stderr) == (code, False)

    def test_help_lists_the_commands(self) -> None:
        """`--help` names each command, and examples to paste."""
        code, out, err = called("--help")

        assert (code, err) == (0, "")
        assert all(f"\n  {command.name} " in out for command in COMMANDS)
        assert "\n  genstudio-mock serve " in out

    def test_without_a_command(self) -> None:
        """Without a command the help is shown, and nothing is wrong."""
        assert called() == called("--help") == (0, called("--help")[1], "")

    @pytest.mark.parametrize("command", [command.name for command in COMMANDS])
    def test_help_of_a_command(self, command: str) -> None:
        """Each command's help has examples to paste and fits into a terminal of 100 columns."""
        code, out, err = called(command, "--help")

        assert (code, err) == (0, "")
        assert f"examples:\n  genstudio-mock {command}" in out
        assert max(map(width, out.splitlines())) <= WIDTH

    @pytest.mark.parametrize(("command", "behind"), [("run", "-- COMMAND"), ("fuzz", "-- CLIENT")])
    def test_help_shows_what_stands_behind_the_flags(self, command: str, behind: str) -> None:
        """The usage names the command line of another that the words after `--` are."""
        usage, _, _ = called(command, "--help")[1].partition("\n\n")

        assert usage.splitlines()[-1].strip() == f"{behind} [ARGUMENT …]"

    def test_help_lists_every_setting(self) -> None:
        """No setting lacks its flag in the help of serve."""
        _, out, _ = called("serve", "--help")

        assert all(row.flag in out for row in SETTINGS.values() if not row.file_only)

    WRONG: list[tuple[str, str]] = [  # noqa: RUF012 - a table for the test below
        ("sevre", "genstudio-mock: unknown command 'sevre'; did you mean serve?"),
        (
            "--versoin",
            (
                "genstudio-mock: --versoin is not known before a command; did you mean --version?; "
                "commands: serve, run, record, fixtures, contract, learn, drift, fuzz, verdict, profiles, validate, "
                "init, doctor, completion, schema"
            ),
        ),
        ("serve --prot 3", "genstudio-mock serve: unknown flag --prot; did you mean --port, --host, --profiles?"),
        ("serve --prot=3", "genstudio-mock serve: unknown flag --prot; did you mean --port, --host, --profiles?"),
        ("serve --port", "genstudio-mock serve: --port: no value given; allowed: an integer from 0 to 65535"),
        ("serve --config", "genstudio-mock serve: --config: no value given; allowed: a path"),
        ("run --chip", "genstudio-mock run: --chip: no value given; allowed: NAME"),
        ("fuzz --seed", "genstudio-mock fuzz: --seed: no value given; allowed: SEED"),
        ("record --mode", "genstudio-mock record: --mode: no value given; allowed: none, once, new-episodes, all"),
        ("fixtures", "genstudio-mock fixtures: missing: ACTION; see genstudio-mock fixtures --help"),
        (
            "fixtures lst",
            "genstudio-mock fixtures: ACTION: 'lst' is not allowed; allowed: list, show, diff, convert, age, verify",
        ),
        ("fixtures diff a", "genstudio-mock fixtures diff: missing: FILE; see genstudio-mock fixtures diff --help"),
        (
            "fixtures show a --report q",
            (
                "genstudio-mock fixtures show: --report: 'q' is not allowed; allowed: html; "
                "see genstudio-mock fixtures show --help"
            ),
        ),
        ("learn", "genstudio-mock learn: missing: --base-url, --model, --chip; see genstudio-mock learn --help"),
        (
            "record --base-url http://a --mode x",
            "genstudio-mock record: --mode: 'x' is not allowed; allowed: none, once, new-episodes, all",
        ),
        ("serve --port 99999", "--port: '99999' is not allowed; allowed: an integer from 0 to 65535"),
        ("serve --strict=1", "genstudio-mock serve: --strict/--no-strict: takes no value; '1' was given"),
        ("serve now", "genstudio-mock serve: 'now' is one word too many; see genstudio-mock serve --help"),
        ("serve --config no.toml", "no.toml: no such file"),
        (
            f"serve --host {'a' * 70}",
            f"--host {'a' * 70}: no name of a host; a part between dots has 1 to 63 characters",
        ),
        ("serve --uds s --port-file p", "--port-file p: there is no port with --uds; drop one of them"),
        ("profiles shw chip3", "genstudio-mock profiles: 'shw chip3' is not allowed; allowed: show CHIP"),
        ("profiles show", "genstudio-mock profiles: 'show' is not allowed; allowed: show CHIP"),
        ("profiles show chip33", "chip 'chip33' is not in edition 2024-tutorial; did you mean chip3, chip5, chip4?"),
        ("profiles --quirks --models", "genstudio-mock profiles: --models: not allowed with argument --quirks"),
        ("validate", "genstudio-mock validate: no path given; allowed: files and directories"),
        ("validate nowhere", "nowhere: no such file or directory"),
        (
            "schema",
            "genstudio-mock schema: 0 names given; allowed: one; known: profile, edition, fixture, exchange, config",
        ),
        ("schema profil", "genstudio-mock schema: unknown schema 'profil'; did you mean profile, config?"),
    ]

    @pytest.mark.parametrize(("words", "text"), WRONG, ids=[words or "nothing" for words, _ in WRONG])
    def test_wrong_use(self, words: str, text: str) -> None:
        """Wrong use is exit code 2 and one line that says what was seen and what is allowed."""
        assert called(*words.split()) == (2, "", f"{text}\n")

    @pytest.mark.parametrize(
        "words",
        [
            "serve --fixtures {}",
            "serve --profiles {}",
            "run --fixtures {} -- true",
            "fixtures list {}",
            "fixtures verify {}",
            "fixtures convert {} out.har",
            "drift --against {} --model mt-infini-3b --chip chip3",
            "profiles --profiles {}",
        ],
    )
    def test_a_path_that_the_system_refuses(self, words: str) -> None:
        """A path that cannot even be looked at (its name is too long, its folder is closed) is one line too."""
        name = "路" * 300
        code, out, err = called(*words.format(name).split())

        assert (code, out) == (2, "")
        assert err == f"{name}: cannot be used: {os.strerror(errno.ENAMETOOLONG)}\n"

    def test_an_unknown_edition(self) -> None:
        """An edition that is not there is answered with those that are."""
        code, out, err = called("serve", "--edition", "2024-tutorail")

        assert (code, out) == (2, "")
        assert re.fullmatch(r"edition: '2024-tutorail' is not in .*; did you mean 2024-tutorial\?\n", err)

    def test_a_wrong_variable_is_wrong_use(self) -> None:
        """A variable of ours that is unknown stops the start."""
        names = "GENSTUDIO_MOCK_SEED, GENSTUDIO_MOCK_SPEED, GENSTUDIO_MOCK_STATE"
        text = f"GENSTUDIO_MOCK_SED: unknown variable; did you mean {names}?\n"

        assert called("serve", environ={"GENSTUDIO_MOCK_SED": "1"}) == (2, "", text)


class TestPrintConfig:
    """`serve --print-config`."""

    def test_every_value_and_where_it_came_from(self) -> None:
        """One aligned row a setting, in the table's order; secrets masked."""
        code, out, err = called(
            "serve", "--print-config", "--api-key", "sk-abcdef12", environ={"GENSTUDIO_MOCK_PORT": "9000"}
        )
        rows = [re.split(r"  +", line) for line in out.splitlines()]

        assert (code, err) == (0, "")
        assert [row[0] for row in rows] == ["setting", *SETTINGS]
        assert ["port", "9000", "GENSTUDIO_MOCK_PORT"] in rows
        assert ["api_key", "***12 (11 characters)", "--api-key"] in rows
        assert ["edition", "2024-tutorial", "default"] in rows
        assert ["uds", "-", "default"] in rows
        assert "sk-abc" not in out

    def test_the_table_moderation(self, tmp_path: Path) -> None:
        """Triggers of the text review come from the file."""
        (tmp_path / "genstudio-mock.toml").write_text("[moderation]\ninput_words = ['a', 'b']\nafter_pieces = 3\n")
        _, out, _ = called("serve", "--print-config")

        assert re.search(r"^moderation +input_words: a, b; after_pieces: 3 +genstudio-mock.toml$", out, re.MULTILINE)


class TestReadyBlock:
    """What `serve` says when it is ready."""

    @pytest.mark.parametrize("edition", EDITIONS)
    def test_it_fits_into_a_terminal(self, edition: str) -> None:
        """No line is wider than 100 columns, and the first tells the URL."""
        config = Config(edition=edition)
        console = Console(io.StringIO(), io.StringIO(), {})
        lines = ready_block("http://127.0.0.1:8777", edition_of(config), config, Guard(), console)

        assert lines[0] == f"genstudio-mock {__version__} is ready at http://127.0.0.1:8777 (Ctrl-C ends it)"
        assert max(map(width, lines)) <= WIDTH

    def test_the_control_token(self) -> None:
        """A token made at the start is told, one of the operator's is masked; without one nothing is told."""
        console = Console(io.StringIO(), io.StringIO(), {})

        def told(config: Config, guard: Guard) -> list[str]:
            lines = ready_block("http://127.0.0.1:1", edition_of(config), config, guard, console)
            return [line.split(": ")[1] for line in lines if "X-Mock-Token" in line]

        assert told(Config(), Guard()) == []
        assert told(Config(), Guard("fresh-token")) == ["fresh-token"]
        own = "my-secret"
        assert told(Config(control_token=own), Guard(own)) == ["***et (9 characters)"]

    @pytest.mark.parametrize("edition", EDITIONS)
    def test_the_request_to_paste_is_answered(self, edition: str) -> None:
        """What curl would send is let in by the edition, and names a model and a chip that it has."""
        config = Config(edition=edition)
        mock = build(config)
        command, _, url, *flags = shlex.split(" ".join(curl("http://127.0.0.1:1", mock.edition, config)))
        model, chip = url.removeprefix("http://127.0.0.1:1/maas/").split("/")[:2]
        headers = dict(one.lower().encode().split(b": ") for one in flags[1:4:2])
        asked = Request("POST", "/", headers, flags[5].encode())
        plan = mock.service.respond(IncomingRequest(model, chip, asked, 0)).plan

        assert command == "curl"
        assert (plan.status, plan.detail) == (200, "")

    def test_chips_that_deviate_alike_are_grouped(self) -> None:
        """Shared deviations are told once; every chip is in one group, with the rest of its deviations."""
        edition = edition_of(Config())
        shared, groups = grouped(edition)

        assert shared == ["usage-total-second", "body-flush-lines"]
        assert groups == [
            (["nvidia", "amd", "chip1", "chip2"], []),
            (["chip3", "chip4", "chip5"], ["json-lines", "no-done", "type-json", "object-last", "created-last"]),
        ]

    def test_a_configured_key_is_not_shown(self) -> None:
        """The request to paste has a place for the key, not the key."""
        config = Config(api_key=("sk-secret",))

        assert "sk-secret" not in str(curl("http://127.0.0.1:1", edition_of(config), config))

    def test_colour_only_on_a_terminal(self) -> None:
        """A pipe gets no colour; a terminal does, unless NO_COLOR or TERM=dumb says no."""

        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        def painted(out: io.StringIO, environ: dict[str, str]) -> str:
            return Console(out, io.StringIO(), {"WT_SESSION": "1", **environ}).paint("x", "red")

        assert painted(io.StringIO(), {}) == "x"
        assert painted(Terminal(), {}) == "\x1b[31mx\x1b[0m"
        assert painted(Terminal(), {"NO_COLOR": "1"}) == "x"
        assert painted(Terminal(), {"NO_COLOR": ""}) == "\x1b[31mx\x1b[0m"
        assert painted(Terminal(), {"TERM": "dumb"}) == "x"

    @pytest.mark.skipif(sys.platform == "win32", reason="its consoles are no files of a folder /dev")
    @pytest.mark.parametrize(("columns", "at_most"), [(60, 60), (80, 80), (200, WIDTH), (0, WIDTH)])
    def test_a_narrow_terminal_is_filled_and_not_passed(self, columns: int, at_most: int) -> None:
        """Help and tables wrap at the columns of the terminal, at `WIDTH` at most; one without a size has `WIDTH`."""
        import fcntl
        import pty
        import struct
        import termios

        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

            def fileno(self) -> int:
                return inside

        outside, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        out, err = Terminal(), io.StringIO()
        try:
            code = main(["verdict", "--help"], {"NO_COLOR": "1"}, out, err)
        finally:
            os.close(outside)
            os.close(inside)
        prose = out.getvalue().partition("examples:")[0].splitlines()

        assert (code, err.getvalue()) == (0, "")
        assert at_most - 12 < max(map(width, prose)) <= at_most


def served(program: str, *flags: str) -> str:
    """What a program prints that asks `serve` from within its process; `fetch` gives the status of an answer."""
    opening = """if True:
        import io, json, os, re, sys, threading, traceback, urllib.error, urllib.request
        from mockserver.cli import main

        class Out(io.StringIO):
            asked = ""
            def write(self, said):
                found = re.search(r"http://127.0.0.1:[0-9]+", said)
                if found and not self.asked:
                    self.asked = found[0]
                    threading.Thread(target=ask).start()

        def fetch(path, body=None, key="Bearer a", fault=""):
            data = None if body is None else json.dumps(body).encode() if isinstance(body, dict) else body.encode()
            given = {"authorization": key, "content-type": "application/json", "x-mock-fault": fault}
            headers = {name: value for name, value in given.items() if value}
            try:
                with urllib.request.urlopen(urllib.request.Request(out.asked + path, data, headers)) as answer:
                    answer.read()
                    return answer.status
            except urllib.error.HTTPError as error:
                error.close()
                return error.code

        def ask():
            try:
                exec(sys.argv[1])
            except Exception:
                traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(0)

        out = Out()
        main(["serve", "--port", "0", *sys.argv[2:]], {}, out, out)
    """
    words = [sys.executable, "-X", "utf8", "-c", opening, textwrap.dedent(program), *flags]
    return subprocess.run(
        words, capture_output=True, text=True, encoding="utf-8", check=True, cwd=ROOT, timeout=60
    ).stdout


class TestImports:
    """What a command loads."""

    @pytest.mark.parametrize("words", ["--version", "--help", "serve --help", "contract --help"])
    def test_help_is_quick(self, words: str) -> None:
        """Neither the server nor pydantic is imported to tell the version or help."""
        program = (
            "import io, sys; from mockserver.cli import main;"
            f"main({words.split()!r}, {{}}, io.StringIO(), sys.stderr);"
            "print(sorted({'pydantic', 'starlette', 'uvicorn', 'asyncio'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)

        assert done.stdout == "[]\n"

    def test_building_a_mock_does_not_import_uvicorn(self) -> None:
        """A door that is not the command line may bring its own server."""
        program = (
            "import sys; from mockserver.settings.assemble import build; from mockserver.settings.config import Config;"
            "build(Config());"
            "print('uvicorn' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)

        assert done.stdout == "False\n"

    def test_a_server_needs_nothing_of_uvicorns_command_line(self) -> None:
        """What is not imported by the first answer of `serve`; who asks for a name of the package still gets it."""
        told = served("""
            print(fetch("/maas/v1/models"))
            print(sorted({"click", "uvicorn.main", "multiprocessing"} & set(sys.modules)))
            import uvicorn
            print(uvicorn.Server is sys.modules["uvicorn.server"].Server, "click" in sys.modules)
        """)

        assert told == "200\n[]\nTrue True\n"

    @pytest.mark.parametrize("edition", ["2024-tutorial", "2025-reference"])
    def test_what_is_shipped_is_served_without_pydantic(self, edition: str) -> None:
        """Fixtures, synthetic text and refusals need neither it nor, of its engine, what describes models to it."""
        told = served(
            """
            chat, ask = "/maas/mt-infini-3b/chip3/chat/completions", [{"role": "user", "content": "你是谁?"}]
            new = [{"role": "user", "content": "一个新问题"}]
            for messages in (ask, new):
                for stream in (False, True):
                    print(fetch(chat, {"model": None, "messages": messages, "stream": stream}), end=" ")
            print(fetch(chat, {"model": None, "messages": []}), fetch(chat, {"messages": new}, key=""), end=" ")
            print(fetch("/maas/none/chip3/chat/completions", {"messages": new}), fetch(chat, "no JSON"), end=" ")
            print(sorted({"pydantic", "pydantic_core.core_schema", "typing_extensions"} & set(sys.modules)), end=" ")
            print(fetch(chat, {"model": None, "messages": new}, fault="status;status=503"), "pydantic" in sys.modules)
            """,
            "--edition", edition, "--model", "mt-infini-3b",
        )  # fmt: skip

        assert told == "200 200 200 200 400 401 404 400 [] 503 True\n"

    def test_a_plugin_of_pydantic_is_not_loaded(self, tmp_path: Path) -> None:
        """What others installed for their own models has no say in the mock, and is not looked for at its start."""
        (tmp_path / "loud_plugin.py").write_text("plugin = None\n")
        (tmp_path / "loud-1.dist-info").mkdir()
        (tmp_path / "loud-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1\n")
        (tmp_path / "loud-1.dist-info" / "entry_points.txt").write_text("[pydantic]\nloud = loud_plugin:plugin\n")
        (tmp_path / "own.json").write_text('{"match": {}, "answer": {"text": "a"}}')  # which pydantic checks
        program = (  # the socket cannot be made, which is told when the mock is built
            "import sys; from mockserver.cli import main;"
            "flags = ['--fixtures', sys.argv[1], '--uds', sys.argv[1] + '/none/here'];"
            "main(['serve', *flags], {}, sys.stderr, sys.stderr);"
            "print('pydantic' in sys.modules, 'loud_plugin' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(tmp_path)}, timeout=60,
        )  # fmt: skip

        assert done.stdout == "True False\n"
