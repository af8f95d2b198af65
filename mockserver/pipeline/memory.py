"""The memory of requests that came before: where all that decides is the request, the same one is decided once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from mockserver.pipeline.incoming import IncomingRequest

Decided = TypeVar("Decided")
Head = TypeVar("Head", bound="Hashable")
MOST_RESPONSES: Final = 256
MOST_MET: Final = 4096
"""Requests of which only is known that they came: a response is kept from the second time on."""
MOST_BYTES: Final = 16 * 1024
"""Requests with a larger body are not remembered."""


class Memory(Generic[Decided]):
    """What was decided on requests that came before.

    Args:
        generation: What changes when the same request may get another answer; None remembers nothing, and so does one
            that is None, as long as it is.
    """

    def __init__(self, generation: Callable[[], object] | None) -> None:
        self._generation = generation
        self._met: set[int] = set()
        self._kept: dict[Hashable, tuple[object, Decided]] = {}

    def decided(
        self, head: Head, asked: IncomingRequest, decide: Callable[[Head, IncomingRequest], Decided]
    ) -> Decided:
        """What was decided for the same request; else what `decide` says now.

        Args:
            head: What decides beside the namespace and the body.
            asked: A request for which nothing is set up.
            decide: All the stages that make no difference between equal requests.
        """
        body = asked.request.body
        if self._generation is None or len(body) > MOST_BYTES:
            return decide(head, asked)
        generation = self._generation()
        if generation is None:
            return decide(head, asked)
        key = head, asked.namespace(), body
        kept = self._kept.get(key)
        if kept is not None and kept[0] == generation:
            return kept[1]
        decided = decide(head, asked)
        known = hash(key)
        if known not in self._met:
            if len(self._met) >= MOST_MET:
                self._met.clear()
            self._met.add(known)
        elif self._generation() == generation:
            if len(self._kept) >= MOST_RESPONSES:
                self._kept.clear()
            self._kept[key] = generation, decided
        return decided
