"""The last step of stage `head`: further headers of an edition, where they stand and what they say.

A value may hold what is drawn anew for each response (`core/drawn.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from mockserver.core import sent_headers
from mockserver.core.drawn import drawn
from mockserver.core.headers import with_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mockserver.core.exchange import Headers

Place = Literal["stream", "body", "error"]
HeaderValue = sent_headers.HeaderValue | Literal[False]
PLACES: Final[tuple[Place, ...]] = ("stream", "body", "error")
"""Where a header may stand: on streamed answers, on other answers, on refusals."""


class FurtherHeaders:
    """The further headers of an edition.

    Args:
        values: By name; the value of all responses, or one for each place. False takes the header away.
    """

    def __init__(self, values: Mapping[str, str | Mapping[Place, HeaderValue]]) -> None:
        self._at: dict[Place, tuple[tuple[str, HeaderValue], ...]] = {
            place: tuple(
                (name, value if isinstance(value, str) else value[place])
                for name, value in values.items()
                if isinstance(value, str) or place in value
            )
            for place in PLACES
        }

    def put(self, headers: Headers, place: Place, entropy: bytes) -> Headers:
        """The headers of a response with these among them.

        Args:
            headers: What the response has already; what has a name of these goes.
            place: Which sort of response it is.
            entropy: What values are drawn from; the same bytes give the same values.
        """
        given = self._at[place]
        if not given:
            return headers
        made = [(name, value if value is False else drawn(value, entropy, name)) for name, value in given]
        return with_headers(headers, made)
