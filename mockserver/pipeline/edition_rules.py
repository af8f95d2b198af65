"""What an edition hands to the stages: plain values, whatever files they were read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from mockserver.core.immutable import immutable
from mockserver.pipeline.further_headers import FurtherHeaders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mockserver.pipeline.refuse import ErrorShape
    from mockserver.pipeline.request.rules import RequestRules
    from mockserver.pipeline.wire_settings import WireSettings


NO_HEADERS: Final = FurtherHeaders({})


class CatalogueModel(Protocol):
    """A model as the catalogue lists it."""

    @property
    def id(self) -> str:
        """What requests call it."""

    @property
    def kind(self) -> str:
        """What sort of model it is, in the service's words."""

    @property
    def vision(self) -> bool:
        """Whether it takes images and videos."""

    @property
    def context_tokens(self) -> int | None:
        """Its context; None where it is not published."""

    @property
    def max_output_tokens(self) -> int | None:
        """The longest answer; None where it is not published."""


@immutable(frozen=True, slots=True)
class EditionRules:
    """What an edition hands to the stages.

    Attributes:
        name: The edition's, a part of everything derived.
        request: What a request may hold.
        catalogue: Model to the chips that serve it.
        models: The catalogue's entries by their ids.
        wires: The wire form of each chip, in the documents' order.
        changed: A wire form after the changes of `X-Mock-Quirks`; raises ValueError for a quirk that is not there.
        errors: How each kind of refusal looks on the wire; `KIND:FIELD` where one field's refusal looks otherwise.
        headers: Further headers of responses, whatever the chip.
        body_type: Content-Type of an answer that is not streamed.
    """

    name: str
    request: RequestRules
    catalogue: Mapping[str, frozenset[str]]
    models: Mapping[str, CatalogueModel]
    wires: Mapping[str, WireSettings]
    changed: Callable[[WireSettings, str], WireSettings]
    errors: Mapping[str, ErrorShape]
    headers: FurtherHeaders = NO_HEADERS
    body_type: bytes = b"application/json"

    @property
    def default_chip(self) -> str:
        """The chip of routes whose path names none: the edition's first, as the reference has it."""
        return next(iter(self.wires))

    def takes_media(self, model: str) -> bool:
        """Whether a model takes images and videos; of one that no catalogue lists nobody knows, and it may."""
        entry = self.models.get(model)
        return entry is None or entry.vision
