"""An exchange of the journal as a fixture file: what `serve --fixtures` replays. Nothing is written here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mockserver import __version__
from mockserver.files.exchange_file import Provenance, file_of, written
from mockserver.files.secrets import Redactor, SpelledSecretError

if TYPE_CHECKING:
    from mockserver.core.exchange import Exchange


class NotSavedError(Exception):
    """The exchange cannot be a fixture; the text says why and follows the exchange's number."""


def fixture_text(exchange: Exchange, key: str, edition: str, now_ms: int) -> str:
    """The file's text, without the API key and without what looks like a secret.

    Args:
        exchange: A finished exchange.
        key: The API key of the namespace; it is masked wherever it stands.
        edition: What the mock imitates.
        now_ms: Milliseconds since the Unix epoch, for the provenance.

    Raises:
        NotSavedError: it is still going on, nothing was answered, the bytes are no body of their own, or a secret
            cannot be masked.
    """
    if exchange.in_flight:
        raise NotSavedError("is in flight; save it when it has ended")
    if exchange.plan is None:
        raise NotSavedError("has no answer, so there is nothing to replay")
    if exchange.plan.raw:
        raise NotSavedError("was sent as network writes by a fault, which a fixture cannot hold; arm the fault instead")
    if exchange.chat is None:
        raise NotSavedError("was refused before it was understood as a chat, so no fixture can answer it")
    moment = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    tool = f"genstudio-mock {__version__}"
    provenance = Provenance(recorded_at=moment, edition=edition, upstream="loopback", tool=tool, body_sha256="")
    redactor = Redactor({key.encode("latin-1")} if key else ())
    try:
        text = written(file_of(redactor.exchange(exchange), provenance))
        redactor.check(text.encode())
    except SpelledSecretError as error:
        raise NotSavedError(f"is not saved: {error}") from None
    return text
