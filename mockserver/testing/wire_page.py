"""What went over the wire in one test, drawn as a page of its own. The standard library is enough for it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mockserver.core.errors import OperatorError
from mockserver.files.atomic import write_whole
from mockserver.page.standalone import exchange_document

if TYPE_CHECKING:
    from mockserver.testing.session_journal import SessionJournal

_ODD: Final = re.compile(r"[^\w.-]+")
NAME_LETTERS: Final = 120


def write_page(session: SessionJournal, folder: str | Path, test: str) -> Path | None:
    """Write the page of a test; the same test gets the same name.

    Args:
        session: The test's namespace.
        folder: Where to; made where it is missing.
        test: The test's name.

    Returns:
        The page, or None where no request came.

    Raises:
        MockError: the mock does not answer.
        OperatorError: it cannot be written.
    """
    exchanges = session.call("GET", "/exchanges?frames=true")
    if not exchanges:
        return None
    claims = _claims(session)
    for one in exchanges:
        one["claims"] = claims.get(one["chip"])
    name = _ODD.sub("_", test).strip("_")[-NAME_LETTERS:]
    path = Path(folder) / f"{name}-{hashlib.sha256(test.encode()).hexdigest()[:6]}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"--genstudio-html {folder}: {error.strerror or error}") from None
    write_whole(path, exchange_document(test, exchanges), named=f"--genstudio-html {path}")
    return path


def _claims(session: SessionJournal) -> dict[str, Any]:
    """The quirks of each chip of the edition that is served."""
    served = next((one for one in session.call("GET", "/editions") if one["served"]), None)
    return {chip["name"]: chip["quirks"] for chip in served["chips"]} if served else {}
