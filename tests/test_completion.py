"""What the shells complete: the scripts are run by the real bash, zsh and fish, where they are."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from mockserver.cli import COMMANDS
from mockserver.cli.completion import SHELLS, parsers, tables
from tests.command import EDITIONS, called, shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = "FILES"
"""What a driver says where the shell is asked for names of files."""


def in_bash(script: Path, words: list[str]) -> set[str]:
    """What bash offers for the last word."""
    line = f"""
    source {shlex.quote(str(script))}
    COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}
    _genstudio_mock
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return _answered(["bash", "--norc", "-c", line])


def in_zsh(script: Path, words: list[str]) -> set[str]:
    """What zsh is told to offer; its own functions, which need a terminal, are stood in for."""
    line = f"""
    compdef() {{ : }}
    _files() {{ print {FILES} }}
    _default() {{ print {FILES} }}
    compadd() {{ shift; print -l -- $@ }}
    _describe() {{ print -l -- ${{items%%:*}} }}
    source {shlex.quote(str(script))}
    words=({shlex.join(words)}) CURRENT={len(words)}
    _genstudio_mock
    """
    return {one for one in _answered(["zsh", "-f", "-c", line]) if one == FILES or one.startswith(words[-1])}


def in_fish(script: Path, words: list[str]) -> set[str]:
    """What fish offers; the folder is empty, so that no name of a file is among it."""
    line = f"source {shlex.quote(str(script))}; complete -C {shlex.quote(shlex.join(words[:-1]) + ' ' + words[-1])}"
    return {one.partition("\t")[0] for one in _answered(["fish", "--no-config", "-c", line])} or {FILES}


def _answered(words: list[str]) -> set[str]:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return set(done.stdout.split("\n")) - {""} or {FILES}


DRIVERS: dict[str, Callable[[Path, list[str]], set[str]]] = {"bash": in_bash, "zsh": in_zsh, "fish": in_fish}
CASES = {
    "commands": ([""], {command.name for command in COMMANDS}),
    "a command": (["ser"], {"serve"}),
    "a command's commands": (["fixtures", "ver"], {"verify"}),
    "contract replay": (["contract", "rep"], {"replay"}),
    "kinds of schema": (["schema", "pro"], {"profile"}),
    "flags": (["serve", "--port"], {"--port", "--port-file"}),
    "flags of a command's command": (["fixtures", "convert", "--scrub"], {"--scrub-field", "--scrub-pattern"}),
    "values": (["serve", "--clock", ""], {"fixed", "real"}),
    "choices": (["record", "--mode", "n"], {"none", "new-episodes"}),
    "editions": (["serve", "--edition", ""], set(EDITIONS)),
    "chips": (["run", "--chip", "chip3"], {"chip3"}),
    "after other flags": (["serve", "--port", "0", "--clock", "r"], {"real"}),
    "a flag that takes a path": (["serve", "--config", "there"], {FILES}),
    "paths": (["validate", "there"], {FILES}),
    "flags where nothing else can be": (["completion", "--"], {"--help"}),
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("case", CASES)
def test_shell(shell: str, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands, flags and the words that a flag allows are offered, and nothing else."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    script = tmp_path / "script"
    (tmp_path / "empty").mkdir()
    script.write_text(called("completion", shell)[1], encoding="utf-8")
    words, expected = CASES[case]
    monkeypatch.chdir(tmp_path / "empty")
    offered = DRIVERS[shell](script, ["genstudio-mock", *words])

    assert offered == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_words_of_another_command(shell: str, tmp_path: Path) -> None:
    """Behind `--` the words are another program's."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    script = tmp_path / "script"
    script.write_text(called("completion", shell)[1], encoding="utf-8")

    assert "--chip" not in DRIVERS[shell](script, ["genstudio-mock", "run", "--", "pytest", "--chi"])


def test_every_flag_is_there() -> None:
    """What the help of a command shows is what the shells know of it."""
    known = tables()

    for name, parser in parsers():
        assert {flag for one in known[name].flags for flag in one.names} == set(shown(parser))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("completion", "genstudio-mock completion: 0 names given; allowed: one; known: bash, zsh, fish"),
        ("completion powershell", "genstudio-mock completion: unknown shell 'powershell'; known: bash, zsh, fish"),
    ],
)
def test_wrong_use(words: str, text: str) -> None:
    """One line that says what there is."""
    assert called(*words.split()) == (2, "", f"{text}\n")
