"""Exchanges in other formats, in and out: HAR, VCR.py cassettes, curl dumps, bare bodies.

Each format has its reader and its writer side by side in its own file and one row in `FORMATS`. What a format cannot
tell is not invented: without a time line each frame of the body is one send, all at the time of the answer. The bytes
of a body are kept as they are, also where it is no good answer; what is changed of a paste is told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mockserver import __version__
from mockserver.core.errors import OperatorError
from mockserver.files.atomic import write_whole
from mockserver.files.bounded import read_bounded
from mockserver.files.exchange_file import Provenance, file_of, read, read_if_exchange
from mockserver.files.kept_headers import dropped, told_of_dropped
from mockserver.files.secrets import Redactor, SpelledSecretError, secret_values
from mockserver.recording.formats import dump, har, vcr
from mockserver.recording.formats.dump import is_of_another_kind
from mockserver.recording.formats.request_text import split
from mockserver.recording.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mockserver.files.exchange_file import ExchangeFile, Origin
    from mockserver.files.secrets import Scrubbing
    from mockserver.recording.formats.imported_exchange import Hints, Imported

LIMIT_BYTES: Final = 256 * 2**20
LONGEST_TOLD: Final = 400
"""Letters of what is told of a file that cannot be read."""
PASTED: Final = (".txt", ".log", ".md")
"""Names of files that hold a paste; in all others the bytes are the answer's."""


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A row: how a format is recognised, read and written.

    Attributes:
        suffixes: Endings of file names, for writing.
        fits: Whether bytes are in this format.
        read: The exchanges in it; raises ValueError for what cannot be read.
        write: Its text.
        many: Whether one file holds several exchanges.
    """

    suffixes: tuple[str, ...]
    fits: Callable[[bytes], bool]
    read: Callable[[bytes, Hints], list[Imported]]
    write: Callable[[Sequence[ExchangeFile]], bytes]
    many: bool


def convert(
    source: Path,
    target: Path,
    hints: Hints,
    scrubbing: Scrubbing,
    tell: Callable[[str], None] = lambda _line: None,
) -> list[Path]:
    """Read exchanges in one format and write them in another; returns the files that were written.

    Secrets are masked on the way in, as in recording. A file that exists is not overwritten.

    Args:
        source: A file in any known format, or a folder of exchange files.
        target: A file, whose name says the format, or a folder for exchange files.
        hints: What the source may not tell.
        scrubbing: What is masked and kept besides.
        tell: Told in one line each what the source was taken for, and which headers are not kept.

    Raises:
        OperatorError: The source cannot be read, or the target not written.
    """
    files = exchanges(source, hints, scrubbing, tell)
    if not files:
        raise OperatorError(f"{source}: no chat completions in it")
    made = next((row for row in FORMATS.values() if target.suffix.lower() in row.suffixes), None)
    if made is None:
        if target.suffix and not target.is_dir():
            known = ", ".join(suffix for row in FORMATS.values() for suffix in row.suffixes)
            raise OperatorError(f"{target}: unknown format {target.suffix!r}; known: {known}, or a folder")
        store = Store(target)
        return [store.save(file, replace=False) for file in files]
    if len(files) > 1 and not made.many:
        raise OperatorError(f"{target}: this format holds one exchange, {source} has {len(files)}")
    if target.exists():
        raise OperatorError(f"{target}: exists; give another name or remove it")
    write_whole(target, made.write(files), recording=True)
    return [target]


def exchanges(
    source: Path, hints: Hints, scrubbing: Scrubbing, tell: Callable[[str], None] = lambda _line: None
) -> list[ExchangeFile]:
    """The exchanges of a file in any known format, or of a folder of exchange files."""
    if source.is_dir():
        found = (read_if_exchange(path) for path in sorted(source.rglob("*.json")))
        return [file for file in found if file is not None]
    data = read_bounded(source, LIMIT_BYTES)
    name: Origin = "curl"
    try:
        asked, answer = (None, data) if hints.form else split(data)
        known = _name_of(answer, hints, asked=asked is not None)
        if known is None:
            return [read(source)]
        name = known
        hints = replace(hints, pasted=source.suffix.lower() in PASTED and not hints.form, asked=asked)
        found_in = FORMATS[name].read(answer, hints)
        made = [_file(one, name, scrubbing) for one in found_in]
    except (ValueError, RecursionError, OverflowError) as error:
        raise OperatorError(f"{source}: read as {name}: {' '.join(str(error).split())[:LONGEST_TOLD]}") from None
    except SpelledSecretError as error:
        raise OperatorError(f"{source}: {error}") from None
    for line in _told(found_in, scrubbing):
        tell(f"{source}: {line}")
    return made


def _name_of(answer: bytes, hints: Hints, *, asked: bool) -> Origin | None:
    """The format of a file; None for what is an exchange file, or is to be told of as none."""
    if hints.form:
        return "lines"
    name = next((name for name, row in FORMATS.items() if row.fits(answer)), None)
    if name is not None and not (asked and FORMATS[name].many):
        return name
    is_text = b"\0" not in answer and not is_of_another_kind(answer)
    return "lines" if is_text and (asked or hints.prompt) else None


def _told(found: Sequence[Imported], scrubbing: Scrubbing) -> Iterator[str]:
    """What the source was taken for and what was changed, and which headers are not kept."""
    for one in found:
        if one.taken_for:
            yield f"taken for {one.taken_for}; {'; '.join(one.changes) or 'no byte of the body was changed'}"
    plans = [one.exchange.plan for one in found if one.exchange.plan is not None]
    names = dropped([pair for plan in plans for pair in plan.headers], scrubbing.keep_headers)
    if names:
        yield told_of_dropped(names)


def _file(one: Imported, origin: Origin, scrubbing: Scrubbing) -> ExchangeFile:
    redactor = Redactor(secret_values(one.headers), scrubbing)
    provenance = Provenance(
        recorded_at=one.recorded_at, origin=origin, tool=f"genstudio-mock {__version__}", body_sha256=""
    )
    return file_of(redactor.exchange(one.exchange), provenance, scrubbing.keep_headers)


FORMATS: Final[dict[Origin, FileFormat]] = {
    "har": FileFormat((".har",), har.fits, har.read, har.write, many=True),
    "vcr": FileFormat((".yaml", ".yml"), vcr.fits, vcr.read, vcr.write, many=True),
    "curl": FileFormat((".http",), dump.fits, dump.read, dump.write, many=False),
    "lines": FileFormat(
        (".txt", ".jsonl", ".ndjson", ".sse"), dump.lines_fit, dump.read_lines, dump.write_lines, many=False
    ),
}
