"""`genstudio-mock validate`: check files before a server or a colleague meets them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mockserver.cli.arguments import Parser
from mockserver.core.errors import OperatorError
from mockserver.files.bounded import visible_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mockserver.cli.terminal import Console

SAYS = """\
Check files, and directories with all files below them: profiles (*.toml), fixtures and recordings
(*.json) and the configuration (genstudio-mock.toml, pyproject.toml). The exit code is 2 when one of
them is wrong."""
EXAMPLES = (
    ("genstudio-mock validate my-profiles my-fixtures", "all files below two directories"),
    ("genstudio-mock validate genstudio-mock.toml", "a configuration file"),
)


def run(argv: Sequence[str], console: Console) -> int:
    """Check each file and say so, line by line."""
    used = parser()
    found = used.read(argv, console)
    if found is None:
        return 0
    if not found.paths:
        raise OperatorError(f"{used.prog}: no path given; allowed: files and directories")
    wrong = total = 0
    for path in _files([Path(one) for one in found.paths]):
        total += 1
        try:
            note = check(path)
        except OperatorError as error:
            wrong += 1
            text = str(error)
            named = text if text.startswith((str(path), visible_path(path))) else f"{path}: {text}"
            console.print(f"{console.paint('wrong', 'red')}  {visible_path(named)}")
        else:
            console.print(f"{console.paint('ok', 'green')}     {visible_path(path)}{note and f': {note}'}")
    console.print("", f"{total} file{'' if total == 1 else 's'}, {wrong} wrong")
    return 2 if wrong else 0


def parser() -> Parser:
    """The parser of `validate`."""
    made = Parser("validate", SAYS, EXAMPLES)
    made.add_argument("paths", nargs="*", metavar="PATH", help="file or directory to check")
    return made


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files to check; raises OperatorError for a path without any."""
    for path in paths:
        if not path.exists():
            raise OperatorError(f"{path}: no such file or directory")
        if not path.is_dir():
            yield path
            continue
        below = sorted(one for one in path.rglob("*") if one.suffix in {".toml", ".json"} and one.is_file())
        if not below:
            raise OperatorError(f"{path}: holds no *.toml and no *.json")
        yield from below


def check(path: Path) -> str:
    """Check one file by what its name says that it is; what is to be said of a good one, or nothing.

    Raises:
        OperatorError: the file is wrong.
    """
    from mockserver.core.strict_json import repeated_key
    from mockserver.files.bounded import read_bounded, without_byte_order_mark
    from mockserver.files.checked import read_toml
    from mockserver.profile.edition_file import ChipFile, DefaultFile
    from mockserver.settings.config import FILE_NAME, PROJECT_FILE_NAME, load
    from mockserver.sources import fixture_file
    from mockserver.sources.recording_file import read_recording

    if path.suffix == ".json":
        read = fixture_file.read(path.parent, path.name)
        if read is not None:
            return read.expiry(datetime.now(UTC).date()) or read.doubts
        if twice := repeated_key(without_byte_order_mark(read_bounded(path))):
            raise OperatorError(f"{path}: {twice}: this key is there twice; keep one")
        return "" if read_recording(path) is not None else "its request is no chat, so no request gets it"
    if path.suffix != ".toml":
        raise OperatorError(f"{path}: {path.suffix or 'no suffix'!r} is not allowed; allowed: .toml, .json")
    if path.name in {FILE_NAME, PROJECT_FILE_NAME}:
        load({}, {}, file=str(path))
    elif path.name == "default.toml":
        read_toml(path, DefaultFile)
    elif path.name == "edition.toml":
        _check_edition(path)
    else:
        read_toml(path, ChipFile)
        _check_together(path)
    return ""


def _check_edition(path: Path) -> None:
    from mockserver.files.checked import read_toml
    from mockserver.profile.edition_file import EditionFile

    read_toml(path, EditionFile).moderation.rules(f"{path}: moderation")
    _check_together(path)


def _check_together(path: Path) -> None:
    """Load a file's edition, to find what no file shows alone; of the errors found there only the file's own count."""
    from mockserver.core.data import shipped
    from mockserver.profile.edition import load_edition

    folder = path.absolute().parent
    try:
        load_edition(folder.name, [folder.parent, shipped("profiles")])
    except OperatorError as error:
        own = str(path.absolute())
        if str(error).startswith(own):
            raise OperatorError(f"{path}{str(error).removeprefix(own)}") from None
        if not any((root / folder.name / "edition.toml").is_file() for root in (folder.parent, shipped("profiles"))):
            raise OperatorError(f"{path}: no edition.toml stands beside it") from None
