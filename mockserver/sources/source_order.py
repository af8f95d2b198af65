"""The sources in order: the operator's fixtures and then recordings, shipped fixtures, and synthetic text.

With `strict` nothing is synthesised: what nothing fits is refused, with near misses.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import replace
from functools import partial
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

from mockserver.core.data import ANY
from mockserver.core.errors import OperatorError, Refusal
from mockserver.core.exchange import Answer
from mockserver.files.bounded import visible_path
from mockserver.sources.fixture_answer import reply_of
from mockserver.sources.fixtures import CHECK_EVERY_S
from mockserver.sources.identity import identified
from mockserver.sources.prompt_tokens import PromptCounter
from mockserver.sources.staleness import not_offered, stale_detail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mockserver.core.exchange import ChatRequest, Plan
    from mockserver.profile.edition import Edition
    from mockserver.sources.fixtures import Fixtures
    from mockserver.sources.recording_folders import RecordingFolders
    from mockserver.sources.synthetic import Synthetic

log = logging.getLogger("mockserver")


def at_once(steps: Iterator[None]) -> None:
    """Take all steps here and now."""
    deque(steps, maxlen=0)


class Sources:
    """Where answers come from. A broken file is told in the log and left out, at the start and when files change.

    Args:
        edition: Whose figures count tokens.
        fixtures: Answers that people wrote.
        recordings: Exchanges as they were, or None.
        synthetic: Text for everything else.
        strict: Nothing is synthesised.
        strict_requests: A fixture that calls what a request does not offer refuses it.
        now_s: Seconds since the Unix epoch, for looking after changed files and for `expires`.
        beside: Takes the steps of a look that takes longer than one, in a thread.
    """

    def __init__(
        self,
        edition: Edition,
        fixtures: Fixtures,
        recordings: RecordingFolders | None,
        synthetic: Synthetic,
        *,
        strict: bool,
        strict_requests: bool = False,
        now_s: Callable[[], float],
        beside: Callable[[Iterator[None]], object] = at_once,
    ) -> None:
        self._prompt_tokens = PromptCounter(edition).count
        self._fixtures = fixtures
        self._recordings = recordings
        self._synthetic = synthetic
        self._strict = strict
        self._strict_requests = strict_requests
        self._now_s = now_s
        self._generation = self._changes = 0
        self._looked_s = -inf
        self._beside = beside
        self._is_looking = False

    def begin(self, most_steps: int | None = None) -> Iterator[None] | None:
        """Read the files for the first time; nothing is asked for before they are read.

        Args:
            most_steps: After so many steps the others are left to the caller, unless it is strict; None takes all.

        Returns:
            The steps that are left; None where all is read.

        Raises:
            OperatorError: strict, and a file is broken.
        """
        self._looked_s, self._is_looking = self._now_s(), True
        steps = self._looking(self._looked_s)
        deque(steps if self._strict else islice(steps, most_steps), maxlen=0)
        broken = list(self._fixtures.broken.values())
        if self._strict and broken:  # nothing else would answer in its place: better no mock than one without it
            raise OperatorError(broken[0])
        return steps if self._is_looking else None

    def generation(self) -> int | None:
        """A number that changes when the same request may get another answer: files changed, a sequence went on.

        None while headers or the query decide, which nobody remembers.
        """
        self._refresh()
        recordings = self._recordings
        looks = self._fixtures.looks_at_heads() or (recordings is not None and recordings.looks_at_heads())
        return None if looks else self._generation

    def answer(self, request: ChatRequest) -> Answer | Plan:
        """What is said to a request; raises Refusal where a fixture says so, or where strict and nothing matches."""
        self._refresh()
        found = self._fixtures.find(request, request.namespace) if request.answer_style is None else None
        if request.answer_style is None and self._recordings is not None:
            shipped = found is None or found.fixture.root >= self._recordings.roots
            counted = partial(self._prompt_tokens, request)
            recorded = self._recordings.answer(request, counted) if shipped else None
            if recorded is not None:
                return recorded
        if found is not None:
            self._generation += found.in_turn
            said = reply_of(found.said, found.fixture.name, lambda: self._prompt_tokens(request))
            if isinstance(said, Answer):
                said = identified(said, request.messages)
            stale = not_offered(said, request)
            if stale and self._strict_requests:
                raise Refusal("no-match", stale_detail(found.fixture.name, stale))
            return replace(said, stale=stale) if stale else said
        if self._strict:
            raise self._no_match(request)
        return self._synthetic.answer(request)

    def _no_match(self, request: ChatRequest) -> Refusal:
        """The refusal of a request that nothing fits: recordings and the operator's fixtures are near misses first."""
        near = self._recordings.near_misses(request) if self._recordings is not None else []
        refusal = self._fixtures.no_match(request)
        if not near:
            return refusal
        return Refusal(refusal.kind, f"no recording fits; nearest: {'; '.join(near)}; {refusal.detail}")

    def named(self) -> set[tuple[str, str]]:
        """Model and chip of each answer that the operator gives; an empty name is any, a deployment is no model."""
        if self._recordings is None:
            return set()
        return self._recordings.recordings.named() | {
            ("" if one.model == ANY else one.model, "" if one.chip == ANY else one.chip)
            for one in self._fixtures.unordered()
            if one.root < self._recordings.roots
        }

    def forget(self, namespace: str) -> None:
        """Sequences of fixtures begin again for a namespace."""
        self._fixtures.forget_calls(namespace)
        self._generation += 1

    def _refresh(self) -> None:
        """Look after changed files, where it is time: one step here, and what takes longer beside."""
        if self._is_looking:
            return
        now_s = self._now_s()
        if abs(now_s - self._looked_s) < CHECK_EVERY_S:
            return
        self._looked_s, self._is_looking = now_s, True
        steps = self._looking(now_s)
        next(steps, None)
        if self._is_looking:
            self._beside(steps)

    def _looking(self, now_s: float) -> Iterator[None]:
        """The steps of a look; what is wrong with a file is told at once."""
        try:
            for _ in self._fixtures.looking(now_s):
                self._seen()
                yield
            self._seen()
        finally:
            self._is_looking = False

    def _seen(self) -> None:
        for report in self._fixtures.reports():
            log.warning("%s", visible_path(report))
        changes = self._fixtures.changes
        if changes != self._changes:
            self._changes = changes
            self._generation += 1
