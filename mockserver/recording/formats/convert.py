"""Exchanges in other formats, in and out: HAR, VCR.py cassettes, curl dumps, pasted lines.

Each format has its reader and its writer side by side in its own file and one row in `FORMATS`. What a format cannot
tell is not invented: without a time line each frame of the body is one send, all at the time of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mockserver import __version__
from mockserver.core.errors import OperatorError
from mockserver.files.atomic import write_whole
from mockserver.files.bounded import read_bounded
from mockserver.files.exchange_file import Provenance, file_of, read, read_if_exchange
from mockserver.files.secrets import Redactor, SpelledSecretError, secret_values
from mockserver.recording.formats import dump, har, vcr
from mockserver.recording.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mockserver.files.exchange_file import ExchangeFile, Origin
    from mockserver.files.secrets import Scrubbing
    from mockserver.recording.formats.imported_exchange import Hints, Imported

LIMIT_BYTES: Final = 256 * 2**20


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


def convert(source: Path, target: Path, hints: Hints, scrubbing: Scrubbing) -> list[Path]:
    """Read exchanges in one format and write them in another; returns the files that were written.

    Secrets are masked on the way in, as in recording. A file that exists is not overwritten.

    Raises:
        OperatorError: The source cannot be read, or the target not written.
    """
    files = exchanges(source, hints, scrubbing)
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


def exchanges(source: Path, hints: Hints, scrubbing: Scrubbing) -> list[ExchangeFile]:
    """The exchanges of a file in any known format, or of a folder of exchange files."""
    if source.is_dir():
        found = (read_if_exchange(path) for path in sorted(source.rglob("*.json")))
        return [file for file in found if file is not None]
    data = read_bounded(source, LIMIT_BYTES)
    name = next((name for name, row in FORMATS.items() if row.fits(data)), None)
    if name is None:
        return [read(source)]
    try:
        found_in = FORMATS[name].read(data, hints)
        return [_file(one, name, scrubbing) for one in found_in]
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"{source}: read as {name}: {' '.join(str(error).split())}") from None
    except SpelledSecretError as error:
        raise OperatorError(f"{source}: {error}") from None


def _file(one: Imported, origin: Origin, scrubbing: Scrubbing) -> ExchangeFile:
    redactor = Redactor(secret_values(one.headers), scrubbing)
    provenance = Provenance(
        recorded_at=one.recorded_at, origin=origin, tool=f"genstudio-mock {__version__}", body_sha256=""
    )
    return file_of(redactor.exchange(one.exchange), provenance)


FORMATS: Final[dict[Origin, FileFormat]] = {
    "har": FileFormat((".har",), har.fits, har.read, har.write, many=True),
    "vcr": FileFormat((".yaml", ".yml"), vcr.fits, vcr.read, vcr.write, many=True),
    "curl": FileFormat((".http",), dump.fits, dump.read, dump.write, many=False),
    "lines": FileFormat(
        (".txt", ".jsonl", ".ndjson", ".sse"), dump.lines_fit, dump.read_lines, dump.write_lines, many=False
    ),
}
