"""A recording, or an exchange with a live service, as the page draws it: with what a file may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mockserver.files.exchange_file import Provenance, exchange_of, file_of
from mockserver.page.drawn import drawn
from mockserver.page.editions import claims_of
from mockserver.sources.recording_file import chat_request

if TYPE_CHECKING:
    from mockserver.core.exchange import Exchange
    from mockserver.files.exchange_file import ExchangeFile


def drawn_file(file: ExchangeFile, title: str, edition: str = "") -> dict[str, Any]:
    """A recording.

    Args:
        file: The recording.
        title: What it is called.
        edition: Whose claims on its chip are told; empty for that which the file names.
    """
    exchange = exchange_of(file)
    exchange.chat = chat_request(file.request.path, file.request.body or {})
    claims = claims_of(edition or file.provenance.edition, exchange.chat.chip) if exchange.chat else None
    return {**drawn(exchange, claims), "title": title}


def drawn_kept(exchange: Exchange, title: str, edition: str) -> dict[str, Any] | None:
    """An exchange with a service, without the headers that a file would not keep; None where nothing was answered."""
    if exchange.plan is None or exchange.plan.status < 200:
        return None
    provenance = Provenance(recorded_at="", edition=edition, tool="", body_sha256="")
    return drawn_file(file_of(exchange, provenance), title)
