"""What `drift` says should change: unified diffs of a chip's file and of its edition's, and the files themselves."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mockserver.contract import drift, drift_edition, drift_rows, learn_edition
from mockserver.contract.cases import Phase
from mockserver.contract.clauses.reading import Reading
from mockserver.core.data import shipped
from mockserver.core.errors import OperatorError
from mockserver.files.atomic import write_whole
from mockserver.files.bounded import read_bounded
from mockserver.files.checked import read_toml
from mockserver.profile.edition_file import ChipFile

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from mockserver.cli.drift_pairs import Compared
    from mockserver.profile.edition import Edition


def of_chip(args: argparse.Namespace, edition: Edition, compared: Compared, source: str) -> str:
    """The change to the chip's file that mends what a quirk is for; empty for none."""
    chip = compared.target.chip
    path, root = _file(args, edition, f"{chip}.toml")
    before, old = read_toml(path, ChipFile), read_bounded(path).decode()
    live = {name: exchange for name, _, exchange in compared.pairs}
    word = drift_rows.words_at_a_limit(compared.pairs)
    after = drift.patched(before, edition.chips[chip], live, source, word)
    if after.quirks == before.quirks:
        return ""
    return _diff(args, edition, path, root, old, drift.edited(old, after))


def of_edition(args: argparse.Namespace, edition: Edition, every: Sequence[Compared], date: str) -> str:
    """The change to the edition's file: error rows, rules of fields, headers; empty for none.

    Its rows are those of all chips, so what was asked of any of them counts.
    """
    path, root = _file(args, edition, "edition.toml")
    found = [
        (replace(case, name=f"{one.target.chip}: {case.name}") if len(every) > 1 else case, ours, live)
        for one in every
        for case, ours, live in one.found
        if live.plan is not None
    ]
    asked = [one for one in found if one[0].phase is Phase.BROKEN]
    answers = [one for one in found if one[0].phase is not Phase.BROKEN and Reading(one[2]).answered]
    after = drift_edition.patched(edition, asked, answers, date)
    if after == edition.file:
        return ""
    old = read_bounded(path).decode()
    return _diff(args, edition, path, root, old, learn_edition.edited(old, edition.file, after))


def _file(args: argparse.Namespace, edition: Edition, name: str) -> tuple[Path, Path]:
    """A file of the edition, and the profile directory that it lies in."""
    roots: list[Path] = [*args.profiles, shipped("profiles")]
    root = next(root for root in roots if (root / edition.name / name).is_file())
    return root / edition.name / name, root


def _diff(args: argparse.Namespace, edition: Edition, path: Path, root: Path, old: str, new: str) -> str:
    """A unified diff as `patch -p1` takes it; with `--output` the new file is written too."""
    if args.output:
        _save(args.output / edition.name / path.name, new)
    here = Path.cwd()
    shown = path.resolve().relative_to(here) if path.resolve().is_relative_to(here) else path.relative_to(root.parent)
    name = shown.as_posix()
    before = _LINE.findall(old)
    lines = difflib.unified_diff(before, _said(before, _LINE.findall(new)), f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _said(old: list[str], new: list[str]) -> list[str]:
    """The new lines without the blank ones that say nothing and were not there."""
    found: list[str] = []
    for kind, _, _, start, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        found += [] if kind == "insert" and not "".join(new[start:end]).strip() else new[start:end]
    return found


_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")  # str.splitlines would split at U+2028 and its like too


def _save(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"--output {path.parent}: {error.strerror or error}") from None
    write_whole(path, text)
