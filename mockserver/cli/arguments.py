"""Flags: the parser of one command, with errors in our form, and the flags that the table of settings gives."""

from __future__ import annotations

import argparse
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from mockserver.core.errors import OperatorError, suggestion
from mockserver.settings.config import SETTINGS, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mockserver.cli.terminal import Console
    from mockserver.settings.config import Loaded, Setting

FORMER: Final[Mapping[str, Mapping[str, str]]] = {
    "record": {
        "--upstream": "--base-url",
        "--out": "--output",
        "--upstream-ca": "--ca",
        "--upstream-key-env": "--api-key-env",
    },
    "fuzz": {"--save": "--output", "--json": "--client-json"},
}
"""Names that flags had, for each command: they go on working, and no help and no message shows them."""

_NUMBERS: Final = {"int": "an integer", "float": "a number"}
"""argparse's names of types, in words."""


class _Telling(argparse.ArgumentParser):
    """What argparse finds wrong, in our form."""

    def said_anew(self, message: str) -> str:
        """The message with what was seen or is missing, and what is allowed."""
        text = re.sub(r"^argument ", "", message)
        lacking = re.fullmatch(r"the following arguments are required: (.+)", text)
        if lacking:
            return f"missing: {lacking[1]}"
        chosen = re.fullmatch(r"(.+): invalid choice: (.+) \(choose from .*\)", text, re.DOTALL)
        if chosen:
            names = (("/".join(one.option_strings), one.metavar, one.dest, one) for one in self._actions)
            choices = next(one.choices for *called, one in names if chosen[1] in called)
            return f"{chosen[1]}: {chosen[2]} is not allowed; allowed: {', '.join(choices or ())}"
        return text


