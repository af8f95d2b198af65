"""`genstudio-mock completion`: what a shell completes, written from the parsers of the commands themselves."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

from mockserver.cli.arguments import Parser
from mockserver.core.errors import OperatorError, suggestion
from mockserver.settings.config import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mockserver.cli.terminal import Console

SAYS = """\
Print what makes a shell complete commands, flags and the words that a flag allows. The script holds
all of it, so nothing is started when you press Tab; write it anew after an update."""
EXAMPLES = (
    ("genstudio-mock completion bash >> ~/.bashrc", "bash"),
    ('genstudio-mock completion zsh > "${fpath[1]}/_genstudio-mock"', "zsh, before compinit"),
    ("genstudio-mock completion fish > ~/.config/fish/completions/genstudio-mock.fish", "fish"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Print one script."""
    used = parser()
    found = used.read(argv, console)
    if found is None:
        return 0
    if len(found.words) != 1:
        raise OperatorError(f"{used.prog}: {len(found.words)} names given; allowed: one; known: {', '.join(SHELLS)}")
    name = found.words[0]
    if name not in SHELLS:
        raise OperatorError(f"{used.prog}: unknown shell {name!r}; {suggestion(name, SHELLS)}")
    console.print(SHELLS[name](tables()))
    return 0


def parser() -> Parser:
    """The parser of `completion`."""
    made = Parser("completion", SAYS, EXAMPLES)
    made.add_argument("words", nargs="*", metavar="|".join(SHELLS), help="the shell")
    return made


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag as a shell completes it.

    Attributes:
        names: Its names, the long one last.
        says: Its help, in one line.
        takes: Whether a value follows.
        words: The values that are allowed, where they are few.
    """

    names: tuple[str, ...]
    says: str
    takes: bool
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What can follow one command.

    Attributes:
        words: Its own commands or first words.
        flags: Its flags.
        files: Whether other words, such as paths, may come too.
    """

    words: tuple[str, ...]
    flags: tuple[Flag, ...]
    files: bool = False

    @property
    def names(self) -> list[str]:
        """The names of its flags."""
        return [name for flag in self.flags for name in flag.names]

    def taking(self, command: str) -> tuple[list[tuple[str, str]], str]:
        """Of this command with a flag that takes a value: those with their words, and the pattern of the others."""
        every = [
            (f"{command} {name}", " ".join(flag.words)) for flag in self.flags if flag.takes for name in flag.names
        ]
        return [one for one in every if one[1]], "|".join(f'"{before}"' for before, words in every if not words)


FIRST_WORDS: Final[Mapping[str, str]] = {"contract": "replay", "profiles": "show"}
"""Words of a command that argparse does not know as choices."""


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command and every command's command, in the table's order, with the parser that reads its words."""
    from mockserver.cli import COMMANDS

    for command in COMMANDS:
        made: Parser = import_module(f"mockserver.cli.{command.name}").parser()
        yield command.name, made
        for name, further in made.further.items():
            yield f"{command.name} {name}", further


def tables() -> dict[str, Words]:
    """Command to what can follow it; the key of genstudio-mock itself is empty."""
    from mockserver.cli import COMMANDS

    own = (Flag(("-h", "--help"), "show this help", takes=False), Flag(("-V", "--version"), "the version", takes=False))
    says = {command.name: command.says for command in COMMANDS}
    found = {"": Words(tuple(says), own)}
    known = _known_words()
    for name, one in parsers():
        actions = one._actions  # noqa: SLF001 - argparse shows its table nowhere else
        flags = [
            _flag(action, known) for action in actions if action.option_strings and action.help != argparse.SUPPRESS
        ]
        words = [*one.further] if isinstance(one, Parser) else []
        words += [FIRST_WORDS[name]] if name in FIRST_WORDS else []
        words += [word for action in actions if not action.option_strings for word in _alternatives(action.metavar)]
        found[name] = Words(tuple(words), tuple(flags), any(not action.option_strings for action in actions))
    return found


def _flag(action: argparse.Action, known: Mapping[str, Sequence[str]]) -> Flag:
    """One of argparse's flags; `known` has words for those that no table names."""
    row = SETTINGS.get(action.dest)
    allowed = action.choices or (row and row.kind.schema.get("enum")) or known.get(action.dest) or ()
    words = tuple(one for one in allowed if isinstance(one, str)) or _alternatives(action.metavar)
    says = " ".join((action.help or "").split()).partition("; ")[0].partition(" (default")[0]
    return Flag(tuple(action.option_strings), says % {"default": action.default}, takes=action.nargs != 0, words=words)


def _alternatives(metavar: object) -> tuple[str, ...]:
    """The words of a metavar such as `text|json`."""
    return tuple(metavar.split("|")) if isinstance(metavar, str) and "|" in metavar else ()


