"""One vocabulary of flags over all commands, the names that flags had, and how far long work tells that it has come."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

import pytest

from mockserver.cli.arguments import FORMER, Parser
from mockserver.cli.completion import parsers
from mockserver.cli.progress import Progress
from mockserver.cli.terminal import Console
from tests.command import called, shown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from mockserver.cli.progress import Progress as Steps

VOCABULARY = {
    "--output": "where what was made is written",
    "--base-url": "the server that is asked",
    "--ca": "certificates to trust instead of the system's",
    "--api-key-env": "the variable that holds the key",
    "--quiet": "nothing about how far it has come",
    "--report": "in which form what was found is told",
    "--json": "told for programs",
}
TARGET = {"--base-url", "--ca", "--api-key-env"}
USED = {
    "serve": set[str](),
    "run": {"--json", "--output"},
    "record": TARGET | {"--output"},
    "fixtures": set[str](),
    "fixtures list": {"--json"},
    "fixtures show": {"--report", "--output"},
    "fixtures diff": {"--report", "--output", "--json"},
    "fixtures convert": set[str](),
    "fixtures age": {"--json"},
    "fixtures verify": {"--json"},
    "contract": TARGET | {"--output", "--report", "--json", "--quiet"},
    "learn": TARGET | {"--output", "--json", "--quiet"},
    "drift": TARGET | {"--output", "--report", "--json", "--quiet"},
    "fuzz": {"--output", "--quiet", "--report"},
    "verdict": {"--base-url", "--api-key-env", "--report", "--json"},
    "profiles": set[str](),
    "validate": set[str](),
    "schema": set[str](),
    "completion": set[str](),
    "init": {"--output"},
    "doctor": {"--json"},
}
OTHER_WORDS = {
    "--out", "--save", "--html", "--upstream", "--upstream-ca", "--upstream-key-env", "--url", "--cacert", "--silent",
    "--format", "--key-env", "--output-dir",
}  # fmt: skip


@pytest.mark.parametrize(("name", "parser"), [pytest.param(*one, id=one[0]) for one in parsers()])
def test_one_vocabulary(name: str, parser: argparse.ArgumentParser) -> None:
    """Each command says the same thing with the same word, and with no other."""
    flags = shown(parser)

    assert flags.keys() & VOCABULARY.keys() == USED[name]
    assert not flags.keys() & OTHER_WORDS
    takes = {flag: flags[flag].nargs != 0 for flag in USED[name]}
    assert takes == {flag: flag not in {"--quiet", "--json"} for flag in USED[name]}
    assert all(flags[flag].help for flag in USED[name])


FORMERLY = [(command, former, name) for command, names in FORMER.items() for former, name in names.items()]


@pytest.mark.parametrize(("command", "former", "name"), FORMERLY, ids=lambda one: str(one).strip("-"))
def test_former_names(command: str, former: str, name: str) -> None:
    """A flag's former name does the same, is not shown, and a complaint about it says the name of today."""
    parser = dict(parsers())[command]
    assert isinstance(parser, Parser)
    flag = shown(parser)[name]
    value = [] if flag.nargs == 0 else ["there"]
    needed = [] if name == "--base-url" or command != "record" else ["--base-url", "http://127.0.0.1:1"]
    console = Console(io.StringIO(), io.StringIO(), {})

    ordered = command == "fuzz"
    formerly = parser.read([*needed, former, *value], console, ordered=ordered)
    assert formerly == parser.read([*needed, name, *value], console, ordered=ordered)
    parser.read(["--help"], console)
    assert f"{former} " not in console.out.getvalue()  # type: ignore[attr-defined]


def told(steps: Steps) -> None:
    """Two steps of three, one of which is worth a line, and a note."""
    with steps:
        steps.step(1, 3, "first: ok", about="chip3")
        steps.step(2, 3, "second: broken: [done-last]", about="chip3", kept=True)
        steps.note("1 case left out")


