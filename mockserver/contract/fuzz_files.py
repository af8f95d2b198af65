"""What the fuzzer found as files: an exchange file, its hexdump, its page, and a test that fails until it is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockserver import __version__
from mockserver.contract.fuzz import truth_of
from mockserver.core.errors import OperatorError
from mockserver.files.atomic import write_whole
from mockserver.files.exchange_file import Provenance, body_sha256, file_of, written
from mockserver.page.recorded import drawn_kept
from mockserver.page.standalone import exchange_document

if TYPE_CHECKING:
    from pathlib import Path

    from mockserver.contract.fuzz import Failure


def save(failure: Failure, folder: Path, client_lines: str, edition: str = "") -> list[Path]:
    """Write the stream, its hexdump, its page and its test; the same stream gets the same names.

    The stream is a fixture as the recorder writes them: `serve --fixtures` plays it, `fixtures show` draws it.

    Args:
        failure: What was found.
        folder: Where to.
        client_lines: Python that defines the client as `read(base_url)`, for the test.
        edition: Noted in the file.

    Raises:
        OperatorError: the folder cannot be written.
    """
    tool = f"genstudio-mock {__version__}"
    provenance = Provenance(recorded_at="", edition=edition, origin="fuzz", tool=tool, body_sha256="")
    text = written(file_of(failure.exchange, provenance))
    name = f"stream_{body_sha256([text.encode()])[:6]}"
    test = (
        f"# {failure.problem!a}\n\nfrom pathlib import Path\n\n"
        "from mockserver.contract.fuzz import difference, load, serving\n\n\n"
        f"{client_lines.rstrip()}\n\n\n"
        f"TRUTH = {truth_of(failure.stream)!a}\n\n\n"
        f"def test_{name}():\n"
        f"    with serving(load(Path(__file__).with_name({name + '.json'!r}))) as base_url:\n"
        f"        assert difference(read(base_url), TRUTH) == ''\n"
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"--output {folder}: {error.strerror or error}") from None
    page = exchange_document(failure.problem, [drawn_kept(failure.exchange, name, edition) or {}])
    files = {
        f"{name}.json": text,
        f"{name}.hex": failure.explain(),
        f"{name}.html": page,
        f"test_{name}.py": test,
    }
    for file, content in files.items():
        write_whole(folder / file, content)
    return [folder / file for file in files]