class _Further(_Telling):
    """The parser of a command's command."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise OperatorError(f"{self.prog}: {self.said_anew(message)}; see {self.prog} --help")


class Parser(_Telling):
    """argparse with errors of one line, near names for unknown flags, and help written where it is told to.

    Args:
        command: The command's words after `genstudio-mock`.
        says: What the command does.
        examples: Lines to paste, each with what it does.
        behind: What stands behind the flags, as the help shows it.
    """

    def __init__(self, command: str, says: str, examples: Sequence[tuple[str, str]], behind: str = "") -> None:
        super().__init__(prog=f"genstudio-mock {command}", add_help=False, allow_abbrev=False)
        self._says, self._examples, self._behind = says, examples, behind
        self.add_argument("-h", "--help", action="store_true", help="show this help")
        self.further: Mapping[str, argparse.ArgumentParser] = {}
        self._allowed = {"--config": "a path"}

    def read(self, argv: Sequence[str], console: Console, *, ordered: bool = False) -> argparse.Namespace | None:
        """The arguments, or None where help was asked for and has been written.

        Args:
            argv: The words after the command.
            console: Where help goes.
            ordered: The order of words and flags matters: there are further commands, or a command line of another.
        """
        self._take_former_names()
        own = argv[: argv.index("--")] if "--" in argv else argv
        if any(one in {"-h", "--help"} for one in own):
            chosen = next((self.further[word] for word in own if word in self.further), self)
            self._fit(console.width)
            chosen.formatter_class = self.formatter_class
            console.print(chosen.format_help().rstrip("\n"))
            return None
        found, unknown = self.parse_known_args(argv) if ordered else self.parse_known_intermixed_args(argv)
        if unknown:
            self._refuse(unknown[0].partition("=")[0])
        return found

    def _fit(self, width: int) -> None:
        """Make the help for so many columns."""
        paragraphs = self._says.split("\n\n")
        self.description = "\n\n".join(textwrap.fill(" ".join(one.split()), width) for one in paragraphs)
        longest = max(len(line) for line, _ in self._examples)
        apart = longest + max(len(what) for _, what in self._examples) + 6 > width
        between = "\n      # " if apart else "  # "
        shown = (f"  {line if apart else line.ljust(longest)}{between}{what}" for line, what in self._examples)
        self.epilog = "\n".join(("examples:", *shown))
        position = min(30, width // 3)
        self.formatter_class = lambda prog: argparse.RawDescriptionHelpFormatter(
            prog, max_help_position=position, width=width
        )
        if self._behind:
            self.usage = None
            flags = self.format_usage().removeprefix("usage: ").rstrip(" .\n")
            self.usage = f"{flags}\n{' ' * len(f'usage: {self.prog} ')}{self._behind}"

    def _take_former_names(self) -> None:
        """Know the flags by their former names too; an action's own names, which are shown, stay as they are."""
        known = self._option_string_actions
        for former, name in FORMER.get(self.prog.partition(" ")[2], {}).items():
            known.setdefault(former, known[name])

    def add_subparsers(self, **settings: Any) -> Any:
        """Further commands; what is wrong with their words is told in our form too."""
        made = super().add_subparsers(parser_class=_Further, **settings)
        self.further = made.choices
        return made

    def _refuse(self, word: str) -> NoReturn:
        if not word.startswith("-"):
            raise OperatorError(f"{self.prog}: {word!r} is one word too many; see {self.prog} --help")
        flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        raise OperatorError(f"{self.prog}: unknown flag {word}; {suggestion(word, flags)}")

    def error(self, message: str) -> NoReturn:
        """What argparse itself finds wrong, with what the flag allows."""
        text = self.said_anew(message)
        if text.startswith("missing: "):
            text = f"{text}; see {self.prog} --help"
        lacking = re.fullmatch(r"(?:-\w, )?(--[a-z-]+): expected one argument", text)
        if lacking:
            text = f"{lacking[1]}: no value given; allowed: {self._allowed_for(lacking[1])}"
        unread = re.fullmatch(r"(.+): invalid (int|float) value: (.+)", text)
        if unread:
            text = f"{unread[1]}: {unread[3]} is not allowed; allowed: {_NUMBERS[unread[2]]}"
        superfluous = re.fullmatch(r"(.+): ignored explicit argument (.+)", text)
        if superfluous:
            text = f"{superfluous[1]}: takes no value; {superfluous[2]} was given"
        raise OperatorError(f"{self.prog}: {text}")

    def _allowed_for(self, flag: str) -> str:
        """What a flag takes, as its setting says, or as its help shows it."""
        action = next(one for one in self._actions if flag in one.option_strings)
        shown = ", ".join(action.choices) if action.choices else action.metavar or action.dest.upper()
        return self._allowed.get(flag, str(shown))

    def add_settings(self, names: Iterable[str]) -> None:
        """Flags for settings of the table, under their headings, and `--config`."""
        groups: dict[str, Any] = {}
        for name in names:
            row = SETTINGS[name]
            if row.group not in groups:
                groups[row.group] = self.add_argument_group(row.group)
            says = help_of(row)
            self._allowed[row.flag] = row.kind.allowed
            if isinstance(row.default, bool):
                groups[row.group].add_argument(
                    row.flag, dest=name, action=argparse.BooleanOptionalAction, default=None, help=says
                )
            else:
                action = "append" if row.many else "store"
                groups[row.group].add_argument(row.flag, dest=name, metavar=row.metavar, action=action, help=says)
        places = "genstudio-mock.toml, then [tool.genstudio-mock] in pyproject.toml, in the working directory"
        self.add_argument("--config", metavar="FILE", help=f"configuration file (default: {places})")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """The flag of commands that tell how far they have come."""
    parser.add_argument("--quiet", action="store_true", help="no progress")


def add_json(parser: argparse.ArgumentParser) -> None:
    """The flag of commands whose reports programs may read: short for `--report json`."""
    parser.add_argument("--json", dest="report", action="store_const", const="json", help="the same as --report json")


def help_of(row: Setting) -> str:
    """A setting's sentence for help, with its default and whether its flag may be repeated."""
    says = row.says
    if row.default not in (None, ()) and not isinstance(row.default, bool):
        says += f" (default {row.kind.show(row.default)})"
    return f"{says}; may be repeated" if row.many else says


def configuration(found: argparse.Namespace, console: Console, cwd: Path = Path()) -> Loaded:
    """The configuration that the arguments, the environment and the files make; relative paths start at `cwd`."""
    flags = {name: value for name, value in vars(found).items() if name in SETTINGS and value is not None}
    return load(flags, console.environ, file=found.config, cwd=cwd)