def _known_words() -> dict[str, Sequence[str]]:
    """Names that come from data: the shipped editions, and the chips of the default one."""
    from mockserver.core.data import shipped
    from mockserver.profile.edition import default_edition, editions, load_edition

    roots = [shipped("profiles")]
    return {"edition": sorted(editions(roots)), "chip": list(load_edition(default_edition(roots), roots).chips)}


# --- one writer a shell -------------------------------------------------------------------------------------------


def bash(table: Mapping[str, Words]) -> str:
    """For bash from 3.2 on, which macOS has."""
    values, words = [], []
    for name, one in table.items():
        known, others = one.taking(name)
        values += [f'    "{before}") words="{allowed}" ;;' for before, allowed in known]
        values += [f"    {others}) return ;;"] if others else []
        flags = " ".join(one.names)
        first = " ".join(one.words) or ("" if one.files else flags)
        words.append(f'      "{name}") words="{first}" flags="{flags}" ;;')
    return _BASH.format(steps=_steps(table), values="\n".join(values), words="\n".join(words))


def zsh(table: Mapping[str, Words]) -> str:
    """For zsh with its completion system."""
    values, words = [], []
    for name, one in table.items():
        known, others = one.taking(name)
        values += [f'    "{before}") compadd -- {allowed}; return ;;' for before, allowed in known]
        values += [f"    {others}) _files; return ;;"] if others else []
        flags = " ".join(_quoted(f"{flag}:{it.says}") for it in one.flags for flag in it.names)
        first = " ".join(map(_quoted, one.words)) or ("" if one.files else flags)
        words.append(f'    "{name}") items=({first}) flags=({flags}) ;;')
    return _ZSH.format(steps=_steps(table), values="\n".join(values), words="\n".join(words))


def fish(table: Mapping[str, Words]) -> str:
    """For fish from 3 on."""
    steps = [f"            case '{name}'; set key '{name.strip()}'" for name in _paths(table)]
    lines = []
    for name, one in table.items():
        head = f"complete -c genstudio-mock -n '__genstudio_mock_at \"{name}\"'"
        lines += [f"{head} -f -a '{' '.join(one.words)}'"] if one.words else []
        for it in one.flags:
            names = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in it.names)
            value = f" -x -a '{' '.join(it.words)}'" if it.words else " -r" if it.takes else ""
            lines.append(f"{head} {names}{value} -d {_quoted(it.says)}")
    return _FISH.format(steps="\n".join(steps), lines="\n".join(lines))


def _paths(table: Mapping[str, Words]) -> list[str]:
    """What a command so far and the next word become: ` serve` is `serve`, `fixtures list` is itself."""
    return [name if " " in name else f" {name}" for name in table if name]


def _steps(table: Mapping[str, Words]) -> str:
    return "\n".join(f'      "{name}") key="{name.strip()}" ;;' for name in _paths(table))


def _quoted(text: str) -> str:
    """A word in single quotes, as all three shells read it."""
    return "'" + text.replace("\\", "").replace("'", "’") + "'"


_BASH: Final = """\
# bash completion of genstudio-mock; made by: genstudio-mock completion bash
_genstudio_mock() {{
  local cur prev key word words flags i
  cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} key="" words="" flags=""
  COMPREPLY=()
  if [[ $cur == "=" ]]; then cur=""; elif [[ $prev == "=" ]]; then prev=${{COMP_WORDS[COMP_CWORD-2]}}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${{COMP_WORDS[i]}}
    if [[ $word == "--" ]]; then return; fi
    case "$key $word" in
{steps}
    esac
  done
  case "$key $prev" in
{values}
    *) case "$key" in
{words}
    esac
    if [[ $cur == -* ]]; then words=$flags; fi ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o default -F _genstudio_mock genstudio-mock"""

_ZSH: Final = """\
#compdef genstudio-mock
# made by: genstudio-mock completion zsh
_genstudio_mock() {{
  local key="" word i
  local -a items flags
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    if [[ $word == "--" ]]; then _default; return; fi
    case "$key $word" in
{steps}
    esac
  done
  case "$key $words[CURRENT-1]" in
{values}
  esac
  case "$key" in
{words}
  esac
  if [[ $words[CURRENT] == -* ]]; then items=("${{flags[@]}}"); fi
  if (( $#items )); then _describe genstudio-mock items; else _files; fi
}}
if [[ $zsh_eval_context[-1] == loadautofunc ]]
then _genstudio_mock "$@"
else compdef _genstudio_mock genstudio-mock
fi"""

_FISH: Final = """\
# fish completion of genstudio-mock; made by: genstudio-mock completion fish
function __genstudio_mock_at
    set -l key ''
    for word in (commandline -opc)[2..-1]
        if test "$word" = --
            return 1
        end
        switch "$key $word"
{steps}
        end
    end
    test "$key" = "$argv[1]"
end
{lines}"""

SHELLS: Final[dict[str, Callable[[Mapping[str, Words]], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}