def test_a_line_a_step() -> None:
    """Where no terminal is, each step is a line; with --quiet notes alone are told."""
    loud, quiet = io.StringIO(), io.StringIO()
    told(Progress(loud, {"FORCE_COLOR": "1"}))
    told(Progress(quiet, {}, quiet=True))

    assert loud.getvalue() == "chip3 1/3 first: ok\nchip3 2/3 second: broken: [done-last]\n1 case left out\n"
    assert quiet.getvalue() == "1 case left out\n"


@pytest.fixture
def terminal() -> Iterator[tuple[io.TextIOBase, int]]:
    """The side of a real terminal that programs write to, and the other one."""
    ours, theirs = pytest.importorskip("pty").openpty()
    with open(theirs, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor
        yield stream, ours
    os.close(ours)


def heard(terminal: tuple[io.TextIOBase, int], **environ: str) -> str:
    """What a terminal shows of the two steps."""
    stream, ours = terminal
    told(Progress(stream, {"TERM": "xterm", **environ}))  # type: ignore[arg-type]
    stream.close()
    text = b""
    with contextlib.suppress(OSError):  # which is how a terminal's end is told that nobody writes any more
        while part := os.read(ours, 1 << 16):
            text += part
    return text.decode().replace("\r\n", "\n")


class TestTerminal:
    """On a terminal a bar stands in the last line, and what is worth it above."""

    def test_a_bar(self, terminal: tuple[io.TextIOBase, int]) -> None:
        """The count is drawn, only what is kept is a line, and colour is used."""
        text = heard(terminal)

        assert "2/3" in text
        assert "━" in text
        assert "second: broken: [done-last]\n" in text
        assert "first: ok\n" not in text
        assert "\x1b[38;" in text or "\x1b[3" in text

    def test_without_colour(self, terminal: tuple[io.TextIOBase, int]) -> None:
        """NO_COLOR leaves the bar and takes its colours, also beside FORCE_COLOR."""
        text = heard(terminal, NO_COLOR="1", FORCE_COLOR="1")

        assert "2/3" in text
        assert "\x1b[3" not in text

    @pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {}], ids=["dumb", "without rich"])
    def test_lines(
        self, terminal: tuple[io.TextIOBase, int], environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A terminal that cannot move its cursor, and one without what draws the bar, get lines."""
        if not environ:
            monkeypatch.setitem(sys.modules, "rich.console", None)

        assert heard(terminal, **environ) == (
            "chip3 1/3 first: ok\nchip3 2/3 second: broken: [done-last]\n1 case left out\n"
        )


COLOURS = [
    ({}, False),
    ({"FORCE_COLOR": "1"}, True),
    ({"FORCE_COLOR": ""}, False),
    ({"FORCE_COLOR": "1", "TERM": "dumb"}, True),
    ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
]


@pytest.mark.parametrize(("environ", "coloured"), COLOURS, ids=[str(one) for one, _ in COLOURS])
def test_colour_without_a_terminal(environ: dict[str, str], *, coloured: bool) -> None:
    """FORCE_COLOR paints what is no terminal, and NO_COLOR counts before it."""
    console = Console(io.StringIO(), io.StringIO(), environ)

    assert ("\x1b[" in console.paint("ok", "green")) is coloured


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("record", "--base-url", "http://a", "--port", "abc"), "--port: 'abc' is not allowed; allowed: an integer"),
        (("record", "--base-url", "http://a", "--speed", "x"), "--speed: 'x' is not allowed; allowed: a number"),
        (("fuzz", "--examples", "1.5"), "--examples: '1.5' is not allowed; allowed: an integer"),
    ],
)
def test_what_is_no_number_is_told_as_everywhere(words: tuple[str, ...], says: str) -> None:
    """In the words that a setting's flag has for it, and not in those of Python's types."""
    assert called(*words) == (2, "", f"genstudio-mock {words[0]}: {says}\n")
